/* Control data into Redis: see control_data.h. */
#include "backup/control_data.h"

#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"

#include <stdlib.h>

enum {
    ARENA_FIRST = 64 * 1024,
    BATCH = 256, /* lines of a round trip */
};

struct put_batch {
    const struct control_options *options;
    struct arena *arena;
    struct control_row rows[BATCH]; /* that are for Redis */
    size_t count;
    int64_t now_s;
};

static enum err send(struct put_batch *batch, struct pipeline *pipeline, struct error *error)
{
    return redis_run(batch->options->control, pipeline,
                     (struct work){.arena = batch->arena,
                                   .deadline_ns = clock_deadline_ns(batch->options->budget_ms),
                                   .error = error});
}

/* How many clears each namespace of the batch has here; 0 for other rows. */
static enum err look(struct put_batch *batch, int64_t *here, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(batch->arena, PIPELINE_READ);
    size_t asked = 0;
    enum err err = ERR_OK;

    pipeline_pass_gate(pipeline);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->rows[i].kind != CONTROL_CLEARS)
            continue;
        struct key key = key_namespace(&batch->rows[i].space);
        PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), STR("clears"));
        asked++;
    }
    if (asked > 0)
        err = send(batch, pipeline, error);
    asked = 0;
    for (size_t i = 0; i < batch->count; i++) {
        here[i] = 0;
        if (err || batch->rows[i].kind != CONTROL_CLEARS)
            continue;
        const struct value *reply = pipeline_value(pipeline, asked++);
        if (reply->count == 1 && reply->items[0].kind == VALUE_STRING)
            (void)str_to_int64(reply->items[0].text, 0, INT64_MAX, &here[i]);
    }
    return err;
}

/* By the difference: a clear between the look and this one is not lost. "raised" counts along, in one step: what is
 * above it are clears that were made here (entries_numbers.h). */
static void raise_clears(const struct namespace *space, int64_t more, struct pipeline *pipeline)
{
    struct key key = key_namespace(space);

    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key), STR("clears"),
                 STR_INT64(more));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HINCRBY"), key_str(&key), STR("raised"),
                 STR_INT64(more));
    pipeline_end_transaction(pipeline);
}

static size_t add_commands(struct put_batch *batch, const int64_t *here, struct pipeline *pipeline,
                           struct control_counts *counts)
{
    struct key revoked = key_revoked();
    size_t commands = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct control_row *row = &batch->rows[i];
        if (row->kind == CONTROL_REVOCATION) {
            PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZADD"), key_str(&revoked), STR("GT"),
                         STR_INT64(row->revocation.expires_at_s), row->text);
            counts->revocations++;
        } else if (row->clears > here[i]) {
            raise_clears(&row->space, row->clears - here[i], pipeline);
            counts->clears++;
        } else {
            continue;
        }
        commands++;
    }
    return commands;
}

static enum err put(struct put_batch *batch, struct control_counts *counts, struct error *error)
{
    int64_t here[BATCH];
    enum err err = look(batch, here, error);

    if (!err) {
        struct pipeline *pipeline = pipeline_new(batch->arena, PIPELINE_WRITE);
        struct control_counts more = *counts;
        if (add_commands(batch, here, pipeline, &more) > 0)
            err = send(batch, pipeline, error);
        if (!err)
            *counts = more;
    }
    batch->count = 0;
    arena_reset(batch->arena);
    return err;
}

static bool is_for_redis(const struct put_batch *batch, const struct control_row *row)
{
    return row->kind == CONTROL_CLEARS ||
           (row->kind == CONTROL_REVOCATION && row->revocation.expires_at_s > batch->now_s);
}

static enum err put_lines(struct put_batch *batch, struct str lines, struct control_counts *counts,
                          struct error *error)
{
    struct str line;
    enum err err = ERR_OK;

    while (!err && str_take_line(&lines, &line)) {
        struct control_row *row = &batch->rows[batch->count];
        err = control_row_read(batch->arena, line, row, error);
        batch->count += !err && is_for_redis(batch, row);
        if (!err && batch->count == BATCH)
            err = put(batch, counts, error);
    }
    return !err && batch->count > 0 ? put(batch, counts, error) : err;
}

enum err control_put(const struct control_options *options, struct str lines,
                     struct control_counts *counts, struct error *error)
{
    struct put_batch *batch = calloc(1, sizeof *batch);
    enum err err = ERR_NO_MEMORY;

    if (!batch)
        return err;
    batch->options = options;
    batch->now_s = clock_wall_s();
    batch->arena = arena_new(ARENA_FIRST, 0);
    if (batch->arena)
        err = put_lines(batch, lines, counts, error);
    arena_free(&batch->arena);
    free(batch);
    return err;
}
