/* Pipelines against a Redis that misbehaves at each position. */
#include "pool_case.h"

#include "fake_redis.h"
#include "slowness.h"
#include "suite.h"

#include <stdio.h>

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

static void patience(int64_t command_timeout_ms)
{
    redis_close(&redis);
    redis = case_pool_with(fake_redis_url(fake),
                           (struct redis_options){.command_timeout_ms = command_timeout_ms});
}

#define COMMANDS 3

/* What goes wrong with one reply of three, and what comes of it. */
struct fault {
    const char *name;
    struct fake_step step;
    enum err read, write;
    const char *cause; /* of a read */
    bool is_kept;      /* the connection is used again */
    bool is_late;      /* needs the command timeout to pass */
    bool is_renewed;   /* the connection is sound, and another one is made */
};

/* All replies arrive, one is a refusal. The connection is sound. */
#define REFUSED(text, why)                                                          \
    {                                                                               \
        .name = text, .step = {.bytes = text "\r\n"}, .read = ERR_UPSTREAM_REFUSED, \
        .write = ERR_UPSTREAM_REFUSED, .cause = why, .is_kept = true                \
    }
/* The same of a replica, that may lead to a primary when it is dialled anew. */
#define OF_REPLICA(text, why)                                                            \
    {                                                                                    \
        .name = text, .step = {.bytes = text "\r\n"}, .read = ERR_UPSTREAM_REFUSED,      \
        .write = ERR_UPSTREAM_REFUSED, .cause = why, .is_kept = true, .is_renewed = true \
    }
/* The connection is gone or makes no sense. */
#define LOST(what, ...)                                                                         \
    {                                                                                           \
        .name = what, .step = {__VA_ARGS__}, .read = ERR_UPSTREAM_DOWN, .write = ERR_UNCERTAIN, \
        .cause = "redis unavailable"                                                            \
    }
/* An answer is missing when the time is over. */
#define LATE(what, ...)                                                                   \
    {                                                                                     \
        .name = what, .step = {__VA_ARGS__}, .read = ERR_TIMEOUT, .write = ERR_UNCERTAIN, \
        .cause = "redis timeout", .is_late = true                                         \
    }

static const struct fault faults[] = {
    REFUSED("-ERR no", "redis refused the command"),
    REFUSED("-OOM full", "redis out of memory"),
    OF_REPLICA("-READONLY replica", "redis is read-only"),
    REFUSED("-LOADING dataset", "redis is loading"),
    OF_REPLICA("-MASTERDOWN link", "redis unavailable"),
    OF_REPLICA("-EXECABORT Transaction discarded because of: READONLY no", "redis is read-only"),
    REFUSED("-BUSY script", "redis busy"),
    REFUSED("-NOAUTH required", "redis authentication failed"),
    REFUSED("$1\r\n7", "redis refused the command"),
    REFUSED("$-1", "redis refused the command"),
    REFUSED("+OK", "redis refused the command"),
    REFUSED("*1\r\n-ERR no", "redis refused the command"),
    /* The echo then comes one reply too early, and a last reply never. */
    LATE("short", .bytes = ""),
    LATE("half, then nothing", .bytes = ":1", .then = FAKE_MUTE),
    LATE("nothing any more", .then = FAKE_MUTE),
    LATE("drip too slow", .bytes = ":1000000000000\r\n", .is_drip = true, .delay_ms = 100),
    LOST("closed", .then = FAKE_CLOSE),
    LOST("closed in the middle", .bytes = ":1", .then = FAKE_CLOSE),
    LOST("closed behind a reply", .bytes = ":1\r\n", .then = FAKE_CLOSE),
    LOST("reset", .then = FAKE_RESET),
    LOST("garbage", .bytes = "what?\r\n"),
    LOST("string longer than said", .bytes = "$1\r\n123\r\n"),
    LOST("array beyond all bounds", .bytes = "*2000000000\r\n"),
    LOST("duplicate", .bytes = ":1\r\n:1\r\n"),
    LOST("duplicate error", .bytes = "-ERR no\r\n-ERR no\r\n"),
};
#define FAULTS (sizeof faults / sizeof *faults)

