/* Numbers that accounts do not get: those of somebody else's users. */
#include "suite.h"
#include "users_case.h"

static int64_t add(const char *name)
{
    return users_backend_add(users, name, "h");
}

static void set_first_id(int64_t first_id)
{
    ck_assert_msg(users_set_first_id(users, first_id, &error) == ERR_OK, "%s", error.detail);
}

START_TEST(before_the_first_account)
{
    open_backend(_i);
    set_first_id(1000000);
    ck_assert_int_eq(add("alice"), 1000000);
    ck_assert_int_eq(add("bob"), 1000001);
    close_backend();
}
END_TEST

START_TEST(beside_accounts)
{
    struct user alice;

    open_backend(_i);
    ck_assert_int_eq(add("alice"), 1);
    set_first_id(1);
    ck_assert_int_eq(add("bob"), 2);
    set_first_id(50);
    set_first_id(50);
    ck_assert_int_eq(add("carol"), 50);
    /* Never back, and those who have a number keep it. */
    set_first_id(20);
    set_first_id(51);
    ck_assert_int_eq(add("dave"), 51);
    set_first_id(51);
    ck_assert_int_eq(add("erin"), 52);
    ck_assert_int_eq(users_find_by_id(users, arena, 1, &alice, &error), ERR_OK);
    ck_assert(str_eq(alice.username, STR("alice")));
    close_backend();
}
END_TEST

/* Whoever makes the account: this node, another, a command. */
START_TEST(for_every_program)
{
    open_backend(_i);
    struct users *other = users_backend_open();
    int64_t id;

    set_first_id(700);
    ck_assert_int_eq(users_backend_add(other, "alice", "h"), 700);
    ck_assert_int_eq(users_provision(other, STR("i"), STR("s"), &id, &error), ERR_OK);
    ck_assert_int_eq(id, 701);
    users_close(&other);
    close_backend();
}
END_TEST

START_TEST(a_database_out_of_reach)
{
    open_backend(_i);
    backend->ruin();
    ck_assert_int_eq(users_set_first_id(users, 5, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(users_set_first_id(users, 1, &error), ERR_OK);
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/first_id");
    TCase *tcase = tcase_create("users_first_id");

    tcase_add_loop_test(tcase, before_the_first_account, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, beside_accounts, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, for_every_program, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, a_database_out_of_reach, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
