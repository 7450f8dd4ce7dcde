/* Which key a command names: by it a server will be chosen where there are several. */
#include "pipeline_private.h"

#include "suite.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(0, 0);
}

static void tear_down(void)
{
    arena_free(&arena);
}

/* By its key, whatever stands before and behind it. */
START_TEST(a_command_says_which_key_it_names)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);
    const struct str odd = STR("a\r\n$1\r\nb");

    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), STR("cw:{u:7}"), odd);
    PIPELINE_ADD(pipeline, EXPECT_STRING, STR("ECHO"), STR("no key"));
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GET"), odd);
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GET"), STR(""));
    ck_assert_ptr_null(pipeline_key(pipeline, 0).ptr);
    ck_assert(str_eq(pipeline_key(pipeline, 1), STR("cw:{u:7}")));
    ck_assert_ptr_null(pipeline_key(pipeline, 2).ptr);
    ck_assert(str_eq(pipeline_key(pipeline, 3), odd));
    ck_assert(pipeline_key(pipeline, 4).ptr && pipeline_key(pipeline, 4).len == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool/pipeline_key");
    TCase *tcase = tcase_create("key");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_command_says_which_key_it_names);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
