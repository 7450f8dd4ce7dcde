#include "cachewarden/pipeline.h"

#include "batch.h"
#include "cachewarden/redis_error.h"
#include "pool_private.h"
#include "protocol/resp.h"

/* First guess; most pipelines are two or three short commands. */
#define BYTES_RESERVED    256
#define COMMANDS_RESERVED 4

struct pipeline {
    struct arena *arena;
    enum pipeline_effect effect;
    struct strbuf out;
    unsigned char *expects; /* enum expect, one a command */
    size_t count, capacity;
    struct value *values; /* count + 1: behind the last is room for the guard's reply */
    uint64_t origin;
    uint64_t required; /* it may only be sent there; 0: anywhere */
    bool is_bound;     /* it was said where it may be sent */
    bool is_repair;
    bool is_gated;
    bool has_failed; /* memory ran out while it was built */
    bool has_run;
};

static const struct value missing = {.kind = VALUE_MISSING};

struct pipeline *pipeline_new(struct arena *arena, enum pipeline_effect effect)
{
    struct pipeline *pipeline = arena_calloc(arena, 1, sizeof *pipeline);
    if (!pipeline)
        return NULL;
    pipeline->arena = arena;
    pipeline->effect = effect == PIPELINE_READ ? PIPELINE_READ : PIPELINE_WRITE;
    pipeline->is_gated = effect == PIPELINE_WRITE;
    pipeline->is_repair = effect == PIPELINE_WRITE_REPAIR;
    pipeline->capacity = COMMANDS_RESERVED;
    pipeline->expects = arena_alloc(arena, COMMANDS_RESERVED);
    strbuf_init(&pipeline->out, arena, BYTES_RESERVED);
    pipeline->has_failed = !pipeline->expects || pipeline->out.failed;
    return pipeline;
}

static bool grow(struct pipeline *pipeline)
{
    unsigned char *more =
        arena_grow(pipeline->arena, pipeline->expects, pipeline->capacity, pipeline->capacity * 2);
    if (!more)
        return false;
    pipeline->expects = more;
    pipeline->capacity *= 2;
    return true;
}

/* The commands that our reads use. Any other is taken for a write: then the gate is asked, and that is
 * all it costs. */
static bool only_reads(struct str command)
{
    static const struct str reads[] = {
        {"GET", 3},       {"HMGET", 5},   {"HGET", 4},   {"EXISTS", 6}, {"PTTL", 4},
        {"ZSCORE", 6},    {"ZCARD", 5},   {"ZCOUNT", 6}, {"XRANGE", 6}, {"XREVRANGE", 9},
        {"ZREVRANGE", 9}, {"HGETALL", 7}, {"MGET", 4},   {"INFO", 4},   {"PING", 4},
        {"DBSIZE", 6},    {"TTL", 3},     {"TIME", 4},   {"SCAN", 4},
    };

    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        if (str_eq(command, reads[i]))
            return true;
    return false;
}

void pipeline_add(struct pipeline *pipeline, enum expect expect, size_t argc,
                  const struct str *argv)
{
    if (!pipeline || pipeline->has_failed)
        return;
    if (pipeline->count == pipeline->capacity && !grow(pipeline)) {
        pipeline->has_failed = true;
        return;
    }
    if (pipeline->effect == PIPELINE_READ && !only_reads(argv[0]))
        pipeline->is_gated = true;
    pipeline->expects[pipeline->count++] = (unsigned char)expect;
    resp_add_command(&pipeline->out, argc, argv);
    pipeline->has_failed = pipeline->out.failed;
}

void pipeline_pass_gate(struct pipeline *pipeline)
{
    if (pipeline)
        pipeline->is_gated = true;
}

void pipeline_require(struct pipeline *pipeline, uint64_t origin)
{
    if (!pipeline)
        return;
    pipeline->required = origin;
    pipeline->is_bound = true;
}

size_t pipeline_count(const struct pipeline *pipeline)
{
    return pipeline ? pipeline->count : 0;
}

