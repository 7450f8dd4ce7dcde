/* Failed sign-ins: so many for a name and an address, for a while, whoever the name is. */
#include "limits_fixture.h"

#include "cachewarden/clock.h"
#include "limits/password_attempts.h"
#include "limits/window.h"
#include "patience.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define HERE  "192.0.2.7"
#define THERE "192.0.2.8"
#define RIGHT LOOPBACK_PASSWORD
#define WRONG "not-the-password-at-all"
#define MANY  1000000

static struct limit_settings failures_only(void)
{
    struct limit_settings limits = THREE;
    limits.login_per_minute = limits.register_per_minute = MANY;
    return limits;
}

static void open_accounts(struct loopback *loopback)
{
    static const char *const bodies[] = {
        "{\"username\":\"alice\",\"email\":\"alice@example.org\",\"password\":\"" RIGHT "\"}",
        /* A name that is somebody else's email. */
        "{\"username\":\"alice@example.org\",\"email\":\"mallory@example.org\",\"password\":"
        "\"" RIGHT "\"}",
    };
    for (size_t i = 0; i < 2; i++)
        expect_rate(LOOPBACK(loopback, "auth.register", loopback_nobody(), .body = bodies[i]),
                    ERR_OK, MANY, MANY - 1 - (int64_t)i);
}

static void open_all(void)
{
    redis = redis_server_start(NULL);
    open_node(&node, redis_server_url(redis), failures_only(), true);
    open_accounts(&node);
}

static void close_all(void)
{
    loopback_close(&node);
    redis_server_stop(&redis);
}

static void open_without_redis(void)
{
    open_node(&node, LOOPBACK_NO_REDIS, failures_only(), true);
    open_accounts(&node);
}

static void close_without_redis(void)
{
    loopback_close(&node);
}

static struct loopback_answer *sign_in(const char *member, const char *name, const char *password,
                                       const char *from)
{
    char body[256];
    snprintf(body, sizeof body, "{\"%s\":\"%s\",\"password\":\"%s\"}", member, name, password);
    return LOOPBACK(&node, "auth.login", loopback_nobody(), .address = from, .body = body);
}

static void expect_sign_in(const char *name, const char *password, const char *from, enum err err)
{
    struct loopback_answer *answer = sign_in("username", name, password, from);
    ck_assert_msg(answer->err == err, "%s from %s: %s instead of %s", name, from,
                  err_name(answer->err), err_name(err));
    if (err == ERR_THROTTLED) {
        ck_assert_int_eq(answer->reply.rate_limit, 3);
        ck_assert_int_eq(answer->reply.rate_remaining, 0);
        ck_assert_int_gt(answer->reply.retry_after_s, LIMIT_FAILURE_WINDOW_MS / 1000 - 60);
        ck_assert_int_le(answer->reply.retry_after_s, LIMIT_FAILURE_WINDOW_MS / 1000);
    }
    loopback_free(&answer);
}

static void fail_thrice(const char *name, const char *from)
{
    for (int i = 0; i < 3; i++)
        expect_sign_in(name, WRONG, from, ERR_UNAUTHENTICATED);
}

START_TEST(after_three_the_right_password_is_too_late)
{
    fail_thrice("alice", HERE);
    expect_sign_in("alice", WRONG, HERE, ERR_THROTTLED);
    expect_sign_in("alice", RIGHT, HERE, ERR_THROTTLED);
    expect_sign_in("ALICE", RIGHT, HERE, ERR_THROTTLED);
    /* Nobody can lock her out from elsewhere. */
    expect_sign_in("alice", RIGHT, THERE, ERR_OK);
    expect_sign_in("alice", RIGHT, HERE, ERR_THROTTLED);
}
END_TEST

START_TEST(a_name_nobody_has_counts_the_same)
{
    fail_thrice("nobody", HERE);
    expect_sign_in("nobody", WRONG, HERE, ERR_THROTTLED);
    expect_sign_in("alice", RIGHT, HERE, ERR_OK);
}
END_TEST