static struct pipeline *three_incrs(enum pipeline_effect effect)
{
    struct pipeline *pipeline = pipeline_new(arena, effect);

    for (int i = 0; i < COMMANDS; i++)
        PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("INCR"), STR("key"));
    return pipeline;
}

static void script_fault(const struct fake_step *step, int position)
{
    static const char *const numbers[COMMANDS] = {":10\r\n", ":11\r\n", ":12\r\n"};

    for (int i = 0; i < COMMANDS; i++)
        fake_redis_script(fake, i == position ? step : &(struct fake_step){.bytes = numbers[i]}, 1);
}

static void strike(const struct fault *fault, int position, enum pipeline_effect effect)
{
    const struct value *reply;

    patience(fault->is_late ? 150 : CASE_PATIENCE_MS);
    script_fault(&fault->step, position);
    struct pipeline *pipeline = three_incrs(effect);
    int64_t begin_ns = clock_mono_ns();
    enum err err = redis_run(redis, pipeline,
                             (struct work){.deadline_ns = case_deadline_ns(), .error = &error});
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5 * 1000);
    ck_assert_msg(err == (effect == PIPELINE_READ ? fault->read : fault->write),
                  "%s at %d: %s (%s)", fault->name, position, err_name(err), error.detail);
    ck_assert_int_eq(error.code, err);
    ck_assert_str_eq(error.caller, err == ERR_UNCERTAIN ? "outcome unknown" : fault->cause);
    /* Either all replies are there and count, or none is. */
    for (int i = 0; i < COMMANDS; i++) {
        if (!fault->is_kept)
            ck_assert_int_eq(pipeline_value(pipeline, (size_t)i)->kind, VALUE_MISSING);
        else if (i != position)
            ck_assert_int_eq(pipeline_value(pipeline, (size_t)i)->integer, 10 + i);
    }

    bool is_silent = fault->is_late && position == 0 && !fault->step.bytes;
    ck_assert_int_eq(redis_is_down(redis), is_silent); /* what has begun to come accuses nobody */

    fake_redis_forget(fake);
    /* The next ones get what is theirs; after a timeout the first of them is the probe. */
    FAKE_SCRIPT(fake, {.bytes = "$5\r\nfirst\r\n"}, {.bytes = "$6\r\nsecond\r\n"});
    case_err(CASE_RUN(redis, arena, effect, EXPECT_STRING, &reply, &error, STR("GET"), STR("a")),
             ERR_OK);
    ck_assert(str_eq(reply->text, STR("first")));
    case_err(CASE_RUN(redis, arena, effect, EXPECT_STRING, &reply, &error, STR("GET"), STR("b")),
             ERR_OK);
    ck_assert(str_eq(reply->text, STR("second")));
    ck_assert_uint_eq(fake_redis_accepted(fake), fault->is_kept && !fault->is_renewed ? 1 : 2);
    ck_assert_uint_eq(case_stats(redis).busy, 0);
}

START_TEST(each_fault_at_each_position_has_its_answer_and_no_after_effect)
{
    for (int position = 0; position < COMMANDS; position++)
        for (int writes = 0; writes < 2; writes++) {
            if (position + writes > 0) {
                tear_down();
                set_up();
            }
            strike(&faults[_i], position, writes ? PIPELINE_WRITE : PIPELINE_READ);
        }
}
END_TEST

START_TEST(a_slow_drip_within_the_time_is_fine)
{
    const struct value *reply;

    FAKE_SCRIPT(fake, {.bytes = "$11\r\nhello world\r\n", .is_drip = true, .delay_ms = 2});
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_STRING, &reply, &error, STR("GET"), STR("a")),
        ERR_OK);
    ck_assert(str_eq(reply->text, STR("hello world")));
}
END_TEST

