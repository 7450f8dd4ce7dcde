/* The life of a refresh token: spent once, reused, unrecorded, lost. */
#include "identity/refresh.h"

#include "audit_records.h"
#include "control/version_guard.h"
#include "patience.h"
#include "session.h"
#include "suite.h"

#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct redis_server *redis;
static struct loopback node, other;

/* What this thread's wall clock is ahead of the others' and of Redis's: a call runs in its caller. */
static _Thread_local int64_t clock_ahead_s;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);

    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += clock_ahead_s;
    return result;
}

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .is_registration_open = true,
                                                    .pool_size = 4});
    loopback_open(
        &other, &(struct loopback_options){.redis_url = redis_server_url(redis), .shares = &node});
    session_register(&node, "alice");
}

static void close_all(void)
{
    loopback_close(&other);
    loopback_close(&node);
    redis_server_stop(&redis);
}

/* In the future of Redis, which is the one that counts: however slow the machine is, that is within ten
 * seconds. */
enum { JUST_NOW_MS = -3600 * 1000 };

START_TEST(a_repeat_within_ten_seconds_is_only_refused)
{
    struct session first, second;
    session_open(&node, "alice", &first);
    session_read(&node, session_refresh(&node, first.refresh), &second);
    ck_assert(str_eq(first.refresh_claims.family, second.refresh_claims.family));
    session_age_spent(redis, &first, JUST_NOW_MS);
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&other, first.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&node, second.access), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), 0);
    ck_assert_int_eq(session_try_refresh(&node, second.refresh), ERR_OK);
    session_free(&first);
    session_free(&second);
}
END_TEST

/* A double submit to two nodes whose clocks differ, the first or the second ahead. */
START_TEST(a_repeat_at_a_node_with_another_clock)
{
    static const int64_t ahead_s[] = {11, -11};
    for (size_t i = 0; i < sizeof ahead_s / sizeof *ahead_s; i++) {
        struct session first, second;
        session_open(&node, "alice", &first);
        session_read(&node, session_refresh(&node, first.refresh), &second);
        session_age_spent(redis, &first, 0);
        int64_t spent_ns = clock_mono_ns();
        clock_ahead_s = ahead_s[i];
        ck_assert_int_eq(session_try_refresh(&other, first.refresh), ERR_UNAUTHENTICATED);
        clock_ahead_s = 0;
        if (clock_mono_ns() - spent_ns < REFRESH_GRACE_MS * NS_PER_MS)
            ck_assert_int_eq(session_try_access(&other, second.access), ERR_OK);
        /* Neither does a clock that is behind keep a thief in. */
        session_age_spent(redis, &first, 10500);
        clock_ahead_s = -11;
        ck_assert_int_eq(session_try_refresh(&other, first.refresh), ERR_UNAUTHENTICATED);
        clock_ahead_s = 0;
        ck_assert_int_eq(session_try_access(&other, second.access), ERR_UNAUTHENTICATED);
        session_free(&first);
        session_free(&second);
    }
}
END_TEST

/* The second record: the first is the registration's. */
static void expect_reuse_recorded(int64_t user_id, const char *result)
{
    char target[32];
    snprintf(target, sizeof target, "user:%lld", (long long)user_id);
    audit_records_drain(&node);
    ck_assert_int_eq(audit_records_in(redis, "changes"), 2);
    audit_records_expect(redis, "changes", AUDIT_ROUTE, "auth.refresh");
    audit_records_expect(redis, "changes", AUDIT_TARGET, target);
    audit_records_expect(redis, "changes", AUDIT_RESULT, result);
}

START_TEST(a_later_reuse_takes_the_family_with_it)
{
    struct session first, second, bystander;
    session_open(&node, "alice", &bystander);
    session_open(&node, "alice", &first);
    session_read(&node, session_refresh(&node, first.refresh), &second);
    session_age_spent(redis, &first, 10500);
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_UNAUTHENTICATED);
    /* Here at once, elsewhere within a second; access tokens, too. */
    ck_assert_int_eq(session_try_access(&node, second.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&node, first.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&other, second.refresh), ERR_UNAUTHENTICATED);
    session_expect_refused(&other, second.access, 1000);
    ck_assert_int_eq(session_try_access(&node, bystander.access), ERR_OK);
    ck_assert_int_eq(session_try_refresh(&node, bystander.refresh), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), 1);
    expect_reuse_recorded(first.user_id, "ok");
    session_free(&first);
    session_free(&second);
    session_free(&bystander);
}
END_TEST