START_TEST(a_success_clears_it)
{
    for (int i = 0; i < 3; i++) {
        expect_sign_in("alice", WRONG, HERE, ERR_UNAUTHENTICATED);
        expect_sign_in("alice", WRONG, HERE, ERR_UNAUTHENTICATED);
        expect_sign_in("alice", RIGHT, HERE, ERR_OK);
    }
    fail_thrice("alice", HERE);
    expect_sign_in("alice", RIGHT, HERE, ERR_THROTTLED);
}
END_TEST

/* Mallory's name is Alice's email: Mallory's success must not give Alice's attacker new attempts. */
START_TEST(a_name_and_an_email_do_not_meet)
{
    for (int i = 0; i < 3; i++) {
        struct loopback_answer *answer = sign_in("email", "alice@example.org", WRONG, HERE);
        ck_assert_int_eq(answer->err, ERR_UNAUTHENTICATED);
        loopback_free(&answer);
    }
    expect_sign_in("alice@example.org", RIGHT, HERE, ERR_OK);
    struct loopback_answer *answer = sign_in("email", "alice@example.org", RIGHT, HERE);
    ck_assert_int_eq(answer->err, ERR_THROTTLED);
    loopback_free(&answer);
}
END_TEST

START_TEST(an_account_is_unlocked)
{
    struct arena *arena = arena_new(4096, 0);
    struct error error = {0};
    struct user alice;
    ck_assert_int_eq(users_find_by_name(node.app->users, arena, STR("alice"), &alice, &error),
                     ERR_OK);
    fail_thrice("ALICE", HERE);
    fail_thrice("alice", THERE);
    fail_thrice("nobody", HERE);
    for (int i = 0; i < 3; i++) {
        struct loopback_answer *answer = sign_in("email", "alice@example.org", WRONG, HERE);
        loopback_free(&answer);
    }
    /* From more networks than are forgotten in one go. */
    redis_server_do(redis, "EVAL %s 0",
                    "for _, key in ipairs(redis.call('KEYS', 'cw:l:failing:*')) do "
                    "for i = 1, 2500 do redis.call('ZADD', key, 0, '2001:' .. i) end end "
                    "return redis.status_reply('OK')");
    ck_assert_int_eq(limits_unlock(node.app,
                                   (struct work){arena, clock_deadline_ns(PATIENCE_MS), &error},
                                   &alice),
                     ERR_OK);
    expect_sign_in("alice", RIGHT, HERE, ERR_OK);
    expect_sign_in("alice", RIGHT, THERE, ERR_OK);
    struct loopback_answer *answer = sign_in("email", "alice@example.org", RIGHT, HERE);
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
    expect_sign_in("nobody", WRONG, HERE, ERR_THROTTLED);
    /* And it may be locked again. */
    fail_thrice("alice", HERE);
    expect_sign_in("alice", RIGHT, HERE, ERR_THROTTLED);
    redisReply *lists = redis_server_ask(redis, "KEYS cw:l:failing:*");
    ck_assert_uint_eq(lists->elements, 2);
    expect_expiry(lists->element[0]->str, LIMIT_FAILURE_WINDOW_MS);
    freeReplyObject(lists);
    arena_free(&arena);
}
END_TEST

START_TEST(what_redis_holds)
{
    expect_sign_in("alice", WRONG, HERE, ERR_UNAUTHENTICATED);
    redisReply *keys = redis_server_ask(redis, "KEYS cw:l:failures:*");
    ck_assert_uint_eq(keys->elements, 1);
    const char *key = keys->element[0]->str;
    ck_assert_msg(!strstr(key, "alice") && strstr(key, ":" HERE), "%s", key);
    expect_expiry(key, LIMIT_FAILURE_WINDOW_MS);
    /* One without an expiry is given one, though nobody gets as far as failing. */
    redis_server_do(redis, "SET %s 99", key);
    expect_sign_in("alice", RIGHT, HERE, ERR_THROTTLED);
    expect_expiry(key, LIMIT_FAILURE_WINDOW_MS);
    redis_server_do(redis, "DEL %s", key);
    expect_sign_in("alice", RIGHT, HERE, ERR_OK);
    freeReplyObject(keys);
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 12 };
static atomic_int told, throttled, busy, good;
static const char *password_of_all;