START_TEST(replies_come_back_in_order_and_of_their_kinds)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    FAKE_SCRIPT(fake, {.bytes = "+OK\r\n"}, {.bytes = "+QUEUED\r\n"}, {.bytes = "$-1\r\n"},
                {.bytes = ":-3\r\n"}, {.bytes = "$3\r\na\0b\r\n", .size = 9}, {.bytes = "$-1\r\n"},
                {.bytes = "$2\r\n42\r\n"}, {.bytes = "$-1\r\n"}, {.bytes = "*2\r\n+a\r\n:1\r\n"},
                {.bytes = "$-1\r\n"});
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("A"));
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("B"));
    PIPELINE_ADD(pipeline, EXPECT_OK_OR_NIL, STR("C"));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("D"));
    PIPELINE_ADD(pipeline, EXPECT_STRING, STR("E"));
    PIPELINE_ADD(pipeline, EXPECT_STRING_OR_NIL, STR("F"));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("G"));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("H"));
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("I"));
    PIPELINE_ADD(pipeline, EXPECT_ANY, STR("J"));
    ck_assert_uint_eq(pipeline_count(pipeline), 10);
    ck_assert_msg(redis_run(redis, pipeline,
                            (struct work){.deadline_ns = case_deadline_ns(), .error = &error}) ==
                      ERR_OK,
                  "%s", error.detail);
    ck_assert_int_eq(pipeline_value(pipeline, 3)->integer, -3);
    ck_assert(str_eq(pipeline_value(pipeline, 4)->text, STR("a\0b")));
    ck_assert_int_eq(pipeline_value(pipeline, 5)->kind, VALUE_NIL);
    ck_assert_int_eq(pipeline_value(pipeline, 6)->integer, 42);
    ck_assert_int_eq(pipeline_value(pipeline, 7)->kind, VALUE_NIL);
    ck_assert_uint_eq(pipeline_value(pipeline, 8)->count, 2);
    ck_assert_int_eq(pipeline_value(pipeline, 8)->items[1].integer, 1);
    ck_assert_int_eq(pipeline_value(pipeline, 10)->kind, VALUE_MISSING);
    ck_assert_uint_eq(case_stats(redis).round_trips, 1);
    ck_assert_uint_eq(case_stats(redis).commands, 10);
}
END_TEST

/* Which replies each expectation takes: o(k status), s(tatus), i(nteger), t(ext), c(ounter), n(il),
 * a(rray). */
static const struct {
    enum expect expect;
    const char *takes;
} expectations[] = {
    {EXPECT_OK, "o"},
    {EXPECT_STATUS, "os"},
    {EXPECT_OK_OR_NIL, "on"},
    {EXPECT_INTEGER, "i"},
    {EXPECT_STRING, "tc"},
    {EXPECT_STRING_OR_NIL, "tcn"},
    {EXPECT_COUNTER_OR_NIL, "cn"},
    {EXPECT_ARRAY, "a"},
    {EXPECT_ANY, "ositcna"},
    {EXPECT_UNJUDGED, "ositcna-"},
};
static const struct {
    char kind;
    const char *bytes;
} kinds[] = {{'o', "+OK\r\n"},      {'s', "+PONG\r\n"},   {'s', "+OKAY\r\n"},
             {'s', "+ok\r\n"},      {'i', ":1\r\n"},      {'t', "$5\r\nhello\r\n"},
             {'t', "$2\r\nOK\r\n"}, {'c', "$1\r\n7\r\n"}, {'n', "$-1\r\n"},
             {'n', "*-1\r\n"},      {'a', "*0\r\n"},      {'-', "-ERR no\r\n"}};
#define KINDS (sizeof kinds / sizeof *kinds)

START_TEST(each_expectation_takes_its_own_replies_and_no_other)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        bool is_taken = strchr(expectations[_i].takes, kinds[kind].kind);
        FAKE_SCRIPT(fake, {.bytes = kinds[kind].bytes});
        enum err err =
            CASE_RUN(redis, arena, PIPELINE_READ, expectations[_i].expect, NULL, &error, STR("X"));
        ck_assert_msg(err == (is_taken ? ERR_OK : ERR_UPSTREAM_REFUSED), "%s: %s",
                      kinds[kind].bytes, err_name(err));
    }
}
END_TEST

