/* The last results: as they are kept, and when a good one is overdue. */
#include "cachewarden/backup_result.h"

#include "suite.h"

static int64_t utc(int64_t wall_s)
{
    (void)wall_s;
    return 0;
}

START_TEST(what_is_written_is_read)
{
    static const struct {
        struct backup_result result;
        const char *text;
    } cases[] = {
        {{1785456000, 52341, 812, true, "20260730T030000Z-01234567", "db-1", ""},
         "1785456000 good 52341 812 20260730T030000Z-01234567 db-1 "},
        {{1785456000, 0, 3, false, "", "db-1", "redis is away: errno 111"},
         "1785456000 failed 0 3 - db-1 redis is away: errno 111"},
        {{1, 0, 0, false, "", "", "two\nlines"}, "1 failed 0 0 - - two lines"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct backup_result *result = &cases[i].result;
        char text[BACKUP_RESULT_SIZE];
        struct backup_result read;
        ck_assert_uint_eq(backup_result_write(result, text).len, strlen(cases[i].text));
        ck_assert_str_eq(text, cases[i].text);
        ck_assert(backup_result_read(str_from(text), &read));
        ck_assert_int_eq(read.at_s, result->at_s);
        ck_assert_int_eq(read.size_bytes, result->size_bytes);
        ck_assert_int_eq(read.duration_ms, result->duration_ms);
        ck_assert_int_eq(read.is_good, result->is_good);
        ck_assert_str_eq(read.id, result->id);
        ck_assert_str_eq(read.node, result->node);
    }
}
END_TEST

START_TEST(the_longest_fits)
{
    struct backup_result result = {INT64_MAX, INT64_MAX, INT64_MAX, false, "", "", ""}, read;
    char text[BACKUP_RESULT_SIZE];

    memset(result.id, 'i', sizeof result.id - 1);
    memset(result.node, 'n', sizeof result.node - 1);
    memset(result.reason, 'r', sizeof result.reason - 1);
    ck_assert(backup_result_read(backup_result_write(&result, text), &read));
    ck_assert_str_eq(read.reason, result.reason);
    ck_assert_str_eq(read.node, result.node);
}
END_TEST

START_TEST(anything_else_is_none)
{
    static const char *const texts[] = {
        "",
        "1",
        "1 good",
        "1 good 1 1 id",
        "1 bad 1 1 id n ",
        "x good 1 1",
        "-1 good 1 1 id n ",
        "1 good 1 1  n ",
        "1 goodgood 1 1 id n ",
        "1 good x 1 id n ",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct backup_result result = {.at_s = 42};
        ck_assert_msg(!backup_result_read(str_from(texts[i]), &result), "%s", texts[i]);
        ck_assert_int_eq(result.at_s, 42);
    }
}
END_TEST

#define DAY_S    INT64_C(86400)
#define MIDNIGHT INT64_C(1769817600) /* 2026-01-31, a Saturday */

START_TEST(two_ticks_and_an_hour_are_asked_for)
{
    struct error error = {0};
    struct cron daily, weekdays;

    ck_assert_int_eq(cron_parse(STR("0 3 * * *"), &daily, &error), ERR_OK);
    ck_assert_int_eq(cron_parse(STR("0 3 * * 1-5"), &weekdays, &error), ERR_OK);
    const int64_t tick = MIDNIGHT + 3 * 3600;
    ck_assert_int_eq(backup_asked_for_s(&daily, utc, 1, tick - 1), tick - 2 * DAY_S);
    ck_assert_int_eq(backup_asked_for_s(&daily, utc, 1, tick + 3599), tick - 2 * DAY_S);
    ck_assert_int_eq(backup_asked_for_s(&daily, utc, 1, tick + 3600), tick - DAY_S);
    /* Thursday's, on Saturday, on Sunday, and on Monday until four. */
    ck_assert_int_eq(backup_asked_for_s(&weekdays, utc, 1, tick), tick - 2 * DAY_S);
    ck_assert_int_eq(backup_asked_for_s(&weekdays, utc, 1, tick + 2 * DAY_S), tick - 2 * DAY_S);
    ck_assert_int_eq(backup_asked_for_s(&weekdays, utc, 1, tick + 2 * DAY_S + 3600), tick - DAY_S);
    /* A schedule that has just begun owes nothing. */
    ck_assert_int_eq(backup_asked_for_s(&daily, utc, tick - DAY_S, tick + 3600), 0);
    ck_assert_int_eq(backup_asked_for_s(&daily, utc, tick - DAY_S, tick + DAY_S + 3599), 0);
    ck_assert_int_eq(backup_asked_for_s(&daily, utc, tick - DAY_S, tick + DAY_S + 3600), tick);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/result");
    TCase *tcase = tcase_create("result");

    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, the_longest_fits);
    tcase_add_test(tcase, anything_else_is_none);
    tcase_add_test(tcase, two_ticks_and_an_hour_are_asked_for);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
