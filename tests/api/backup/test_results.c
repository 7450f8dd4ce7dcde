/* What one node notes is known to the others; what nobody can note, to itself. */
#include "backup/results.h"

#include "cachewarden/clock.h"
#include "suite.h"
#include "temp_folder.h"

#include <sqlite3.h>

static struct temp_folder folder;
static struct users *users[2];
static struct backup_results results[2];
static struct arena *arena;

static void open_case(void)
{
    char url[300];
    struct error error = {0};

    temp_folder_init(&folder);
    snprintf(url, sizeof url, "sqlite:%s/users.db", folder.path);
    arena = arena_new(4096, 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(users_open(str_from(url), &users[i], &error), ERR_OK);
        backup_results_init(&results[i]);
    }
}

static void close_case(void)
{
    for (int i = 0; i < 2; i++) {
        backup_results_fini(&results[i]);
        users_close(&users[i]);
    }
    arena_free(&arena);
    temp_folder_fini(&folder);
}

static struct backup_results known(int node)
{
    struct backup_results copy;
    struct error error = {0};

    arena_reset(arena);
    ck_assert_int_eq(backup_results_load(&results[node], users[node], arena, &error), ERR_OK);
    backup_results_get(&results[node], &copy);
    return copy;
}

static void note(int node, int64_t at_s, bool is_good)
{
    struct backup_result result = {at_s, 7, 8, is_good, "", "n", ""};

    snprintf(result.id, sizeof result.id, "id-%d", (int)at_s);
    backup_results_note(&results[node], users[node], &result);
}

START_TEST(others_learn_of_it)
{
    ck_assert_int_eq(known(1).last.at_s, 0);
    backup_results_begin(&results[0], users[0], 5);
    note(0, 10, true);
    note(0, 20, false);
    struct backup_results seen = known(1);
    ck_assert_int_eq(seen.since_s, 5);
    ck_assert_int_eq(seen.good.at_s, 10);
    ck_assert_str_eq(seen.good.id, "id-10");
    ck_assert_int_eq(seen.last.at_s, 20);
    ck_assert(!seen.last.is_good);
    /* Each counts what it did itself. */
    ck_assert_int_eq(seen.made + seen.failed, 0);
    seen = known(0);
    ck_assert_int_eq(seen.made, 1);
    ck_assert_int_eq(seen.failed, 1);
}
END_TEST

START_TEST(what_makes_no_sense_is_not_there)
{
    struct error error = {0};

    ck_assert_int_eq(users_fact_set(users[0], STR("backup_last"), STR("nonsense"), &error), ERR_OK);
    ck_assert_int_eq(users_fact_set(users[0], STR("backup_since_s"), STR("x"), &error), ERR_OK);
    ck_assert_int_eq(known(1).last.at_s, 0);
    ck_assert_int_eq(known(1).since_s, 0);
}
END_TEST

/* Another program writes and does not end: the database takes nothing. Once it does, others learn of it. */
START_TEST(what_cannot_be_kept_is_known_here)
{
    char path[300];
    sqlite3 *writer;

    note(0, 10, true);
    ck_assert_int_eq(known(1).good.at_s, 10);
    snprintf(path, sizeof path, "%s/users.db", folder.path);
    ck_assert_int_eq(sqlite3_open(path, &writer), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(writer, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    note(1, 30, true);
    ck_assert_int_eq(known(0).good.at_s, 10);
    ck_assert_int_eq(sqlite3_exec(writer, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(writer);
    ck_assert_int_eq(known(1).good.at_s, 30);
    ck_assert_int_eq(known(0).good.at_s, 30);
    ck_assert_int_eq(known(0).last.at_s, 30);
}
END_TEST

/* One whose clock was a year ahead hides nothing, neither here nor on others. */
START_TEST(a_clock_that_was_ahead_hides_nothing)
{
    int64_t now_s = clock_wall_s(), year_s = INT64_C(365) * 24 * 3600;

    note(0, now_s + year_s, true);
    ck_assert_int_eq(known(1).good.at_s, 0);
    ck_assert_int_eq(known(0).last.at_s, 0);
    note(1, now_s, true);
    note(1, now_s + 1, false);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(known(i).good.at_s, now_s);
        ck_assert_int_eq(known(i).last.at_s, now_s + 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/results");
    TCase *tcase = tcase_create("results");

    tcase_add_checked_fixture(tcase, open_case, close_case);
    tcase_add_test(tcase, others_learn_of_it);
    tcase_add_test(tcase, what_makes_no_sense_is_not_there);
    tcase_add_test(tcase, what_cannot_be_kept_is_known_here);
    tcase_add_test(tcase, a_clock_that_was_ahead_hides_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
