/* A failover by name: the old primary lives on as a replica, and connections to it stay. */
#include "pool_case.h"
#include "pool_private.h"
#include "redis_private.h"

#include "log_capture.h"
#include "redis_server.h"
#include "slowness.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct redis_server *old, *new;
static struct tcp_proxy *name; /* leads to one of them */
static struct redis *front;
static struct arena *arena;
static struct error error;

static void set_up(void)
{
    static const char *const args[] = {"--repl-diskless-sync-delay", "0", NULL};

    old = redis_server_start(&(struct redis_server_options){.args = args});
    new = redis_server_start(&(struct redis_server_options){.args = args});
    name = tcp_proxy_start(redis_server_port(old));
    arena = arena_new(0, 0);
    log_capture_start();
}

static void tear_down(void)
{
    redis_close(&front);
    arena_free(&arena);
    tcp_proxy_stop(&name);
    redis_server_stop(&new);
    redis_server_stop(&old);
    free(log_capture_end());
}

/* Of the pools there are: some ask which Redis it is, and some users may not ask. */
static const struct {
    bool asks, may_ask;
} pools[] = {{true, true}, {false, true}, {true, false}};
#define POOLS (sizeof pools / sizeof *pools)

static void open_pool(int which)
{
    char url[128];

    if (!pools[which].may_ask) {
        redis_server_do(old, "ACL SETUSER app on nopass ~* +@all -info -role");
        redis_server_do(new, "ACL SETUSER app on nopass ~* +@all -info -role");
    }
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d/0", pools[which].may_ask ? "" : "app:x@",
             tcp_proxy_port(name));
    front = case_pool_with(
        url, (struct redis_options){.asks_replication_id = pools[which].asks, .size = 4});
}

static enum err set(const char *value)
{
    return CASE_RUN(front, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("SET"), STR("k"),
                    str_from(value));
}

static bool reads(const char *value)
{
    const struct value *reply;

    case_err(CASE_RUN(front, arena, PIPELINE_READ, EXPECT_STRING_OR_NIL, &reply, &error, STR("GET"),
                      STR("k")),
             ERR_OK);
    return str_eq(reply->text, str_from(value));
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static void follow(const struct redis_server *replica, const struct redis_server *primary)
{
    redis_server_do(replica, "REPLICAOF 127.0.0.1 %d", redis_server_port(primary));
}

static void warm_up(void)
{
    case_err(set("before"), ERR_OK);
    ck_assert_uint_ge(case_stats(front).idle, 1);
}

static void set_until_it_succeeds(void)
{
    int64_t begin_ns = clock_mono_ns();

    while (set("after") != ERR_OK) {
        case_err(error.code, ERR_UPSTREAM_REFUSED);
        ck_assert_str_eq(error.caller, "redis is read-only");
        expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5000);
        pause_ms(10);
    }
}

static int count_in_log(const char *text)
{
    char *log = log_capture_read();
    int count = 0;

    for (const char *at = log; (at = strstr(at, text)); at++)
        count++;
    free(log);
    return count;
}

START_TEST(writes_go_to_the_new_primary)
{
    open_pool(_i);
    warm_up();
    follow(old, new);
    tcp_proxy_lead_to(name, redis_server_port(new));
    set_until_it_succeeds();
    redisReply *reply = redis_server_ask(new, "GET k");
    ck_assert_str_eq(reply->str, "after");
    freeReplyObject(reply);
    case_err(set("again"), ERR_OK);
    ck_assert_int_eq(count_in_log("event=redis.replica "), 1);
    ck_assert_int_eq(count_in_log("event=redis.primary "), 1);
}
END_TEST

