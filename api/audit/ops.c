/* GET /api/v1/audit: the streams of all parts, or of one, as one list, newest first. */
#include "ops.h"

#include "audit/entry.h"
#include "audit/id.h"
#include "cachewarden/app.h"
#include "cachewarden/audit.h"
#include "cachewarden/call.h"
#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "control/installation.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>

/* Long enough for a record just written, short enough to leave time for the reading. */
enum { DRAIN_MS = 100 };

/* The record of a stream entry ("record", value), empty when it is not there. */
static struct str packed_of(const struct value *pairs)
{
    for (size_t i = 0; i + 1 < pairs->count; i += 2) {
        if (str_eq(pairs->items[i].text, AUDIT_PACKED))
            return pairs->items[i + 1].text;
    }
    return STR_NONE;
}

static void write_record(struct json_writer *json, struct str id, const struct value *pairs)
{
    struct str fields[AUDIT_FIELD_COUNT];

    audit_unpack(packed_of(pairs), fields);
    json_open_object(json);
    json_add_string(json, "id", id);
    for (int i = 0; i < AUDIT_FIELD_COUNT; i++) {
        enum audit_field field = (enum audit_field)i;
        const char *name = audit_field_name(field);
        int64_t number = 0;
        if (field != AUDIT_COUNT && field != AUDIT_PRINCIPAL_ID) {
            json_add_string(json, name, fields[i]);
        } else if (str_to_int64(fields[i], 0, INT64_MAX, &number)) {
            json_add_integer(json, name, number);
        } else {
            json_name(json, name);
            json_write_null(json);
        }
    }
    json_close_object(json);
}

/* Each entry is [id, [name, value, …]]; anything else was not written by us, or not by Redis. */
static bool is_entry(const struct value *entry)
{
    return entry->kind == VALUE_ARRAY && entry->count == 2 &&
           entry->items[0].kind == VALUE_STRING && entry->items[1].kind == VALUE_ARRAY;
}

/* ---- one page of several streams ---- */

struct page {
    struct call *call;
    size_t limit;
    struct {
        const struct value *entries; /* newest first; NULL: not asked for */
        size_t next;                 /* the newest that was not written yet */
    } parts[AUDIT_PARTS];
};

struct newest {
    const struct value *entry; /* NULL: there is none left */
    int part;
    struct audit_id id;
};

static enum err find_newest(const struct page *page, struct newest *newest_out)
{
    struct audit_id id;

    newest_out->entry = NULL;
    for (int part = 0; part < AUDIT_PARTS; part++) {
        const struct value *entries = page->parts[part].entries;
        if (!entries || page->parts[part].next == entries->count)
            continue;
        const struct value *entry = &entries->items[page->parts[part].next];
        if (!is_entry(entry) ||
            !audit_id_of_entry(entry->items[0].text, (enum audit_part)part, &id))
            return refuse_reply(&page->call->error, "an entry of the audit has a strange form");
        if (!newest_out->entry || audit_id_is_older(newest_out->id, id))
            *newest_out = (struct newest){.entry = entry, .part = part, .id = id};
    }
    return ERR_OK;
}

/* Writes the newest that is left; *id_out is empty when there was none. */
static enum err write_newest(struct page *page, struct str *id_out)
{
    struct newest newest;
    enum err err = find_newest(page, &newest);

    *id_out = STR_NONE;
    if (err != ERR_OK || !newest.entry)
        return err;
    *id_out = audit_id_write(page->call->arena, newest.id);
    if (!id_out->ptr)
        return error_set_detail(&page->call->error, ERR_NO_MEMORY, "no memory for an id");
    page->parts[newest.part].next++;
    write_record(&page->call->reply.json, *id_out, &newest.entry->items[1]);
    return ERR_OK;
}

static bool has_more(const struct page *page)
{
    for (int part = 0; part < AUDIT_PARTS; part++) {
        if (page->parts[part].entries && page->parts[part].next < page->parts[part].entries->count)
            return true;
    }
    return false;
}

static enum err write_page(struct page *page)
{
    struct call *call = page->call;
    struct json_writer *json = &call->reply.json;
    struct str id = STR_NONE;
    enum err err = ERR_OK;

    json_open_object(json);
    json_name(json, "records");
    json_open_array(json);
    for (size_t i = 0; i < page->limit && has_more(page) && err == ERR_OK; i++)
        err = write_newest(page, &id);
    if (err != ERR_OK)
        return err;
    json_close_array(json);
    json_name(json, "next");
    if (has_more(page))
        json_write_string(json, id);
    else
        json_write_null(json);
    json_close_object(json);
    return call_finish(call);
}

/* ---- the operation ---- */

/* One more than asked for tells whether there is more. */
static enum err add_read(struct call *call, struct pipeline *pipeline, enum audit_part part)
{
    const struct param_value *before = call_param(call, "before");
    struct key stream = key_audit(part);
    struct str newest = STR("+");
    struct str count = str_format(call->arena, "%" PRId64, call_param(call, "limit")->integer + 1);
    struct audit_id id;

    if (before->given && !audit_id_read(before->text, &id))
        return error_set_detail(&call->error, ERR_INTERNAL, "an id that is none");
    if (before->given)
        newest = audit_id_end(call->arena, id, part);
    if (!TEXTS_MADE(newest, count))
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a command");
    PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("XREVRANGE"), key_str(&stream), newest, STR("-"),
                 STR("COUNT"), count);
    return ERR_OK;
}

/* Whether the caller wants to see that part. */
static bool is_wanted(const struct call *call, int part)
{
    const struct param_value *wanted = call_param(call, "part");

    return !wanted->given || str_eq(wanted->text, str_from(audit_part_name((enum audit_part)part)));
}

static enum err read_page(struct call *call, struct page *page)
{
    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_READ);
    size_t at[AUDIT_PARTS];
    enum err err = ERR_OK;

    for (int part = 0; part < AUDIT_PARTS && err == ERR_OK; part++) {
        at[part] = pipeline_count(pipeline);
        if (is_wanted(call, part))
            err = add_read(call, pipeline, (enum audit_part)part);
    }
    if (err == ERR_OK && pipeline_count(pipeline) == 0)
        return error_set(&call->error, ERR_BAD_INPUT, "part: Must be changes, clears or sign_ins.");
    size_t whose = pipeline_count(pipeline);
    installation_ask(pipeline);
    if (err == ERR_OK)
        err = redis_run(call->app->control, pipeline, call_work(call));
    if (err == ERR_OK)
        err = installation_check(call->app, pipeline_value(pipeline, whose), &call->error);
    for (int part = 0; part < AUDIT_PARTS && err == ERR_OK; part++) {
        if (is_wanted(call, part))
            page->parts[part].entries = pipeline_value(pipeline, at[part]);
    }
    return err;
}

enum err op_audit_list(struct call *call)
{
    struct page page = {.call = call, .limit = (size_t)call_param(call, "limit")->integer};

    /* So that people see what they just did. When it takes too long they see it a moment later. */
    enum err drained = audit_drain(call->app, clock_deadline_ns(DRAIN_MS));
    (void)drained;

    enum err err = read_page(call, &page);
    return err == ERR_OK ? write_page(&page) : err;
}
