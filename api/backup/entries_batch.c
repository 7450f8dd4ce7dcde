#include "backup/entries_batch.h"

#include "backup/entries_numbers.h"
#include "cachewarden/clock.h"
#include "entries/counter.h"
#include "entries/envelope.h"
#include "entries/look.h"
#include "keyspace.h"

/* ---- keys ---- */

bool entries_place_read(struct str key, struct entries_place *place_out)
{
    const struct str middle = STR("}:e:");

    *place_out = (struct entries_place){.key = key};
    for (size_t i = 0; i + middle.len < key.len; i++) {
        if (!str_eq(str_sub(key, i, middle.len), middle))
            continue;
        place_out->label = str_sub(key, i + middle.len, key.len);
        if (!key_read_namespace(str_sub(key, 0, i + 1), &place_out->space) ||
            !entry_is_label(place_out->label))
            return false;
        struct label_key again = key_entry(&place_out->space, place_out->label);
        return str_eq(label_key_str(&again), key);
    }
    return false;
}

enum err entries_places_measure(struct app *app, struct work work, struct entries_place *places,
                                size_t count)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);

    for (size_t i = 0; i < count; i++)
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("STRLEN"), places[i].key);
    enum err err = count > 0 ? redis_run(entries_redis(app->entries), pipeline, work) : ERR_OK;
    for (size_t i = 0; !err && i < count; i++) {
        const struct value *reply = pipeline_value(pipeline, i);
        places[i].is_counter = entry_is_other_type(reply, work.error, &err);
        places[i].size = reply->kind == VALUE_INTEGER ? reply->integer : 0;
    }
    return err;
}

/* ---- entries ---- */

/* What is looked at, and what it is judged by. */
struct seen {
    const struct entries_place *place;
    struct envelope envelope;
    struct entries_numbers numbers;
    int64_t left_ms;
    const struct value *value; /* of a counter */
};

struct fetching {
    struct app *app;
    struct work work;
    const struct entries_source *source;
    struct seen *seen;
    size_t count;
    struct entries_data data;
};

static size_t choose(const struct entries_place *places, size_t count)
{
    int64_t size = 0;
    size_t chosen = 0;

    while (chosen < count && chosen < ENTRIES_BATCH &&
           (chosen == 0 || size + places[chosen].size <= ENTRIES_BATCH_SIZE))
        size += places[chosen++].size;
    return chosen;
}

/* A text that is longer than any of ours is nobody's; counters are judged when their version is known. */
static bool take_value(const struct pipeline *pipeline, size_t at,
                       const struct entries_place *place, struct seen *seen)
{
    const struct value *value = pipeline_value(pipeline, at);
    const struct value *left = pipeline_value(pipeline, at + 1);

    *seen = (struct seen){.place = place, .value = value};
    seen->numbers.space = place->space;
    seen->left_ms = left->kind == VALUE_INTEGER ? left->integer : 0;
    if (place->is_counter)
        return value->kind == VALUE_ARRAY && seen->left_ms > 0;
    if (value->kind != VALUE_STRING || value->text.len > ENTRIES_VALUE_MAX || seen->left_ms == 0 ||
        !envelope_decode(value->text, &seen->envelope))
        return false;
    seen->numbers.models = seen->envelope.models;
    return true;
}

/* The values first: so they are judged by numbers that were read behind them. */
static enum err get_values(struct fetching *fetching, const struct entries_place *places,
                           size_t count)
{
    struct pipeline *pipeline = pipeline_new(fetching->work.arena, PIPELINE_READ);

    for (size_t i = 0; i < count; i++) {
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, places[i].is_counter ? STR("HGETALL") : STR("GET"),
                     places[i].key);
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PTTL"), places[i].key);
    }
    pipeline_expect_much(pipeline);
    enum err err = redis_run(entries_redis(fetching->app->entries), pipeline, fetching->work);
    for (size_t i = 0; !err && i < count; i++) {
        struct seen *seen = &fetching->seen[fetching->count];
        /* One that has become another kind meanwhile is a new one: it is after the backup. */
        if (!entry_is_other_type(pipeline_value(pipeline, 2 * i), fetching->work.error, &err) &&
            !err && take_value(pipeline, 2 * i, &places[i], seen))
            fetching->count++;
    }
    return err;
}

