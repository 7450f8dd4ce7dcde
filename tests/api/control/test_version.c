/* The control functions themselves, as the command line uses them, on a real Redis. */
#include "cachewarden/app.h"

#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "control_data.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "redis_snapshot.h"
#include "slowness.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static struct redis_server *redis;
static struct loopback loopback;
static struct arena *arena;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                        .is_unwatched = true});
    arena = arena_new(4096, 0);
}

static void close_all(void)
{
    arena_free(&arena);
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static int64_t soon(void)
{
    return clock_deadline_ns(PATIENCE_MS);
}

static struct cache_state status_of(int64_t user_id)
{
    struct cache_state state;
    struct error error = {0};
    enum err err =
        control_status(loopback.app, (struct work){arena, soon(), &error}, user_id, NULL, &state);
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
    return state;
}

static void expect_state(int64_t user_id, bool enabled, int64_t version)
{
    struct cache_state state = status_of(user_id);
    ck_assert_int_eq(state.enabled, enabled);
    ck_assert_int_eq(state.version, version);
}

static struct cache_state clear_user(int64_t user_id)
{
    struct cache_state state;
    struct error error = {0};
    enum err err =
        control_clear(loopback.app, (struct work){arena, soon(), &error}, user_id, &state);
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
    return state;
}

static void switch_user(int64_t user_id, bool enabled, int64_t version)
{
    struct cache_state state;
    struct error error = {0};
    enum err err = control_switch(loopback.app, (struct work){arena, soon(), &error}, user_id,
                                  enabled, &state);
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
    ck_assert_int_eq(state.enabled, enabled);
    ck_assert_int_eq(state.version, version);
}

START_TEST(a_user_never_seen)
{
    expect_state(7, true, 1); /* the first look makes the dataset */
    char *before = redis_snapshot(redis, NULL);
    expect_state(7, true, 1);
    expect_state(INT64_MAX, true, 1);
    char *after = redis_snapshot(redis, NULL);
    ck_assert_str_eq(before, after); /* looking leaves nothing behind */
    free(before);
    free(after);
    ck_assert_int_eq(clear_user(7).version, 2);
    expect_state(7, true, 2);
    expect_state(8, true, 1);
}
END_TEST

START_TEST(switching_keeps_the_version)
{
    clear_user(7);
    switch_user(7, false, 2);
    switch_user(7, false, 2);
    expect_state(7, false, 2);
    expect_state(8, true, 1);
    struct cache_state state = clear_user(7);
    ck_assert_int_eq(state.version, 3);
    ck_assert(!state.enabled);
    switch_user(7, true, 3);
    switch_user(7, true, 3);
    expect_state(7, true, 3);
    /* Its clears, and that it was off. */
    ck_assert_int_eq(redis_server_ask_integer(redis, "HLEN cw:{u:7}"), 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "HEXISTS cw:{u:7} switched"), 1);
    switch_user(9, false, 1);
    ck_assert(control_is_off(redis, 9));
    ck_assert_int_eq(redis_server_ask_integer(redis, "HEXISTS cw:{u:9} clears"), 0);
}
END_TEST

START_TEST(clearing_everything_raises_everybody_by_one)
{
    int64_t epoch;
    struct error error = {0};
    clear_user(7);
    for (int64_t i = 1; i <= 3; i++) {
        ck_assert_int_eq(
            control_clear_all(loopback.app, (struct work){arena, soon(), &error}, &epoch), ERR_OK);
        ck_assert_int_eq(epoch, i);
        expect_state(7, true, 2 + i);
        expect_state(8, true, 1 + i);
    }
    ck_assert_int_eq(clear_user(8).version, 5);
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 50, CLEARS = 40 };

struct worker {
    pthread_t thread;
    bool toggles;
    int failures;
    int64_t versions[CLEARS];
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct arena *own = arena_new(4096, 0);
    for (int i = 0; i < CLEARS; i++) {
        struct cache_state state = {0};
        struct error error = {0};
        arena_reset(own);
        enum err err =
            worker->toggles
                ? control_switch(loopback.app,
                                 (struct work){own, clock_deadline_ns(PATIENCE_MS), &error}, 7,
                                 i % 2 == 0, &state)
                : control_clear(loopback.app,
                                (struct work){own, clock_deadline_ns(PATIENCE_MS), &error}, 7,
                                &state);
        worker->failures += err != ERR_OK;
        worker->versions[i] = state.version;
    }
    arena_free(&own);
    return NULL;
}

