/* Entries out of Redis: see entries_read.h. */
#include "backup/entries_read.h"

#include "backup/entries_batch.h"
#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/redis_error.h"
#include "jobs/pace.h"
#include "keyspace.h"
#include "scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_FIRST = 64 * 1024 };

struct entries_reader {
    struct entries_options options;
    struct arena *portion_arena, *batch_arena, *row_arena;
    const struct entries_source *source;
    uint64_t cursor;
    int64_t scan_keys;
    bool has_scanned;             /* all of it */
    struct entries_place *places; /* of the portion */
    size_t place_count, place_next;
    struct entries_batch batch; /* what was fetched, and not written yet: from .next on */
    size_t next;
    size_t written;      /* bytes of the text that is next */
    struct strbuf row;   /* the line that is next; empty: it is not made yet */
    bool row_ends_entry; /* an entry is whole with it */
};

static void free_arenas(struct entries_reader *reader)
{
    arena_free(&reader->portion_arena);
    arena_free(&reader->batch_arena);
    arena_free(&reader->row_arena);
}

enum err entries_reader_begin(const struct entries_options *options,
                              const struct entries_source *source,
                              struct entries_reader **reader_out)
{
    struct entries_reader *reader = calloc(1, sizeof *reader);

    *reader_out = reader;
    if (!reader)
        return ERR_NO_MEMORY;
    reader->options = *options;
    reader->source = source;
    reader->scan_keys = PACE_KEYS_START;
    strbuf_init(&reader->row, NULL, 4096);
    reader->portion_arena = arena_new(ARENA_FIRST, 0);
    reader->batch_arena = arena_new(ARENA_FIRST, 0);
    reader->row_arena = arena_new(ARENA_FIRST, 0);
    if (!reader->portion_arena || !reader->batch_arena || !reader->row_arena)
        entries_reader_end(reader_out);
    return *reader_out ? ERR_OK : ERR_NO_MEMORY;
}

void entries_reader_end(struct entries_reader **reader)
{
    if (!*reader)
        return;
    strbuf_fini(&(*reader)->row);
    free_arenas(*reader);
    free(*reader);
    *reader = NULL;
}

/* ---- looking for keys ---- */

static struct work work_in(const struct entries_reader *reader, struct arena *arena,
                           struct error *error)
{
    return (struct work){.arena = arena,
                         .deadline_ns = clock_deadline_ns(reader->options.app->budget_ms),
                         .error = error};
}

static enum err take_portion(struct entries_reader *reader, const struct scan_portion *portion,
                             struct error *error)
{
    reader->places = arena_calloc(reader->portion_arena, portion->count, sizeof *reader->places);
    if (!reader->places)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < portion->count; i++)
        if (entries_place_read(portion->keys[i].text, &reader->places[reader->place_count]))
            reader->place_count++;
    return entries_places_measure(reader->options.app,
                                  work_in(reader, reader->portion_arena, error), reader->places,
                                  reader->place_count);
}

static enum err scan(struct entries_reader *reader, struct error *error)
{
    struct pipeline *pipeline;
    struct scan_portion portion;
    char cursor[24];

    arena_reset(reader->portion_arena);
    reader->place_count = reader->place_next = 0;
    pipeline = pipeline_new(reader->portion_arena, PIPELINE_READ);
    snprintf(cursor, sizeof cursor, "%" PRIu64, reader->cursor);
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("SCAN"), str_from(cursor), STR("MATCH"), KEY_ENTRIES,
                 STR("COUNT"), STR_INT64(reader->scan_keys));
    enum err err = redis_run(entries_redis(reader->options.app->entries), pipeline,
                             work_in(reader, reader->portion_arena, error));
    if (err)
        return err;
    if (!scan_portion_read(pipeline_value(pipeline, 0), KEY_NAMESPACES_FROM, &portion))
        return redis_error_set(error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_REFUSED,
                               "SCAN gave an answer that is none");
    reader->cursor = portion.cursor;
    reader->has_scanned = portion.cursor == 0;
    return take_portion(reader, &portion, error);
}

