/* One or two nodes on one Redis, with limits of three. */
#ifndef TESTS_API_LIMITS_FIXTURE_H
#define TESTS_API_LIMITS_FIXTURE_H

#include "loopback.h"
#include "redis_server.h"
#include "suite.h"

#define THREE                                          \
    ((struct limit_settings){.enabled = true,          \
                             .status_per_minute = 3,   \
                             .toggle_per_minute = 3,   \
                             .clear_per_minute = 3,    \
                             .flush_per_minute = 3,    \
                             .password_per_minute = 3, \
                             .logout_per_minute = 3,   \
                             .refresh_per_minute = 3,  \
                             .job_per_minute = 3,      \
                             .login_per_minute = 3,    \
                             .register_per_minute = 3, \
                             .login_failures = 3})

static struct redis_server *redis;
static struct loopback node;

/* `shares`: the users database of that one; NULL: its own. */
static inline void open_node_beside(struct loopback *loopback, const struct loopback *shares,
                                    const char *url, struct limit_settings limits, bool is_watched)
{
    loopback_open(loopback, &(struct loopback_options){.redis_url = url,
                                                       .limits = limits,
                                                       .shares = shares,
                                                       .is_unwatched = !is_watched,
                                                       .is_registration_open = true});
}

static inline void open_node(struct loopback *loopback, const char *url,
                             struct limit_settings limits, bool is_watched)
{
    open_node_beside(loopback, NULL, url, limits, is_watched);
}

/* What the answer says of the limit; frees it. */
static inline void expect_rate(struct loopback_answer *answer, enum err err, int64_t limit,
                               int64_t remaining)
{
    ck_assert_msg(answer->err == err, "%s: %s (%s)", err_name(answer->err), answer->error.caller,
                  answer->error.detail);
    ck_assert_int_eq(answer->reply.rate_limit, limit);
    ck_assert_int_eq(answer->reply.rate_remaining, remaining);
    ck_assert_int_eq(answer->reply.retry_after_s,
                     err == ERR_THROTTLED ? answer->reply.rate_reset_s : 0);
    loopback_free(&answer);
}

/* A key of Redis lives, but not longer than so. */
static inline void expect_expiry(const char *key, int64_t window_ms)
{
    int64_t left_ms = redis_server_ask_integer(redis, "PTTL %s", key);
    ck_assert_msg(left_ms > 0 && left_ms <= window_ms, "%s: PTTL %lld", key, (long long)left_ms);
}

#endif
