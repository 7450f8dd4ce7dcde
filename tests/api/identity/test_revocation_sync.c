/* Two nodes and a Redis: what one revokes the other knows, and what Redis forgets they do not. */
#include "identity/revocation_sync.h"

#include "patience.h"
#include "session.h"
#include "slowness.h"
#include "suite.h"
#include "tcp_proxy.h"

#include <hiredis/hiredis.h>
#include <string.h>

static struct redis_server *redis;
static struct loopback node, other;

static void open_node(struct loopback *opened, const struct loopback *shares)
{
    loopback_open(opened, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .is_registration_open = true,
                                                     .shares = shares});
}

static void open_all(void)
{
    redis = redis_server_start(NULL);
    open_node(&node, NULL);
    open_node(&other, &node);
    session_register(&node, "alice");
}

static void close_nodes(void)
{
    loopback_close(&other);
    loopback_close(&node);
}

static void close_all(void)
{
    close_nodes();
    redis_server_stop(&redis);
}

static void log_out(const struct loopback *at, const struct session *session)
{
    loopback_expect(SESSION_CALL(at, session, "auth.logout", .body = "{}"),
                    "{\"message\":\"Logged out\",\"tokens_revoked\":2}");
}

/* Waits until Redis says so. */
static void wait_for(const char *command, int64_t wanted)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (redis_server_ask_integer(redis, command) != wanted && clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    ck_assert_int_eq(redis_server_ask_integer(redis, command), wanted);
}

START_TEST(felt_within_a_second)
{
    for (int i = 0; i < 5; i++) {
        struct session session;
        session_open(i % 2 ? &node : &other, "alice", &session);
        ck_assert_int_eq(session_try_access(&other, session.access), ERR_OK);
        log_out(&node, &session);
        ck_assert_int_eq(session_try_access(&node, session.access), ERR_UNAUTHENTICATED);
        session_expect_refused(&other, session.access, 1000);
        ck_assert_int_eq(session_try_refresh(&other, session.refresh), ERR_UNAUTHENTICATED);
        session_free(&session);
    }
}
END_TEST

START_TEST(a_node_that_starts_knows_what_was_revoked)
{
    struct loopback late;
    struct session session;
    session_open(&node, "alice", &session);
    log_out(&node, &session);
    open_node(&late, &node);
    ck_assert_int_eq(session_try_access(&late, session.access), ERR_UNAUTHENTICATED);
    loopback_close(&late);
    session_free(&session);
}
END_TEST

enum { MANY = 2500 };

/* As another node would, but all at once. */
static void revoke_many(bool is_news)
{
    redis_server_do(redis, "EVAL %s 0 %lld %d %d",
                    "for i = 1, ARGV[2] do local m = 't:token-' .. i "
                    "redis.call('ZADD', 'cw:revoked', ARGV[1] + i % 7, m) "
                    "if ARGV[3] == '1' then redis.call('XADD', 'cw:events', '*', 'revoked', m, "
                    "'expires', ARGV[1] + i % 7) end "
                    "end return 1",
                    (long long)clock_wall_s() + 1000, MANY, is_news ? 1 : 0);
}

static int count_known(const struct loopback *at)
{
    struct revocation_subject subject = {.is_own = true};
    char name[32];
    int known = 0;
    for (int i = 1; i <= MANY; i++) {
        snprintf(name, sizeof name, "token-%d", i);
        subject.token_id = str_from(name);
        known += revocations_cover(identity_revocations(at->app->identity), &subject);
    }
    return known;
}

START_TEST(more_than_a_page)
{
    struct loopback late;
    revoke_many(false);
    open_node(&late, &node);
    ck_assert_int_eq(count_known(&late), MANY);
    loopback_close(&late);
}
END_TEST

