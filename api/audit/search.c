/*
 * A search goes through the streams of the parts as through one list, a round trip for each of some pieces. A piece
 * that is looked at is forgotten, so memory does not grow with what is looked at.
 */
#include "cachewarden/audit_search.h"

#include "audit/entry.h"
#include "audit/id.h"
#include "cachewarden/app.h"
#include "cachewarden/pipeline.h"
#include "control/installation.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>

enum {
    PIECE =
        1000, /* records of each part in one round trip, while not each that is read is wanted */
    ARENA_BLOCK = 64 * 1024,
};

struct search {
    struct app *app;
    const struct audit_search *wanted;
    struct work work; /* the arena is that of one piece */
    size_t piece;
    struct audit_id place; /* what is older is not looked at yet */
    bool has_place;
    struct {
        const struct value *entries; /* newest first; NULL: not asked for */
        size_t next;                 /* the newest that was not looked at */
    } parts[AUDIT_PARTS];
    size_t found_count, looked_at;
};

int audit_part_of_name(struct str name)
{
    for (int part = 0; part < AUDIT_PARTS; part++) {
        if (str_eq(name, str_from(audit_part_name((enum audit_part)part))))
            return part;
    }
    return -1;
}

/* ---- one record ---- */

/* The record of a stream entry ("record", value), empty when it is not there. */
static struct str packed_of(const struct value *pairs)
{
    for (size_t i = 0; i + 1 < pairs->count; i += 2) {
        if (str_eq(pairs->items[i].text, AUDIT_PACKED))
            return pairs->items[i + 1].text;
    }
    return STR_NONE;
}

void audit_found_write(struct json_writer *json, const struct audit_found *record)
{
    json_open_object(json);
    json_add_string(json, "id", record->id);
    for (int i = 0; i < AUDIT_FIELD_COUNT; i++) {
        enum audit_field field = (enum audit_field)i;
        const char *name = audit_field_name(field);
        int64_t number = 0;
        if (field != AUDIT_COUNT && field != AUDIT_PRINCIPAL_ID) {
            json_add_string(json, name, record->fields[i]);
        } else if (str_to_int64(record->fields[i], 0, INT64_MAX, &number)) {
            json_add_integer(json, name, number);
        } else {
            json_name(json, name);
            json_write_null(json);
        }
    }
    json_close_object(json);
}

static bool is_or_any(struct str wanted, struct str text)
{
    return wanted.len == 0 || str_eq(wanted, text);
}

static bool is_wanted(const struct audit_search *wanted, const struct audit_found *record)
{
    return is_or_any(wanted->principal, record->fields[AUDIT_PRINCIPAL]) &&
           is_or_any(wanted->action, record->fields[AUDIT_ROUTE]) &&
           is_or_any(wanted->target, record->fields[AUDIT_TARGET]) &&
           is_or_any(wanted->result, record->fields[AUDIT_RESULT]);
}

/* Whether each record that is read is one that is wanted. */
static bool wants_each(const struct audit_search *wanted)
{
    return wanted->principal.len == 0 && wanted->action.len == 0 && wanted->target.len == 0 &&
           wanted->result.len == 0;
}

/* ---- reading a piece ---- */

static enum err add_read(struct search *search, struct pipeline *pipeline, enum audit_part part)
{
    struct key stream = key_audit(part);
    struct arena *arena = search->work.arena;
    struct str newest = STR("+"), oldest = STR("-");
    struct str count = str_format(arena, "%zu", search->piece);

    if (search->has_place)
        newest = audit_id_end(arena, search->place, part);
    if (search->wanted->since_ms > 0)
        oldest = str_format(arena, "%" PRId64 "-0", search->wanted->since_ms);
    if (!TEXTS_MADE(newest, oldest, count))
        return error_set_detail(search->work.error, ERR_NO_MEMORY, "no memory for a command");
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("XREVRANGE"), key_str(&stream), newest, oldest,
                 STR("COUNT"), count);
    return ERR_OK;
}

static enum err read_piece(struct search *search)
{
    int only = search->wanted->part;

    arena_reset(search->work.arena);
    struct pipeline *pipeline = pipeline_new(search->work.arena, PIPELINE_READ);
    size_t at[AUDIT_PARTS];
    enum err err = ERR_OK;

    for (int part = 0; part < AUDIT_PARTS && err == ERR_OK; part++) {
        at[part] = pipeline_count(pipeline);
        if (only < 0 || only == part)
            err = add_read(search, pipeline, (enum audit_part)part);
    }
    size_t whose = pipeline_count(pipeline);
    installation_ask(pipeline);
    if (err == ERR_OK)
        err = redis_run(search->app->control, pipeline, search->work);
    if (err == ERR_OK)
        err = installation_check(search->app, pipeline_value(pipeline, whose), search->work.error);
    for (int part = 0; part < AUDIT_PARTS && err == ERR_OK; part++) {
        search->parts[part].next = 0;
        search->parts[part].entries =
            only < 0 || only == part ? pipeline_value(pipeline, at[part]) : NULL;
    }
    return err;
}

