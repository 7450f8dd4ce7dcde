/* The fact that says who works on which tick: as it is written, and what is taken for one. */
#include "backup/tick.h"

#include "suite.h"

START_TEST(what_is_written_is_read)
{
    static const struct tick ticks[] = {
        {.at_s = 0, .state = TICK_IDLE},
        {1785456000, TICK_RUNNING, 1, 3, "8f14e45fceea167a", "0 3 * * * UTC"},
        {INT64_MAX, TICK_LEFT, INT64_MAX, INT64_MAX, "n", ""},
        {1, TICK_FAILED, 4, 0, "n", " "},
        {1, TICK_DONE, 4, 0, "n", "@daily Europe/Berlin"},
    };

    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        char text[TICK_TEXT_SIZE];
        struct tick read;
        ck_assert(tick_read(tick_write(&ticks[i], text), &read));
        ck_assert_int_eq(read.at_s, ticks[i].at_s);
        ck_assert_int_eq(read.state, ticks[i].state);
        ck_assert_int_eq(read.attempt, ticks[i].attempt);
        ck_assert_int_eq(read.beat, ticks[i].beat);
        ck_assert_str_eq(read.node, ticks[i].node);
        ck_assert_str_eq(read.schedule, ticks[i].schedule);
    }
    char text[TICK_TEXT_SIZE];
    tick_write(&ticks[1], text);
    ck_assert_str_eq(text, "1785456000 running 1 3 8f14e45fceea167a 0 3 * * * UTC");
}
END_TEST

START_TEST(the_longest_fits)
{
    struct tick tick = {INT64_MAX, TICK_RUNNING, INT64_MAX, INT64_MAX, "", ""}, read;
    char text[TICK_TEXT_SIZE];

    memset(tick.node, 'n', sizeof tick.node - 1);
    memset(tick.schedule, '*', sizeof tick.schedule - 1);
    ck_assert(tick_read(tick_write(&tick, text), &read));
    ck_assert_str_eq(read.schedule, tick.schedule);
}
END_TEST

START_TEST(anything_else_is_none)
{
    static const char *const texts[] = {
        "",
        "1",
        "1 done",
        "1 done 1 1",
        "1 asleep 1 1 n s",
        "-1 done 1 1 n s",
        "x done 1 1 n s",
        "1 done -1 1 n s",
        "1 done 1 x n s",
        "1 done 1 1 nnnnnnnnnnnnnnnnn s",
        " 1 done 1 1 n s",
        "1  done 1 1 n s",
        "9223372036854775808 done 1 1 n s",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct tick tick = {.at_s = 42};
        ck_assert_msg(!tick_read(str_from(texts[i]), &tick), "%s", texts[i]);
        ck_assert_int_eq(tick.at_s, 42);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/backup/tick");
    TCase *tcase = tcase_create("tick");

    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, the_longest_fits);
    tcase_add_test(tcase, anything_else_is_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
