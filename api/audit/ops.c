/* GET /api/v1/audit: the stream, newest first. */
#include "ops.h"

#include "audit/entry.h"
#include "cachewarden/clock.h"
#include "cachewarden/pipeline.h"
#include "keyspace.h"
#include "services.h"

/* Long enough for a record just written, short enough to leave time for the reading. */
enum { DRAIN_MS = 100 };

/* The field's value in a stream entry ("name","value",…), empty when it is not there. */
static struct str field_of(const struct value *pairs, enum audit_field field)
{
    struct str name = str_from(audit_field_name(field));

    for (size_t i = 0; i + 1 < pairs->count; i += 2) {
        if (str_eq(pairs->items[i].text, name))
            return pairs->items[i + 1].text;
    }
    return STR_NONE;
}

static void write_record(struct json_writer *json, struct str id, const struct value *pairs)
{
    json_open_object(json);
    json_add_string(json, "id", id);
    for (int i = 0; i < AUDIT_FIELD_COUNT; i++) {
        enum audit_field field = (enum audit_field)i;
        struct str text = field_of(pairs, field);
        const char *name = audit_field_name(field);
        int64_t number = 0;
        if (field != AUDIT_COUNT && field != AUDIT_PRINCIPAL_ID) {
            json_add_string(json, name, text);
        } else if (str_to_int64(text, 0, INT64_MAX, &number)) {
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

static enum err write_records(struct call *call, const struct value *entries, size_t limit)
{
    struct json_writer *json = &call->reply.json;
    size_t shown = entries->count < limit ? entries->count : limit;

    json_open_object(json);
    json_name(json, "records");
    json_open_array(json);
    for (size_t i = 0; i < shown; i++) {
        if (!is_entry(&entries->items[i]))
            return refuse_reply(&call->error, "an entry of the audit stream has a strange form");
        write_record(json, entries->items[i].items[0].text, &entries->items[i].items[1]);
    }
    json_close_array(json);
    json_name(json, "next");
    if (entries->count > limit)
        json_write_string(json, entries->items[shown - 1].items[0].text);
    else
        json_write_null(json);
    json_close_object(json);
    return call_finish(call);
}

enum err op_audit_list(struct call *call)
{
    int64_t limit = call_param(call, "limit")->integer;
    const struct param_value *before = call_param(call, "before");
    struct key stream = key_audit();
    struct str newest = STR("+");

    /* So that people see what they just did. When it takes too long they see it a moment later. */
    int64_t drain_ns = clock_deadline_ns(DRAIN_MS);
    enum err drained = audit_drain(call->app, drain_ns);
    (void)drained;

    if (before->given)
        newest = str_format(call->arena, "(%.*s", STR_ARG(before->text));
    /* One more than asked for tells whether there is more. */
    struct str count = str_format(call->arena, "%lld", (long long)limit + 1);
    if (!newest.ptr || !count.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a command");

    struct pipeline *pipeline = pipeline_new(call->arena, PIPELINE_READ);
    PIPELINE_ADD(pipeline, EXPECT_ARRAY, STR("XREVRANGE"), key_str(&stream), newest, STR("-"),
                 STR("COUNT"), count);
    enum err err = pipeline_run(call->app->control, pipeline, call->deadline_ns, &call->error);
    if (err != ERR_OK)
        return err;
    return write_records(call, pipeline_value(pipeline, 0), (size_t)limit);
}
