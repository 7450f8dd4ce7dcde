#include "pipeline_private.h"
#include "pool.h"

#include "cachewarden/redis_error.h"
#include "protocol/resp.h"

#include <assert.h>

/* First guess: most pipelines are two or three short commands, a clear is five. */
#define BYTES_RESERVED    256
#define COMMANDS_RESERVED 6

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
    pipeline->commands = arena_calloc(arena, COMMANDS_RESERVED, sizeof *pipeline->commands);
    strbuf_init(&pipeline->out, arena, BYTES_RESERVED);
    pipeline->has_failed = !pipeline->commands || pipeline->out.failed;
    return pipeline;
}

static bool grow(struct pipeline *pipeline)
{
    size_t size = pipeline->capacity * sizeof *pipeline->commands;
    struct pipeline_command *more = arena_grow(pipeline->arena, pipeline->commands, size, size * 2);
    if (!more)
        return false;
    pipeline->commands = more;
    pipeline->capacity *= 2;
    return true;
}

/* The commands that our reads use. Any other is taken for a write: then the gate is asked, and that is
 * all it costs. */
static bool only_reads(struct str command)
{
    static const struct str reads[] = {
        {"GET", 3},       {"HMGET", 5},     {"HGET", 4},
        {"EXISTS", 6},    {"PTTL", 4},      {"ZSCORE", 6},
        {"ZCARD", 5},     {"ZCOUNT", 6},    {"XRANGE", 6},
        {"XREVRANGE", 9}, {"ZREVRANGE", 9}, {"HGETALL", 7},
        {"MGET", 4},      {"INFO", 4},      {"PING", 4},
        {"DBSIZE", 6},    {"TTL", 3},       {"TIME", 4},
        {"SCAN", 4},      {"HLEN", 4},      {"ZRANGEBYSCORE", 13},
        {"HELLO", 5},
    };

    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        if (str_eq(command, reads[i]))
            return true;
    return false;
}

static void add(struct pipeline *pipeline, struct pipeline_command command, size_t argc,
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
    command.is_queued = pipeline->is_in_transaction;
    pipeline->commands[pipeline->count++] = command;
    resp_add_command(&pipeline->out, argc, argv);
    pipeline->has_failed = pipeline->out.failed;
}

void pipeline_add(struct pipeline *pipeline, enum expect expect, size_t argc,
                  const struct str *argv)
{
    pipeline_add_keys(pipeline, expect, 0, argc, argv);
}

void pipeline_add_keys(struct pipeline *pipeline, enum expect expect, unsigned keys, size_t argc,
                       const struct str *argv)
{
    assert(keys < argc);
    for (unsigned i = 2; i <= keys; i++)
        assert(str_eq(pipeline_key_tag(argv[i]), pipeline_key_tag(argv[1])));
    add(pipeline, (struct pipeline_command){.expect = expect, .keys = keys}, argc, argv);
}

struct str pipeline_key_tag(struct str key)
{
    struct str rest = key, before, tag;

    bool is_tagged = str_split(&rest, '{', &before) && str_split(&rest, '}', &tag) && tag.len > 0 &&
                     rest.ptr; /* or the brace is not closed */

    return is_tagged ? tag : key;
}

struct str pipeline_key(const struct pipeline *pipeline, size_t index, size_t nth)
{
    struct str commands = strbuf_str(&pipeline->out), key = STR_NONE;

    if (nth >= pipeline->commands[index].keys)
        return key;
    for (size_t i = 0; i <= index; i++)
        key = resp_take_command(&commands, 1 + (i == index ? nth : 0));
    return key;
}

/* ---- transactions ---- */

void pipeline_begin_transaction(struct pipeline *pipeline)
{
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("MULTI"));
    if (pipeline)
        pipeline->is_in_transaction = true;
}

void pipeline_end_transaction(struct pipeline *pipeline)
{
    if (pipeline)
        pipeline->is_in_transaction = false;
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("EXEC"));
}

/* The replies of the commands that were queued right before `end`. An array that has not one for each is no
 * reply. */
static void take_transaction(struct pipeline *pipeline, size_t end, size_t queued)
{
    struct value *together = &pipeline->values[end];
    bool is_whole = together->kind == VALUE_ARRAY && together->count == queued;

    for (size_t i = 0; is_whole && i < queued; i++) {
        pipeline->values[end - queued + i] = together->items[i];
        pipeline->commands[end - queued + i].is_queued = false;
    }
    if (together->kind == VALUE_ARRAY)
        *together = (struct value){.kind = is_whole ? VALUE_ARRAY : VALUE_MISSING};
}

