/* GET /api/v1/audit: the streams of all parts, or of one, as one list, newest first. */
#include "ops.h"

#include "cachewarden/app.h"
#include "cachewarden/audit_search.h"
#include "cachewarden/call.h"
#include "cachewarden/clock.h"

/* Long enough for a record just written, short enough to leave time for the reading. */
enum { DRAIN_MS = 100 };

static void write_found(void *with, const struct audit_found *record)
{
    audit_found_write(with, record);
}

static enum err read_wanted(struct call *call, struct audit_search *wanted_out)
{
    const struct param_value *part = call_param(call, "part");
    const struct param_value *until = call_param(call, "until");

    *wanted_out = (struct audit_search){
        .part = part->given ? audit_part_of_name(part->text) : -1,
        .principal = call_param(call, "principal")->text,
        .action = call_param(call, "action")->text,
        .target = call_param(call, "target")->text,
        .result = call_param(call, "result")->text,
        .since_ms = call_param(call, "since")->integer,
        .until_ms = until->integer,
        .has_until = until->given,
        .before = call_param(call, "before")->text,
        .limit = (size_t)call_param(call, "limit")->integer,
    };
    if (part->given && wanted_out->part < 0)
        return error_set(&call->error, ERR_BAD_INPUT, "part: Must be changes, clears or sign_ins.");
    return ERR_OK;
}

enum err op_audit_list(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct audit_search wanted;
    struct str next;
    enum err err = read_wanted(call, &wanted);

    if (err != ERR_OK)
        return err;
    /* So that people see what they just did. When it takes too long they see it a moment later. */
    enum err drained = audit_drain(call->app, clock_deadline_ns(DRAIN_MS));
    (void)drained;

    json_open_object(json);
    json_name(json, "records");
    json_open_array(json);
    err = audit_search(call->app, call_work(call), &wanted, write_found, json, &next);
    if (err != ERR_OK)
        return err;
    json_close_array(json);
    json_name(json, "next");
    if (next.len > 0)
        json_write_string(json, next);
    else
        json_write_null(json);
    json_close_object(json);
    return call_finish(call);
}
