/* What is stored, what the request takes, and what is fetched: the decisions of a cache (RFC 9111, section 4). */
#include "gateway/cached.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "gateway/cached_private.h"
#include "gateway/key_of.h"
#include "gateway/owed.h"
#include "gateway/refresh.h"

/* ---- one request for many ---- */

static enum err serve_looked(struct cached_request *cached);

/* As many misses ask the upstream as may. What is stale is better than nothing. */
static enum err serve_refused(struct cached_request *cached)
{
    struct passage *passage = cached->passage;

    if (cached->sharing.has_stale && cached_has_what_is_needed(cached)) {
        passage->refill = REFILL_STALE;
        passage->status.detail = STR("refill_per_s");
        return cached_serve_stored(cached, CACHE_RESULT_STALE);
    }
    passage->refill = REFILL_REFUSED;
    passage->call->reply.retry_after_s = cached->sharing.retry_after_s;
    return error_set_detail(&passage->call->error, ERR_BUSY,
                            "gateway.refill_per_s: too many misses ask the upstream");
}

static enum err serve_fetched(struct cached_request *cached)
{
    struct call *call = cached->passage->call;

    cached->sharing.has_stale = cached->look.stored && cached->verdict.reuse.serve_on_error;
    switch (sharing_enter(&cached->sharing, &cached->look)) {
    case SHARING_PAUSES:
        return ERR_OK;
    case SHARING_REFUSED:
        return serve_refused(cached);
    case SHARING_LOOKS:
        gateway_look_release(&cached->look);
        call->deadline_ns = clock_deadline_ns(call->app->budget_ms);
        return serve_looked(cached);
    case SHARING_FETCHES:
        break;
    }
    enum err err = cached->look.stored ? cached_serve_validated(cached) : cached_serve_miss(cached);
    sharing_leave(&cached->sharing, err);
    return err;
}

/* ---- deciding ---- */

static enum err serve_judged(struct cached_request *cached)
{
    cached->passage->status.forwarded = cached->verdict.forwarded;
    switch (cached->verdict.reuse.reuse) {
    case REUSE_FRESH:
        return cached_serve_stored(cached, CACHE_RESULT_HIT);
    case REUSE_STALE:
        return cached_serve_stored(cached, CACHE_RESULT_STALE);
    case REUSE_STALE_WHILE_REVALIDATE:
        /* Whether this request or another one before it has the refresh done: it is served. */
        (void)refresher_ask(cached->passage->route->gateway->refresher, cached->passage,
                            &cached->look.entry);
        return cached_serve_stored(cached, CACHE_RESULT_STALE);
    case REUSE_VALIDATE:
        /* Who asks for an answer from now on is not given that of a request of before. */
        return cached->verdict.reuse.by_request ? cached_serve_validated(cached)
                                                : serve_fetched(cached);
    case REUSE_MISS:
        return serve_fetched(cached);
    case REUSE_GATEWAY_TIMEOUT:
        return cached_serve_nothing(cached);
    case REUSE_BYPASS:
        break;
    }
    return cached_serve_past(cached);
}

/* What the answer says of the caller's cache. */
static void tell_cache(struct cached_request *cached, enum err looked)
{
    struct reply *reply = &cached->passage->call->reply;
    bool is_enabled = looked == ERR_OK && cached->look.is_enabled;

    reply->user_id = cached->key.user_id;
    reply->cache_enabled = is_enabled ? YES : NO;
    if (is_enabled && !cached->passage->route->options.is_public)
        reply->cache_version = cached->look.version;
}

static enum err owe(struct cached_request *cached)
{
    cached->passage->status.detail = STR("a clear is owed");
    return ERR_UPSTREAM_DOWN;
}

/* While a clear is owed, nobody knows what is true: what it would drop is as it is without Redis. */
static enum err look(struct cached_request *cached)
{
    const struct gateway_route *route = cached->passage->route;
    struct call *call = cached->passage->call;

    if (!owed_settle(route, call->arena))
        return owe(cached);
    enum err err =
        gateway_store_look(route->gateway->store, &cached->key, call_work(call), &cached->look);
    if (err == ERR_OK && cached->look.stored &&
        owed_has_tag_of(route->gateway, cached->look.stored))
        return owe(cached);
    return err;
}

static enum err serve_looked(struct cached_request *cached)
{
    struct passage *passage = cached->passage;
    struct call *call = passage->call;
    enum err looked = look(cached);

    tell_cache(cached, looked);
    if (looked == ERR_OK && cached->look.is_enabled) {
        verdict_judge(passage, &cached->look, &cached->verdict);
        return serve_judged(cached);
    }
    error_clear(&call->error);
    passage->status.forwarded = FORWARDED_BYPASS;
    cached->is_off = looked == ERR_OK;
    if (cached->is_off)
        passage->status.detail = STR("switched off");
    else if (passage->status.detail.len == 0)
        passage->status.detail = STR("no answer from Redis");
    return cached_serve_past(cached);
}

enum err cached_serve(struct passage *passage)
{
    struct cached_request cached = {.passage = passage};
    enum err err =
        key_of(passage->route, passage->request, passage->call, &passage->sent, &cached.key);

    sharing_init(&cached.sharing, passage, &cached.key);
    if (err == ERR_OK)
        err = serve_looked(&cached);
    sharing_fini(&cached.sharing);
    gateway_look_release(&cached.look);
    return err;
}

/* Somebody else may have been quicker. */
static bool is_due(const struct cached_request *cached)
{
    return cached->look.stored && cached->verdict.reuse.reuse != REUSE_FRESH;
}

enum err cached_refresh(struct passage *passage)
{
    struct cached_request cached = {.passage = passage};
    struct call *call = passage->call;
    struct body_source *unsent = &call->reply.source;
    enum err err = key_of(passage->route, passage->request, call, &passage->sent, &cached.key);

    if (err != ERR_OK)
        return err;
    sharing_init(&cached.sharing, passage, &cached.key);
    call->deadline_ns = clock_deadline_ns(call->app->budget_ms);
    err = look(&cached);
    if (err == ERR_OK && cached.look.is_enabled) {
        verdict_judge(passage, &cached.look, &cached.verdict);
        if (is_due(&cached) && sharing_enter_refresh(&cached.sharing, &cached.look)) {
            err = cached_serve_validated(&cached);
            sharing_leave(&cached.sharing, err);
        }
    }
    if (unsent->next)
        unsent->close(unsent->with);
    sharing_fini(&cached.sharing);
    gateway_look_release(&cached.look);
    return err;
}
