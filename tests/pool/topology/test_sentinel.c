/* A front that real sentinels lead, and false ones. */
#include "pool_case.h"

#include "fake_redis.h"
#include "log_capture.h"
#include "sentinel_set.h"
#include "slowness.h"
#include "suite.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct sentinel_set set;
static struct redis *front;
static struct arena *arena;
static struct error error;

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
}

static void set_up(void)
{
    arena = arena_new(0, 0);
    log_capture_start();
}

static void tear_down(void)
{
    redis_close(&front);
    arena_free(&arena);
    free(log_capture_end());
    sentinel_set_stop(&set);
}

static struct redis *open_front(const char *const *sentinels, size_t count, const char *name,
                                const char *password)
{
    return case_pool_with("redis://localhost/0",
                          (struct redis_options){.connect_timeout_ms = 500,
                                                 .command_timeout_ms = 500,
                                                 .topology = {.kind = REDIS_SENTINEL,
                                                              .endpoints = sentinels,
                                                              .endpoint_count = count,
                                                              .master_name = name,
                                                              .sentinel_password = password}});
}

static char endpoints[SENTINEL_SET_SENTINELS][32];
static const char *sentinels[SENTINEL_SET_SENTINELS];

static void start_set(const char *password)
{
    sentinel_set_start(&set, &(struct sentinel_set_options){.password = password});
    for (int i = 0; i < SENTINEL_SET_SENTINELS; i++) {
        snprintf(endpoints[i], sizeof endpoints[i], "127.0.0.1:%d",
                 redis_server_port(set.sentinels[i]));
        sentinels[i] = endpoints[i];
    }
}

static struct redis *open_set(const char *password)
{
    return open_front(sentinels, SENTINEL_SET_SENTINELS, SENTINEL_SET_MASTER, password);
}

static enum err set_key(struct redis *redis, const char *value)
{
    return CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("SET"), STR("k"),
                    str_from(value));
}

static bool holds(const struct redis_server *server, const char *value)
{
    redisReply *reply = redis_server_ask(server, "GET k");
    bool holds = reply->type == REDIS_REPLY_STRING && strcmp(reply->str, value) == 0;

    freeReplyObject(reply);
    return holds;
}

static void set_until_it_succeeds(struct redis *redis, const char *value)
{
    int64_t begin_ns = clock_mono_ns();

    while (set_key(redis, value) != ERR_OK) {
        ck_assert_msg(clock_mono_ns() - begin_ns < CASE_PATIENCE_MS * NS_PER_MS, "%s",
                      error.detail);
        nap();
    }
}

static struct redis_sentinels read_sentinels(void)
{
    struct redis_sentinels read;

    ck_assert(redis_sentinels_read(front, &read));
    return read;
}

static void wait_trouble(const char *text)
{
    int64_t end_ns = case_deadline_ns();

    while (!strstr(read_sentinels().trouble, text)) {
        ck_assert_msg(clock_mono_ns() < end_ns, "\"%s\" instead of \"%s\"",
                      read_sentinels().trouble, text);
        nap();
    }
}

static void wait_switches(uint64_t wanted)
{
    int64_t end_ns = case_deadline_ns();

    while (read_sentinels().switches < wanted) {
        ck_assert_msg(clock_mono_ns() < end_ns, "%s", read_sentinels().trouble);
        nap();
    }
}

/* ---- with real ones ---- */

/* The very first pipeline waits for the sentinels' first answer. */
START_TEST(the_first_pipeline_gets_there)
{
    start_set(_i ? "canary-password" : NULL);
    front = open_set(_i ? "canary-password" : NULL);
    ck_assert_msg(set_key(front, "a") == ERR_OK, "%s", error.detail);
    ck_assert(holds(set.redis[0], "a"));
    struct redis_sentinels read = read_sentinels();
    ck_assert_uint_eq(read.count, 3);
    ck_assert_uint_ge(read.naming, 1);
    ck_assert_uint_eq(read.switches, 1);
    ck_assert(!redis_is_down(front));
}
END_TEST

enum fault { KILLED, PAUSED, CUT_OFF, BY_COMMAND, FAULTS };

static void strike(enum fault fault)
{
    switch (fault) {
    case KILLED:
        redis_server_kill(set.redis[0]);
        break;
    case PAUSED:
        redis_server_pause(set.redis[0]);
        break;
    case CUT_OFF:
        cable_plug(set.cables[0], false);
        break;
    default:
        redis_server_do(set.sentinels[1], "SENTINEL FAILOVER " SENTINEL_SET_MASTER);
        break;
    }
}

