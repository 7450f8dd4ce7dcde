/* Control data out of Redis: see control_data.h. */
#include "backup/control_data.h"

#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/redis_error.h"
#include "control/dataset.h"
#include "jobs/pace.h"
#include "keyspace.h"
#include "scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ARENA_FIRST = 64 * 1024,
    REVOKED_PAGE = 500,
};

enum phase { PHASE_MARKS, PHASE_REVOKED, PHASE_CLEARS, PHASE_DONE };

/* How far the revocations were read, in the order of their expiry. */
struct revoked_place {
    int64_t expires_s;    /* of the last one; 0: none was read */
    int64_t read;         /* so many that expire then, or later by a number that is none */
    struct strbuf member; /* the last of those */
    int64_t score;        /* and its own expiry */
    int64_t page;         /* how many are asked for */
};

struct control_reader {
    struct control_options options;
    struct arena *arena; /* of one step */
    enum phase phase;
    uint64_t replication_id; /* the Redis that is read; 0: not asked yet */
    struct strbuf lines;     /* of the last step */
    size_t lines_taken;      /* bytes of them */
    size_t keys;             /* that were found, and not told yet */
    uint64_t cursor;
    int64_t scan_keys;
    struct revoked_place place;
};

enum err control_reader_begin(const struct control_options *options,
                              struct control_reader **reader_out)
{
    struct control_reader *reader = calloc(1, sizeof *reader);

    *reader_out = reader;
    if (!reader)
        return ERR_NO_MEMORY;
    reader->options = *options;
    reader->scan_keys = PACE_KEYS_START;
    reader->place.page = REVOKED_PAGE;
    strbuf_init(&reader->lines, NULL, 4096);
    strbuf_init(&reader->place.member, NULL, 0);
    reader->arena = arena_new(ARENA_FIRST, 0);
    if (!reader->arena)
        control_reader_end(reader_out);
    return *reader_out ? ERR_OK : ERR_NO_MEMORY;
}

void control_reader_end(struct control_reader **reader)
{
    if (!*reader)
        return;
    strbuf_fini(&(*reader)->lines);
    strbuf_fini(&(*reader)->place.member);
    arena_free(&(*reader)->arena);
    free(*reader);
    *reader = NULL;
}

/* ---- a step ---- */

/* A missing key means that there is nothing, so it must not be another's data in which it is missing. */
static enum err ask(struct control_reader *reader, struct pipeline *pipeline, struct error *error)
{
    struct work work = {.arena = reader->arena,
                        .deadline_ns = clock_deadline_ns(reader->options.budget_ms),
                        .error = error};

    pipeline_pass_gate(pipeline);
    enum err err = redis_run(reader->options.control, pipeline, work);
    if (err)
        return err;
    uint64_t replication_id = pipeline_replication_id(pipeline);
    if (reader->replication_id != 0 && reader->replication_id != replication_id)
        return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                               "another redis came in the place of the one that was read");
    reader->replication_id = replication_id;
    return ERR_OK;
}

static int64_t number_of(const struct value *value)
{
    int64_t number = 0;

    if (value->kind == VALUE_STRING)
        (void)str_to_int64(value->text, 1, INT64_MAX, &number);
    return number;
}

static enum err read_marks(struct control_reader *reader, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_READ);
    struct key ids = key_highest_id(), voided = key_last_voided(), revoked = key_revoked();
    struct control_row row = {.kind = CONTROL_MARKS};
    struct dataset dataset;

    dataset_ask(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&ids));
    PIPELINE_KEY(pipeline, EXPECT_STRING_OR_NIL, STR("GET"), key_str(&voided));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXISTS"), key_str(&revoked));
    enum err err = ask(reader, pipeline, error);
    if (err)
        return err;
    dataset_take(pipeline_value(pipeline, 0), &dataset);
    row.marks.term = dataset.is_whole ? dataset.term : 0;
    row.marks.reserved = dataset.is_whole ? dataset.reserved : 0;
    row.marks.epoch = dataset.has_epoch ? dataset.epoch : 0;
    row.marks.highest_id = number_of(pipeline_value(pipeline, 1));
    row.marks.voided_s = number_of(pipeline_value(pipeline, 2));
    control_row_write(&row, &reader->lines);
    const bool is_there[] = {row.marks.term > 0, row.marks.highest_id > 0, row.marks.voided_s > 0,
                             pipeline_value(pipeline, 3)->integer == 1};
    for (size_t i = 0; i < sizeof is_there / sizeof *is_there; i++)
        reader->keys += is_there[i];
    reader->phase = PHASE_REVOKED;
    return ERR_OK;
}