const struct value *pipeline_value(const struct pipeline *pipeline, size_t index)
{
    return pipeline && pipeline->values && index < pipeline->count ? &pipeline->values[index]
                                                                   : &missing;
}

uint64_t pipeline_origin(const struct pipeline *pipeline)
{
    return pipeline ? pipeline->origin : POOL_ORIGIN_UNKNOWN;
}

/* An error inside an array counts: EXEC answers so, and its OK must not hide it. */
static const struct value *find_error(const struct value *value)
{
    if (value->kind == VALUE_ERROR)
        return value;
    for (size_t i = 0; value->kind == VALUE_ARRAY && i < value->count; i++) {
        const struct value *found = find_error(&value->items[i]); /* 7 levels at most (reply.h) */
        if (found)
            return found;
    }
    return NULL;
}

static bool is_as_expected(enum expect expect, struct value *value)
{
    bool is_text = value->kind == VALUE_STRING;
    switch (expect) {
    case EXPECT_OK:
        return value->kind == VALUE_STATUS && str_eq(value->text, STR("OK"));
    case EXPECT_STATUS:
        return value->kind == VALUE_STATUS;
    case EXPECT_OK_OR_NIL:
        return value->kind == VALUE_NIL ||
               (value->kind == VALUE_STATUS && str_eq(value->text, STR("OK")));
    case EXPECT_INTEGER:
        return value->kind == VALUE_INTEGER;
    case EXPECT_STRING:
        return is_text;
    case EXPECT_STRING_OR_NIL:
        return is_text || value->kind == VALUE_NIL;
    case EXPECT_COUNTER_OR_NIL:
        return value->kind == VALUE_NIL ||
               (is_text && str_to_int64(value->text, INT64_MIN, INT64_MAX, &value->integer));
    case EXPECT_ARRAY:
        return value->kind == VALUE_ARRAY;
    case EXPECT_ANY:
    case EXPECT_UNJUDGED:
        return true;
    }
    return false;
}

/* All replies are there. The first that is not as it should be decides; the pool counts errors. */
static enum err judge(struct pool *pool, struct pipeline *pipeline, struct error *error)
{
    for (size_t i = 0; i < pipeline->count; i++) {
        struct value *value = &pipeline->values[i];
        if (pipeline->expects[i] == EXPECT_UNJUDGED)
            continue;
        const struct value *refusal = find_error(value);
        if (refusal) {
            pool_count_refusal(pool);
            struct str word = value_error_word(refusal);
            return redis_error_set(
                error, ERR_UPSTREAM_REFUSED, redis_fault_cause(value_fault(refusal)),
                "command %zu of %zu: redis answered %.*s", i + 1, pipeline->count, STR_ARG(word));
        }
        if (!is_as_expected(pipeline->expects[i], value))
            return redis_error_set(error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_REFUSED,
                                   "command %zu of %zu: the reply is not of the kind expected",
                                   i + 1, pipeline->count);
    }
    return ERR_OK;
}

static bool copy_value(struct arena *arena, const struct value *from, struct value *to)
{
    *to = *from;
    if (from->kind == VALUE_STRING || from->kind == VALUE_STATUS || from->kind == VALUE_ERROR) {
        to->text = str_dup(arena, from->text);
        return to->text.ptr;
    }
    if (from->kind != VALUE_ARRAY)
        return true;
    to->items = arena_calloc(arena, from->count, sizeof *to->items);
    for (size_t i = 0; to->items && i < from->count; i++)
        if (!copy_value(arena, &from->items[i], &to->items[i]))
            return false;
    return to->items;
}

enum err pipeline_take(struct pipeline *pipeline, const struct round_trip *round_trip,
                       const struct value *replies, struct error *error)
{
    pipeline->origin = round_trip->origin;
    for (size_t i = 0; i < pipeline->count; i++)
        if (!copy_value(pipeline->arena, &replies[i], &pipeline->values[i]))
            return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                                   "replies: out of memory");
    return ERR_OK;
}