START_TEST(every_front_follows_the_primary)
{
    start_set(NULL);
    front = open_set(NULL);
    struct redis *other = open_set(NULL);
    case_err(set_key(front, "a"), ERR_OK);
    case_err(set_key(other, "b"), ERR_OK);
    uint64_t trips = case_stats(front).round_trips;
    sentinel_set_wait_replica(&set, 1);
    strike((enum fault)_i);
    while (strcmp(read_sentinels().primary, "") == 0 || read_sentinels().switches < 2) {
        (void)set_key(front, "meanwhile");
        nap();
    }
    set_until_it_succeeds(front, "c");
    ck_assert(holds(set.redis[1], "c"));
    set_until_it_succeeds(other, "d");
    ck_assert(holds(set.redis[1], "d"));
    ck_assert_uint_gt(case_stats(front).round_trips, trips); /* they go on from where they were */
    ck_assert_uint_eq(read_sentinels().switches, 2);
    if (_i == PAUSED)
        redis_server_resume(set.redis[0]);
    if (_i == CUT_OFF)
        cable_plug(set.cables[0], true);
    redis_close(&other);
}
END_TEST

/* One is gone: that is said, and the others do. */
START_TEST(a_sentinel_that_dies)
{
    start_set(NULL);
    front = open_set(NULL);
    case_err(set_key(front, "a"), ERR_OK);
    redis_server_kill(set.sentinels[0]);
    wait_trouble("1 of 3 sentinels");
    case_err(set_key(front, "b"), ERR_OK);
    redis_server_kill(set.sentinels[1]);
    wait_trouble("2 of 3 sentinels");
    redis_server_kill(set.sentinels[2]);
    wait_trouble("no sentinel names a primary");
    /* Who is known goes on. */
    case_err(set_key(front, "c"), ERR_OK);
    char *log = log_capture_read();
    ck_assert_ptr_nonnull(strstr(log, "event=redis.sentinels master=cw"));
    free(log);
}
END_TEST

START_TEST(too_few_for_a_failover)
{
    start_set(NULL);
    front = open_set(NULL);
    case_err(set_key(front, "a"), ERR_OK);
    redis_server_kill(set.sentinels[1]);
    redis_server_kill(set.sentinels[2]);
    int64_t end_ns = case_deadline_ns();
    while (read_sentinels().lack_quorum == 0) {
        ck_assert(clock_mono_ns() < end_ns);
        nap();
    }
}
END_TEST

START_TEST(a_name_that_none_knows)
{
    start_set(NULL);
    front = open_front(sentinels, SENTINEL_SET_SENTINELS, "other", NULL);
    case_err(set_key(front, "a"), ERR_UPSTREAM_DOWN);
    ck_assert_ptr_nonnull(strstr(error.detail, "no sentinel knows the master \"other\""));
    ck_assert(redis_is_down(front));
    ck_assert_str_eq(read_sentinels().primary, "");
}
END_TEST

START_TEST(a_password_that_is_missing)
{
    start_set("canary-password");
    front = open_set(_i ? "canary-wrong" : NULL);
    case_err(set_key(front, "a"), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.detail, _i ? "WRONGPASS" : "NOAUTH"), "%s", error.detail);
    ck_assert_ptr_null(strstr(error.detail, "canary"));
}
END_TEST

/* ---- with false ones ---- */

static struct fake_redis *fakes[2];
static struct redis_server *real[2];
static char answers[16][64]; /* the fakes hold them to the end */
static size_t answer_count;

/* A sentinel that names this port, whatever it is asked: so it tells no epoch. */
static void name_port(int which, int port)
{
    char number[16], *answer = answers[answer_count++];

    snprintf(number, sizeof number, "%d", port);
    snprintf(answer, sizeof answers[0], "*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(number),
             number);
    fake_redis_override(fakes[which], "SENTINEL", answer);
}

static void start_false(void)
{
    for (int i = 0; i < 2; i++) {
        fakes[i] = fake_redis_start();
        real[i] = redis_server_start(NULL);
        snprintf(endpoints[i], sizeof endpoints[i], "127.0.0.1:%d", fake_redis_port(fakes[i]));
        sentinels[i] = endpoints[i];
    }
}