START_TEST(news_in_a_flood)
{
    revoke_many(true);
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (count_known(&node) < MANY && clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    ck_assert_int_eq(count_known(&node), MANY);
}
END_TEST

START_TEST(what_nobody_can_read_stops_nothing)
{
    struct session session;
    redis_server_do(redis, "XADD cw:events * nonsense 1");
    redis_server_do(redis, "XADD cw:events * revoked x expires y");
    redis_server_do(redis, "XADD cw:events * revoked q:1 expires 99999999999");
    session_open(&node, "alice", &session);
    log_out(&node, &session);
    session_expect_refused(&other, session.access, 1000);
    session_free(&session);
}
END_TEST

START_TEST(put_back_after_a_flush)
{
    struct session session;
    struct loopback late;
    session_open(&node, "alice", &session);
    log_out(&node, &session);
    session_expect_refused(&other, session.access, 1000);
    redis_server_do(redis, "FLUSHALL");
    wait_for("ZCARD cw:revoked", 2); /* the token and its family */
    ck_assert_int_eq(session_try_access(&node, session.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&other, session.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, session.refresh), ERR_UNAUTHENTICATED);
    open_node(&late, &node);
    ck_assert_int_eq(session_try_access(&late, session.access), ERR_UNAUTHENTICATED);
    loopback_close(&late);
    session_free(&session);
}
END_TEST

/* With nobody else who could notice. */
START_TEST(put_back_by_the_node_that_makes_the_dataset)
{
    struct session session;
    session_open(&node, "alice", &session);
    log_out(&node, &session);
    loopback_close(&other);
    redis_server_do(redis, "FLUSHALL");
    wait_for("ZCARD cw:revoked", 2);
    open_node(&other, &node);
    session_free(&session);
}
END_TEST

START_TEST(put_back_after_a_restart)
{
    struct session session;
    session_open(&node, "alice", &session);
    log_out(&node, &session);
    session_expect_refused(&other, session.access, 1000);
    redis_server_kill(redis);
    ck_assert_int_eq(session_try_access(&node, session.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&other, session.access), ERR_UNAUTHENTICATED);
    redis_server_restart(redis);
    wait_for("ZCARD cw:revoked", 2);
    session_free(&session);
}
END_TEST

/* One that lost its last seconds, as at a failover: the dataset is there, entries are not. */
START_TEST(put_back_what_went_unnoticed)
{
    struct session session;
    session_open(&node, "alice", &session);
    log_out(&node, &session);
    redis_server_do(redis, "DEL cw:revoked cw:events");
    wait_for("ZCARD cw:revoked", 2);
    session_free(&session);
}
END_TEST

static void wait_known(const struct loopback *at, size_t wanted)
{
    struct revocations *known = identity_revocations(at->app->identity);
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    while (revocations_count(known) != wanted && clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    ck_assert_uint_eq(revocations_count(known), wanted);
}

/* What another node revokes while this one stands still, and the stream forgets before it goes on. */
static void revoke_and_trim(const char *member, int kept)
{
    redis_server_do(redis, "EVAL %s 0 %s %lld %d",
                    "for _, m in ipairs({ARGV[1], 't:later'}) do "
                    "redis.call('ZADD', 'cw:revoked', ARGV[2], m) "
                    "redis.call('XADD', 'cw:events', '*', 'revoked', m, 'expires', ARGV[2]) end "
                    "redis.call('XTRIM', 'cw:events', 'MAXLEN', ARGV[3]) return 1",
                    member, (long long)clock_wall_s() + 1000, kept);
}

/* News that were trimmed away before they were read leave no trace in what comes behind them: the last
 * event that was read has to be there still. Also where there was none, and where none is left. */
START_TEST(a_gap_in_the_stream)
{
    bool was_empty = _i < 2;
    if (!was_empty) {
        revoke_and_trim("t:before", 2);
        wait_known(&node, 2);
        wait_known(&other, 2);
    }
    revoke_and_trim("t:missed", _i % 2);
    wait_known(&node, was_empty ? 2 : 3);
    wait_known(&other, was_empty ? 2 : 3);
}
END_TEST

/* A writer that died between the set and the stream, or an operator's own hand. */
START_TEST(a_member_without_an_event)
{
    redis_server_do(redis, "ZADD cw:revoked %lld t:silent", (long long)clock_wall_s() + 1000);
    wait_known(&node, 1);
    wait_known(&other, 1);
}
END_TEST

#define CUT_OFF "u:7:0123456789abcdef:"

/* An account that was cut off for tokens of two lifetimes is two members in Redis, and each is missed. */
START_TEST(each_member_counts)
{
    static const char *const cuts[] = {"1", "8"};
    long long expires_at_s = (long long)clock_wall_s() + 1000;
    for (size_t i = 0; i < 2; i++) {
        redis_server_do(redis, "ZADD cw:revoked %lld " CUT_OFF "%s", expires_at_s, cuts[i]);
        redis_server_do(redis, "XADD cw:events * revoked " CUT_OFF "%s expires %lld", cuts[i],
                        expires_at_s);
    }
    wait_known(&node, 2);
    wait_known(&other, 2);
    for (size_t i = 0; i < 2; i++) {
        redis_server_do(redis, "ZREM cw:revoked " CUT_OFF "%s", cuts[i]);
        wait_for("ZCARD cw:revoked", 2);
    }
}
END_TEST

/* Counting alone would not tell: there are as many others. What lost its epoch, or became another Redis,
 * may have lost anything, so all of it is read again. */
START_TEST(put_back_in_a_new_term)
{
    struct session session;
    for (int i = 0; i < 3; i++)
        redis_server_do(redis, "ZADD cw:revoked %lld q:%d", (long long)clock_wall_s() + 1000, i);
    session_open(&node, "alice", &session);
    log_out(&node, &session);
    session_expect_refused(&other, session.access, 1000);
    redis_server_do(redis, "EVAL %s 0",
                    "for _, m in ipairs(redis.call('ZRANGE', 'cw:revoked', 0, -1)) do "
                    "if string.sub(m, 1, 2) ~= 'q:' then redis.call('ZREM', 'cw:revoked', m) end "
                    "end return 1");
    if (_i == 0) {
        redis_server_do(redis, "HDEL cw:dataset epoch");
    } else {
        redis_server_do(redis, "REPLICAOF 127.0.0.1 1");
        redis_server_do(redis, "REPLICAOF NO ONE");
    }
    wait_for("ZCARD cw:revoked", 5);
    session_free(&session);
}
END_TEST

START_TEST(without_redis)
{
    struct session session, revoked;
    session_open(&node, "alice", &revoked);
    session_open(&node, "alice", &session);
    log_out(&node, &revoked);
    redis_server_kill(redis);
    /* What is not known to be revoked lives on; what is, is. */
    ck_assert_int_eq(session_try_access(&node, session.access), ERR_OK);
    ck_assert_int_eq(session_try_access(&node, revoked.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, revoked.refresh), ERR_UNAUTHENTICATED);
    enum err err = session_try_refresh(&node, session.refresh);
    ck_assert(err == ERR_UPSTREAM_DOWN || err == ERR_UNCERTAIN);
    loopback_expect_error(SESSION_CALL(&node, &session, "auth.logout", .body = "{}"),
                          ERR_UPSTREAM_DOWN, "redis unavailable");
    ck_assert_int_eq(session_try_access(&node, session.access), ERR_OK);
    session_free(&session);
    session_free(&revoked);
}
END_TEST

static bool is_string(const char *key)
{
    redisReply *reply = redis_server_ask(redis, "TYPE %s", key);
    bool is_string = strcmp(reply->str, "string") == 0;
    freeReplyObject(reply);
    return is_string;
}

/* By a hand: it goes, what it held is put back, and the next logout is felt everywhere. */
START_TEST(a_key_of_another_type)
{
    static const char *const keys[] = {"cw:events", "cw:revoked"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct session before, since;
        session_open(&node, "alice", &before);
        log_out(&node, &before);
        redis_server_do(redis, "SET %s x", keys[i]);
        int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
        while (is_string(keys[i]) && clock_mono_ns() < deadline_ns)
            nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
        ck_assert(!is_string(keys[i]));
        wait_for("ZCARD cw:revoked", 2 + 4 * (int64_t)i);
        session_open(&node, "alice", &since);
        log_out(&node, &since);
        session_expect_refused(&other, since.access, 1000);
        /* Its event went with the key: the other node finds out by counting. */
        session_expect_refused(&other, before.access, 1000);
        session_free(&before);
        session_free(&since);
    }
}
END_TEST

/* Not before it has expired by the clocks of others, too, which may be behind. */
START_TEST(what_has_expired_goes)
{
    long long gone_s = (long long)clock_wall_s() - 2;
    redis_server_do(redis, "ZADD cw:revoked %lld t:gone", gone_s);
    redis_server_do(redis, "ZADD cw:revoked %lld t:long-gone", gone_s - 60);
    wait_for("ZCOUNT cw:revoked -inf +inf", 1);
    bool is_there = redis_server_ask_integer(redis, "ZCOUNT cw:revoked %lld +inf", gone_s) == 1;
    ck_assert(is_there || clock_wall_s() >= gone_s + 60);
}
END_TEST

/* ---- reading all of it ---- */

static bool knows(const struct loopback *at, const char *token_id)
{
    const struct revocation_subject subject = {.is_own = true, .token_id = str_from(token_id)};
    return revocations_cover(identity_revocations(at->app->identity), &subject);
}

/* The highest expiry of all, so that its place in the set is one that was read already. */
static void revoke_at_the_top(const char *token_id)
{
    long long expires_at_s = (long long)clock_wall_s() + 100000;
    redis_server_do(redis, "ZADD cw:revoked %lld t:%s", expires_at_s, token_id);
    redis_server_do(redis, "XADD cw:events * revoked t:%s expires %lld", token_id, expires_at_s);
}

static void expect_unready(const struct loopback *at)
{
    loopback_expect_error(LOOPBACK(at, "health.ready", loopback_nobody()), ERR_BUSY,
                          "starting or draining");
}

/*
 * Until all that Redis holds was read, and counted, nobody's token is judged, and the node is not ready. And
 * what is revoked meanwhile is not missed, although its page is over, not even without an event.
 */
#define READY(redis) \
    "{\"status\":\"ready\",\"redis\":\"" redis "\",\"users_database\":\"connected\"}"

static void revoke_silently(const char *token_id)
{
    redis_server_do(redis, "ZADD cw:revoked %lld t:%s", (long long)clock_wall_s() + 100000,
                    token_id);
}

static const struct {
    const char *request;
    int nth;
} held_requests[] = {{"ZREVRANGE\r\n$10\r\ncw:revoked", 2} /* the last page */,
                     {"ZCOUNT", 3} /* behind it */};

START_TEST(a_node_that_has_not_read_all_lets_nobody_in)
{
    struct tcp_proxy *proxy = tcp_proxy_start(redis_server_port(redis));
    struct session good, revoked;
    struct loopback late;
    char url[64];

    revoke_many(false);
    session_open(&node, "alice", &revoked);
    session_open(&node, "alice", &good);
    log_out(&node, &revoked);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/0", tcp_proxy_port(proxy));
    tcp_proxy_hold(proxy, held_requests[_i].request, held_requests[_i].nth);
    loopback_open(
        &late, &(struct loopback_options){.redis_url = url, .shares = &node, .start_wait_ms = 1});
    tcp_proxy_wait_held(proxy);
    atomic_store(&late.app->ready, true);
    ck_assert_int_eq(session_try_access(&late, good.access), ERR_BUSY);
    /* Which was on the first page. */
    ck_assert_int_eq(session_try_access(&late, revoked.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&late, good.refresh), ERR_BUSY);
    expect_unready(&late);
    revoke_at_the_top("between-pages");
    revoke_silently("without-an-event");
    tcp_proxy_release(proxy);
    revocation_sync_wait(late.app->revocation_sync, clock_deadline_ns(PATIENCE_MS));
    ck_assert(knows(&late, "between-pages") && knows(&late, "without-an-event"));
    ck_assert_int_eq(count_known(&late), MANY);
    ck_assert_int_eq(session_try_access(&late, good.access), ERR_OK);
    ck_assert_int_eq(session_try_access(&late, revoked.access), ERR_UNAUTHENTICATED);
    loopback_expect(LOOPBACK(&late, "health.ready", loopback_nobody()), READY("connected"));
    loopback_close(&late);
    tcp_proxy_stop(&proxy);
    session_free(&good);
    session_free(&revoked);
}
END_TEST

/* By a hand, and nobody can repair it. What is revoked is there all the same: a node that starts learns it, and
 * waits for nothing more. */
START_TEST(a_node_that_starts_on_damaged_data)
{
    static const char *const hands[] = {"DEL cw:dataset", "SET cw:dataset x", "SET cw:events x"};
    struct session good, revoked;
    struct loopback owner, late;
    close_nodes();
    redis_server_do(redis, "FLUSHALL");
    loopback_open(&owner, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .is_registration_open = true,
                                                     .is_unwatched = true});
    session_register(&owner, "alice");
    session_open(&owner, "alice", &good);
    session_open(&owner, "alice", &revoked);
    log_out(&owner, &revoked);
    redis_server_do(redis, hands[_i]);
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 1");
    loopback_open(&late, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .shares = &owner,
                                                    .term_patience_ms = 1});
    revocation_sync_wait(late.app->revocation_sync, clock_deadline_ns(PATIENCE_MS));
    ck_assert_int_eq(session_try_access(&late, good.access), ERR_OK);
    ck_assert_int_eq(session_try_access(&late, revoked.access), ERR_UNAUTHENTICATED);
    loopback_close(&late);
    loopback_close(&owner);
    session_free(&good);
    session_free(&revoked);
}
END_TEST

