/* Commands that Redis does in one step: their replies stand where the commands do, and nothing else will do. */
#include "pool_case.h"

#include "fake_redis.h"
#include "redis_server.h"
#include "suite.h"

static struct fake_redis *fake;
static struct arena *arena;
static struct redis *redis;
static struct error error;

static void set_up(void)
{
    fake = fake_redis_start();
    arena = arena_new(0, 0);
    redis = case_pool(fake_redis_url(fake));
}

static void tear_down(void)
{
    redis_close(&redis);
    fake_redis_stop(&fake);
    arena_free(&arena);
}

enum { BEFORE, BEGIN, RAISED, ASKED, END, BEHIND };

static struct pipeline *raise_and_ask(void)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), STR("before"));
    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), STR("a"));
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), STR("b"), STR("f"), STR("g"));
    pipeline_end_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), STR("behind"));
    return pipeline;
}

static enum err run(struct pipeline *pipeline)
{
    return redis_run(redis, pipeline,
                     (struct work){.deadline_ns = case_deadline_ns(), .error = &error});
}

START_TEST(replies_stand_where_their_commands_do)
{
    struct redis_server *server = redis_server_start(NULL);
    struct redis *real = case_pool(redis_server_url(server));
    struct pipeline *pipeline = raise_and_ask();

    redis_server_do(server, "SET a 6");
    redis_server_do(server, "HSET b f 1");
    case_err(redis_run(real, pipeline,
                       (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
             ERR_OK);
    ck_assert_int_eq(pipeline_value(pipeline, BEFORE)->integer, 1);
    ck_assert_int_eq(pipeline_value(pipeline, RAISED)->integer, 7);
    ck_assert_uint_eq(pipeline_value(pipeline, ASKED)->count, 2);
    ck_assert(str_eq(pipeline_value(pipeline, ASKED)->items[0].text, STR("1")));
    ck_assert_int_eq(pipeline_value(pipeline, BEHIND)->integer, 1);
    redis_close(&real);
    redis_server_stop(&server);
}
END_TEST

/* What Redis says from MULTI to EXEC. The causes are those of the first command that failed. */
static const struct {
    const char *raised, *asked, *end, *cause;
} refusals[] = {
    /* Refused when they were to be queued: nothing was done. */
    {"-OOM full\r\n", "+QUEUED\r\n", "-EXECABORT discarded\r\n", "redis out of memory"},
    {"+QUEUED\r\n", "-LOADING dataset\r\n", "-EXECABORT discarded\r\n", "redis is loading"},
    {"+QUEUED\r\n", "+QUEUED\r\n", "-READONLY replica\r\n", "redis is read-only"},
    /* Failed when it was their turn. */
    {"+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n:1\r\n-WRONGTYPE no\r\n", "redis refused the command"},
    /* Of another kind than was expected, or nothing that a transaction answers. */
    {"+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n$1\r\n7\r\n*0\r\n", "redis refused the command"},
    {"+QUEUED\r\n", "+QUEUED\r\n", "*1\r\n:1\r\n", "redis refused the command"},
    {"+QUEUED\r\n", "+QUEUED\r\n", "*3\r\n:1\r\n*0\r\n:1\r\n", "redis refused the command"},
    {"+QUEUED\r\n", "+QUEUED\r\n", "*-1\r\n", "redis refused the command"},
    {"+QUEUED\r\n", "+QUEUED\r\n", "+OK\r\n", "redis refused the command"},
    {"+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n+QUEUED\r\n*0\r\n", "redis refused the command"},
    {":1\r\n", "*0\r\n", "+QUEUED\r\n", "redis refused the command"},
};

START_TEST(anything_else_is_refused)
{
    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.bytes = "+OK\r\n"}, {.bytes = refusals[_i].raised},
                {.bytes = refusals[_i].asked}, {.bytes = refusals[_i].end}, {.bytes = ":1\r\n"});
    case_err(run(raise_and_ask()), ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, refusals[_i].cause);
}
END_TEST

/* Where the caller judges replies himself, an error in his turn is his, and a command that was not taken is not. */
static const struct {
    const char *raised, *end, *cause;
} unjudged[] = {
    {"+QUEUED\r\n", "*1\r\n-WRONGTYPE no\r\n", NULL},
    {"-OOM full\r\n", "-EXECABORT discarded\r\n", "redis out of memory"},
    {"+QUEUED\r\n", "-EXECABORT discarded\r\n", "redis refused the command"},
};

START_TEST(replies_that_nobody_judges)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("INCR"), STR("a"));
    pipeline_end_transaction(pipeline);
    FAKE_SCRIPT(fake, {.bytes = "+OK\r\n"}, {.bytes = unjudged[_i].raised},
                {.bytes = unjudged[_i].end});
    case_err(run(pipeline), unjudged[_i].cause ? ERR_UPSTREAM_REFUSED : ERR_OK);
    if (unjudged[_i].cause)
        ck_assert_str_eq(error.caller, unjudged[_i].cause);
    else
        ck_assert_int_eq(value_fault(pipeline_value(pipeline, 1)), REDIS_FAULT_WRONGTYPE);
}
END_TEST

START_TEST(two_in_one_pipeline)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    for (int i = 0; i < 2; i++) {
        pipeline_begin_transaction(pipeline);
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), STR("a"));
        pipeline_end_transaction(pipeline);
    }
    FAKE_SCRIPT(fake, {.bytes = "+OK\r\n"}, {.bytes = "+QUEUED\r\n"}, {.bytes = "*1\r\n:4\r\n"},
                {.bytes = "+OK\r\n"}, {.bytes = "+QUEUED\r\n"}, {.bytes = "*1\r\n:5\r\n"});
    case_err(run(pipeline), ERR_OK);
    ck_assert_int_eq(pipeline_value(pipeline, 1)->integer, 4);
    ck_assert_int_eq(pipeline_value(pipeline, 4)->integer, 5);
}
END_TEST

/* Outside of one it is a status like any other. */
START_TEST(queued_is_no_reply_of_a_single_command)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("INCR"), STR("a"));
    FAKE_SCRIPT(fake, {.bytes = "+QUEUED\r\n"});
    case_err(run(pipeline), ERR_UPSTREAM_REFUSED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool/transaction");
    TCase *tcase = tcase_create("transaction");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, replies_stand_where_their_commands_do);
    tcase_add_loop_test(tcase, anything_else_is_refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(tcase, replies_that_nobody_judges, 0, sizeof unjudged / sizeof *unjudged);
    tcase_add_test(tcase, two_in_one_pipeline);
    tcase_add_test(tcase, queued_is_no_reply_of_a_single_command);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
