/* The floor in the users database: read, moved on once, never by two. */
#include "control/floor.h"

#include "two_nodes.h"

#include "suite.h"

static void open_all(void)
{
    redis = redis_server_start(NULL);
    open_two(false);
}

START_TEST(none_at_first)
{
    struct floor_state state;
    struct error error = {0};
    ck_assert_int_eq(floor_read(nodes[0].app->users, arena, &state, &error), ERR_OK);
    ck_assert_int_eq(state.era, 0);
    ck_assert_int_eq(state.height, 0);
    ck_assert_ptr_null(state.text.ptr);
}
END_TEST

START_TEST(moved_by_one_of_two)
{
    struct users *users = nodes[0].app->users;
    struct floor_state first, second;
    struct error error = {0};
    for (int64_t era = 1; era < 4; era++) {
        ck_assert_int_eq(floor_read(users, arena, &first, &error), ERR_OK);
        second = first;
        ck_assert_int_eq(floor_move(users, arena, &first, era, era * 1000, &error), ERR_OK);
        ck_assert_int_eq(floor_move(nodes[1].app->users, arena, &second, era, era * 2000, &error),
                         ERR_CONFLICT);
        ck_assert_int_eq(floor_read(users, arena, &first, &error), ERR_OK);
        ck_assert_int_eq(first.era, era);
        ck_assert_int_eq(first.height, era * 1000);
    }
}
END_TEST

START_TEST(what_is_no_floor)
{
    static const char *const bad[] = {"", "1", "1:", ":1", "0:1", "-1:5", "1:-5", "1:2:3", "x:y"};
    struct users *users = nodes[0].app->users;
    struct floor_state state;
    struct error error = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(users_fact_set(users, STR("control_floor"), str_from(bad[i]), &error),
                         ERR_OK);
        ck_assert_msg(floor_read(users, arena, &state, &error) == ERR_INTERNAL, "%s", bad[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/floor");
    TCase *tcase = tcase_create("floor");
    tcase_add_checked_fixture(tcase, open_all, close_two);
    tcase_add_test(tcase, none_at_first);
    tcase_add_test(tcase, moved_by_one_of_two);
    tcase_add_test(tcase, what_is_no_floor);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
