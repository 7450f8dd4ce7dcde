/* Which keys a command names: by them a server will be chosen where there are several. */
#include "pipeline_private.h"

#include "suite.h"

#include <signal.h>

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
    ck_assert_ptr_null(pipeline_key(pipeline, 0, 0).ptr);
    ck_assert(str_eq(pipeline_key(pipeline, 1, 0), STR("cw:{u:7}")));
    ck_assert_ptr_null(pipeline_key(pipeline, 2, 0).ptr);
    ck_assert(str_eq(pipeline_key(pipeline, 3, 0), odd));
    ck_assert(pipeline_key(pipeline, 4, 0).ptr && pipeline_key(pipeline, 4, 0).len == 0);
}
END_TEST

START_TEST(a_command_may_name_several_keys)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), STR("a"), STR("no key"));
    PIPELINE_KEYS(pipeline, EXPECT_OK, 2, STR("RENAME"), STR("cw:{u:7}:e:a"), STR("cw:{u:7}:s:b"));
    ck_assert_ptr_null(pipeline_key(pipeline, 0, 1).ptr);
    ck_assert(str_eq(pipeline_key(pipeline, 1, 0), STR("cw:{u:7}:e:a")));
    ck_assert(str_eq(pipeline_key(pipeline, 1, 1), STR("cw:{u:7}:s:b")));
    ck_assert_ptr_null(pipeline_key(pipeline, 1, 2).ptr);
}
END_TEST

/* The rule of Redis: what is in the first braces, if something is. */
static const struct {
    struct str key, tag;
} tags[] = {
    {STR("cw:{u:7}:e:{label}"), STR("u:7")},
    {STR("cw:dataset"), STR("cw:dataset")},
    {STR("{}{u:7}"), STR("{}{u:7}")},
    {STR("a{b"), STR("a{b")},
    {STR("a{"), STR("a{")},
    {STR("a}b{c}"), STR("c")},
    {STR("{{a}}"), STR("{a")},
    {STR(""), STR("")},
};

START_TEST(a_tag_is_what_the_first_braces_hold)
{
    ck_assert(str_eq(pipeline_key_tag(tags[_i].key), tags[_i].tag));
}
END_TEST

#ifndef NDEBUG
START_TEST(keys_of_one_command_lie_together)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    PIPELINE_KEYS(pipeline, EXPECT_OK, 2, STR("RENAME"), STR("cw:{u:7}:e:a"), STR("cw:{u:8}:e:a"));
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("pool/pipeline_key");
    TCase *tcase = tcase_create("key");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_command_says_which_key_it_names);
    tcase_add_test(tcase, a_command_may_name_several_keys);
    tcase_add_loop_test(tcase, a_tag_is_what_the_first_braces_hold, 0, sizeof tags / sizeof *tags);
#ifndef NDEBUG
    tcase_add_test_raise_signal(tcase, keys_of_one_command_lie_together, SIGABRT);
#endif
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
