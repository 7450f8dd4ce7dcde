/* Cron expressions: which are taken, what is said of the others, and when they come. */
#include "cachewarden/cron.h"

#include "cachewarden/zone.h"
#include "suite.h"

#include <stdio.h>
#include <time.h>

static int64_t moment(const char *text)
{
    struct tm at = {0};

    if (strcmp(text, "never") == 0)
        return CRON_NEVER;
    ck_assert_msg(sscanf(text, "%d-%d-%d %d:%d:%d", &at.tm_year, &at.tm_mon, &at.tm_mday,
                         &at.tm_hour, &at.tm_min, &at.tm_sec) >= 5,
                  "%s", text);
    at.tm_year -= 1900;
    at.tm_mon -= 1;
    return timegm(&at);
}

static const char *shown(int64_t wall_s, char buffer[32])
{
    struct tm at;

    if (wall_s == CRON_NEVER)
        return "never";
    ck_assert_ptr_nonnull(gmtime_r(&wall_s, &at));
    ck_assert_uint_gt(strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &at), 0);
    return buffer;
}

static void expect_moment(int64_t got_s, const char *expected, const char *what, const char *text)
{
    char buffer[32];

    ck_assert_msg(got_s == moment(expected), "%s of \"%s\": %s, not %s", what, text,
                  shown(got_s, buffer), expected);
}

static struct cron parsed(const char *text)
{
    struct cron cron;
    struct error error = {0};

    ck_assert_msg(cron_parse(str_from(text), &cron, &error) == ERR_OK, "\"%s\": %s", text,
                  error.caller);
    return cron;
}

static void use_zone(const char *name)
{
    struct error error = {0};

    ck_assert_msg(zone_use(str_from(name), &error) == ERR_OK, "%s", error.caller);
}

/* ---- what they mean ---- */

/* The second column as bits of the first one's field; the other fields are as they are. */
static const struct {
    const char *text;
    enum cron_field field;
    uint64_t allowed;
} meanings[] = {
    {"0 0 * * *", CRON_MINUTE, 1},
    {"59 0 * * *", CRON_MINUTE, UINT64_C(1) << 59},
    {"* 0 * * *", CRON_MINUTE, (UINT64_C(1) << 60) - 1},
    {"*/20 0 * * *", CRON_MINUTE, UINT64_C(1) | UINT64_C(1) << 20 | UINT64_C(1) << 40},
    {"5-59/30 0 * * *", CRON_MINUTE, UINT64_C(1) << 5 | UINT64_C(1) << 35},
    {"1,2-3,1 0 * * *", CRON_MINUTE, 0xe},
    {"00 09 * * *", CRON_HOUR, 1 << 9},
    {"0 22-23,0-1 * * *", CRON_HOUR, 1 << 22 | 1 << 23 | 3},
    {"0 0 31 * *", CRON_DAY, UINT64_C(1) << 31},
    {"0 0 * jan,MAR-apr,12 *", CRON_MONTH, 1 << 1 | 1 << 3 | 1 << 4 | 1 << 12},
    {"0 0 * */6 *", CRON_MONTH, 1 << 1 | 1 << 7},
    {"0 0 * * 0", CRON_WEEKDAY, 1},
    {"0 0 * * 7", CRON_WEEKDAY, 1},
    {"0 0 * * Sun", CRON_WEEKDAY, 1},
    {"0 0 * * mon-fri", CRON_WEEKDAY, 0x3e},
    {"0 0 * * fri-sun", CRON_WEEKDAY, 0x61},
    {"0 0 * * 5-7", CRON_WEEKDAY, 0x61},
    {"0 0 * * */2", CRON_WEEKDAY, 0x55},
    {"0 0 * * 0-7", CRON_WEEKDAY, 0x7f},
    {" \t0\t0  *  *  * ", CRON_HOUR, 1},
    {"@hourly", CRON_HOUR, (1 << 24) - 1},
    {"@DAILY", CRON_HOUR, 1},
    {"@midnight", CRON_MINUTE, 1},
    {"@weekly", CRON_WEEKDAY, 1},
    {"@monthly", CRON_DAY, 2},
    {"@yearly", CRON_MONTH, 2},
    {"@annually", CRON_DAY, 2},
};