/* Every version from 2 to 2001 is handed out once: no clear is lost, none counts twice, though ten
 * more threads switch the same cache on and off meanwhile. */
START_TEST(fifty_threads_of_forty_clears)
{
    static struct worker workers[THREADS + 10];
    static int seen[THREADS * CLEARS + 2];
    for (int i = 0; i < THREADS + 10; i++) {
        workers[i].toggles = i >= THREADS;
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS + 10; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_int_eq(workers[i].failures, 0);
        for (int k = 0; k < CLEARS && !workers[i].toggles; k++) {
            int64_t version = workers[i].versions[k];
            ck_assert(version >= 2 && version <= THREADS * CLEARS + 1);
            ck_assert_int_eq(seen[version]++, 0);
            ck_assert(k == 0 || version > workers[i].versions[k - 1]);
        }
    }
    ck_assert_int_eq(status_of(7).version, 1 + THREADS * CLEARS);
}
END_TEST

/* ---- what Redis may hold that is no version ---- */

enum which { STATUS, SWITCH_ON, SWITCH_OFF, CLEAR, CLEAR_ALL };

static enum err run(enum which which, struct error *error)
{
    struct cache_state state;
    int64_t epoch;
    error_clear(error);
    switch (which) {
    case STATUS:
        return control_status(loopback.app, (struct work){arena, soon(), error}, 7, NULL, &state);
    case SWITCH_ON:
    case SWITCH_OFF:
        return control_switch(loopback.app, (struct work){arena, soon(), error}, 7,
                              which == SWITCH_ON, &state);
    case CLEAR:
        return control_clear(loopback.app, (struct work){arena, soon(), error}, 7, &state);
    case CLEAR_ALL:
        break;
    }
    return control_clear_all(loopback.app, (struct work){arena, soon(), error}, &epoch);
}

static void expect_refused(enum which which, const char *cause)
{
    struct error error;
    enum err err = run(which, &error);
    ck_assert_msg(err == ERR_UPSTREAM_REFUSED, "function %d: %s: %s", (int)which, err_name(err),
                  error.detail);
    ck_assert_int_eq(error.code, ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, cause);
    ck_assert(error.detail[0] != '\0');
}

static bool is_kept_off(int64_t user_id)
{
    bool is_off = false;
    struct error error = {0};
    ck_assert_int_eq(users_switch_is_off(loopback.app->users, user_id, &is_off, &error), ERR_OK);
    return is_off;
}

/* What is refused was not done: no switch is kept anywhere. */
START_TEST(clears_that_are_none)
{
    static const char *const values[] = {"-9223372036854775808",
                                         "-2",
                                         "1.5",
                                         "abc",
                                         "",
                                         "01",
                                         "+1",
                                         " 1",
                                         "1 ",
                                         "1e3",
                                         "9223372036854775807",
                                         "4000000000000",
                                         "9223372036854775808",
                                         "99999999999999999999"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (enum which which = STATUS; which <= CLEAR; which++) {
            redis_server_do(redis, "HSET cw:{u:7} clears %b", values[i], strlen(values[i]));
            expect_refused(which, "redis refused the command");
            ck_assert(!is_kept_off(7));
            ck_assert(!control_is_off(redis, 7));
        }
        redis_server_do(redis, "DEL cw:{u:7}");
        expect_state(7, true, 1);
    }
}
END_TEST

START_TEST(keys_of_another_kind)
{
    redis_server_do(redis, "RPUSH cw:{u:7} 5");
    for (enum which which = STATUS; which <= CLEAR; which++)
        expect_refused(which, "redis refused the command");
    redis_server_do(redis, "DEL cw:{u:7} cw:dataset");
    redis_server_do(redis, "SADD cw:dataset 5");
    for (enum which which = STATUS; which <= CLEAR_ALL; which++)
        expect_refused(which, "redis refused the command");
    ck_assert_int_eq(redis_server_ask_integer(redis, "SCARD cw:dataset"), 1);
}
END_TEST

/* ---- Redis in trouble ---- */