/* While the address leads to the replica still it is tried once a second, whoever asks how often, and said once. */
START_TEST(a_name_that_moves_late)
{
    open_pool(_i);
    warm_up();
    follow(old, new);
    uint64_t connects = case_stats(front).connects;
    int64_t begin_ns = clock_mono_ns();
    while (case_stats(front).connects < connects + 3) {
        case_err(set("no"), ERR_UPSTREAM_REFUSED);
        ck_assert(!reads("no"));
    }
    ck_assert_int_ge(clock_mono_ns() - begin_ns, 1900 * NS_PER_MS);
    ck_assert_int_eq(count_in_log("event=redis.replica "), 1);
    ck_assert_int_eq(count_in_log("event=redis.primary "), 0);
    tcp_proxy_lead_to(name, redis_server_port(new));
    set_until_it_succeeds();
    ck_assert_int_eq(count_in_log("event=redis.primary "), 1);
}
END_TEST

/* Nobody writes, so nobody is refused: what Redis says at the beginning of a connection must do. */
START_TEST(who_only_reads_moves_too)
{
    redis_server_do(new, "SET k there");
    redis_server_do(old, "CONFIG SET replica-serve-stale-data yes");
    redis_server_do(old, "SET k here");
    redis_server_do(old, "REPLICAOF 127.0.0.1 1"); /* nobody to follow: it keeps what it has */
    open_pool(_i);
    ck_assert(reads("here"));
    tcp_proxy_lead_to(name, redis_server_port(new));
    int64_t begin_ns = clock_mono_ns();
    while (!reads("there")) {
        expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5000);
        pause_ms(10);
    }
}
END_TEST

static int64_t client_id(void)
{
    const struct value *reply;

    case_err(CASE_RUN(front, arena, PIPELINE_READ, EXPECT_INTEGER, &reply, &error, STR("CLIENT"),
                      STR("ID")),
             ERR_OK);
    return reply->integer;
}

/* It can be read, and has been agreed to. */
START_TEST(an_only_connection_is_kept_until_a_better_one_is_there)
{
    front = case_pool_with(redis_server_url(old), (struct redis_options){.size = 1});
    warm_up();
    int64_t id = client_id();
    follow(old, new);
    uint64_t connects = case_stats(front).connects;
    while (case_stats(front).connects < connects + 2) {
        case_err(set("no"), ERR_UPSTREAM_REFUSED);
        pause_ms(10);
    }
    ck_assert_int_eq(client_id(), id);
    ck_assert_uint_eq(case_stats(front).idle, 1);
}
END_TEST

/* What it took it forgets when it next follows its primary. */
START_TEST(a_write_that_a_replica_took_is_uncertain)
{
    redis_server_do(old, "CONFIG SET replica-read-only no");
    redis_server_do(old, "REPLICAOF 127.0.0.1 1");
    open_pool(_i);
    case_err(set("lost"), ERR_UNCERTAIN);
    ck_assert_str_eq(error.caller, "outcome unknown");
    ck_assert(reads("lost"));
    redis_server_do(old, "REPLICAOF NO ONE");
    int64_t begin_ns = clock_mono_ns();
    while (set("kept") != ERR_OK) {
        expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5000);
        pause_ms(10);
    }
}
END_TEST

static void *wait_for_item(void *with)
{
    struct arena *own = arena_new(0, 0);
    const struct value *reply;
    struct error ignored;

    *(enum err *)with = CASE_RUN(front, own, PIPELINE_READ, EXPECT_ARRAY, &reply, &ignored,
                                 STR("BLPOP"), STR("list"), STR("0"));
    arena_free(&own);
    return NULL;
}

static bool has_blocked_clients(void)
{
    redisReply *reply = redis_server_ask(old, "INFO clients");
    bool has = !strstr(reply->str, "blocked_clients:0");

    freeReplyObject(reply);
    return has;
}