static enum err get_numbers(struct fetching *fetching)
{
    struct pipeline *pipeline = pipeline_new(fetching->work.arena, PIPELINE_READ);
    struct error *error = fetching->work.error;

    pipeline_pass_gate(pipeline);
    for (size_t i = 0; i < fetching->count; i++)
        entries_numbers_ask(pipeline, &fetching->seen[i].numbers);
    entries_data_ask(pipeline, &fetching->data);
    enum err err = redis_run(fetching->app->control, pipeline, fetching->work);
    for (size_t i = 0; !err && i < fetching->count; i++)
        err = entries_numbers_take(pipeline, &fetching->seen[i].numbers, error);
    if (err)
        return err;
    entries_data_take(pipeline, &fetching->data);
    const struct entries_source now = {.dataset =
                                           fetching->data.is_whole ? fetching->data.id : STR_NONE,
                                       .replication_id = pipeline_replication_id(pipeline),
                                       .store = fetching->source->store};
    return entries_source_expect(fetching->source, &now, error);
}

static void describe(const struct seen *seen, struct arena *arena, int64_t expires_ms,
                     struct entries_row *row)
{
    *row = (struct entries_row){.kind = ENTRIES_TEXT,
                                .space = seen->place->space,
                                .where = namespace_text(arena, &seen->place->space),
                                .label = seen->place->label,
                                .clears = seen->numbers.clears,
                                .expires_ms = expires_ms};
}

static bool take_text(const struct fetching *fetching, const struct seen *seen, int64_t now_ms,
                      struct entries_row *row_out)
{
    int64_t ends_ms = seen->envelope.stored_at_ms + seen->envelope.life_ms;
    int64_t left_ms = ends_ms - now_ms;

    if (seen->left_ms > 0 && seen->left_ms < left_ms)
        left_ms = seen->left_ms;
    if (seen->envelope.version != entries_version(&fetching->data, &seen->numbers) ||
        models_judge(&seen->envelope.models, &seen->numbers.models) != MODELS_CURRENT ||
        left_ms <= 0)
        return false;
    describe(seen, fetching->work.arena, now_ms + left_ms, row_out);
    row_out->bytes = seen->value->text;
    row_out->size = (int64_t)row_out->bytes.len;
    return true;
}

static bool take_counter(const struct fetching *fetching, const struct seen *seen, int64_t now_ms,
                         struct entries_row *row_out)
{
    int64_t version = entries_version(&fetching->data, &seen->numbers);
    struct counter_fields fields;

    if (!counter_counts(seen->value, version))
        return false;
    counter_name_fields(&fields, version);
    describe(seen, fetching->work.arena, now_ms + seen->left_ms, row_out);
    row_out->kind = ENTRIES_COUNTER;
    row_out->bytes = counter_find(seen->value, fields.head);
    row_out->number = counter_find(seen->value, fields.number);
    return row_out->bytes.len > 0 && row_out->bytes.len <= ENVELOPE_HEAD_MAX;
}

static void take_good(const struct fetching *fetching, struct entries_batch *batch)
{
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < fetching->count; i++) {
        const struct seen *seen = &fetching->seen[i];
        struct entries_row *row = &batch->items[batch->count].row;
        if (seen->numbers.clears < 0)
            continue;
        batch->count += seen->place->is_counter ? take_counter(fetching, seen, now_ms, row)
                                                : take_text(fetching, seen, now_ms, row);
    }
}

enum err entries_batch_fetch(struct app *app, struct work work, const struct entries_source *source,
                             const struct entries_place *places, size_t count, size_t *taken_out,
                             struct entries_batch *batch_out)
{
    struct fetching fetching = {.app = app,
                                .work = work,
                                .source = source,
                                .seen =
                                    arena_calloc(work.arena, ENTRIES_BATCH, sizeof *fetching.seen)};

    batch_out->count = 0;
    *taken_out = choose(places, count);
    if (!fetching.seen)
        return ERR_NO_MEMORY;
    enum err err = get_values(&fetching, places, *taken_out);
    if (!err && fetching.count > 0)
        err = get_numbers(&fetching);
    if (!err)
        take_good(&fetching, batch_out);
    return err;
}
