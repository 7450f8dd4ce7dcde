/* What users.h promises about replaced facts and kept switches, on every kind of database. */
#include "users_case.h"

#include "suite.h"

#include <pthread.h>
#include <stdio.h>

static enum err replace(const char *old, const char *value)
{
    return users_fact_replace(users, STR("fact"), str_from(old), str_from(value), &error);
}

static const char *fact(void)
{
    struct str value;

    ck_assert_int_eq(users_fact_get(users, arena, STR("fact"), &value, &error), ERR_OK);
    return value.ptr;
}

START_TEST(a_fact_is_replaced_only_as_it_was)
{
    open_backend(_i);
    ck_assert_int_eq(replace("1", "2"), ERR_CONFLICT);
    ck_assert_int_eq(users_fact_get(users, arena, STR("fact"), &(struct str){0}, &error),
                     ERR_NOT_FOUND);
    ck_assert_int_eq(replace(NULL, "1"), ERR_OK);
    ck_assert_int_eq(replace(NULL, "9"), ERR_CONFLICT);
    ck_assert_str_eq(fact(), "1");
    ck_assert_int_eq(replace("1", "2"), ERR_OK);
    ck_assert_int_eq(replace("1", "3"), ERR_CONFLICT);
    ck_assert_str_eq(fact(), "2");
    ck_assert_int_eq(replace("2", "2"), ERR_OK);
    close_backend();
}
END_TEST

enum { RACERS = 8, ROUNDS = 10 };

static void *race(void *arg)
{
    int *won = arg;
    char old[16], value[16];

    for (int i = 0; i < ROUNDS; i++) {
        snprintf(old, sizeof old, "%d", i);
        snprintf(value, sizeof value, "%d", i + 1);
        struct error own = {0};
        enum err err;
        do /* the others may not be there yet */
            err = users_fact_replace(users, STR("fact"), str_from(old), str_from(value), &own);
        while (err == ERR_UPSTREAM_DOWN);
        *won += err == ERR_OK;
    }
    return NULL;
}

/* Every step is taken once, by whoever it is. */
START_TEST(of_many_one_replaces)
{
    pthread_t threads[RACERS];
    int won[RACERS] = {0}, all = 0;

    open_backend(_i);
    ck_assert_int_eq(replace(NULL, "0"), ERR_OK);
    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &won[i]), 0);
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        all += won[i];
    }
    char reached[16];
    snprintf(reached, sizeof reached, "%d", all);
    ck_assert_int_ge(all, 1);
    ck_assert_str_eq(fact(), reached);
    close_backend();
}
END_TEST

static void set(int64_t user_id, bool is_off)
{
    ck_assert_int_eq(users_switch_set(users, user_id, is_off, &error), ERR_OK);
}

static bool is_off(int64_t user_id)
{
    bool is_off;

    ck_assert_int_eq(users_switch_is_off(users, user_id, &is_off, &error), ERR_OK);
    return is_off;
}

static size_t list(int64_t after, size_t limit, struct users_ids *off_out)
{
    ck_assert_int_eq(users_switches_off(users, arena, after, limit, off_out, &error), ERR_OK);
    return off_out->count;
}

/* Those that are off; of those that are on again nothing is left. */
START_TEST(switches_are_kept_and_read_page_by_page)
{
    struct users_ids page;

    open_backend(_i);
    ck_assert_uint_eq(list(0, 10, &page), 0);
    ck_assert(!is_off(7));
    set(7, true);
    set(INT64_MAX, true);
    set(5, true);
    set(3, true);
    set(3, false);
    set(4, false);
    set(7, true);
    ck_assert_uint_eq(list(0, 10, &page), 3);
    ck_assert_int_eq(page.ids[0], 5);
    ck_assert_int_eq(page.ids[1], 7);
    ck_assert_int_eq(page.ids[2], INT64_MAX);
    ck_assert_uint_eq(list(0, 2, &page), 2);
    ck_assert_uint_eq(list(7, 2, &page), 1);
    ck_assert_int_eq(page.ids[0], INT64_MAX);
    ck_assert_uint_eq(list(INT64_MAX, 2, &page), 0);
    ck_assert(is_off(5) && is_off(7) && is_off(INT64_MAX));
    ck_assert(!is_off(1) && !is_off(3) && !is_off(6));
    users_close(&users);
    users = users_backend_open();
    ck_assert_uint_eq(list(0, 10, &page), 3);
    close_backend();
}
END_TEST

START_TEST(a_database_out_of_reach)
{
    struct users_ids page;
    bool off;

    open_backend(_i);
    set(7, true);
    backend->ruin();
    ck_assert_int_eq(users_switch_set(users, 8, true, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(users_switches_off(users, arena, 0, 10, &page, &error), ERR_UPSTREAM_DOWN);
    ck_assert_uint_eq(page.count, 0);
    ck_assert_int_eq(users_switch_is_off(users, 7, &off, &error), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(replace(NULL, "1"), ERR_UPSTREAM_DOWN);
    close_backend();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("users_switches");
    TCase *tcase = tcase_create("backends");
    tcase_add_loop_test(tcase, a_fact_is_replaced_only_as_it_was, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, of_many_one_replaces, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, switches_are_kept_and_read_page_by_page, 0, USERS_BACKEND_COUNT);
    tcase_add_loop_test(tcase, a_database_out_of_reach, 0, USERS_BACKEND_COUNT);
    suite_add_tcase(suite, tcase);
    return users_backends_run(suite);
}