START_TEST(fields_take_names_ranges_steps_and_lists)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        struct cron cron = parsed(meanings[i].text);
        ck_assert_msg(cron.allowed[meanings[i].field] == meanings[i].allowed, "\"%s\": %llx",
                      meanings[i].text, (unsigned long long)cron.allowed[meanings[i].field]);
    }
}
END_TEST

static const struct {
    const char *text, *words; /* words: part of what is said */
} bad[] = {
    {"", "it has 0 fields, not five"},
    {"* * * *",
     "it has 4 fields, not five: minute, hour, day of the month, month, day of the week"},
    {"3", "it has 1 field, not five"},
    {"0 0 3 * * *", "it has 6 fields, not five: minute, hour, day of the month, month, day of the "
                    "week; there are no seconds"},
    {"60 * * * *", "the minute \"60\" is not a number from 0 to 59"},
    {"* 24 * * *", "the hour \"24\" is not a number from 0 to 23"},
    {"* * 0 * *", "the day of the month \"0\" is not a number from 1 to 31"},
    {"* * 32 * *", "the day of the month \"32\""},
    {"* * * 13 *", "the month \"13\" is not a number from 1 to 12, nor \"jan\" to \"dec\""},
    {"* * * 0 *", "the month \"0\""},
    {"* * * * 8", "the day of the week \"8\" is not a number from 0 to 7, nor \"sun\" to \"sat\""},
    {"* * * sun *", "the month \"sun\""},
    {"* * * * jan", "the day of the week \"jan\""},
    {"* * * january *", "the month \"january\""},
    {"* jan * * *", "the hour \"jan\" is not a number from 0 to 23"},
    {"001 * * * *", "the minute \"001\""},
    {"-1 * * * *", "the minute has an empty part"},
    {"+1 * * * *", "the minute \"+1\""},
    {"1, * * * *", "the minute has an empty part"},
    {",1 * * * *", "the minute has an empty part"},
    {"1,,2 * * * *", "the minute has an empty part"},
    {"1- * * * *", "the minute has an empty part"},
    {"1-2-3 * * * *", "the minute \"2-3\""},
    {"*-3 * * * *", "the minute \"*\""},
    {"** * * * *", "the minute \"**\""},
    {"* 22-2 * * *", "the hour \"22-2\" runs backwards: write \"22-23,0-2\""},
    {"* * * * fri-mon", "the day of the week \"fri-mon\" runs backwards: write \"5-6,0-1\""},
    {"5/15 * * * *", "the minute \"5/15\" has a step but no range: write \"5-59/15\""},
    {"*/0 * * * *", "the minute \"*/0\" has a step that is not a number from 1 to 59"},
    {"*/60 * * * *", "the minute \"*/60\" has a step that is not a number from 1 to 59"},
    {"*/ * * * *", "the minute \"*/\" has a step"},
    {"*/2/3 * * * *", "the minute \"*/2/3\" has a step"},
    {"* * ? * *", "the day of the month \"?\" is of other schedulers: write \"*\""},
    {"* * L * *", "the day of the month \"L\""},
    {"* * 15W * *", "the day of the month \"15W\""},
    {"* * * * 5#3", "the day of the week \"5#3\""},
    {"@reboot", "\"@reboot\" is none of @hourly, @daily"},
    {"@every 1h", "\"@every 1h\" is none of"},
    {"@", "\"@\" is none of"},
    {"0 0 30 2 *", "it never comes: no month of \"2\" has a day of the month \"30\""},
    {"0 0 31 feb,4,JUN,9,11 *", "it never comes"},
    {"0 0 30-31 2 */2", "it never comes"},
    {"* * * * 99999999999999999999999999999999",
     "the day of the week \"999999999999999999999999\""},
};

