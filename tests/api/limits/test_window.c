/* What a counter means: allowed or not, how many are left, for how long. */
#include "limits/window.h"

#include "suite.h"

static struct call call;

static enum err judge(int64_t max, int64_t count, int64_t left_ms)
{
    call = (struct call){.now_s = 0};
    return limit_judge(&call, max, (struct limit_window){count, left_ms});
}

static void expect_rate(int64_t limit, int64_t remaining, int64_t reset_s)
{
    ck_assert_int_eq(call.reply.rate_limit, limit);
    ck_assert_int_eq(call.reply.rate_remaining, remaining);
    ck_assert_int_eq(call.reply.rate_reset_s, reset_s);
}

START_TEST(the_last_one_allowed_and_the_first_that_is_not)
{
    ck_assert_int_eq(judge(10, 1, 60000), ERR_OK);
    expect_rate(10, 9, 60);
    ck_assert_int_eq(judge(10, 10, 30500), ERR_OK);
    expect_rate(10, 0, 31);
    ck_assert_int_eq(call.reply.retry_after_s, 0);
    ck_assert_int_eq(judge(10, 11, 30500), ERR_THROTTLED);
    expect_rate(10, 0, 31);
    ck_assert_int_eq(call.reply.retry_after_s, 31);
    ck_assert_int_eq(call.error.code, ERR_THROTTLED);
    ck_assert_str_eq(call.error.caller, "");
    /* A limit that was lowered under a window. */
    ck_assert_int_eq(judge(3, 9, 1), ERR_THROTTLED);
    expect_rate(3, 0, 1);
}
END_TEST

START_TEST(seconds_are_rounded_up)
{
    static const int64_t cases[][2] = {
        {60000, 60}, {59999, 60}, {59001, 60}, {59000, 59}, {1001, 2},
        {1000, 1},   {1, 1},      {0, 1},      {-2, 1}, /* PTTL of a key that is gone */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(judge(1, 2, cases[i][0]), ERR_THROTTLED);
        ck_assert_int_eq(call.reply.retry_after_s, cases[i][1]);
    }
}
END_TEST

START_TEST(what_went_wrong_before_is_forgotten)
{
    call = (struct call){.error = {.code = ERR_UPSTREAM_DOWN,
                                   .redis = REDIS_ERROR_UNAVAILABLE,
                                   .caller = "redis unavailable"}};
    ck_assert_int_eq(limit_judge(&call, 1, (struct limit_window){2, 5}), ERR_THROTTLED);
    ck_assert_str_eq(call.error.caller, "");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("limits/window");
    TCase *tcase = tcase_create("judge");
    tcase_add_test(tcase, the_last_one_allowed_and_the_first_that_is_not);
    tcase_add_test(tcase, seconds_are_rounded_up);
    tcase_add_test(tcase, what_went_wrong_before_is_forgotten);
    suite_add_tcase(all, tcase);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
