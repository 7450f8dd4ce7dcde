/* A server of a topology that comes and goes while pipelines run. */
#include "pipeline_private.h"
#include "pool.h"
#include "pool_case.h"
#include "topology/node.h"

#include "redis_server.h"
#include "suite.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <time.h>

static struct redis_server *server;
static struct redis_options options;
static struct redis_node *node;
static struct error error;

static void set_up(void)
{
    const struct redis_options mine = {
        .size = 2,
        .borrow_timeout_ms = CASE_PATIENCE_MS,
        .connect_timeout_ms = CASE_PATIENCE_MS,
        .command_timeout_ms = CASE_PATIENCE_MS,
        .client_name = "nodes",
        .topology = {.kind = REDIS_CLUSTER},
    };

    server = redis_server_start(NULL);
    case_err(node_options_copy(&mine, &options, &error), ERR_OK);
    ck_assert_ptr_ne(options.client_name, mine.client_name);
    ck_assert_int_eq(options.topology.kind, REDIS_STANDALONE);
    case_err(node_open(&options, "127.0.0.1", redis_server_port(server), &node, &error), ERR_OK);
}

static void tear_down(void)
{
    node_release(&node);
    node_options_fini(&options);
    redis_server_stop(&server);
}

/* One command on the node's pool, as a topology runs it. */
static enum err run_on(struct redis_node *on, size_t argc, const struct str *argv)
{
    struct arena *arena = arena_new(0, 0);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE_FREE);
    struct error why;

    pipeline_add(pipeline, EXPECT_ANY, argc, argv);
    enum err err = pipeline_begin(pipeline, &why);
    if (err == ERR_OK)
        err = pool_run(node_pool(on), pipeline, case_deadline_ns(), &why);
    arena_free(&arena);
    return err;
}

static enum err set(struct redis_node *on)
{
    const struct str argv[] = {STR("SET"), STR("k"), STR("v")};
    return run_on(on, 3, argv);
}

static int clients(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int count = 0;

    nanosleep(&moment, NULL);
    redisReply *reply = redis_server_ask(server, "CLIENT LIST");
    for (const char *at = reply->str; (at = strstr(at, "name=nodes")); at++)
        count++;
    freeReplyObject(reply);
    return count;
}

static bool has_blocked_clients(void)
{
    redisReply *reply = redis_server_ask(server, "INFO clients");
    bool has = !strstr(reply->str, "blocked_clients:0");

    freeReplyObject(reply);
    return has;
}

START_TEST(it_runs_where_it_was_said)
{
    ck_assert_str_eq(node_host(node), "127.0.0.1");
    ck_assert_int_eq(node_port(node), redis_server_port(server));
    case_err(set(node), ERR_OK);
    ck_assert_int_eq(clients(), 1);
}
END_TEST

/* Who keeps it in a map drops it; nobody runs on it: its connections end. */
START_TEST(a_drop_ends_its_connections)
{
    case_err(set(node), ERR_OK);
    node_drop(&node);
    ck_assert_ptr_null(node);
    while (clients() > 0)
        ;
}
END_TEST

static enum err popped;

static void *pop(void *arg)
{
    struct redis_node *held = arg;
    const struct str argv[] = {STR("BLPOP"), STR("list"), STR("0")};

    popped = run_on(held, 3, argv);
    node_release(&held);
    return NULL;
}

/* The pipeline that is under way ends well, and takes the pool with it. */
START_TEST(a_drop_waits_for_who_is_under_way)
{
    pthread_t thread;

    case_err(set(node), ERR_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, pop, node_hold(node)), 0);
    while (!has_blocked_clients())
        ;
    node_drop(&node);
    redis_server_do(server, "RPUSH list item");
    pthread_join(thread, NULL);
    case_err(popped, ERR_OK);
    while (clients() > 0)
        ;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topology/node");
    TCase *tcase = tcase_create("node");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, it_runs_where_it_was_said);
    tcase_add_test(tcase, a_drop_ends_its_connections);
    tcase_add_test(tcase, a_drop_waits_for_who_is_under_way);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
