/* A node that sleeps between moving a term in the users database and writing it to Redis, and writes it when another
 * one has begun the next. */
#include "two_nodes.h"

#include "suite.h"
#include "tcp_proxy.h"

#include <pthread.h>

/* Each node has a way to Redis of its own, on which it may be held. */
static struct tcp_proxy *ways[2];
static struct loopback late; /* a node that starts when all is over */

static void open_over(struct loopback *node, struct tcp_proxy *way, const struct loopback *shares)
{
    char url[64];

    snprintf(url, sizeof url, "redis://127.0.0.1:%d/0", tcp_proxy_port(way));
    loopback_open(
        node, &(struct loopback_options){
                  .redis_url = url, .shares = shares, .is_unwatched = true, .term_patience_ms = 1});
}

static void open_all(void)
{
    redis = redis_server_start(NULL);
    arena = arena_new(4096, 0);
    for (int i = 0; i < 2; i++) {
        ways[i] = tcp_proxy_start(redis_server_port(redis));
        open_over(&nodes[i], ways[i], i > 0 ? &nodes[0] : NULL);
    }
}

static void close_all(void)
{
    for (int i = 0; i < 2; i++)
        tcp_proxy_release(ways[i]);
    close_two();
    for (int i = 0; i < 2; i++)
        tcp_proxy_stop(&ways[i]);
}

static void *repair(void *arg)
{
    struct error error;

    (void)!reconcile_on(arg, &error);
    return NULL;
}

/* The node repairs, and is held where the request with this text begins to be written. */
static pthread_t sleep_before(int node, const char *text)
{
    pthread_t thread;

    tcp_proxy_hold(ways[node], text, 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, repair, &nodes[node]), 0);
    tcp_proxy_wait_held(ways[node]);
    return thread;
}

static void wake(int node, pthread_t thread)
{
    tcp_proxy_release(ways[node]);
    pthread_join(thread, NULL);
}

static int64_t field(const char *name)
{
    struct redisReply *reply = redis_server_ask(redis, "HGET cw:dataset %s", name);
    int64_t number = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : -1;

    freeReplyObject(reply);
    return number;
}

/* Nothing was lost but an epoch that somebody lowered, so whoever signed in before stays so: what would refuse their
 * tokens is `intact`, and what would refuse those without a record `seen`. */
START_TEST(a_term_that_is_written_late_loses_no_sign_in)
{
    clear_all_on(0);
    clear_all_on(1);
    int64_t version = version_on(1, 7), intact = field("intact"), seen = field("seen");
    redis_server_do(redis, "HSET cw:dataset epoch 0");
    pthread_t sleeper = sleep_before(0, "HSET");
    int64_t next = version_on(1, 7); /* the other one begins the next term meanwhile */
    ck_assert_int_gt(next, version);
    int64_t term = control_term(redis);
    wake(0, sleeper);
    ck_assert_int_gt(version_on(1, 7), next);
    ck_assert_int_eq(version_on(0, 7), version_on(1, 7));
    ck_assert_int_gt(control_term(redis), term);
    ck_assert_int_eq(field("intact"), intact);
    ck_assert_int_eq(field("seen"), seen);
}
END_TEST

/* Passes on what the node is held at, and holds it at the next request with this text. */
static void let_go_to(int node, const char *text)
{
    tcp_proxy_hold(ways[node], text, 1);
}

/* The data is lost, and lost again while the next term lasts: what the sleeper writes comes between the other node's
 * look and its write. Who starts then knows nothing but what Redis and the users database say. */
START_TEST(a_term_that_is_written_late_repeats_no_version)
{
    clear_on(0, 7);
    clear_on(1, 7);
    redis_server_do(redis, "FLUSHALL");
    pthread_t first = sleep_before(0, "DEL");
    int64_t shown = version_on(1, 7); /* of the other one's term */
    redis_server_do(redis, "FLUSHALL");
    pthread_t second = sleep_before(1, "HSET");
    int64_t deletes = redis_server_calls(redis, "del");
    let_go_to(0, "HSET");
    redis_server_wait_calls(redis, "del", deletes + 1);
    let_go_to(1, "HMGET");
    tcp_proxy_wait_held(ways[1]); /* its term is there, and it has not looked since */
    loopback_open(&late, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .shares = &nodes[0],
                                                    .is_unwatched = true,
                                                    .term_patience_ms = 1});
    struct cache_state state = {0};
    struct error error = {0};
    ck_assert_int_eq(
        control_status(late.app, (struct work){arena, soon(), &error}, 7, NULL, &state), ERR_OK);
    ck_assert_int_gt(state.version, shown);
    loopback_close(&late);
    wake(1, second);
    wake(0, first);
    ck_assert_int_ge(version_on(1, 7), state.version);
    ck_assert_int_eq(version_on(0, 7), version_on(1, 7));
}
END_TEST

