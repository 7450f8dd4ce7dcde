#include "stranger_watch.h"

#include "suite.h"
#include "users_case.h"

static struct account_cache *accounts;
static struct stranger_watch *watch;

static void open_all(int number)
{
    open_backend(number);
    ck_assert_int_eq(account_cache_new(users, STR("Admin"), &accounts), ERR_OK);
    ck_assert_int_eq(stranger_watch_new(users, accounts, &watch), ERR_OK);
}

static void close_all(void)
{
    stranger_watch_free(&watch);
    ck_assert_ptr_null(watch);
    account_cache_free(&accounts);
    close_backend();
}

static void expect_written(int64_t number, int64_t seen_s)
{
    struct users_sight sight;

    ck_assert_int_eq(users_look(str_from(users_backend_url), &sight, &error), ERR_OK);
    ck_assert_int_eq(sight.stranger, number);
    ck_assert_int_eq(sight.stranger_seen_s, seen_s);
}

START_TEST(a_number_of_an_account)
{
    open_all(_i);
    int64_t alice = users_backend_add(users, "alice", "h"),
            asleep = users_backend_add(users, "asleep", "h");
    ck_assert_int_eq(users_set_active(users, asleep, false, &error), ERR_OK);
    stranger_watch_note(watch, 4711, 1000);
    stranger_watch_note(watch, asleep, 1000);
    expect_written(0, 0);
    stranger_watch_note(watch, alice, 1001);
    expect_written(alice, 1001);
    close_all();
}
END_TEST

/* The account was made after the stranger came. */
START_TEST(it_looks_again)
{
    open_all(_i);
    stranger_watch_note(watch, 1, 1000);
    ck_assert_int_eq(users_backend_add(users, "alice", "h"), 1);
    account_forget_all(accounts);
    stranger_watch_note(watch, 1, 1001);
    expect_written(0, 0);
    stranger_watch_note(watch, 1, 1080);
    expect_written(1, 1080);
    /* Often is no more than now and then. */
    stranger_watch_note(watch, 1, 1081);
    expect_written(1, 1080);
    stranger_watch_note(watch, 1, 1200);
    expect_written(1, 1200);
    close_all();
}
END_TEST

START_TEST(many_numbers)
{
    open_all(_i);
    int64_t alice = users_backend_add(users, "alice", "h");
    for (int64_t number = alice + 1; number < alice + 200; number++)
        stranger_watch_note(watch, number, 1000);
    stranger_watch_note(watch, alice, 1000);
    expect_written(alice, 1000);
    close_all();
}
END_TEST

/* The request goes on, and the next ones do not ask. */
START_TEST(a_database_out_of_reach)
{
    open_all(_i);
    backend->ruin();
    for (int i = 0; i < 1000; i++)
        stranger_watch_note(watch, i + 1, 1000);
    close_all();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/stranger_watch");
    TCase *tcase = tcase_create("stranger_watch");

    tcase_add_loop_test(tcase, a_number_of_an_account, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, it_looks_again, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, many_numbers, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, a_database_out_of_reach, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