/* What refreshing in a loop leaves behind goes soon, and a reuse is noticed all the same. */
START_TEST(a_later_reuse_of_one_that_was_forgotten)
{
    struct session first, second, bystander;
    session_open(&node, "alice", &bystander);
    session_open(&node, "alice", &first);
    session_read(&node, session_refresh(&node, first.refresh), &second);
    char spent[128];
    snprintf(spent, sizeof spent, "cw:t:%.*s", STR_ARG(first.refresh_claims.id));
    int64_t left_s = redis_server_ask_integer(redis, "TTL %s", spent);
    ck_assert_int_gt(left_s, 0);
    ck_assert_int_le(left_s, REFRESH_SPENT_KEPT_S);
    redis_server_do(redis, "DEL %s", spent);
    ck_assert_int_eq(session_try_refresh(&other, first.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, second.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&other, second.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, bystander.refresh), ERR_OK);
    session_free(&first);
    session_free(&second);
    session_free(&bystander);
}
END_TEST

/* A copy of Redis was put back that knows the family and not this token: nobody has used it twice. */
START_TEST(lost_is_not_reused)
{
    struct session own;
    session_open(&node, "alice", &own);
    char record[128];
    snprintf(record, sizeof record, "cw:t:%.*s", STR_ARG(own.refresh_claims.id));
    redis_server_do(redis, "DEL %s", record);
    redis_server_do(redis, "HSET cw:dataset seen %lld", (long long)clock_wall_s() + 3600);
    ck_assert_int_eq(session_try_refresh(&node, own.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&node, own.access), ERR_OK);
    session_free(&own);
}
END_TEST

/* In force on this node at once, and told as soon as somebody listens. */
START_TEST(a_reuse_while_redis_takes_no_writes)
{
    struct session first, second;
    session_open(&node, "alice", &first);
    session_read(&node, session_refresh(&node, first.refresh), &second);
    session_age_spent(redis, &first, 10500);
    log_capture_start();
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&node, second.access), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&other, second.access), ERR_OK);
    /* Redis takes no records, either. */
    audit_records_drain(&node);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    char *log = log_capture_end();
    ck_assert_int_eq(audit_records_count(log, " route=auth.refresh target=user:1 "
                                              "result=upstream_refused "),
                     1);
    free(log);
    session_expect_refused(&other, second.access, 20000);
    session_free(&first);
    session_free(&second);
}
END_TEST

/* The old token is gone, so the caller gets what there is: a pair without records. */
START_TEST(redis_takes_a_half)
{
    struct session first, second, third;
    session_open(&node, "alice", &first);
    redis_server_do(redis, "ACL SETUSER default -set");
    session_read(&node, session_refresh(&node, first.refresh), &second);
    ck_assert_uint_eq(second.refresh_claims.unrecorded.len, 32);
    ck_assert(str_eq(first.refresh_claims.family, second.refresh_claims.family));
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_UNAUTHENTICATED);
    redis_server_do(redis, "ACL SETUSER default +set");
    session_read(&node, session_refresh(&node, second.refresh), &third);
    ck_assert_uint_eq(third.refresh_claims.unrecorded.len, 0);
    session_free(&first);
    session_free(&second);
    session_free(&third);
}
END_TEST

START_TEST(verifying_a_spent_one_revokes_nothing)
{
    struct session first;
    char body[4096];
    session_open(&node, "alice", &first);
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_OK);
    session_age_spent(redis, &first, 60000);
    snprintf(body, sizeof body, "{\"token\":\"%s\"}", first.refresh);
    loopback_expect_error(LOOPBACK(&node, "token.verify", loopback_nobody(), .body = body),
                          ERR_UNAUTHENTICATED, "");
    ck_assert_int_eq(session_try_access(&node, first.access), ERR_OK);
    session_free(&first);
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 20, ROUNDS = 5 };

struct racer {
    pthread_t thread;
    const struct loopback *at;
    const char *token;
    struct loopback_answer *answer;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    racer->answer = session_refresh(racer->at, racer->token);
    return NULL;
}