static bool is_uncleared(void)
{
    return field("uncleared") == control_epoch(redis);
}

/* Whether somebody has cleared for all since the data has its id is known in each term of it. */
START_TEST(a_term_knows_whether_all_was_cleared)
{
    struct error error;

    (void)version_on(0, 7);
    ck_assert(is_uncleared());
    int64_t term = control_term(redis);
    redis_server_do(redis, "HSET cw:dataset replication_id 1");
    ck_assert_int_eq(reconcile_on(&nodes[0], &error), ERR_OK);
    ck_assert_int_gt(control_term(redis), term);
    ck_assert(is_uncleared());

    clear_all_on(1);
    ck_assert(!is_uncleared());
    redis_server_do(redis, "HSET cw:dataset replication_id 1");
    ck_assert_int_eq(reconcile_on(&nodes[1], &error), ERR_OK);
    ck_assert(!is_uncleared());

    redis_server_do(redis, "FLUSHALL");
    (void)version_on(0, 7);
    ck_assert(is_uncleared());
}
END_TEST

/* ---- whose term it is ---- */

static struct loopback patient; /* a node that leaves others more time than a test has */

static void open_patient(void)
{
    redis = redis_server_start(NULL);
    arena = arena_new(4096, 0);
    loopback_open(&patient, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                       .is_unwatched = true,
                                                       .term_patience_ms = 10 * PATIENCE_MS});
}

static void close_patient(void)
{
    arena_free(&arena);
    loopback_close(&patient);
    redis_server_stop(&redis);
}

/* Redis took no writes while it was begun, and takes them now: that is no other node's. */
START_TEST(a_node_does_not_wait_for_itself)
{
    struct error error = {0};

    ck_assert_int_eq(reconcile_on(&patient, &error), ERR_OK);
    redis_server_do(redis, "FLUSHALL");
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 1");
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(reconcile_on(&patient, &error), ERR_UPSTREAM_REFUSED);
    redis_server_do(redis, "CONFIG SET min-replicas-to-write 0");
    ck_assert_int_eq(reconcile_on(&patient, &error), ERR_OK);
    ck_assert_int_eq(control_term(redis), 2);
}
END_TEST

/* Each look ends with the deadline of whoever asked. The time that the other node has goes on. */
START_TEST(those_who_ask_briefly_wait_no_longer)
{
    enum { NODE_MS = 500, ASK_MS = NODE_MS / 2 };
    struct loopback node;
    struct error error = {0};
    enum err err = ERR_TIMEOUT;
    int64_t give_up_ns = soon();

    loopback_open(&node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .is_unwatched = true,
                                                    .term_patience_ms = NODE_MS});
    ck_assert_int_eq(
        users_fact_set(node.app->users, STR("versions_reserved"), STR("1:1000"), &error), ERR_OK);
    while (err == ERR_TIMEOUT && clock_mono_ns() < give_up_ns)
        err = version_guard_reconcile(
            node.app->guard, VERSION_GUARD_REPAIRS,
            (struct work){.deadline_ns = clock_deadline_ns(ASK_MS), .error = &error});
    ck_assert_msg(err == ERR_OK, "%s: %s", err_name(err), error.detail);
    ck_assert_int_eq(control_term(redis), 2);
    loopback_close(&node);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/control/new_term");
    TCase *tcase = tcase_create("new_term");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_term_that_is_written_late_loses_no_sign_in);
    tcase_add_test(tcase, a_term_that_is_written_late_repeats_no_version);
    tcase_add_test(tcase, a_term_knows_whether_all_was_cleared);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("whose term it is");
    tcase_add_checked_fixture(tcase, open_patient, close_patient);
    tcase_add_test(tcase, a_node_does_not_wait_for_itself);
    tcase_add_test(tcase, those_who_ask_briefly_wait_no_longer);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
