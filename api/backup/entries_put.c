/* Entries into Redis: see entries_put.h. */
#include "backup/entries_put.h"

#include "backup/entries_numbers.h"
#include "cachewarden/clock.h"
#include "entries/counter.h"
#include "entries/envelope.h"
#include "entries/service.h"
#include "jobs/pace.h"
#include "keyspace.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_FIRST = 64 * 1024, BATCH = 64, BATCH_SIZE = 1024 * 1024 };

/* One that is whole, and alive. */
struct item {
    struct entries_row row;
    struct envelope envelope;
    struct entries_numbers numbers;
    struct label_key key;
    struct key scratch; /* of a counter */
    bool is_sent;
    size_t at; /* of its replies */
};

struct entries_putter {
    struct entries_options options;
    struct entries_origin from;
    struct entries_counts counts;
    int64_t taken;                   /* whole ones, from the first of the backup on */
    struct arena *row_arena, *arena; /* of a line, of a batch */
    struct item items[BATCH];
    size_t count, size;
    struct entries_lines lines;
    struct entries_row begun; /* whose lines have begun */
    char *text; /* its bytes so far, in the arena of the batch; NULL: it is left out */
    size_t have;
    bool is_full; /* redis has refused one: no more are tried */
    struct entries_data data;
};

enum err entries_putter_begin(const struct entries_options *options,
                              const struct entries_origin *from, struct entries_putter **putter_out)
{
    struct entries_putter *putter = calloc(1, sizeof *putter);

    *putter_out = putter;
    if (!putter)
        return ERR_NO_MEMORY;
    putter->options = *options;
    putter->from = *from;
    putter->row_arena = arena_new(ARENA_FIRST, 0);
    putter->arena = arena_new(ARENA_FIRST, 0);
    if (!putter->row_arena || !putter->arena)
        entries_putter_end(putter_out);
    return *putter_out ? ERR_OK : ERR_NO_MEMORY;
}

void entries_putter_end(struct entries_putter **putter)
{
    if (!*putter)
        return;
    arena_free(&(*putter)->row_arena);
    arena_free(&(*putter)->arena);
    free(*putter);
    *putter = NULL;
}

const struct entries_counts *entries_putter_counts(const struct entries_putter *putter)
{
    return &putter->counts;
}

/* ---- numbers ---- */

static struct work work_of(const struct entries_putter *putter, struct error *error)
{
    return (struct work){.arena = putter->arena,
                         .deadline_ns = clock_deadline_ns(putter->options.app->budget_ms),
                         .error = error};
}

/* From here on those that were taken are deleted, replaced and expire there, and no other number tells of that. */
static enum err note_progress(struct entries_putter *putter, struct pipeline *pipeline)
{
    return dataset_write_entries(
        pipeline, putter->arena,
        &(struct dataset_entries){.backup = putter->from.backup, .count = putter->taken});
}

/* Behind the gate, because a namespace without clears must be one of ours. */
static enum err read_numbers(struct entries_putter *putter, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(putter->arena, PIPELINE_WRITE);

    if (note_progress(putter, pipeline) != ERR_OK)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < putter->count; i++)
        entries_numbers_ask(pipeline, &putter->items[i].numbers);
    entries_data_ask(pipeline, &putter->data);
    enum err err = redis_run(putter->options.app->control, pipeline, work_of(putter, error));
    for (size_t i = 0; !err && i < putter->count; i++)
        err = entries_numbers_take(pipeline, &putter->items[i].numbers, error);
    if (!err)
        entries_data_take(pipeline, &putter->data);
    return err;
}

/* A hash that is another one has counted from 0 since what it was before was lost. */
static bool are_models_uncleared(const struct model_set *then, const struct model_set *now)
{
    if (then->count == 0)
        return true;
    if (now->base == 0)
        return false;
    return now->base == then->base ? models_judge(then, now) == MODELS_CURRENT : now->any == 0;
}

static bool is_uncleared(const struct entries_putter *putter, const struct item *item)
{
    const struct entries_data *data = &putter->data;

    return data->is_whole && data->is_uncleared && !str_eq(data->id, putter->from.dataset) &&
           item->numbers.clears == item->row.clears &&
           item->numbers.clears == item->numbers.raised && !item->numbers.was_off &&
           are_models_uncleared(&item->envelope.models, &item->numbers.models);
}