START_TEST(of_twenty_on_two_nodes_one_wins)
{
    static struct racer racers[THREADS];
    struct session first, next;
    session_open(&node, "alice", &first);
    for (int round = 0; round < ROUNDS; round++) {
        int winner = -1;
        int64_t began_ns = clock_mono_ns();
        for (int i = 0; i < THREADS; i++) {
            racers[i] = (struct racer){.at = i % 2 ? &node : &other, .token = first.refresh};
            ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(racers[i].thread, NULL);
            if (racers[i].answer->err == ERR_OK) {
                ck_assert_int_eq(winner, -1);
                winner = i;
            } else {
                ck_assert_int_eq(racers[i].answer->err, ERR_UNAUTHENTICATED);
                loopback_free(&racers[i].answer);
            }
        }
        ck_assert_int_ge(winner, 0);
        session_read(&node, racers[winner].answer, &next);
        session_free(&first);
        first = next;
        /* Who came ten seconds after the winner was a thief, and took the family along. */
        if (clock_mono_ns() - began_ns >= REFRESH_GRACE_MS * NS_PER_MS)
            break;
        ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), 0);
        ck_assert_int_eq(session_try_access(&node, first.access), ERR_OK);
    }
    session_free(&first);
}
END_TEST

/* ---- without a record ---- */

/* Waits until Redis is reached again: after a restart the breaker lets one through a second. */
static enum err refresh_once_reached(const struct loopback *at, const char *token)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;
    do {
        err = session_try_refresh(at, token);
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    } while ((err == ERR_UPSTREAM_DOWN || err == ERR_TIMEOUT) && clock_mono_ns() < deadline_ns);
    return err;
}

/* Both nodes have seen Redis in a later second than this one. */
static void let_redis_be_seen_later(void)
{
    int64_t second_s = clock_wall_s();
    while (clock_wall_s() == second_s)
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    session_look_at_redis(&node);
    session_look_at_redis(&other);
}

/* A node that gives Redis up soon; Redis must be paused, else a busy machine alone would make it. */
static void open_impatient(struct loopback *at)
{
    loopback_open(at, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                 .shares = &node,
                                                 .command_timeout_ms = 100});
}

START_TEST(issued_while_redis_was_down)
{
    struct loopback late;
    struct session first, second;
    redis_server_pause(redis);
    open_impatient(&late);
    session_open(&late, "alice", &first);
    ck_assert_uint_eq(first.refresh_claims.unrecorded.len, 32);
    ck_assert_int_ne(session_try_refresh(&late, first.refresh), ERR_OK);
    redis_server_resume(redis);
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    struct loopback_answer *answer = session_refresh(&other, first.refresh);
    while (answer->err != ERR_OK && clock_mono_ns() < deadline_ns) {
        loopback_free(&answer);
        answer = session_refresh(&other, first.refresh);
    }
    session_read(&other, answer, &second);
    ck_assert_uint_eq(second.refresh_claims.unrecorded.len, 0);
    /* Once. */
    ck_assert_int_eq(refresh_once_reached(&node, first.refresh), ERR_UNAUTHENTICATED);
    session_age_spent(redis, &first, 10500);
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, second.refresh), ERR_UNAUTHENTICATED);
    session_free(&first);
    session_free(&second);
    loopback_close(&late);
}
END_TEST

START_TEST(issued_while_redis_took_no_writes)
{
    struct session first;
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    session_open(&node, "alice", &first);
    ck_assert_uint_eq(first.refresh_claims.unrecorded.len, 32);
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_UPSTREAM_REFUSED);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_OK);
    ck_assert_int_eq(session_try_refresh(&node, first.refresh), ERR_UNAUTHENTICATED);
    session_free(&first);
}
END_TEST

/* What was issued in the outage cannot have been spent or revoked before it ended; what was issued
 * before may have been. */
START_TEST(redis_comes_back_empty)
{
    struct session before, unrecorded_before, during;
    session_open(&node, "alice", &before);
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    session_open(&node, "alice", &unrecorded_before);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    let_redis_be_seen_later();
    redis_server_kill(redis);
    session_open(&node, "alice", &during);
    ck_assert_uint_eq(during.refresh_claims.unrecorded.len, 32);
    redis_server_restart(redis);
    ck_assert_int_eq(refresh_once_reached(&node, during.refresh), ERR_OK);
    ck_assert_int_eq(refresh_once_reached(&other, during.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, before.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, unrecorded_before.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&node, before.access), ERR_OK);
    session_free(&before);
    session_free(&unrecorded_before);
    session_free(&during);
}
END_TEST