START_TEST(what_is_wrong_is_said_with_the_field_and_the_mend)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cron cron = {.allowed = {42}};
        struct error error = {0};
        ck_assert_msg(cron_parse(str_from(bad[i].text), &cron, &error) == ERR_BAD_INPUT, "\"%s\"",
                      bad[i].text);
        ck_assert_msg(strstr(error.caller, bad[i].words), "\"%s\": %s", bad[i].text, error.caller);
        ck_assert_uint_eq(cron.allowed[0], 42);
    }
}
END_TEST

/* ---- when they come ---- */

/* `ticks`: those that follow on `after`, in UTC. */
static const struct {
    const char *zone, *text, *after, *ticks[5];
} times[] = {
    {"UTC", "0 3 * * *", "2026-01-31 02:59:59", {"2026-01-31 03:00", "2026-02-01 03:00"}},
    {"UTC", "0 3 * * *", "2026-01-31 03:00:00", {"2026-02-01 03:00"}},
    {"UTC", "* * * * *", "2026-01-31 23:59:00", {"2026-02-01 00:00", "2026-02-01 00:01"}},
    {"UTC",
     "*/20 22 31 12 *",
     "2026-06-01 00:00",
     {"2026-12-31 22:00", "2026-12-31 22:20", "2026-12-31 22:40", "2027-12-31 22:00"}},
    /* The 31st, where there is one. */
    {"UTC",
     "0 0 31 * *",
     "2026-01-31 00:00",
     {"2026-03-31 00:00", "2026-05-31 00:00", "2026-07-31 00:00", "2026-08-31 00:00"}},
    {"UTC", "0 0 31 2,3 *", "2026-01-31 00:00", {"2026-03-31 00:00", "2027-03-31 00:00"}},
    /* Leap days: 2100 has none. */
    {"UTC", "0 0 29 2 *", "2026-01-01 00:00", {"2028-02-29 00:00", "2032-02-29 00:00"}},
    {"UTC", "0 0 29 2 *", "2096-02-29 00:00", {"2104-02-29 00:00"}},
    {"UTC", "0 0 29 2 *", "1999-02-28 00:00", {"2000-02-29 00:00"}},
    /* A day of the month or of the week, where both are given; both, where one begins with a star. */
    {"UTC",
     "0 0 13 * fri",
     "2026-02-01 00:00",
     {"2026-02-06 00:00", "2026-02-13 00:00", "2026-02-20 00:00"}},
    {"UTC",
     "0 0 1,15 * 3",
     "2026-04-01 00:00",
     {"2026-04-08 00:00", "2026-04-15 00:00", "2026-04-22 00:00"}},
    {"UTC", "0 0 */10 * mon", "2026-01-01 00:00", {"2026-05-11 00:00", "2026-06-01 00:00"}},
    {"UTC", "0 0 30 2 1", "2026-02-01 00:00", {"2026-02-02 00:00"}},
    {"UTC", "0 0 * * 7", "2026-01-31 00:00", {"2026-02-01 00:00", "2026-02-08 00:00"}},
    {"UTC", "0 0 29 2 */7", "2026-01-01 00:00", {"2032-02-29 00:00", "2060-02-29 00:00"}},
    {"UTC", "@yearly", "2026-01-01 00:00", {"2027-01-01 00:00"}},
    /* Far away, and where years end. */
    {"UTC", "0 12 * * *", "2500-02-28 12:00", {"2500-03-01 12:00"}},
    {"UTC", "59 23 31 12 *", "9999-12-31 23:58", {"9999-12-31 23:59", "never"}},
    {"Europe/Berlin", "0 3 * * *", "2525-07-01 00:00", {"2525-07-01 01:00"}},
    {"UTC", "0 0 1 1 *", "1969-12-31 23:59", {"1970-01-01 00:00"}},
    /* 2026-03-29 in Berlin: 02:00 to 02:59 are left out, at 01:00 UTC. */
    {"Europe/Berlin",
     "30 2 * * *",
     "2026-03-28 00:00",
     {"2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"}},
    {"Europe/Berlin", "*/15 2 * * *", "2026-03-28 01:45", {"2026-03-29 01:00", "2026-03-30 00:00"}},
    {"Europe/Berlin",
     "30 2,3 * * *",
     "2026-03-29 00:00",
     {"2026-03-29 01:00", "2026-03-29 01:30", "2026-03-30 00:30"}},
    {"Europe/Berlin", "0 2,3 * * *", "2026-03-29 00:00", {"2026-03-29 01:00", "2026-03-30 00:00"}},
    {"Europe/Berlin",
     "0 * * * *",
     "2026-03-28 23:30",
     {"2026-03-29 00:00", "2026-03-29 01:00", "2026-03-29 02:00"}},
    /* 2026-10-25 in Berlin: 02:00 to 02:59 come twice, until 01:00 and from 01:00 UTC on. */
    {"Europe/Berlin", "30 2 * * *", "2026-10-24 12:00", {"2026-10-25 00:30", "2026-10-26 01:30"}},
    {"Europe/Berlin", "30 2 * * *", "2026-10-25 01:10", {"2026-10-26 01:30"}},
    {"Europe/Berlin",
     "0 * * * *",
     "2026-10-24 23:30",
     {"2026-10-25 00:00", "2026-10-25 02:00", "2026-10-25 03:00"}},
    {"Europe/Berlin", "*/30 * * * *", "2026-10-25 00:00", {"2026-10-25 00:30", "2026-10-25 02:00"}},
    {"America/New_York",
     "30 1 * * *",
     "2026-11-01 00:00",
     {"2026-11-01 05:30", "2026-11-02 06:30"}},
    /* Half an hour of summer time. */
    {"Australia/Lord_Howe",
     "15 2 * * *",
     "2026-10-03 12:00",
     {"2026-10-03 15:30", "2026-10-04 15:15"}},
    /* Midnight itself is left out: 2026-03-08 00:00 in Havana is 01:00. */
    {"America/Havana", "@daily", "2026-03-07 12:00", {"2026-03-08 05:00", "2026-03-09 04:00"}},
    /* A whole day is left out. */
    {"Pacific/Apia",
     "0 12 * * *",
     "2011-12-29 12:00",
     {"2011-12-29 22:00", "2011-12-30 10:00", "2011-12-30 22:00"}},
    {"Pacific/Apia", "0 0 30 * *", "2011-12-01 12:00", {"2011-12-30 10:00", "2012-01-29 10:00"}},
    {"Asia/Kathmandu", "0 0 1 * *", "2026-01-15 00:00", {"2026-01-31 18:15"}},
};

