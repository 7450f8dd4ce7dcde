#include "tokens/claimed_rights.h"

#include "cachewarden/arena.h"
#include "suite.h"

#include <stdio.h>

static struct arena *arena;
static struct claimed_rights_rules rules;

static void set_up(void)
{
    arena = arena_new(16384, 0);
    rules = (struct claimed_rights_rules){STR("s"), STR("g"), STR("Admin")};
}

static void tear_down(void)
{
    arena_free(&arena);
}

static struct claimed_rights read(const char *text)
{
    const struct json *payload;

    ck_assert_int_eq(json_parse(arena, str_from(text), &payload, NULL), ERR_OK);
    return claimed_rights_read(arena, payload, &rules);
}

START_TEST(by_name)
{
    struct claimed_rights rights = read("{\"s\":true,\"g\":[\"x\",\"Admin\"]}");

    ck_assert(rights.has_superuser && rights.is_superuser);
    ck_assert(rights.has_groups && rights.is_admin_member);
    rights = read("{}");
    ck_assert(rights.has_superuser && !rights.is_superuser);
    ck_assert(rights.has_groups && !rights.is_admin_member);
    rules = (struct claimed_rights_rules){0};
    rights = read("{\"s\":true,\"g\":[\"Admin\"],\"\":true}");
    ck_assert(!rights.has_superuser && !rights.is_superuser);
    ck_assert(!rights.has_groups && !rights.is_admin_member);
}
END_TEST

/* What does not fit, or is no name, is not shown, and counts all the same. */
START_TEST(groups_that_are_shown)
{
    struct claimed_rights rights = read("{\"g\":[\"a b\",\"\",\"x\\ny\",7,\"Admin\"]}");
    ck_assert(rights.is_admin_member);
    ck_assert(str_eq((struct str){rights.groups, rights.groups_len}, STR("a b\nAdmin\n")));
    char text[2 * CLAIMED_GROUPS_SIZE], name[CLAIMED_GROUPS_SIZE];
    memset(name, 'n', sizeof name - 2);
    name[sizeof name - 2] = '\0'; /* with its line feed one byte is left */
    snprintf(text, sizeof text, "{\"g\":[\"%s\",\"Admin\"]}", name);
    rights = read(text);
    ck_assert(rights.is_admin_member);
    ck_assert_uint_eq(rights.groups_len, CLAIMED_GROUPS_SIZE - 1);
}
END_TEST

START_TEST(of_the_wrong_kind)
{
    static const char *const payloads[] = {
        "{\"s\":1,\"g\":{\"Admin\":true}}", "{\"s\":\"true\",\"g\":\"Admin,x\"}",
        "{\"s\":[true],\"g\":[[\"Admin\"]]}", "{\"s\":null,\"g\":[\"admin\"]}", "[]"};

    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct claimed_rights rights = read(payloads[i]);
        ck_assert_msg(!rights.is_superuser && !rights.is_admin_member, "%s", payloads[i]);
    }
}
END_TEST

START_TEST(inside_others)
{
    rules.groups_claim = STR("a.b");
    ck_assert(read("{\"a\":{\"b\":\"Admin\"}}").is_admin_member);
    ck_assert(!read("{\"a.b\":[],\"a\":{\"b\":\"Admin\"}}").is_admin_member);
    ck_assert(!read("{\"a\":[\"Admin\"],\"b\":\"Admin\"}").is_admin_member);
}
END_TEST

/* Names of clients have dots, too. */
START_TEST(members_with_dots)
{
    rules.groups_claim = STR("resource_access.my.app.roles");
    ck_assert(read("{\"resource_access\":{\"my.app\":{\"roles\":[\"Admin\"]}}}").is_admin_member);
    ck_assert(read("{\"resource_access.my\":{\"app\":{\"roles\":[\"Admin\"]}}}").is_admin_member);
    ck_assert(read("{\"resource_access\":{\"my.app.roles\":\"Admin\"}}").is_admin_member);
    /* A member that leads nowhere is not in the way of another. */
    ck_assert(read("{\"resource_access\":{\"my\":{\"app\":5},\"my.app\":{\"roles\":[\"Admin\"]}}}")
                  .is_admin_member);
    /* Of two the one with the shorter names counts. */
    ck_assert(!read("{\"resource_access\":{\"my\":{\"app\":{\"roles\":[]}},"
                    "\"my.app\":{\"roles\":[\"Admin\"]}}}")
                   .is_admin_member);
    ck_assert(
        !read("{\"resource_access\":{\"my.app\":[{\"roles\":[\"Admin\"]}]}}").is_admin_member);
    rules.groups_claim = STR(".a..b.");
    ck_assert(!read("{\"a\":{\"b\":\"Admin\"}}").is_admin_member);
    ck_assert(read("{\"\":{\"a\":{\"\":{\"b\":{\"\":\"Admin\"}}}}}").is_admin_member);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/claimed_rights");
    TCase *tcase = tcase_create("claimed_rights");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, by_name);
    tcase_add_test(tcase, groups_that_are_shown);
    tcase_add_test(tcase, of_the_wrong_kind);
    tcase_add_test(tcase, inside_others);
    tcase_add_test(tcase, members_with_dots);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