/* ---- looking at it ---- */

struct newest {
    const struct value *entry; /* NULL: there is none left */
    int part;
    struct audit_id id;
};

/* Each entry is [id, [name, value, …]]; anything else was not written by us, or not by Redis. */
static bool is_entry(const struct value *entry)
{
    return entry->kind == VALUE_ARRAY && entry->count == 2 &&
           entry->items[0].kind == VALUE_STRING && entry->items[1].kind == VALUE_ARRAY;
}

static enum err find_newest(const struct search *search, struct newest *newest_out)
{
    struct audit_id id;

    newest_out->entry = NULL;
    for (int part = 0; part < AUDIT_PARTS; part++) {
        const struct value *entries = search->parts[part].entries;
        if (!entries || search->parts[part].next == entries->count)
            continue;
        const struct value *entry = &entries->items[search->parts[part].next];
        if (!is_entry(entry) ||
            !audit_id_of_entry(entry->items[0].text, (enum audit_part)part, &id))
            return refuse_reply(search->work.error, "an entry of the audit has a strange form");
        if (!newest_out->entry || audit_id_is_older(newest_out->id, id))
            *newest_out = (struct newest){.entry = entry, .part = part, .id = id};
    }
    return ERR_OK;
}

/* A part of which all that was read was looked at, and of which there may be more in Redis. */
static bool is_used_up(const struct search *search, int part)
{
    const struct value *entries = search->parts[part].entries;

    return entries && entries->count == search->piece && search->parts[part].next == entries->count;
}

static bool is_enough(const struct search *search)
{
    return search->found_count == search->wanted->limit || search->looked_at >= AUDIT_LOOK_AT_MAX;
}

/*
 * Looks at what was read while it is known to be the newest that is left. *is_end_out: all that there is was looked
 * at. Otherwise there was enough, or a part is used up, and the rest of it in Redis may be newer than what is here.
 */
static enum err look(struct search *search,
                     void (*found)(void *with, const struct audit_found *record), void *with,
                     bool *is_end_out)
{
    for (;;) {
        struct newest newest;
        enum err err = find_newest(search, &newest);
        *is_end_out = !newest.entry;
        if (err != ERR_OK || !newest.entry || is_enough(search))
            return err;
        struct audit_found record = {.id = audit_id_write(search->work.arena, newest.id)};
        if (!record.id.ptr)
            return error_set_detail(search->work.error, ERR_NO_MEMORY, "no memory for an id");
        audit_unpack(packed_of(&newest.entry->items[1]), record.fields);
        search->place = newest.id;
        search->has_place = true;
        search->parts[newest.part].next++;
        search->looked_at++;
        if (is_wanted(search->wanted, &record)) {
            search->found_count++;
            found(with, &record);
        }
        if (is_used_up(search, newest.part))
            return ERR_OK;
    }
}

/* ---- the whole ---- */

/* Where it begins: what is older than `before`, and than `until`. */
static enum err find_place(struct search *search)
{
    const struct audit_search *wanted = search->wanted;
    const struct audit_id until = {.time_ms = wanted->until_ms};

    search->has_place = wanted->before.len > 0;
    if (search->has_place && !audit_id_read(wanted->before, &search->place))
        return error_set_detail(search->work.error, ERR_INTERNAL, "an id that is none");
    if (wanted->has_until && (!search->has_place || audit_id_is_older(until, search->place))) {
        search->place = until;
        search->has_place = true;
    }
    return ERR_OK;
}

enum err audit_search(struct app *app, struct work work, const struct audit_search *wanted,
                      void (*found)(void *with, const struct audit_found *record), void *with,
                      struct str *next_out)
{
    /* One more than asked for tells whether there is more. */
    struct search search = {.app = app,
                            .wanted = wanted,
                            .work = work,
                            .piece = wants_each(wanted) ? wanted->limit + 1 : PIECE};
    bool is_end = false;

    *next_out = STR_NONE;
    search.work.arena = arena_new(ARENA_BLOCK, 0);
    if (!search.work.arena)
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a search");
    enum err err = find_place(&search);
    while (err == ERR_OK && !is_end && !is_enough(&search)) {
        err = read_piece(&search);
        if (err == ERR_OK)
            err = look(&search, found, with, &is_end);
    }
    arena_free(&search.work.arena);
    if (err != ERR_OK || is_end)
        return err;
    *next_out = audit_id_write(work.arena, search.place);
    return next_out->ptr ? ERR_OK
                         : error_set_detail(work.error, ERR_NO_MEMORY, "no memory for an id");
}