/* One that somebody wrote badly is nobody's. */
static void add_revocation(struct control_reader *reader, struct str member, int64_t expires_s)
{
    struct control_row row = {.kind = CONTROL_REVOCATION, .text = member};

    if (expires_s > 0 && revocation_read(member, expires_s, &row.revocation))
        control_row_write(&row, &reader->lines);
}

static struct str member_of(const struct value *page, size_t i)
{
    return page->items[2 * i].text;
}

static int64_t score_of(const struct value *page, size_t i)
{
    return number_of(&page->items[2 * i + 1]);
}

/* Whether a page that was asked for from the last one that was read on begins with it. Else some that expire in that
 * second are gone from it, and others may have come into their places. */
static bool goes_on(const struct revoked_place *place, const struct value *page)
{
    return place->read == 0 ||
           (page->count >= 2 && str_eq(member_of(page, 0), strbuf_str(&place->member)) &&
            score_of(page, 0) == place->score);
}

static void move_on(struct revoked_place *place, const struct value *page, size_t i)
{
    int64_t score = score_of(page, i);

    /* What has a score that is no such number goes with the one before it. */
    if (score > place->expires_s) {
        place->expires_s = score;
        place->read = 0;
        place->page = REVOKED_PAGE;
    }
    place->read++;
    place->score = score;
    place->member.len = 0;
    strbuf_add(&place->member, member_of(page, i));
}

/*
 * By their expiry, from now on: what is added or lasts longer meanwhile comes later, or is read once more, and what
 * goes because it has expired is behind. A page begins with the last one that was read. If that is not there any more,
 * its second is read anew, in a page twice as long: in the end it is one page. So none is missed.
 */
static enum err read_revoked(struct control_reader *reader, struct error *error)
{
    struct revoked_place *place = &reader->place;
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_READ);
    struct key key = key_revoked();
    int64_t from = place->read > 0 ? place->read - 1 : 0;

    if (place->expires_s == 0)
        place->expires_s = clock_wall_s();
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("ZRANGEBYSCORE"), key_str(&key),
                 STR_INT64(place->expires_s), STR("+inf"), STR("WITHSCORES"), STR("LIMIT"),
                 STR_INT64(from), STR_INT64(place->page));
    enum err err = ask(reader, pipeline, error);
    if (err)
        return err;
    const struct value *page = pipeline_value(pipeline, 0);
    size_t count = page->count / 2, wanted = (size_t)place->page;
    if (!goes_on(place, page)) {
        place->read = 0;
        place->page *= 2;
        return ERR_OK;
    }
    for (size_t i = place->read > 0 ? 1 : 0; i < count; i++) {
        add_revocation(reader, member_of(page, i), score_of(page, i));
        move_on(place, page, i);
    }
    if (count < wanted)
        reader->phase = PHASE_CLEARS;
    return place->member.failed ? ERR_NO_MEMORY : ERR_OK;
}

