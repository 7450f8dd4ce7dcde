#include "pipeline_private.h"

#include "cachewarden/redis_error.h"
#include "protocol/resp.h"

/* First guess; most pipelines are two or three short commands. */
#define BYTES_RESERVED    256
#define COMMANDS_RESERVED 4

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
        {"DBSIZE", 6},    {"TTL", 3},     {"TIME", 4},   {"SCAN", 4},   {"HLEN", 4},
    };

    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        if (str_eq(command, reads[i]))
            return true;
    return false;
}

static void add(struct pipeline *pipeline, unsigned expect, size_t argc, const struct str *argv)
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

void pipeline_add(struct pipeline *pipeline, enum expect expect, size_t argc,
                  const struct str *argv)
{
    add(pipeline, expect, argc, argv);
}

void pipeline_add_key(struct pipeline *pipeline, enum expect expect, size_t argc,
                      const struct str *argv)
{
    add(pipeline, (unsigned)expect | PIPELINE_HAS_KEY, argc, argv);
}

struct str pipeline_key(const struct pipeline *pipeline, size_t index)
{
    struct str commands = strbuf_str(&pipeline->out), key = STR_NONE;

    for (size_t i = 0; i <= index; i++)
        key = resp_take_command(&commands, 1);
    return (pipeline->expects[index] & PIPELINE_HAS_KEY) != 0 ? key : STR_NONE;
}

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
    for (size_t i = 0; i < pipeline->count; i++)
        if (!copy_value(pipeline->arena, &replies[i], &pipeline->values[i]))
            return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                                   "replies: out of memory");
    return ERR_OK;
}

enum err pipeline_judge(const struct pipeline *pipeline, bool *is_refused_out, struct error *error)
{
    *is_refused_out = false;
    for (size_t i = 0; i < pipeline->count; i++) {
        enum expect expect = (enum expect)(pipeline->expects[i] & ~PIPELINE_HAS_KEY);
        struct value *value = &pipeline->values[i];
        if (expect == EXPECT_UNJUDGED)
            continue;
        const struct value *refusal = find_error(value);
        if (refusal) {
            *is_refused_out = true;
            struct str word = value_error_word(refusal);
            return redis_error_set(
                error, ERR_UPSTREAM_REFUSED, redis_fault_cause(value_fault(refusal)),
                "command %zu of %zu: redis answered %.*s", i + 1, pipeline->count, STR_ARG(word));
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