/* ---- a step ---- */

static enum err fetch(struct entries_reader *reader, struct error *error)
{
    const struct work work = work_in(reader, reader->batch_arena, error);
    size_t taken;

    arena_reset(reader->batch_arena);
    reader->next = 0;
    enum err err = entries_batch_fetch(
        reader->options.app, work, reader->source, reader->places + reader->place_next,
        reader->place_count - reader->place_next, &taken, &reader->batch);
    reader->place_next += taken;
    return err;
}

/* Work, and a rest that others have Redis for. */
static enum err take_step(struct entries_reader *reader, struct error *error)
{
    int64_t began_ns = clock_mono_ns();
    bool scans = reader->place_next == reader->place_count;

    if (reader->options.is_stopping && atomic_load(reader->options.is_stopping))
        return error_set_detail(error, ERR_BUSY, "the program is to end");
    enum err err = scans ? scan(reader, error) : fetch(reader, error);
    int64_t took_ns = clock_mono_ns() - began_ns;
    if (scans)
        reader->scan_keys = pace_next_keys(reader->scan_keys, took_ns);
    if (!err)
        pace_rest(took_ns, reader->options.duty_percent);
    return err;
}

/* ---- lines ---- */

/* The next line of the batch: an entry that fits in it, or a piece of one. */
static void make_row(struct entries_reader *reader)
{
    const struct entries_item *item = &reader->batch.items[reader->next];
    struct entries_row row = item->row;

    arena_reset(reader->row_arena);
    reader->row.len = 0;
    if (row.kind == ENTRIES_TEXT) {
        row.kind = reader->written > 0 ? ENTRIES_MORE : ENTRIES_TEXT;
        row.bytes = str_sub(item->row.bytes, reader->written, ENTRIES_CHUNK);
        reader->written += row.bytes.len;
    }
    reader->row_ends_entry = row.kind == ENTRIES_COUNTER || reader->written == item->row.bytes.len;
    entries_row_write(&row, reader->row_arena, &reader->row);
    if (reader->row_ends_entry) {
        reader->next++;
        reader->written = 0;
    }
}

/* Whole lines while they fit. False: there is one that does not. */
static bool move_rows(struct entries_reader *reader, size_t end, struct strbuf *lines,
                      struct entries_rows *rows)
{
    for (;;) {
        if (reader->row.len == 0 && reader->next == reader->batch.count)
            return true;
        if (reader->row.len == 0)
            make_row(reader);
        if (lines->len + reader->row.len > end)
            return false;
        strbuf_add(lines, strbuf_str(&reader->row));
        lines->failed |= reader->row.failed;
        reader->row.len = 0;
        rows->rows++;
        rows->entries += reader->row_ends_entry;
    }
}

static bool is_done(const struct entries_reader *reader)
{
    return reader->has_scanned && reader->place_next == reader->place_count;
}

enum err entries_reader_read(struct entries_reader *reader, size_t limit, struct strbuf *lines,
                             struct entries_rows *rows_out, struct error *error)
{
    size_t end = lines->len + limit;
    enum err err = ERR_OK;

    *rows_out = (struct entries_rows){0};
    while (!err && move_rows(reader, end, lines, rows_out)) {
        rows_out->is_done = is_done(reader);
        if (rows_out->is_done)
            break;
        err = take_step(reader, error);
    }
    return !err && lines->failed ? ERR_NO_MEMORY : err;
}

enum err entries_reader_confirm(struct entries_reader *reader, struct error *error)
{
    struct entries_source now;

    arena_reset(reader->batch_arena);
    reader->batch.count = reader->next = 0;
    enum err err =
        entries_source_read(reader->options.app, work_in(reader, reader->batch_arena, error), &now);
    return err ? err : entries_source_expect(reader->source, &now, error);
}