START_TEST(all_is_flushed)
{
    struct session recorded, unrecorded;
    session_open(&node, "alice", &recorded);
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    session_open(&node, "alice", &unrecorded);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(session_try_refresh(&node, unrecorded.refresh), ERR_OK);
    let_redis_be_seen_later();
    redis_server_do(redis, "FLUSHALL");
    ck_assert_int_eq(session_try_refresh(&node, recorded.refresh), ERR_UNAUTHENTICATED);
    /* Spent before, and Redis has forgotten: not good a second time. */
    ck_assert_int_eq(session_try_refresh(&node, unrecorded.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_access(&node, recorded.access), ERR_OK);
    session_free(&recorded);
    session_free(&unrecorded);
}
END_TEST

/* ---- an older copy of Redis ---- */

/* What was spent since may have been: it is refused, and nobody is called a thief. */
START_TEST(an_older_copy_is_put_back)
{
    struct session spent, next, idle, since;
    session_open(&node, "alice", &spent);
    session_open(&node, "alice", &idle);
    redis_server_do(redis, "SAVE");
    session_read(&node, session_refresh(&node, spent.refresh), &next);
    redis_server_restart(redis);
    /* Others wait two seconds for the node that knows of the loss, and a busy machine may not let it look so
     * soon. */
    session_look_at_redis(&node);
    ck_assert_int_eq(refresh_once_reached(&other, spent.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(refresh_once_reached(&node, spent.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, next.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&other, next.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, idle.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), 0);
    ck_assert_int_eq(session_try_access(&node, next.access), ERR_OK);
    ck_assert_int_eq(session_try_access(&other, idle.access), ERR_OK);
    /* Once each has told what it knows of the loss, what is issued is as always. */
    session_look_at_redis(&other);
    session_look_at_redis(&node);
    session_look_at_redis(&other);
    session_open(&other, "alice", &since);
    ck_assert_int_eq(session_try_refresh(&node, since.refresh), ERR_OK);
    session_age_spent(redis, &since, 10500);
    ck_assert_int_eq(session_try_refresh(&node, since.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), 1);
    session_free(&spent);
    session_free(&next);
    session_free(&idle);
    session_free(&since);
}
END_TEST

/* The first that is signed in finds out itself that Redis is another one. */
START_TEST(a_sign_in_right_after_a_copy)
{
    struct session spent, since;
    session_open(&node, "alice", &spent);
    redis_server_do(redis, "SAVE");
    ck_assert_int_eq(session_try_refresh(&node, spent.refresh), ERR_OK);
    redis_server_restart(redis);
    session_open(&node, "alice", &since);
    ck_assert_int_eq(refresh_once_reached(&node, since.refresh), ERR_OK);
    ck_assert_int_eq(session_try_refresh(&node, spent.refresh), ERR_UNAUTHENTICATED);
    session_free(&spent);
    session_free(&since);
}
END_TEST

/* A restart that lost nothing signs nobody out, while a node goes on that can tell. */
START_TEST(a_copy_that_lost_nothing)
{
    struct session spent, next, idle;
    session_open(&node, "alice", &spent);
    session_open(&node, "alice", &idle);
    session_read(&node, session_refresh(&node, spent.refresh), &next);
    redis_server_do(redis, "SAVE");
    redis_server_restart(redis);
    session_look_at_redis(&other);
    /* Another node may know of a loss, and is given the time to say so. */
    enum err err = session_try_refresh(&other, next.refresh);
    ck_assert(err == ERR_UPSTREAM_DOWN || version_guard_is_settled(other.app->guard));
    if (err != ERR_OK)
        err = refresh_once_reached(&other, next.refresh);
    ck_assert_int_eq(err, ERR_OK);
    ck_assert_int_eq(refresh_once_reached(&node, idle.refresh), ERR_OK);
    ck_assert_int_eq(session_try_refresh(&node, spent.refresh), ERR_UNAUTHENTICATED);
    session_free(&spent);
    session_free(&next);
    session_free(&idle);
}
END_TEST

/* One that says itself that it has no record is spent once all the same; one of the outage is good. */
START_TEST(a_copy_from_before_one_without_a_record_was_spent)
{
    struct session spent, during;
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    session_open(&node, "alice", &spent);
    ck_assert_uint_eq(spent.refresh_claims.unrecorded.len, 32);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    redis_server_do(redis, "SAVE");
    ck_assert_int_eq(session_try_refresh(&node, spent.refresh), ERR_OK);
    let_redis_be_seen_later();
    redis_server_kill(redis);
    session_open(&node, "alice", &during);
    ck_assert_uint_eq(during.refresh_claims.unrecorded.len, 32);
    redis_server_restart(redis);
    ck_assert_int_eq(refresh_once_reached(&node, spent.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(refresh_once_reached(&other, spent.refresh), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, during.refresh), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), 0);
    session_free(&spent);
    session_free(&during);
}
END_TEST

/* Nobody is left who knows of the logout. */
START_TEST(a_copy_from_before_a_logout_and_all_nodes_anew)
{
    struct session own;
    session_open(&node, "alice", &own);
    redis_server_do(redis, "SAVE");
    loopback_expect(SESSION_CALL(&node, &own, "auth.logout"),
                    "{\"message\":\"Logged out\",\"tokens_revoked\":2}");
    ck_assert_int_eq(session_try_refresh(&node, own.refresh), ERR_UNAUTHENTICATED);
    loopback_close(&other);
    app_close(&node.app);
    redis_server_restart(redis);
    loopback_open(
        &other, &(struct loopback_options){.redis_url = redis_server_url(redis), .shares = &node});
    ck_assert_int_eq(session_try_refresh(&other, own.refresh), ERR_UNAUTHENTICATED);
    session_free(&own);
}
END_TEST

/* A node that starts while Redis is down goes on with the dataset it knew. */
START_TEST(a_node_started_without_redis)
{
    struct loopback late;
    struct session first;
    redis_server_pause(redis);
    open_impatient(&late);
    session_open(&late, "alice", &first);
    redis_server_resume(redis);
    ck_assert_int_eq(refresh_once_reached(&node, first.refresh), ERR_OK);
    session_free(&first);
    loopback_close(&late);
}
END_TEST

START_TEST(nobody_can_say_without_redis)
{
    struct loopback late;
    struct session first;
    session_open(&node, "alice", &first);
    redis_server_pause(redis);
    open_impatient(&late);
    ck_assert_int_ne(session_try_refresh(&late, first.refresh), ERR_OK);
    ck_assert_int_eq(session_try_access(&late, first.access), ERR_OK);
    redis_server_resume(redis);
    session_free(&first);
    loopback_close(&late);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/refresh");
    TCase *tcase = tcase_create("refresh");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_repeat_within_ten_seconds_is_only_refused);
    tcase_add_test(tcase, a_repeat_at_a_node_with_another_clock);
    tcase_add_test(tcase, a_later_reuse_takes_the_family_with_it);
    tcase_add_test(tcase, a_later_reuse_of_one_that_was_forgotten);
    tcase_add_test(tcase, lost_is_not_reused);
    tcase_add_test(tcase, a_reuse_while_redis_takes_no_writes);
    tcase_add_test(tcase, redis_takes_a_half);
    tcase_add_test(tcase, verifying_a_spent_one_revokes_nothing);
    tcase_add_test(tcase, of_twenty_on_two_nodes_one_wins);
    tcase_add_test(tcase, issued_while_redis_was_down);
    tcase_add_test(tcase, issued_while_redis_took_no_writes);
    tcase_add_test(tcase, redis_comes_back_empty);
    tcase_add_test(tcase, all_is_flushed);
    tcase_add_test(tcase, an_older_copy_is_put_back);
    tcase_add_test(tcase, a_sign_in_right_after_a_copy);
    tcase_add_test(tcase, a_copy_that_lost_nothing);
    tcase_add_test(tcase, a_copy_from_before_one_without_a_record_was_spent);
    tcase_add_test(tcase, a_copy_from_before_a_logout_and_all_nodes_anew);
    tcase_add_test(tcase, a_node_started_without_redis);
    tcase_add_test(tcase, nobody_can_say_without_redis);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