/* ---- putting ---- */

static bool add_text(struct entries_putter *putter, struct item *item, int64_t left_ms,
                     struct pipeline *pipeline)
{
    struct str bytes = envelope_encode(putter->arena, &item->envelope);

    item->at = pipeline_count(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("SET"), label_key_str(&item->key), bytes, STR("PX"),
                 STR_INT64(left_ms), STR("NX"));
    return bytes.ptr;
}

static bool add_counter(struct entries_putter *putter, struct item *item, int64_t left_ms,
                        struct pipeline *pipeline)
{
    struct str head = envelope_encode_head(putter->arena, &item->envelope);

    item->envelope.body = item->row.number;
    item->envelope.life_ms = left_ms;
    pipeline_begin_transaction(pipeline);
    item->at = counter_add_put(pipeline, label_key_str(&item->key), key_str(&item->scratch),
                               &item->envelope, head, true);
    pipeline_end_transaction(pipeline);
    return head.ptr;
}

static enum err add_item(struct entries_putter *putter, struct item *item,
                         struct pipeline *pipeline)
{
    struct app *app = putter->options.app;
    int64_t left_ms = item->row.expires_ms - clock_wall_ms();
    size_t size = item->row.label.len + (size_t)item->row.size;

    if (left_ms <= 0) {
        putter->counts.expired++;
        return ERR_OK;
    }
    if (!is_uncleared(putter, item)) {
        putter->counts.cleared++;
        return ERR_OK;
    }
    if (!entries_take_room(app->entries, size, clock_deadline_ns(app->budget_ms))) {
        putter->counts.refused++;
        return ERR_OK;
    }
    /* A clock that was set back makes no life longer than it was. */
    if (left_ms > item->envelope.life_ms)
        left_ms = item->envelope.life_ms;
    item->is_sent = true;
    item->envelope.version = entries_version(&putter->data, &item->numbers);
    item->envelope.models = item->numbers.models;
    return (item->row.kind == ENTRIES_COUNTER ? add_counter(putter, item, left_ms, pipeline)
                                              : add_text(putter, item, left_ms, pipeline))
               ? ERR_OK
               : ERR_NO_MEMORY;
}

static void count_item(struct entries_putter *putter, const struct item *item,
                       const struct pipeline *pipeline)
{
    const struct value *reply = pipeline_value(pipeline, item->at);
    bool is_put = item->row.kind == ENTRIES_COUNTER ? counter_was_put(pipeline, item->at)
                                                    : reply->kind == VALUE_STATUS;

    if (is_put)
        putter->counts.put++;
    else if (reply->kind == VALUE_ERROR || reply->kind == VALUE_MISSING)
        putter->counts.refused++;
    else
        putter->counts.taken++;
    putter->is_full |= reply->kind == VALUE_ERROR;
}

static enum err put(struct entries_putter *putter, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(putter->arena, PIPELINE_WRITE);
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < putter->count; i++)
        err = add_item(putter, &putter->items[i], pipeline);
    if (err || pipeline_count(pipeline) == 0)
        return err;
    err = redis_run(entries_redis(putter->options.app->entries), pipeline, work_of(putter, error));
    if (err && err != ERR_UPSTREAM_REFUSED)
        return err;
    putter->is_full |= err == ERR_UPSTREAM_REFUSED;
    error_clear(error);
    for (size_t i = 0; i < putter->count; i++)
        if (putter->items[i].is_sent)
            count_item(putter, &putter->items[i], pipeline);
    return ERR_OK;
}

/* The batch, and a rest that others have Redis for. */
static enum err flush(struct entries_putter *putter, struct error *error)
{
    int64_t began_ns = clock_mono_ns();
    enum err err = ERR_OK;

    if (!putter->is_full && putter->count > 0)
        err = read_numbers(putter, error);
    if (err == ERR_UPSTREAM_REFUSED) {
        putter->is_full = true;
        error_clear(error);
        err = ERR_OK;
    }
    if (putter->is_full)
        putter->counts.refused += (int64_t)putter->count;
    else if (!err && putter->count > 0)
        err = put(putter, error);
    putter->count = putter->size = 0;
    arena_reset(putter->arena);
    pace_rest(clock_mono_ns() - began_ns, putter->options.duty_percent);
    return err;
}

