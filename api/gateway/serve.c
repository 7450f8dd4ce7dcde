/* A request to the gateway, from its admission to its answer. */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "control/look.h"
#include "gateway/answer.h"
#include "gateway/cached.h"
#include "gateway/changes.h"
#include "gateway/metrics.h"
#include "gateway/verdict.h"

/* What the answer says of the caller's cache, which this request does not ask. */
static void tell_cache(const struct passage *passage)
{
    struct call *call = passage->call;
    bool is_public = passage->route->options.is_public;
    const struct gateway_key key = {.user_id = is_public ? 0 : call->principal.user_id};
    const struct namespace space = gateway_key_space(&key);
    struct cache_state state = {0};
    struct error error;

    if (!is_public && key.user_id <= 0)
        return; /* a preflight: there is no caller */
    error_clear(&error);
    const struct work work = {call->arena, clock_deadline_ns(call->app->budget_ms), &error};
    bool is_enabled =
        control_look(call->app, work, &space, NULL, &state) == ERR_OK && state.enabled;
    call->reply.user_id = key.user_id;
    call->reply.cache_enabled = is_enabled ? YES : NO;
    if (is_enabled && !is_public)
        call->reply.cache_version = state.version;
}

static enum err pass_on(struct passage *passage)
{
    struct fetched fetched;

    tell_cache(passage);
    enum err err = fetch_head(passage, &passage->sent, &fetched);

    if (err == ERR_OK) {
        changes_follow(passage, &fetched.head);
        err = answer_with_response(passage, &fetched, CACHE_RESULT_BYPASS);
    } else if (fetched.was_sent) {
        changes_suspect(passage);
    }
    fetch_end(&fetched);
    return err;
}

static enum err serve(struct passage *passage)
{
    if (verdict_may_ask(passage))
        return cached_serve(passage);
    passage->status.forwarded = verdict_unasked(passage);
    return pass_on(passage);
}

enum err gateway_serve(const struct gateway_route *route, const struct gateway_request *request,
                       struct call *call)
{
    struct passage passage;
    enum err err = passage_begin(&passage, route, request, call);

    if (err != ERR_OK)
        return err;
    err = serve(&passage);
    call->is_coalesced = passage.status.collapsed;
    if (!request->wait || !request->wait->is_paused) /* it will come again */
        gateway_metrics_note(&passage, err);
    return err;
}