static const char *failure_text(enum round_trip_failure failure)
{
    switch (failure) {
    case ROUND_TRIP_OK:
        break;
    case ROUND_TRIP_LOST:
        return "connection lost";
    case ROUND_TRIP_TIMED_OUT:
        return "no answer in time";
    case ROUND_TRIP_PROTOCOL_ERROR:
        return "the replies make no sense";
    case ROUND_TRIP_TOO_LARGE:
        return "a reply is larger than allowed";
    case ROUND_TRIP_NO_MEMORY:
        return "out of memory while reading replies";
    }
    return "unknown";
}

enum err pipeline_failed(const struct pool_request *request, const struct round_trip *round_trip,
                         size_t from, bool *may_retry_out, struct error *error)
{
    const char *text = failure_text(round_trip->failure);
    bool was_sent = round_trip->sent > from;
    /* The connection was dead or out of step before this round trip, and nobody had noticed. A read, or
     * what was never sent, may be tried on a fresh one. */
    bool was_lost_before = round_trip->failure == ROUND_TRIP_LOST && round_trip->received == 0;
    bool was_bad_before = round_trip->is_reused &&
                          (was_lost_before || round_trip->failure == ROUND_TRIP_PROTOCOL_ERROR);
    *may_retry_out = was_bad_before && (!was_sent || request->effect == PIPELINE_READ);
    if (was_sent && request->effect == PIPELINE_WRITE)
        return redis_error_set(error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN,
                               "after a write was sent: %s", text);
    if (round_trip->failure == ROUND_TRIP_TIMED_OUT)
        return redis_error_set(error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT, "%s", text);
    if (round_trip->failure == ROUND_TRIP_NO_MEMORY)
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE, "%s", text);
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE, "%s", text);
}

enum err pipeline_wrong_redis(struct error *error)
{
    return redis_error_set(error, ERR_CONFLICT, REDIS_ERROR_UNAVAILABLE,
                           "the connection leads to another Redis");
}

/* The request has the connection for itself; the replies go straight into the pipeline's arena. */
static enum err run_alone(struct pool *pool, struct conn *conn, const struct pool_request *request,
                          bool *may_retry_out, struct error *error)
{
    struct pipeline *pipeline = request->pipeline;
    struct round_trip round_trip = {.out = &pipeline->out,
                                    .values = pipeline->values,
                                    .owed = pipeline->count,
                                    .arena = pipeline->arena,
                                    .began_ns = clock_mono_ns()};
    size_t own_size = pipeline->out.len;
    if (request->required && conn->origin != request->required) {
        pool_release_unused(pool, conn);
        pool_count_out(pool);
        return pipeline_wrong_redis(error);
    }
    if (conn_begin(conn, &round_trip)) {
        pool_release_unused(pool, conn);
        pool_count_out(pool);
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "pipeline: out of memory");
    }
    int64_t reply_by_ns = round_trip.began_ns + pool->command_timeout_ns;
    int64_t until_ns = reply_by_ns < request->deadline_ns ? reply_by_ns : request->deadline_ns;
    if (conn_continue(conn, &round_trip, until_ns) == ROUND_TRIP_WAITING)
        conn_abort(conn, &round_trip);
    enum round_trip_failure failure = round_trip.failure;
    pipeline->origin = round_trip.origin;
    pool_release(pool, conn, &round_trip, NULL);
    pipeline->out.len = own_size; /* without the guard, for another try */
    return failure ? pipeline_failed(request, &round_trip, 0, may_retry_out, error) : ERR_OK;
}