/* ---- lines ---- */

/* What is whole joins the batch. What is nothing of ours could be served to nobody. */
static enum err join(struct entries_putter *putter, struct error *error)
{
    struct item *item = &putter->items[putter->count];
    struct entries_row *row = &item->row;

    *item = (struct item){.row = putter->begun};
    if (!envelope_decode(row->bytes, &item->envelope)) {
        putter->counts.cleared++;
        return ERR_OK;
    }
    item->numbers.space = row->space;
    item->numbers.models = item->envelope.models;
    item->numbers.keeps = item->envelope.models.count > 0;
    item->key = key_entry(&row->space, row->label);
    item->scratch = key_scratch(&row->space);
    putter->count++;
    putter->size += row->bytes.len;
    return putter->count == BATCH || putter->size >= BATCH_SIZE ? flush(putter, error) : ERR_OK;
}

/* Into the arena of the batch, because the line's memory is used for the next one. */
static enum err begin(struct entries_putter *putter, const struct entries_row *row)
{
    struct entries_row *begun = &putter->begun;
    size_t size = row->kind == ENTRIES_TEXT ? (size_t)row->size : row->bytes.len;

    *begun = *row;
    begun->size = (int64_t)size;
    putter->have = row->bytes.len;
    putter->text = NULL;
    if (row->expires_ms <= clock_wall_ms() || putter->taken < putter->from.earlier)
        return ERR_OK;
    begun->where = str_dup(putter->arena, row->where);
    begun->label = str_dup(putter->arena, row->label);
    begun->number = str_dup(putter->arena, row->number);
    putter->text = arena_alloc(putter->arena, size);
    if (!begun->where.ptr || !begun->label.ptr || !putter->text)
        return ERR_NO_MEMORY;
    (void)namespace_parse(begun->where, &begun->space); /* its name lies there */
    memcpy(putter->text, row->bytes.ptr, row->bytes.len);
    return ERR_OK;
}

/* entries_lines_take has found that it fits. */
static void go_on(struct entries_putter *putter, const struct entries_row *row)
{
    if (putter->text)
        memcpy(putter->text + putter->have, row->bytes.ptr, row->bytes.len);
    putter->have += row->bytes.len;
}

static enum err end_entry(struct entries_putter *putter, struct error *error)
{
    putter->begun.bytes = (struct str){putter->text, putter->have};
    putter->taken++;
    if (putter->text)
        return join(putter, error);
    if (putter->taken <= putter->from.earlier)
        putter->counts.earlier++;
    else
        putter->counts.expired++;
    return ERR_OK;
}

static enum err take_row(struct entries_putter *putter, const struct entries_row *row,
                         struct error *error)
{
    bool is_whole;
    enum err err = entries_lines_take(&putter->lines, row, &is_whole, error);

    if (!err && row->kind == ENTRIES_MORE)
        go_on(putter, row);
    else if (!err)
        err = begin(putter, row);
    return !err && is_whole ? end_entry(putter, error) : err;
}

enum err entries_putter_put(struct entries_putter *putter, struct str lines, struct error *error)
{
    struct str line;
    enum err err = ERR_OK;

    while (!err && str_take_line(&lines, &line)) {
        struct entries_row row;
        arena_reset(putter->row_arena);
        err = entries_row_read(putter->row_arena, line, &row, error);
        if (!err)
            err = take_row(putter, &row, error);
    }
    return err;
}

/* Also of those that were not sent. */
static enum err note_end(struct entries_putter *putter, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(putter->arena, PIPELINE_WRITE);
    enum err err = note_progress(putter, pipeline);

    return err ? err : redis_run(putter->options.app->control, pipeline, work_of(putter, error));
}

enum err entries_putter_finish(struct entries_putter *putter, struct error *error)
{
    enum err err = entries_lines_end(&putter->lines, error);

    if (!err)
        err = flush(putter, error);
    return err ? err : note_end(putter, error);
}