START_TEST(ticks_follow_the_wall_clock)
{
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct cron cron = parsed(times[i].text);
        int64_t at_s = moment(times[i].after);
        use_zone(times[i].zone);
        for (size_t j = 0; j < 5 && times[i].ticks[j]; j++) {
            int64_t next_s = cron_next(&cron, zone_offset_s, at_s);
            expect_moment(next_s, times[i].ticks[j], "next", times[i].text);
            if (next_s == CRON_NEVER)
                break;
            ck_assert_int_eq(cron_last(&cron, zone_offset_s, next_s), next_s);
            if (j > 0)
                expect_moment(cron_last(&cron, zone_offset_s, next_s - 1), times[i].ticks[j - 1],
                              "last", times[i].text);
            at_s = next_s;
        }
    }
}
END_TEST

/* Set back by hand, the clock stands at a moment that was there before: what follows is what followed then. */
START_TEST(a_clock_that_was_set_back_has_the_same_ticks_again)
{
    struct cron cron = parsed("0 3 * * *");

    expect_moment(cron_next(&cron, zone_offset_s, moment("2026-01-31 03:00:01")),
                  "2026-02-01 03:00", "next", "0 3 * * *");
    expect_moment(cron_next(&cron, zone_offset_s, moment("2026-01-31 02:30")), "2026-01-31 03:00",
                  "next", "0 3 * * *");
    expect_moment(cron_last(&cron, zone_offset_s, moment("2026-01-31 02:30")), "2026-01-30 03:00",
                  "last", "0 3 * * *");
}
END_TEST

