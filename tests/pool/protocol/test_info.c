/* Lines of INFO. */
#include "cachewarden/redis.h"

#include "suite.h"

static void expect_field(const char *info, const char *name, const char *value)
{
    struct str found = redis_info_field(str_from(info), name);

    ck_assert_msg(str_eq(found, str_from(value)), "%s: %.*s", name, STR_ARG(found));
}

START_TEST(a_line_by_its_name)
{
    static const char info[] = "# Memory\r\nused_memory:5\r\nused_memory_rss:6\r\nempty:\r\n"
                               "last:7";

    expect_field(info, "used_memory", "5");
    expect_field(info, "used_memory_rss", "6");
    expect_field(info, "empty", "");
    expect_field(info, "last", "7");
    expect_field("a:1\nb:2\n", "b", "2");
}
END_TEST

START_TEST(what_is_not_there)
{
    static const char info[] = "# Memory\r\nused_memory_rss:6\r\nmemory:5\r\nused\r\n";

    ck_assert_ptr_null(redis_info_field(str_from(info), "used_memory").ptr);
    ck_assert_ptr_null(redis_info_field(str_from(info), "used").ptr);
    ck_assert_ptr_null(redis_info_field(STR_NONE, "used").ptr);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool/protocol/info");
    TCase *all = tcase_create("all");

    tcase_add_test(all, a_line_by_its_name);
    tcase_add_test(all, what_is_not_there);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