static const struct {
    const char *text;
    bool is_counter;
    int64_t number;
} counters[] = {
    {"0", true, 0},
    {"1", true, 1},
    {"-5", true, -5},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775808", false, 0},
    {"abc", false, 0},
    {"1 ", false, 0},
    {" 1", false, 0},
    {"", false, 0},
    {"01", false, 0},
    {"+1", false, 0},
    {"-0", false, 0},
    {"1.0", false, 0},
    {"0x1", false, 0},
    {"1\n", false, 0},
};

START_TEST(a_counter_is_one_canonical_integer_or_refused)
{
    char bytes[64];
    const struct value *reply;

    snprintf(bytes, sizeof bytes, "$%zu\r\n%s\r\n", strlen(counters[_i].text), counters[_i].text);
    FAKE_SCRIPT(fake, {.bytes = bytes});
    enum err err = CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_COUNTER_OR_NIL, &reply, &error,
                            STR("GET"), STR("k"));
    ck_assert_int_eq(err, counters[_i].is_counter ? ERR_OK : ERR_UPSTREAM_REFUSED);
    if (counters[_i].is_counter)
        ck_assert_int_eq(reply->integer, counters[_i].number);
}
END_TEST

START_TEST(a_connection_that_spoke_out_of_turn_is_not_used)
{
    const struct value *reply;

    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.bytes = ":2\r\n"});
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_INTEGER, &reply, &error, STR("INCR"),
                      STR("k")),
             ERR_OK);
    fake_redis_say(fake, ":99\r\n");
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_INTEGER, &reply, &error, STR("INCR"),
                      STR("k")),
             ERR_OK);
    ck_assert_int_eq(reply->integer, 2);
    ck_assert_uint_eq(fake_redis_accepted(fake), 2);
    ck_assert_uint_eq(case_stats(redis).desynchronised, 1);
}
END_TEST

START_TEST(an_error_inside_an_array_is_an_error)
{
    FAKE_SCRIPT(fake, {.bytes = "*2\r\n:1\r\n*1\r\n-WRONGTYPE no\r\n"},
                {.bytes = "*1\r\n-OOM no\r\n"});
    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_ARRAY, NULL, &error, STR("EXEC")),
             ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis refused the command");
    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_ANY, NULL, &error, STR("EXEC")),
             ERR_UPSTREAM_REFUSED);
    ck_assert_str_eq(error.caller, "redis out of memory");
}
END_TEST

START_TEST(bytes_behind_the_last_reply_end_the_connection)
{
    enum pipeline_effect effect = _i ? PIPELINE_WRITE : PIPELINE_READ;

    case_err(CASE_RUN(redis, arena, effect, EXPECT_OK, NULL, &error, STR("SET"), STR("k")), ERR_OK);
    fake_redis_trail(fake, "+");
    enum err err = CASE_RUN(redis, arena, effect, EXPECT_OK, NULL, &error, STR("SET"), STR("k"));
    /* A read is tried once more, over a new connection whose handshake then has the same flaw. */
    case_err(err, effect == PIPELINE_WRITE ? ERR_UNCERTAIN : ERR_UPSTREAM_DOWN);
    ck_assert_uint_eq(case_stats(redis).desynchronised, 1);
    ck_assert_uint_eq(case_stats(redis).idle, 0);
}
END_TEST

START_TEST(a_late_duplicate_is_never_taken_for_an_answer)
{
    const struct value *reply;

    /* The second copy arrives when the next request is out already: only the echo can tell. */
    FAKE_SCRIPT(fake, {.bytes = "$3\r\nold\r\n"}, {.bytes = "", .is_held = true});
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_STRING, &reply, &error, STR("GET"), STR("a")),
        ERR_OK);
    fake_redis_override(fake, "INCR", "$3\r\nold\r\n$3\r\nnew\r\n");
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_STRING, &reply, &error, STR("INCR"),
                      STR("a")),
             ERR_UNCERTAIN);
    ck_assert_int_eq(reply->kind, VALUE_MISSING);
}
END_TEST

