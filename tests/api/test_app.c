/* Opening and closing the services together. */
#include "cachewarden/app.h"

#include "cachewarden/caches.h"
#include "loopback.h"
#include "redis_reply.h"
#include "suite.h"

/* A Redis that is down must not stop the start. */
START_TEST(opening_connects_nothing)
{
    struct loopback loopback;
    struct redis_stats stats;
    loopback_open(&loopback, &(struct loopback_options){.redis_url = LOOPBACK_NO_REDIS,
                                                        .command_timeout_ms = 2000,
                                                        .is_unwatched = true});
    redis_stats_read(loopback.app->control, &stats);
    ck_assert_uint_eq(stats.connects + stats.connect_failures, 0);
    ck_assert(!atomic_load(&loopback.app->ready));
    ck_assert(!atomic_load(&loopback.app->registration_open));
    ck_assert_ptr_nonnull(loopback.app->users);
    ck_assert_ptr_nonnull(loopback.app->identity);
    /* 5000 to borrow, 500 to connect, 2000 to be answered. */
    ck_assert_int_eq(loopback.app->budget_ms, 7500);
    loopback_close(&loopback);
    ck_assert_ptr_null(loopback.app);
}
END_TEST

START_TEST(a_command_needs_no_accounts)
{
    struct loopback loopback;
    loopback_open(&loopback,
                  &(struct loopback_options){.redis_url = LOOPBACK_NO_REDIS, .has_no_users = true});
    ck_assert_ptr_null(loopback.app->identity);
    ck_assert_ptr_null(loopback.app->users);
    loopback_close(&loopback);
}
END_TEST

/* loopback_try_open closes the accounts itself then: twice would be found by AddressSanitizer. */
START_TEST(after_a_failure_the_accounts_are_the_callers)
{
    struct loopback loopback;
    struct error error = {0};
    const struct cache_spec spec = {.name = STR("x"), .kind = CACHE_PREFIX};
    struct loopback_options options = {
        .redis_url = LOOPBACK_NO_REDIS, .caches = &spec, .cache_count = 1};
    ck_assert_int_eq(loopback_try_open(&loopback, &options, &error), ERR_BAD_INPUT);
    ck_assert_int_eq(error.code, ERR_BAD_INPUT);
    ck_assert_ptr_null(loopback.app);
    loopback_close(&loopback);
}
END_TEST

START_TEST(closing_nothing_is_harmless)
{
    struct app *app = NULL;
    app_close(&app);
    ck_assert_ptr_null(app);
}
END_TEST

START_TEST(a_reply_that_is_refused)
{
    struct error error = {0};
    ck_assert_int_eq(refuse_reply(&error, "a counter is %d", -5), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(error.code, ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis refused the command");
    ck_assert_str_eq(error.detail, "a counter is -5");
    ck_assert_int_eq(refuse_reply(NULL, "x"), ERR_UPSTREAM_REFUSED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/app");
    TCase *tcase = tcase_create("app");
    tcase_add_test(tcase, opening_connects_nothing);
    tcase_add_test(tcase, a_command_needs_no_accounts);
    tcase_add_test(tcase, after_a_failure_the_accounts_are_the_callers);
    tcase_add_test(tcase, closing_nothing_is_harmless);
    tcase_add_test(tcase, a_reply_that_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