START_TEST(who_is_in_the_middle_of_it_is_let_finish)
{
    pthread_t waiter;
    enum err waited = ERR_INTERNAL;

    open_pool(_i);
    warm_up();
    ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_item, &waited), 0);
    while (!has_blocked_clients())
        pause_ms(1);
    redis_renew(front);
    ck_assert_uint_eq(case_stats(front).idle, 0);
    ck_assert_uint_eq(case_stats(front).busy, 1);
    redis_server_do(old, "RPUSH list item");
    pthread_join(waiter, NULL);
    case_err(waited, ERR_OK);
    ck_assert_uint_eq(case_stats(front).idle, 0); /* and is not kept */
    case_err(set("after"), ERR_OK);
    ck_assert_uint_eq(case_stats(front).idle, 1);
}
END_TEST

/* ---- age ---- */

#define HOUR_S 3600

static void open_pool_of(size_t size)
{
    front = case_pool_with(redis_server_url(old), (struct redis_options){
                                                      .size = size,
                                                      .connection_lifetime_s = HOUR_S,
                                                  });
}

/* As if the idle ones had been made long ago. */
static void age_all(void)
{
    lock_acquire(&front->pool->lock);
    for (struct conn *conn = front->pool->idle; conn; conn = conn->next)
        conn->expires_ns = 0;
    front->pool->sweep_next_ns = 0;
    lock_release(&front->pool->lock);
}

/* So many idle ones. */
static void fill_pool(size_t count)
{
    struct conn *made[8];
    bool is_down;

    for (size_t i = 0; i < count; i++) {
        lock_acquire(&front->pool->lock);
        front->pool->live++;
        front->pool->busy++;
        front->pool->connecting++;
        lock_release(&front->pool->lock);
        case_err(
            pool_connect(front->pool, case_deadline_ns(), DIAL_GROWTH, &made[i], &is_down, &error),
            ERR_OK);
    }
    for (size_t i = 0; i < count; i++)
        pool_release_unused(front->pool, made[i]);
    ck_assert_uint_eq(case_stats(front).idle, count);
}

START_TEST(an_hour_less_a_quarter_by_chance)
{
    int64_t before_ns = clock_mono_ns(), first_ns = INT64_MAX, last_ns = 0;

    open_pool_of(8);
    fill_pool(8);
    for (const struct conn *conn = front->pool->idle; conn; conn = conn->next) {
        first_ns = conn->expires_ns < first_ns ? conn->expires_ns : first_ns;
        last_ns = conn->expires_ns > last_ns ? conn->expires_ns : last_ns;
    }
    ck_assert_int_ge(first_ns, before_ns + HOUR_S * NS_PER_S / 4 * 3);
    ck_assert_int_le(last_ns, clock_mono_ns() + HOUR_S * NS_PER_S);
    /* Eight within a minute of fifteen, by chance: once in a hundred million. */
    ck_assert_int_gt(last_ns - first_ns, 60 * NS_PER_S);
}
END_TEST

START_TEST(one_that_is_too_old_is_replaced)
{
    open_pool_of(_i == 0 ? 4 : 1);
    warm_up();
    case_err(set("again"), ERR_OK);
    ck_assert_uint_eq(case_stats(front).connects, 1);
    age_all();
    case_err(set("anew"), ERR_OK);
    ck_assert_uint_eq(case_stats(front).connects, 2);
    ck_assert_uint_eq(case_stats(front).outlived, 1);
    ck_assert_uint_eq(case_stats(front).closes, 1);
    ck_assert_uint_eq(case_stats(front).idle, 1);
    case_err(set("again"), ERR_OK);
    ck_assert_uint_eq(case_stats(front).connects, 2);
}
END_TEST

START_TEST(no_lifetime_is_for_ever)
{
    front = case_pool(redis_server_url(old));
    warm_up();
    ck_assert_int_eq(front->pool->idle->expires_ns, INT64_MAX);
}
END_TEST