static void stop_false(void)
{
    redis_close(&front);
    for (int i = 0; i < 2; i++) {
        fake_redis_stop(&fakes[i]);
        redis_server_stop(&real[i]);
    }
}

/* What they name is used only if it says itself that it is a primary. */
START_TEST(a_sentinel_that_lies)
{
    start_false();
    redis_server_do(real[1], "REPLICAOF 127.0.0.1 %d", redis_server_port(real[0]));
    name_port(0, redis_server_port(real[1]));
    fake_redis_deafen(fakes[1], true);
    front = open_front(sentinels, 2, "m", NULL);
    case_err(set_key(front, "a"), ERR_UPSTREAM_DOWN);
    ck_assert_msg(strstr(error.detail, "says that it is a replica"), "%s", error.detail);
    /* It tells the truth, later. */
    name_port(0, redis_server_port(real[0]));
    set_until_it_succeeds(front, "b");
    ck_assert(holds(real[0], "b"));
    /* And lies again: who is right stays. */
    name_port(0, redis_server_port(real[1]));
    wait_trouble("says that it is a replica");
    case_err(set_key(front, "c"), ERR_OK);
    ck_assert_uint_eq(read_sentinels().switches, 1);
    stop_false();
}
END_TEST

/* What a sentinel said before it went for good counts as long as the primary that it named works. */
START_TEST(a_sentinel_that_has_gone_for_good)
{
    start_false();
    name_port(0, redis_server_port(real[0]));
    name_port(1, redis_server_port(real[0]));
    front = open_front(sentinels, 2, "m", NULL);
    set_until_it_succeeds(front, "a");
    fake_redis_deafen(fakes[0], true);
    wait_trouble("1 of 2 sentinels");
    redis_server_kill(real[0]);
    name_port(1, redis_server_port(real[1]));
    set_until_it_succeeds(front, "b");
    ck_assert(holds(real[1], "b"));
    stop_false();
}
END_TEST

/* One that is silent costs the time of a question, and a stop waits for one question at most. */
START_TEST(a_stop_among_silent_ones)
{
    enum { SILENT = REDIS_SENTINELS_MAX, QUESTION_MS = 500 }; /* open_front */
    const char *many[SILENT];

    start_false();
    fake_redis_deafen(fakes[0], true);
    for (int i = 0; i < SILENT; i++)
        many[i] = endpoints[0];
    front = open_front(many, SILENT, "m", NULL);
    ck_assert(fake_redis_wait_accepted(fakes[0], 1));
    int64_t began_ns = clock_mono_ns();
    redis_close(&front);
    /* Otherwise it would be nearly all of them. */
    ck_assert_int_lt((clock_mono_ns() - began_ns) / NS_PER_MS, SILENT / 2 * QUESTION_MS);
    stop_false();
}
END_TEST

struct writer {
    enum err err;
    struct error error;
};

static void *write_blocked(void *arg)
{
    struct writer *writer = arg;
    struct arena *own = arena_new(0, 0);

    writer->err = CASE_RUN(front, own, PIPELINE_WRITE, EXPECT_ANY, NULL, &writer->error,
                           STR("BLPOP"), STR("list"), STR("0"));
    arena_free(&own);
    return NULL;
}

/* The old primary, which is cut off from the others but not from us, takes a write while the primary moves. */
START_TEST(a_write_under_way_while_the_primary_moves)
{
    struct writer writer;
    pthread_t thread;

    start_false();
    name_port(0, redis_server_port(real[0]));
    name_port(1, redis_server_port(real[0]));
    front = case_pool_with("redis://localhost/0",
                           (struct redis_options){.topology = {.kind = REDIS_SENTINEL,
                                                               .endpoints = sentinels,
                                                               .endpoint_count = 2,
                                                               .master_name = "m"}});
    case_err(set_key(front, "a"), ERR_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_blocked, &writer), 0);
    redis_server_wait_calls(real[0], "echo", 2);
    for (;; nap()) {
        redisReply *reply = redis_server_ask(real[0], "INFO clients");
        bool is_blocked = strstr(reply->str, "blocked_clients:1");
        freeReplyObject(reply);
        if (is_blocked)
            break;
    }
    name_port(0, redis_server_port(real[1]));
    name_port(1, redis_server_port(real[1]));
    wait_switches(2);
    set_until_it_succeeds(front, "b");
    ck_assert(holds(real[1], "b"));
    redis_server_do(real[0], "RPUSH list item");
    pthread_join(thread, NULL);
    case_err(writer.err, ERR_UNCERTAIN);
    /* The old one's connections are not kept. */
    int64_t end_ns = case_deadline_ns();
    for (;; nap()) {
        redisReply *reply = redis_server_ask(real[0], "CLIENT LIST");
        bool is_left = strstr(reply->str, "name=cachewarden ");
        freeReplyObject(reply);
        if (!is_left)
            break;
        ck_assert(clock_mono_ns() < end_ns);
    }
    stop_false();
}
END_TEST