/* Without Redis a node serves with what it knows, which is nothing here. */
START_TEST(a_node_that_starts_without_redis)
{
    struct session session;
    struct loopback late;
    session_open(&node, "alice", &session);
    redis_server_kill(redis);
    open_node(&late, &node);
    atomic_store(&late.app->ready, true);
    revocation_sync_wait(late.app->revocation_sync, clock_deadline_ns(PATIENCE_MS));
    ck_assert_int_eq(session_try_access(&late, session.access), ERR_OK);
    loopback_expect(LOOPBACK(&late, "health.ready", loopback_nobody()), READY("unavailable"));
    loopback_close(&late);
    session_free(&session);
}
END_TEST

/* What has expired is not counted by Redis, and so is not missed there: nothing is read again. */
START_TEST(what_has_expired_is_no_loss)
{
    struct loopback patient;
    loopback_close(&other);
    loopback_open(&patient, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                       .shares = &node});
    long long expires_at_s = 0;
    for (int life_s = 2; !knows(&node, "soon") || !knows(&patient, "soon"); life_s *= 2) {
        expires_at_s = (long long)clock_wall_s() + life_s;
        /* At once: a look between the two would take the event for lost, and read all again. */
        redis_server_do(redis, "EVAL %s 0 %lld",
                        "redis.call('ZADD', 'cw:revoked', ARGV[1], 't:soon') "
                        "redis.call('XADD', 'cw:events', '*', 'revoked', 't:soon', 'expires', "
                        "ARGV[1]) return 1",
                        expires_at_s);
        while (clock_wall_s() < expires_at_s && (!knows(&node, "soon") || !knows(&patient, "soon")))
            nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    loopback_close(&node);
    redis_server_do(redis, "CONFIG RESETSTAT");
    while (clock_wall_s() <= expires_at_s)
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    redis_server_wait_calls(redis, "xrange", redis_server_calls(redis, "xrange") + 8);
    ck_assert_int_eq(redis_server_calls(redis, "zrevrange"), 0);
    loopback_close(&patient);
    open_node(&node, NULL);
    open_node(&other, &node);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/revocation_sync");
    TCase *tcase = tcase_create("revocation sync");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, felt_within_a_second);
    tcase_add_test(tcase, a_node_that_starts_knows_what_was_revoked);
    tcase_add_test(tcase, more_than_a_page);
    tcase_add_test(tcase, news_in_a_flood);
    tcase_add_test(tcase, what_nobody_can_read_stops_nothing);
    tcase_add_test(tcase, put_back_after_a_flush);
    tcase_add_test(tcase, put_back_by_the_node_that_makes_the_dataset);
    tcase_add_test(tcase, put_back_after_a_restart);
    tcase_add_test(tcase, put_back_what_went_unnoticed);
    tcase_add_loop_test(tcase, a_gap_in_the_stream, 0, 4);
    tcase_add_test(tcase, a_member_without_an_event);
    tcase_add_loop_test(tcase, a_node_that_has_not_read_all_lets_nobody_in, 0, 2);
    tcase_add_loop_test(tcase, a_node_that_starts_on_damaged_data, 0, 3);
    tcase_add_test(tcase, a_node_that_starts_without_redis);
    tcase_add_test(tcase, what_has_expired_is_no_loss);
    tcase_add_test(tcase, each_member_counts);
    tcase_add_loop_test(tcase, put_back_in_a_new_term, 0, 2);
    tcase_add_test(tcase, without_redis);
    tcase_add_test(tcase, a_key_of_another_type);
    tcase_add_test(tcase, what_has_expired_goes);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