/* One attempt: acquire, the round trip, the replies. *may_retry_out: nothing has happened, try again. */
static enum err attempt(struct pool *pool, const struct pool_request *request, bool *may_retry_out,
                        struct error *error)
{
    struct acquired acquired;
    enum err err = pool_acquire(pool, request, &acquired, error);
    if (err)
        return err;
    switch (acquired.kind) {
    case ACQUIRED_LEADER:
        return batch_lead(pool, acquired.batch, acquired.slot, request, may_retry_out, error);
    case ACQUIRED_FOLLOWER:
        return batch_follow(pool, acquired.batch, acquired.slot, request, may_retry_out, error);
    case ACQUIRED_WAITER:
        err = batch_wait_alone(pool, acquired.batch, acquired.slot, request, &acquired.conn, error);
        if (err)
            return err;
        break;
    case ACQUIRED_CONN:
        if (acquired.conn && pool_check_idle(pool, &acquired.conn, request->effect))
            break;
        bool is_down;
        err = pool_connect(pool, request->deadline_ns, acquired.is_probe, &acquired.conn, &is_down,
                           error);
        if (err) {
            pool_count_out(pool);
            *may_retry_out = !is_down;
            return err;
        }
        break;
    }
    return run_alone(pool, acquired.conn, request, may_retry_out, error);
}

/* What changed nothing may be tried again, but not for ever while connections keep breaking. */
#define ATTEMPTS_MAX 3

static enum err run(struct pool *pool, struct pipeline *pipeline, int64_t deadline_ns,
                    struct error *error)
{
    struct pool_request request = {.pipeline = pipeline,
                                   .effect = pipeline->effect,
                                   .bytes = strbuf_str(&pipeline->out),
                                   .commands = pipeline->count,
                                   .required = pipeline->required,
                                   .deadline_ns = deadline_ns};
    request.start_ns = clock_mono_ns();
    int64_t acquire_deadline_ns = request.start_ns + pool->borrow_timeout_ns;
    request.acquire_deadline_ns =
        acquire_deadline_ns < deadline_ns ? acquire_deadline_ns : deadline_ns;
    if (request.start_ns >= deadline_ns)
        return redis_error_set(error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT,
                               "the deadline had passed before anything was sent");
    enum err err = ERR_INTERNAL;
    bool may_retry = true;
    for (int i = 0; may_retry && i < ATTEMPTS_MAX; i++) {
        may_retry = false;
        if (i > 0)
            request.start_ns = clock_mono_ns();
        err = attempt(pool, &request, &may_retry, error);
    }
    return err;
}

/* After each the gate may have learnt of another Redis. */
#define GATE_TRIES 3

static enum err run_gated(struct pool *pool, struct pipeline *pipeline, int64_t deadline_ns,
                          struct error *error)
{
    uint64_t missed = 0;
    for (int i = 0; i < GATE_TRIES; i++) {
        enum err err =
            pool->gate.ask(pool->gate.with, missed, deadline_ns, &pipeline->required, error);
        if (!err)
            err = run(pool, pipeline, deadline_ns, error);
        if (err != ERR_CONFLICT)
            return err;
        missed = pipeline->required;
    }
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                           "Redis became another one again and again");
}

enum err pipeline_run(struct pool *pool, struct pipeline *pipeline, int64_t deadline_ns,
                      struct error *error)
{
    struct error unwanted;
    if (!error)
        error = &unwanted;
    error_clear(error);
    if (!pipeline || pipeline->has_failed)
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "pipeline: out of memory");
    if (pipeline->is_repair && !pipeline->is_bound)
        return redis_error_set(error, ERR_INTERNAL, REDIS_ERROR_UNAVAILABLE,
                               "a repair does not say which Redis it is for");
    if (pipeline->has_run)
        return redis_error_set(error, ERR_INTERNAL, REDIS_ERROR_UNAVAILABLE,
                               "a pipeline runs once");
    pipeline->has_run = true;
    if (pipeline->count == 0)
        return ERR_OK;
    struct value *values = arena_calloc(pipeline->arena, pipeline->count + 1, sizeof *values);
    if (!values)
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "pipeline: out of memory");
    pipeline->values = values;
    bool is_gated = pipeline->is_gated && pool->gate.ask;
    enum err err = (is_gated ? run_gated : run)(pool, pipeline, deadline_ns, error);
    if (!err)
        return judge(pool, pipeline, error);
    /* Replies of a round trip that failed are not to be believed, whole as they may look. */
    memset(values, 0, (pipeline->count + 1) * sizeof *values);
    pipeline->origin = POOL_ORIGIN_UNKNOWN;
    return err;
}