/* The primary that is named after a password was changed is asked with the new one. */
START_TEST(a_password_that_is_changed)
{
    struct redis_address address;
    bool has_changed;

    start_false();
    name_port(0, redis_server_port(real[0]));
    name_port(1, redis_server_port(real[0]));
    front = open_front(sentinels, 2, "m", NULL);
    case_err(set_key(front, "a"), ERR_OK);
    redis_server_do(real[1], "CONFIG SET requirepass new");
    case_err(redis_address_parse(STR("redis://:new@h"), &address, &error), ERR_OK);
    case_err(redis_renew_login(front, &address, &has_changed, &error), ERR_OK);
    ck_assert(has_changed);
    redis_address_fini(&address);
    name_port(0, redis_server_port(real[1]));
    name_port(1, redis_server_port(real[1]));
    wait_switches(2);
    set_until_it_succeeds(front, "b");
    stop_false();
}
END_TEST

/* All fronts of one server share a watch: so many fronts, no more questions. */
START_TEST(one_watch_for_all)
{
    struct redis *more[4];

    start_false();
    name_port(0, redis_server_port(real[0]));
    name_port(1, redis_server_port(real[0]));
    front = open_front(sentinels, 2, "m", NULL);
    case_err(set_key(front, "a"), ERR_OK);
    for (int i = 0; i < 4; i++) {
        more[i] = open_front(sentinels, 2, "m", NULL);
        case_err(set_key(more[i], "b"), ERR_OK);
    }
    ck_assert_uint_eq(fake_redis_accepted(fakes[0]), 1);
    ck_assert_uint_eq(fake_redis_accepted(fakes[1]), 1);
    for (int i = 0; i < 4; i++)
        redis_close(&more[i]);
    case_err(set_key(front, "c"), ERR_OK);
    stop_false();
}
END_TEST

/* ---- what makes no sense ---- */

START_TEST(what_cannot_be_opened)
{
    static const char *const one[] = {"h:1"}, *const bad[] = {"h:x"};
    const struct redis_topology topologies[] = {
        {.kind = REDIS_SENTINEL, .master_name = "m"},
        {.kind = REDIS_SENTINEL, .endpoints = one, .endpoint_count = 1},
        {.kind = REDIS_SENTINEL, .endpoints = one, .endpoint_count = 1, .master_name = ""},
        {.kind = REDIS_SENTINEL, .endpoints = bad, .endpoint_count = 1, .master_name = "m"},
    };
    struct redis_options options = {.size = 1,
                                    .borrow_timeout_ms = 1,
                                    .connect_timeout_ms = 1,
                                    .command_timeout_ms = 1,
                                    .topology = topologies[_i]};

    case_err(redis_address_parse(STR("redis://h"), &options.address, &error), ERR_OK);
    case_err(redis_open(&options, &front, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(front);
    redis_address_fini(&options.address);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("topology/sentinel");
    TCase *tcase = tcase_create("real");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, the_first_pipeline_gets_there, 0, 2);
    tcase_add_loop_test(tcase, every_front_follows_the_primary, 0, FAULTS);
    tcase_add_test(tcase, a_sentinel_that_dies);
    tcase_add_test(tcase, too_few_for_a_failover);
    tcase_add_test(tcase, a_name_that_none_knows);
    tcase_add_loop_test(tcase, a_password_that_is_missing, 0, 2);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("false");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_sentinel_that_lies);
    tcase_add_test(tcase, a_stop_among_silent_ones);
    tcase_add_test(tcase, a_sentinel_that_has_gone_for_good);
    tcase_add_test(tcase, a_write_under_way_while_the_primary_moves);
    tcase_add_test(tcase, a_password_that_is_changed);
    tcase_add_test(tcase, one_watch_for_all);
    tcase_add_loop_test(tcase, what_cannot_be_opened, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