START_TEST(a_connection_that_died_idle_fails_neither_read_nor_write)
{
    enum pipeline_effect effect = _i ? PIPELINE_WRITE : PIPELINE_READ;

    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.bytes = ":2\r\n"});
    case_err(CASE_RUN(redis, arena, effect, EXPECT_INTEGER, NULL, &error, STR("INCR"), STR("k")),
             ERR_OK);
    fake_redis_hang_up(fake);
    ck_assert_msg(CASE_RUN(redis, arena, effect, EXPECT_INTEGER, NULL, &error, STR("INCR"),
                           STR("k")) == ERR_OK,
                  "%s", error.detail);
    ck_assert_uint_eq(fake_redis_accepted(fake), 2);
}
END_TEST

START_TEST(a_read_on_a_used_connection_that_dies_unanswered_is_tried_once_more)
{
    const struct value *reply;

    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.then = FAKE_CLOSE}, {.bytes = ":2\r\n"});
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_INTEGER, NULL, &error, STR("GET"), STR("k")),
        ERR_OK);
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_INTEGER, &reply, &error, STR("GET"), STR("k")),
        ERR_OK);
    ck_assert_int_eq(reply->integer, 2);
    ck_assert_uint_eq(fake_redis_seen(fake, "GET"), 3);
}
END_TEST

START_TEST(a_write_that_was_sent_is_never_sent_again)
{
    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.then = FAKE_CLOSE}, {.bytes = ":2\r\n"});
    case_err(
        CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_INTEGER, NULL, &error, STR("INCR"), STR("k")),
        ERR_OK);
    case_err(
        CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_INTEGER, NULL, &error, STR("INCR"), STR("k")),
        ERR_UNCERTAIN);
    ck_assert_uint_eq(fake_redis_seen(fake, "INCR"), 2);
}
END_TEST

START_TEST(a_deadline_that_has_passed_sends_nothing)
{
    for (int i = 0; i < 2; i++) { /* without a connection, and with one at hand */
        struct pipeline *pipeline = three_incrs(PIPELINE_WRITE);
        case_err(redis_run(redis, pipeline,
                           (struct work){.deadline_ns = clock_mono_ns() - 1, .error = &error}),
                 ERR_TIMEOUT);
        ck_assert_str_eq(error.caller, "redis timeout");
        ck_assert_uint_eq(fake_redis_accepted(fake), (size_t)i);
        ck_assert_uint_eq(fake_redis_seen(fake, "INCR"), 0);
        case_err(
            CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_OK, NULL, &error, STR("GET"), STR("k")),
            ERR_OK);
    }
}
END_TEST

START_TEST(a_callers_deadline_ends_the_wait_and_does_not_accuse_redis)
{
    struct pipeline *pipeline = three_incrs(PIPELINE_READ);
    int64_t begin_ns = clock_mono_ns();

    FAKE_SCRIPT(fake, {.bytes = ":1\r\n"}, {.is_held = true});
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_INTEGER, NULL, &error, STR("GET"), STR("k")),
        ERR_OK);
    case_err(redis_run(redis, pipeline,
                       (struct work){.deadline_ns = clock_deadline_ns(_i), .error = &error}),
             ERR_TIMEOUT);
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5 * 1000);
    ck_assert(!redis_is_down(redis));
}
END_TEST

