/* Lines of INFO. */
#include "cachewarden/redis.h"
#include "cachewarden/value.h"

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

static struct value hello_of(struct value *items, const char *role)
{
    items[0] = (struct value){.kind = VALUE_STRING, .text = STR("proto")};
    items[1] = (struct value){.kind = VALUE_INTEGER, .integer = 2};
    items[2] = (struct value){.kind = VALUE_STRING, .text = STR("role")};
    items[3] = (struct value){.kind = VALUE_STRING, .text = str_from(role)};
    return (struct value){.kind = VALUE_ARRAY, .items = items, .count = 4};
}

static void expect_role(struct value told, enum redis_role role)
{
    ck_assert_int_eq(redis_role_of(&told), role);
}

START_TEST(a_role_out_of_hello_or_info)
{
    struct value items[4];

    expect_role(hello_of(items, "master"), REDIS_ROLE_PRIMARY);
    expect_role(hello_of(items, "replica"), REDIS_ROLE_REPLICA);
    expect_role(hello_of(items, "sentinel"), REDIS_ROLE_UNTOLD);
    struct value half = hello_of(items, "master");
    half.count = 3;
    expect_role(half, REDIS_ROLE_UNTOLD);
    expect_role(
        (struct value){.kind = VALUE_STRING, .text = STR("# Replication\r\nrole:slave\r\n")},
        REDIS_ROLE_REPLICA);
    expect_role((struct value){.kind = VALUE_STRING, .text = STR("role:master\r\n")},
                REDIS_ROLE_PRIMARY);
    expect_role((struct value){.kind = VALUE_ERROR, .text = STR("role:slave")}, REDIS_ROLE_UNTOLD);
    expect_role((struct value){.kind = VALUE_ARRAY}, REDIS_ROLE_UNTOLD);
    expect_role((struct value){.kind = VALUE_MISSING}, REDIS_ROLE_UNTOLD);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool/protocol/info");
    TCase *all = tcase_create("all");

    tcase_add_test(all, a_line_by_its_name);
    tcase_add_test(all, what_is_not_there);
    tcase_add_test(all, a_role_out_of_hello_or_info);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