static void *try_once(void *arg)
{
    struct loopback_answer *answer = sign_in("username", "alice", password_of_all, HERE);
    (void)arg;
    if (answer->err == ERR_UNAUTHENTICATED)
        atomic_fetch_add(&told, 1);
    else if (answer->err == ERR_THROTTLED)
        atomic_fetch_add(&throttled, 1);
    else if (answer->err == ERR_BUSY) /* no place to hash in time: neither right nor wrong */
        atomic_fetch_add(&busy, 1);
    else if (answer->err == ERR_OK)
        atomic_fetch_add(&good, 1);
    loopback_free(&answer);
    return NULL;
}

static void try_at_once(const char *password)
{
    pthread_t threads[THREADS];
    password_of_all = password;
    told = throttled = busy = good = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, try_once, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(many_guesses_at_once_are_three)
{
    try_at_once(WRONG);
    ck_assert_int_eq(told, 3);
    ck_assert_int_eq(throttled + busy, THREADS - 3);
    expect_sign_in("alice", RIGHT, HERE, ERR_THROTTLED);
}
END_TEST

/* Attempts under way are not failures. */
START_TEST(many_successes_at_once_are_all_good)
{
    try_at_once(RIGHT);
    ck_assert_int_gt(good, 3);
    ck_assert_int_eq(good + busy, THREADS);
}
END_TEST

/* The right password, found out after the three wrong ones that were tried beside it. */
START_TEST(a_guess_that_comes_too_late)
{
    struct arena *arena = arena_new(4096, 0);
    struct limit_password_attempt lucky;
    struct call call;
    call_init(&call, node.app, NULL, arena);
    call.client_address = STR(HERE);
    ck_assert_int_eq(limits_password_attempt(&call, STR("alice"), false, &lucky), ERR_OK);
    fail_thrice("alice", HERE);
    ck_assert_int_eq(limits_password_attempted(&call, &lucky, ERR_OK), ERR_THROTTLED);
    expect_sign_in("alice", RIGHT, HERE, ERR_THROTTLED); /* and it cleared nothing */
    /* What says nothing about the password is passed on. */
    ck_assert_int_eq(limits_password_attempted(&call, &lucky, ERR_BUSY), ERR_BUSY);
    ck_assert_int_eq(limits_password_attempted(&call, &lucky, ERR_UPSTREAM_DOWN),
                     ERR_UPSTREAM_DOWN);
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/limits/password_attempts");
    TCase *tcase = tcase_create("with Redis");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, after_three_the_right_password_is_too_late);
    tcase_add_test(tcase, a_name_nobody_has_counts_the_same);
    tcase_add_test(tcase, a_success_clears_it);
    tcase_add_test(tcase, a_name_and_an_email_do_not_meet);
    tcase_add_test(tcase, an_account_is_unlocked);
    tcase_add_test(tcase, what_redis_holds);
    tcase_add_test(tcase, a_guess_that_comes_too_late);
    tcase_add_test(tcase, many_guesses_at_once_are_three);
    tcase_add_test(tcase, many_successes_at_once_are_all_good);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("without Redis");
    tcase_add_checked_fixture(tcase, open_without_redis, close_without_redis);
    tcase_add_test(tcase, after_three_the_right_password_is_too_late);
    tcase_add_test(tcase, a_name_nobody_has_counts_the_same);
    tcase_add_test(tcase, a_success_clears_it);
    tcase_add_test(tcase, a_guess_that_comes_too_late);
    tcase_add_test(tcase, many_guesses_at_once_are_three);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
