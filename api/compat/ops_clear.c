/* The clear by an admin. */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "control/clear.h"

#include <inttypes.h>

static enum err admin_clear_user(struct call *call, int64_t user_id)
{
    struct json_writer *json = &call->reply.json;
    struct cache_state state;
    enum err err = control_clear_recorded(call, user_id, &state);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_add_bool(json, "ok", true);
    json_add_string(json, "message",
                    str_format(call->arena, "Cache cleared for user %" PRId64, user_id));
    json_add_integer(json, "user_id", user_id);
    json_add_integer(json, "new_version", state.version);
    json_close_object(json);
    return call_finish(call);
}

static enum err admin_clear_all(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    int64_t epoch = -1;
    enum err err = control_clear_all(call->app, call_work(call), &epoch);

    audit_clear(call, STR("all"), err, err == ERR_OK ? epoch : -1);
    if (err != ERR_OK)
        return err;
    tally_add(call->app->tallies, TALLY_CLEARS_ALL);
    json_open_object(json);
    json_add_bool(json, "ok", true);
    json_add_string(json, "message", STR("Cache cleared"));
    json_close_object(json);
    return call_finish(call);
}

enum err op_admin_clear(struct call *call)
{
    const struct param_value *user = call_param(call, "user_id");

    return user->given ? admin_clear_user(call, user->integer) : admin_clear_all(call);
}