/* Redis takes no more connections: the old one does. */
START_TEST(an_old_one_is_used_while_there_is_no_new_one)
{
    open_pool_of(_i == 0 ? 4 : 1);
    warm_up();
    redis_server_do(old, "CONFIG SET maxclients 1");
    age_all();
    for (int i = 0; i < 20; i++)
        case_err(set("still"), ERR_OK);
    ck_assert_uint_eq(case_stats(front).connects, 1);
    ck_assert_uint_eq(case_stats(front).closes, 0);
    ck_assert_uint_ge(case_stats(front).connect_failures, 1);
}
END_TEST

START_TEST(of_many_one_a_second_goes)
{
    open_pool_of(8);
    fill_pool(4);
    age_all();
    lock_acquire(&front->pool->lock);
    int64_t now_ns = clock_mono_ns();
    for (int i = 0; i < 3; i++) {
        struct conn *gone = pool_sweep_locked(front->pool, now_ns + i * NS_PER_S);
        ck_assert(gone && !gone->next);
        conn_close(&gone);
        ck_assert_ptr_null(pool_sweep_locked(front->pool, now_ns + i * NS_PER_S + 1));
    }
    ck_assert_ptr_null(pool_sweep_locked(front->pool, now_ns + 9 * NS_PER_S)); /* the last one */
    lock_release(&front->pool->lock);
    ck_assert_uint_eq(case_stats(front).idle, 1);
    ck_assert_uint_eq(case_stats(front).outlived, 3);
}
END_TEST

/* It comes back when its successor is there, or the other way round. */
START_TEST(an_only_one_that_was_in_use_goes)
{
    pthread_t waiter;
    enum err waited = ERR_INTERNAL;

    open_pool_of(1);
    warm_up();
    struct conn *conn = front->pool->idle;
    ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_item, &waited), 0);
    while (!has_blocked_clients())
        pause_ms(1);
    lock_acquire(&front->pool->lock);
    conn->expires_ns = 0;
    front->pool->live++; /* as if the successor had been made meanwhile */
    lock_release(&front->pool->lock);
    redis_server_do(old, "RPUSH list item");
    pthread_join(waiter, NULL);
    case_err(waited, ERR_OK);
    ck_assert_uint_eq(case_stats(front).idle, 0);
    ck_assert_uint_eq(case_stats(front).closes, 1);
}
END_TEST

START_TEST(an_exchange_is_not_cut_short)
{
    pthread_t waiter;
    enum err waited = ERR_INTERNAL;

    open_pool_of(4);
    warm_up();
    struct conn *conn = front->pool->idle;
    ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_item, &waited), 0);
    while (!has_blocked_clients())
        pause_ms(1);
    lock_acquire(&front->pool->lock);
    conn->expires_ns = 0;
    lock_release(&front->pool->lock);
    case_err(set("beside"), ERR_OK);
    redis_server_do(old, "RPUSH list item");
    pthread_join(waiter, NULL);
    case_err(waited, ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("renew");
    TCase *tcase = tcase_create("renew");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, writes_go_to_the_new_primary, 0, POOLS);
    tcase_add_loop_test(tcase, a_name_that_moves_late, 0, POOLS);
    tcase_add_loop_test(tcase, who_only_reads_moves_too, 0, POOLS);
    tcase_add_test(tcase, an_only_connection_is_kept_until_a_better_one_is_there);
    tcase_add_loop_test(tcase, a_write_that_a_replica_took_is_uncertain, 0, POOLS);
    tcase_add_loop_test(tcase, who_is_in_the_middle_of_it_is_let_finish, 0, POOLS);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("age");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_hour_less_a_quarter_by_chance);
    tcase_add_loop_test(tcase, one_that_is_too_old_is_replaced, 0, 2);
    tcase_add_test(tcase, no_lifetime_is_for_ever);
    tcase_add_loop_test(tcase, an_old_one_is_used_while_there_is_no_new_one, 0, 2);
    tcase_add_test(tcase, of_many_one_a_second_goes);
    tcase_add_test(tcase, an_only_one_that_was_in_use_goes);
    tcase_add_test(tcase, an_exchange_is_not_cut_short);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