START_TEST(any_moment_has_an_answer)
{
    struct cron cron = parsed("0 0 29 2 */7");
    const int64_t moments[] = {INT64_MIN, INT64_MAX, 0, -1, INT64_C(253402300800), CRON_NEVER - 1};

    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t next_s = cron_next(&cron, zone_offset_s, moments[i]);
        ck_assert(next_s == CRON_NEVER || next_s > moments[i]);
        (void)cron_last(&cron, zone_offset_s, moments[i]);
    }
}
END_TEST

/* ---- against a clock that is watched minute by minute ---- */

static bool fits(const struct cron *cron, int64_t wall_minute)
{
    int64_t wall_s = wall_minute * 60;
    struct tm at;

    ck_assert_ptr_nonnull(gmtime_r(&wall_s, &at));
    const int values[] = {at.tm_min, at.tm_hour, at.tm_mday, at.tm_mon + 1, at.tm_wday};
    bool is_fit[CRON_FIELDS];
    for (int i = 0; i < CRON_FIELDS; i++)
        is_fit[i] = (cron->allowed[i] >> values[i] & 1) != 0;
    bool either = !cron->is_any_day && !cron->is_any_weekday;
    return is_fit[CRON_MINUTE] && is_fit[CRON_HOUR] && is_fit[CRON_MONTH] &&
           (either ? is_fit[CRON_DAY] || is_fit[CRON_WEEKDAY]
                   : is_fit[CRON_DAY] && is_fit[CRON_WEEKDAY]);
}

/* Four days around a change of the clock. */
static void watch(const char *text, int64_t from_s)
{
    struct cron cron = parsed(text);
    int64_t highest = (from_s + zone_offset_s(from_s)) / 60, last_s = from_s;
    char buffers[3][32];

    for (int64_t at_s = from_s; at_s < from_s + INT64_C(4) * 86400; at_s += 60) {
        int64_t minute = (at_s + zone_offset_s(at_s)) / 60;
        bool is_tick = false;
        for (; highest < minute; highest++)
            is_tick = is_tick || fits(&cron, highest + 1);
        if (!is_tick)
            continue;
        int64_t next_s = cron_next(&cron, zone_offset_s, last_s);
        ck_assert_msg(next_s == at_s, "\"%s\" after %s: %s, not %s", text,
                      shown(last_s, buffers[0]), shown(next_s, buffers[1]),
                      shown(at_s, buffers[2]));
        last_s = at_s;
    }
}

START_TEST(the_ticks_are_those_of_a_watched_clock)
{
    static const struct {
        const char *zone, *from;
    } changes[] = {
        {"Europe/Berlin", "2026-03-27 12:00"},       {"Europe/Berlin", "2026-10-23 12:00"},
        {"America/Havana", "2026-03-06 12:00"},      {"America/Havana", "2026-10-30 12:00"},
        {"Australia/Lord_Howe", "2026-04-03 12:00"}, {"Australia/Lord_Howe", "2026-10-02 12:00"},
        {"Pacific/Apia", "2011-12-28 12:00"},        {"Africa/Casablanca", "2026-02-14 00:00"},
    };
    static const char *const texts[] = {"* * * * *",     "*/7 * * * *",      "17 * * * *",
                                        "0 */2 * * *",   "30 1-3 * * *",     "0 0 * * *",
                                        "59 23 * * 6,0", "*/25 0,2 29,1 * *"};

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        use_zone(changes[i].zone);
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)
            watch(texts[j], moment(changes[i].from));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/cron");
    TCase *tcase = tcase_create("cron");

    tcase_add_test(tcase, fields_take_names_ranges_steps_and_lists);
    tcase_add_test(tcase, what_is_wrong_is_said_with_the_field_and_the_mend);
    tcase_add_test(tcase, ticks_follow_the_wall_clock);
    tcase_add_test(tcase, a_clock_that_was_set_back_has_the_same_ticks_again);
    tcase_add_test(tcase, any_moment_has_an_answer);
    tcase_add_test(tcase, the_ticks_are_those_of_a_watched_clock);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
