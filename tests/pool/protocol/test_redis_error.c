/* Causes of Redis: their texts, and how they come into an error and leave it again. */
#include "cachewarden/redis_error.h"

#include "suite.h"

#include <check.h>
#include <string.h>

START_TEST(each_cause_has_a_text_of_its_own)
{
    ck_assert_str_eq(redis_error_text(REDIS_ERROR_NONE), "");
    for (int i = REDIS_ERROR_UNAVAILABLE; i <= REDIS_ERROR_UNCERTAIN; i++) {
        ck_assert_msg(redis_error_text((enum redis_error)i)[0], "cause %d has no text", i);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(redis_error_text((enum redis_error)i),
                             redis_error_text((enum redis_error)j));
    }
}
END_TEST

START_TEST(the_caller_gets_the_text_and_the_log_what_happened)
{
    struct error error;
    ck_assert_int_eq(redis_error_set(&error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT, "after %d ms", 7),
                     ERR_TIMEOUT);
    ck_assert_int_eq(error.code, ERR_TIMEOUT);
    ck_assert_int_eq(error.redis, REDIS_ERROR_TIMEOUT);
    ck_assert_str_eq(error.caller, "redis timeout");
    ck_assert_str_eq(error.detail, "after 7 ms");
    /* Its own old text may be part of the new one. */
    (void)redis_error_set(&error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN, "%s: %s", error.caller,
                          error.detail);
    ck_assert_str_eq(error.detail, "redis timeout: after 7 ms");
    ck_assert_int_eq(redis_error_set(NULL, ERR_BUSY, REDIS_ERROR_BUSY, "nobody asks"), ERR_BUSY);
}
END_TEST

START_TEST(another_failure_has_no_cause_of_redis)
{
    struct error error;
    (void)redis_error_set(&error, ERR_BUSY, REDIS_ERROR_BUSY, "full");
    (void)error_set(&error, ERR_NOT_FOUND, "no such user");
    ck_assert_int_eq(error.redis, REDIS_ERROR_NONE);
    (void)redis_error_set(&error, ERR_BUSY, REDIS_ERROR_BUSY, "full");
    (void)error_set_detail(&error, ERR_INTERNAL, "a mistake");
    ck_assert_int_eq(error.redis, REDIS_ERROR_NONE);
    (void)redis_error_set(&error, ERR_BUSY, REDIS_ERROR_BUSY, "full");
    error_clear(&error);
    ck_assert_int_eq(error.redis, REDIS_ERROR_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_error");
    TCase *each = tcase_create("all");
    tcase_add_test(each, each_cause_has_a_text_of_its_own);
    tcase_add_test(each, the_caller_gets_the_text_and_the_log_what_happened);
    tcase_add_test(each, another_failure_has_no_cause_of_redis);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