START_TEST(a_server_that_reads_nothing_is_given_up_in_time)
{
    enum pipeline_effect effect = _i ? PIPELINE_WRITE : PIPELINE_READ;
    enum { SIZE = 32 << 20 };
    struct pipeline *pipeline = pipeline_new(arena, effect);
    char *large = arena_alloc(arena, SIZE);

    patience(200);
    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_OK, NULL, &error, STR("GET"), STR("k")),
             ERR_OK);
    fake_redis_deafen(fake, true);
    memset(large, 'x', SIZE);
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), STR("k"), ((struct str){large, SIZE}));
    int64_t begin_ns = clock_mono_ns();
    enum err err = redis_run(redis, pipeline,
                             (struct work){.deadline_ns = case_deadline_ns(), .error = &error});
    ck_assert_int_eq(err, effect == PIPELINE_READ ? ERR_TIMEOUT : ERR_UNCERTAIN);
    expect_within_ms((clock_mono_ns() - begin_ns) / NS_PER_MS, 5 * 1000);
}
END_TEST

START_TEST(an_empty_pipeline_asks_nobody)
{
    case_err(redis_run(redis, pipeline_new(arena, PIPELINE_READ),
                       (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
             ERR_OK);
    ck_assert_uint_eq(fake_redis_accepted(fake), 0);
}
END_TEST

START_TEST(a_pipeline_runs_once)
{
    struct pipeline *pipeline = three_incrs(PIPELINE_WRITE);

    script_fault(&(struct fake_step){.bytes = ":10\r\n"}, 0);
    ck_assert_int_eq(pipeline_value(pipeline, 0)->kind, VALUE_MISSING);
    case_err(redis_run(redis, pipeline, (struct work){.deadline_ns = case_deadline_ns()}), ERR_OK);
    case_err(redis_run(redis, pipeline,
                       (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
             ERR_INTERNAL);
    ck_assert_uint_eq(fake_redis_seen(fake, "INCR"), COMMANDS);
}
END_TEST

START_TEST(no_memory_is_said_and_nothing_is_sent)
{
    struct arena *small = arena_new(256, 1024);
    char value[2048];
    struct pipeline *pipeline = pipeline_new(small, PIPELINE_WRITE);

    memset(value, 'x', sizeof value);
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("SET"), STR("k"), ((struct str){value, sizeof value}));
    case_err(redis_run(redis, pipeline,
                       (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
             ERR_NO_MEMORY);
    case_err(
        redis_run(redis, NULL, (struct work){.deadline_ns = case_deadline_ns(), .error = &error}),
        ERR_NO_MEMORY);
    ck_assert_uint_eq(pipeline_count(NULL), 0);
    ck_assert_int_eq(pipeline_value(NULL, 0)->kind, VALUE_MISSING);
    ck_assert_uint_eq(fake_redis_accepted(fake), 0);
    arena_free(&small);
}
END_TEST

START_TEST(a_reply_that_does_not_fit_the_callers_arena_costs_the_connection_only)
{
    struct arena *small = arena_new(256, 4096);
    enum { SIZE = 8192 };
    char *bytes = arena_alloc(arena, SIZE + 64);
    int head = snprintf(bytes, 64, "$%d\r\n", SIZE);

    memset(bytes + head, 'x', SIZE);
    memcpy(bytes + head + SIZE, "\r\n", 2);
    FAKE_SCRIPT(fake, {.bytes = bytes, .size = (size_t)head + SIZE + 2}, {.bytes = ":5\r\n"});
    case_err(
        CASE_RUN(redis, small, PIPELINE_READ, EXPECT_STRING, NULL, &error, STR("GET"), STR("k")),
        ERR_NO_MEMORY);
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_INTEGER, NULL, &error, STR("GET"), STR("k")),
        ERR_OK);
    arena_free(&small);
}
END_TEST

START_TEST(a_log_text_never_quotes_the_arguments_of_a_command)
{
    FAKE_SCRIPT(fake, {.bytes = "-ERR unknown command 'GET', with args beginning with: "
                                "'secret-label' 'secret-value' \r\n"});
    case_err(
        CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_STRING, NULL, &error, STR("GET"), STR("k")),
        ERR_UPSTREAM_REFUSED);
    ck_assert_ptr_nonnull(strstr(error.detail, "unknown command"));
    ck_assert_ptr_null(strstr(error.detail, "secret"));
    ck_assert_ptr_null(strstr(error.caller, "secret"));
    ck_assert_uint_eq(case_stats(redis).replies_refused, 1);
}
END_TEST

/* When Redis refuses everything, the echo of the guard included, that is an answer and no chaos. */
START_TEST(a_redis_that_refuses_everything_refuses)
{
    static const char *const refusals[] = {"-BUSY script\r\n", "-NOPERM no\r\n", "-NOAUTH no\r\n"};
    static const char *const causes[] = {"redis busy", "redis refused the command",
                                         "redis authentication failed"};

    case_err(CASE_RUN(redis, arena, PIPELINE_READ, EXPECT_OK, NULL, &error, STR("GET"), STR("k")),
             ERR_OK);
    fake_redis_override(fake, "GET", refusals[_i]);
    fake_redis_override(fake, "ECHO", refusals[_i]);
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("GET"), STR("k")),
             ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(error.code, ERR_UPSTREAM_REFUSED);
    /* A new connection is refused as well: nothing was asked over it, so nothing has happened. */
    case_err(CASE_RUN(redis, arena, PIPELINE_WRITE, EXPECT_OK, NULL, &error, STR("GET"), STR("k")),
             ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, causes[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *faulty = tcase_create("faults"), *kind = tcase_create("kinds"),
          *rest = tcase_create("rest");

    tcase_add_checked_fixture(faulty, set_up, tear_down);
    tcase_add_loop_test(faulty, each_fault_at_each_position_has_its_answer_and_no_after_effect, 0,
                        FAULTS);
    suite_add_tcase(suite, faulty);

    tcase_add_checked_fixture(kind, set_up, tear_down);
    tcase_add_test(kind, replies_come_back_in_order_and_of_their_kinds);
    tcase_add_loop_test(kind, each_expectation_takes_its_own_replies_and_no_other, 0,
                        sizeof expectations / sizeof *expectations);
    tcase_add_loop_test(kind, a_counter_is_one_canonical_integer_or_refused, 0,
                        sizeof counters / sizeof *counters);
    suite_add_tcase(suite, kind);

    tcase_add_checked_fixture(rest, set_up, tear_down);
    tcase_add_test(rest, a_slow_drip_within_the_time_is_fine);
    tcase_add_test(rest, a_connection_that_spoke_out_of_turn_is_not_used);
    tcase_add_test(rest, an_error_inside_an_array_is_an_error);
    tcase_add_loop_test(rest, bytes_behind_the_last_reply_end_the_connection, 0, 2);
    tcase_add_test(rest, a_late_duplicate_is_never_taken_for_an_answer);
    tcase_add_loop_test(rest, a_connection_that_died_idle_fails_neither_read_nor_write, 0, 2);
    tcase_add_test(rest, a_read_on_a_used_connection_that_dies_unanswered_is_tried_once_more);
    tcase_add_test(rest, a_write_that_was_sent_is_never_sent_again);
    tcase_add_test(rest, a_deadline_that_has_passed_sends_nothing);
    tcase_add_loop_test(rest, a_callers_deadline_ends_the_wait_and_does_not_accuse_redis, 20, 22);
    tcase_add_loop_test(rest, a_callers_deadline_ends_the_wait_and_does_not_accuse_redis, 150, 151);
    tcase_add_loop_test(rest, a_server_that_reads_nothing_is_given_up_in_time, 0, 2);
    tcase_add_test(rest, an_empty_pipeline_asks_nobody);
    tcase_add_test(rest, a_pipeline_runs_once);
    tcase_add_test(rest, no_memory_is_said_and_nothing_is_sent);
    tcase_add_test(rest, a_reply_that_does_not_fit_the_callers_arena_costs_the_connection_only);
    tcase_add_test(rest, a_log_text_never_quotes_the_arguments_of_a_command);
    tcase_add_loop_test(rest, a_redis_that_refuses_everything_refuses, 0, 3);
    suite_add_tcase(suite, rest);
    return suite_run(suite);
}