START_TEST(a_redis_that_takes_no_writes)
{
    clear_user(7);
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 1");
    expect_refused(CLEAR, "redis refused the command");
    expect_state(7, true, 2);
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 0");
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    expect_refused(SWITCH_OFF, "redis out of memory");
    expect_refused(CLEAR, "redis out of memory");
    expect_refused(CLEAR_ALL, "redis out of memory");
    expect_state(7, true, 2); /* nothing of it happened */
    switch_user(7, true, 2);  /* HDEL frees memory, so it is allowed */
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(clear_user(7).version, 3);
    redis_server_do(redis, "REPLICAOF 127.0.0.1 1");
    for (enum which which = SWITCH_OFF; which <= CLEAR_ALL; which++)
        expect_refused(which, "redis is read-only");
    expect_state(7, true, 3); /* what can be read is shown */
}
END_TEST

START_TEST(a_redis_that_is_gone)
{
    struct error error;
    clear_user(7);
    redis_server_kill(redis);
    for (enum which which = STATUS; which <= CLEAR_ALL; which++) {
        enum err err = run(which, &error);
        /* Over a connection that was open the write may have been sent before the loss showed. */
        bool maybe_sent = err == ERR_UNCERTAIN && which != STATUS;
        ck_assert_msg(err == ERR_UPSTREAM_DOWN || maybe_sent, "function %d: %s", (int)which,
                      err_name(err));
    }
    redis_server_restart(redis);
    /* A probe a second brings it back; until then every call fails at once. */
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;
    do {
        err = run(STATUS, &error);
        ck_assert_int_lt(clock_mono_ns(), give_up_ns);
    } while (err != ERR_OK);
}
END_TEST

START_TEST(a_redis_that_does_not_answer)
{
    struct error error;
    struct loopback hasty;
    loopback_open(&hasty, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .is_unwatched = true,
                                                     .command_timeout_ms = 100});
    struct cache_state state;
    /* A busy machine alone may make it give Redis up. */
    const int64_t give_up_ns = soon();
    while (control_status(hasty.app, (struct work){arena, soon(), &error}, 7, NULL, &state) !=
           ERR_OK)
        ck_assert_int_lt(clock_mono_ns(), give_up_ns);
    redis_server_pause(redis);
    int64_t start_ns = clock_mono_ns();
    ck_assert_int_eq(control_clear(hasty.app, (struct work){arena, soon(), &error}, 7, &state),
                     ERR_UNCERTAIN);
    ck_assert_str_eq(error.caller, "outcome unknown");
    enum err err = control_status(hasty.app, (struct work){arena, soon(), &error}, 7, NULL, &state);
    ck_assert_msg(err == ERR_TIMEOUT || err == ERR_UPSTREAM_DOWN, "%s", err_name(err));
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, 4 * 1000);
    redis_server_resume(redis);
    loopback_close(&hasty);
}
END_TEST

START_TEST(no_memory_is_no_success)
{
    struct arena *tiny = arena_new(64, 256);
    struct cache_state state;
    int64_t epoch;
    struct error error = {0};
    ck_assert_int_eq(
        control_status(loopback.app, (struct work){tiny, soon(), &error}, 7, NULL, &state),
        ERR_NO_MEMORY);
    ck_assert_int_eq(
        control_switch(loopback.app, (struct work){tiny, soon(), &error}, 7, false, &state),
        ERR_NO_MEMORY);
    ck_assert_int_eq(control_clear(loopback.app, (struct work){tiny, soon(), &error}, 7, &state),
                     ERR_NO_MEMORY);
    ck_assert_int_eq(control_clear_all(loopback.app, (struct work){tiny, soon(), &error}, &epoch),
                     ERR_NO_MEMORY);
    arena_free(&tiny);
    expect_state(7, true, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control");
    TCase *tcase = tcase_create("sound");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_user_never_seen);
    tcase_add_test(tcase, switching_keeps_the_version);
    tcase_add_test(tcase, clearing_everything_raises_everybody_by_one);
    tcase_add_test(tcase, fifty_threads_of_forty_clears);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("trouble");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, clears_that_are_none);
    tcase_add_test(tcase, keys_of_another_kind);
    tcase_add_test(tcase, a_redis_that_takes_no_writes);
    tcase_add_test(tcase, a_redis_that_is_gone);
    tcase_add_test(tcase, a_redis_that_does_not_answer);
    tcase_add_test(tcase, no_memory_is_no_success);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