/* A hash without clears has a switch, which the users database knows. */
static enum err read_clears(struct control_reader *reader, const struct scan_portion *portion,
                            struct error *error)
{
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_READ);
    struct control_row *rows = arena_calloc(reader->arena, portion->count, sizeof *rows);
    size_t count = 0;

    if (!rows)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < portion->count; i++) {
        struct control_row *row = &rows[count];
        if (!key_read_namespace(portion->keys[i].text, &row->space))
            continue;
        row->kind = CONTROL_CLEARS;
        row->text = namespace_text(reader->arena, &row->space);
        if (!row->text.ptr)
            return ERR_NO_MEMORY;
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), portion->keys[i].text, STR("clears"));
        count++;
    }
    enum err err = count > 0 ? ask(reader, pipeline, error) : ERR_OK;
    for (size_t i = 0; !err && i < count; i++) {
        const struct value *reply = pipeline_value(pipeline, i);
        if (reply->kind == VALUE_ARRAY && reply->count == 1)
            rows[i].clears = number_of(&reply->items[0]);
        if (rows[i].clears == 0)
            continue;
        control_row_write(&rows[i], &reader->lines);
        reader->keys++;
    }
    return err;
}

static enum err scan(struct control_reader *reader, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(reader->arena, PIPELINE_READ);
    struct scan_portion portion;
    char cursor[24];

    snprintf(cursor, sizeof cursor, "%" PRIu64, reader->cursor);
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("SCAN"), str_from(cursor), STR("MATCH"),
                 KEY_NAMESPACES, STR("COUNT"), STR_INT64(reader->scan_keys));
    enum err err = ask(reader, pipeline, error);
    if (err)
        return err;
    if (!scan_portion_read(pipeline_value(pipeline, 0), KEY_NAMESPACES_FROM, &portion))
        return redis_error_set(error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_REFUSED,
                               "SCAN gave an answer that is none");
    err = read_clears(reader, &portion, error);
    reader->cursor = portion.cursor;
    if (!err && portion.cursor == 0)
        reader->phase = PHASE_DONE;
    return err;
}

/* Work, and a rest that others have Redis for. */
static enum err take_step(struct control_reader *reader, struct error *error)
{
    int64_t began_ns = clock_mono_ns();
    enum err err = ERR_OK;

    if (reader->options.is_stopping && atomic_load(reader->options.is_stopping))
        return error_set_detail(error, ERR_BUSY, "the program is to end");
    arena_reset(reader->arena);
    reader->lines.len = 0;
    reader->lines_taken = 0;
    if (reader->phase == PHASE_MARKS)
        err = read_marks(reader, error);
    else if (reader->phase == PHASE_REVOKED)
        err = read_revoked(reader, error);
    else
        err = scan(reader, error);
    if (!err && reader->lines.failed)
        err = ERR_NO_MEMORY;
    int64_t took_ns = clock_mono_ns() - began_ns;
    reader->scan_keys = pace_next_keys(reader->scan_keys, took_ns);
    if (!err && reader->phase != PHASE_DONE)
        pace_rest(took_ns, reader->options.duty_percent);
    return err;
}

/* ---- lines ---- */

/* Whole lines while they fit. False: there is one that does not. */
static bool move_lines(struct control_reader *reader, size_t end, struct strbuf *lines,
                       struct control_rows *rows)
{
    while (reader->lines_taken < reader->lines.len) {
        struct str left =
            str_sub(strbuf_str(&reader->lines), reader->lines_taken, reader->lines.len);
        size_t size = (size_t)str_find(left, '\n') + 1;
        if (lines->len + size > end)
            return false;
        strbuf_add(lines, str_sub(left, 0, size));
        reader->lines_taken += size;
        rows->rows++;
    }
    rows->keys += reader->keys;
    reader->keys = 0;
    return true;
}

enum err control_reader_read(struct control_reader *reader, size_t limit, struct strbuf *lines,
                             struct control_rows *rows_out, struct error *error)
{
    size_t end = lines->len + limit;
    enum err err = ERR_OK;

    *rows_out = (struct control_rows){0};
    while (!err && move_lines(reader, end, lines, rows_out)) {
        rows_out->is_done = reader->phase == PHASE_DONE;
        if (rows_out->is_done)
            break;
        err = take_step(reader, error);
    }
    return !err && lines->failed ? ERR_NO_MEMORY : err;
}
