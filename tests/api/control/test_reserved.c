/* The reserved number in the users database: read, moved on once, never by two. */
#include "control/reserved.h"

#include "two_nodes.h"

#include "suite.h"

static void open_all(void)
{
    redis = redis_server_start(NULL);
    open_two(false);
}

START_TEST(none_at_first)
{
    struct reserved state;
    struct error error = {0};
    ck_assert_int_eq(reserved_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    ck_assert_int_eq(state.term, 0);
    ck_assert_int_eq(state.up_to, 0);
    ck_assert_ptr_null(state.text.ptr);
}
END_TEST

START_TEST(moved_by_one_of_two)
{
    struct users *users = nodes[0].app->users;
    struct reserved first, second;
    struct error error = {0};
    for (int64_t term = 1; term < 4; term++) {
        ck_assert_int_eq(reserved_read(users, arena, &first, &error), ERR_OK);
        second = first;
        ck_assert_int_eq(reserved_move(users, arena, &first, term, term * 1000, &error), ERR_OK);
        ck_assert_int_eq(
            reserved_move(nodes[1].app->users, arena, &second, term, term * 2000, &error),
            ERR_CONFLICT);
        ck_assert_int_eq(reserved_read(users, arena, &first, &error), ERR_OK);
        ck_assert_int_eq(first.term, term);
        ck_assert_int_eq(first.up_to, term * 1000);
    }
}
END_TEST

START_TEST(what_is_none)
{
    static const char *const bad[] = {"", "1", "1:", ":1", "0:1", "-1:5", "1:-5", "1:2:3", "x:y"};
    struct users *users = nodes[0].app->users;
    struct reserved state;
    struct error error = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(users_fact_set(users, STR("versions_reserved"), str_from(bad[i]), &error),
                         ERR_OK);
        ck_assert_msg(reserved_read(users, arena, &state, &error) == ERR_INTERNAL, "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/reserved");
    TCase *tcase = tcase_create("reserved");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_test(tcase, none_at_first);
    tcase_add_test(tcase, moved_by_one_of_two);
    tcase_add_test(tcase, what_is_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
