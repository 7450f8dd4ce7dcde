/* The routes of users' own caches, and of the clear by an admin. */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "control/clear.h"

/* X-Cache-Version and X-Cache-Enabled. A version while disabled would invite a client to cache. */
static void show_state(struct call *call, const struct cache_state *state)
{
    call->reply.cache_enabled = state->enabled ? YES : NO;
    call->reply.cache_version = state->enabled ? state->version : 0;
    call->reply.user_id = call->principal.user_id;
}

/* {"enabled":…,"version":…,"message":…} */
static enum err answer_state(struct call *call, const struct cache_state *state,
                             const char *message)
{
    struct json_writer *json = &call->reply.json;

    show_state(call, state);
    json_open_object(json);
    json_add_bool(json, "enabled", state->enabled);
    json_add_integer(json, "version", state->version);
    json_add_string(json, "message", str_from(message));
    json_close_object(json);
    return call_finish(call);
}

enum err op_cache_status(struct call *call)
{
    struct cache_state state;
    enum err err =
        control_status(call->app, call_work(call), call->principal.user_id, call, &state);

    if (err != ERR_OK)
        return err;
    return answer_state(call, &state, state.enabled ? "Cache is enabled" : "Cache is disabled");
}

static enum err switch_cache(struct call *call, bool enabled)
{
    struct cache_state state;
    enum err err =
        control_switch(call->app, call_work(call), call->principal.user_id, enabled, &state);

    struct namespace own = namespace_of_user(call->principal.user_id);
    audit_clear(call, namespace_text(call->arena, &own), err, -1);
    if (err != ERR_OK)
        return err;
    return answer_state(call, &state,
                        enabled ? "Cache enabled successfully" : "Cache disabled successfully");
}

enum err op_cache_enable(struct call *call)
{
    return switch_cache(call, true);
}

enum err op_cache_disable(struct call *call)
{
    return switch_cache(call, false);
}

enum err op_cache_clear(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct cache_state state;
    struct strbuf message;
    enum err err = control_clear_recorded(call, call->principal.user_id, &state);

    if (err != ERR_OK)
        return err;
    show_state(call, &state);
    strbuf_init(&message, call->arena, 64);
    strbuf_add(&message, STR("Cache cleared successfully (new version: "));
    strbuf_add_int64(&message, state.version);
    strbuf_add_char(&message, ')');
    json_open_object(json);
    json_add_integer(json, "version", state.version);
    json_add_bool(json, "cleared", true);
    json_add_string(json, "message", strbuf_str(&message));
    json_close_object(json);
    return call_finish(call);
}

/*
 * Asked by a proxy before every request of its own: a Redis that fails must not take the proxied
 * site down with it, so the answer is then "do not cache", not a failure.
 */
enum err op_cache_check(struct call *call)
{
    struct cache_state state;
    enum err err =
        control_status(call->app, call_work(call), call->principal.user_id, NULL, &state);

    if (err != ERR_OK) {
        error_clear(&call->error);
        state = (struct cache_state){.enabled = false};
    }
    show_state(call, &state);
    call->reply.user_id = call->principal.user_id;
    call->reply.outcome = OUTCOME_NO_CONTENT;
    return ERR_OK;
}