static void take_transactions(struct pipeline *pipeline)
{
    size_t queued = 0;

    for (size_t i = 0; i < pipeline->count; i++) {
        if (pipeline->commands[i].is_queued) {
            queued++;
        } else if (queued > 0) {
            take_transaction(pipeline, i, queued);
            queued = 0;
        }
    }
}

/* Its transaction failed, and why is in the reply to that, or to another command of it. */
static bool is_only_queued(const struct pipeline *pipeline, size_t index)
{
    const struct value *value = &pipeline->values[index];

    return pipeline->commands[index].is_queued && value->kind == VALUE_STATUS &&
           str_eq(value->text, STR("QUEUED"));
}

/* ---- what is sent ---- */

void pipeline_pass_gate(struct pipeline *pipeline)
{
    if (pipeline)
        pipeline->is_gated = true;
}

void pipeline_require(struct pipeline *pipeline, uint64_t replication_id)
{
    if (!pipeline)
        return;
    pipeline->required = replication_id;
    pipeline->is_bound = true;
}

bool pipeline_writes(const struct pipeline *pipeline)
{
    return pipeline->effect == PIPELINE_WRITE;
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

uint64_t pipeline_replication_id(const struct pipeline *pipeline)
{
    return pipeline ? pipeline->replication_id : REDIS_REPLICATION_ID_UNKNOWN;
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

static bool copy_value(struct arena *arena, const struct value *from, struct value *to)
{
    *to = *from;
    if (from->kind == VALUE_STATUS && value_fixed_status(from->text).ptr == from->text.ptr)
        return true;
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
    pipeline->replication_id = round_trip->replication_id;
    pipeline->is_replica = round_trip->is_replica;
    for (size_t i = 0; i < pipeline->count; i++)
        if (!copy_value(pipeline->arena, &replies[i], &pipeline->values[i]))
            return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                                   "replies: out of memory");
    return ERR_OK;
}

/* It was done, whatever it was, but nobody has the answer. */
static enum err too_large(const struct pipeline *pipeline, struct error *error)
{
    bool writes = pipeline->effect == PIPELINE_WRITE;

    return redis_error_set(error, writes ? ERR_UNCERTAIN : ERR_UPSTREAM_DOWN,
                           writes ? REDIS_ERROR_UNCERTAIN : REDIS_ERROR_UNAVAILABLE,
                           "a reply is larger than allowed");
}

enum err pipeline_judge(struct pipeline *pipeline, bool *is_refused_out, struct error *error)
{
    *is_refused_out = false;
    take_transactions(pipeline);
    for (size_t i = 0; i < pipeline->count; i++) {
        enum expect expect = pipeline->commands[i].expect;
        struct value *value = &pipeline->values[i];
        /* What Redis did not even queue is no reply that a caller could look at. */
        bool is_unjudged = expect == EXPECT_UNJUDGED && !pipeline->commands[i].is_queued;
        if (is_unjudged || is_only_queued(pipeline, i))
            continue;
        const struct value *refusal = find_error(value);
        if (refusal && value_fault(refusal) == REDIS_FAULT_TOO_LARGE)
            return too_large(pipeline, error);
        if (refusal) {
            *is_refused_out = true;
            char sentence[VALUE_SENTENCE_SIZE];
            value_error_sentence(refusal, sentence);
            return redis_error_set(
                error, ERR_UPSTREAM_REFUSED, redis_fault_cause(value_fault(refusal)),
                "command %zu of %zu: redis answered %s", i + 1, pipeline->count, sentence);
        }
        if (!is_as_expected(expect, value))
            return redis_error_set(error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_REFUSED,
                                   "command %zu of %zu: the reply is not of the kind expected",
                                   i + 1, pipeline->count);
    }
    return ERR_OK;
}

enum err pipeline_begin(struct pipeline *pipeline, struct error *error)
{
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
    pipeline->values = arena_calloc(pipeline->arena, pipeline->count + 1, sizeof *pipeline->values);
    if (!pipeline->values)
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "pipeline: out of memory");
    return ERR_OK;
}

void pipeline_forget(struct pipeline *pipeline)
{
    memset(pipeline->values, 0, (pipeline->count + 1) * sizeof *pipeline->values);
    pipeline->replication_id = REDIS_REPLICATION_ID_UNKNOWN;
}
