/* What is stored, what the request takes, and what is fetched: the decisions of a cache (RFC 9111, section 4). */
#include "gateway/cached.h"

#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "gateway/answer.h"
#include "gateway/changes.h"
#include "gateway/keep.h"
#include "gateway/key_of.h"
#include "gateway/owed.h"
#include "gateway/refresh.h"
#include "gateway/rules/validation.h"
#include "gateway/sharing.h"
#include "gateway/verdict.h"

/* A request that asks the cache, and what is known of it. */
struct enquiry {
    struct passage *passage;
    struct gateway_key key;
    struct gateway_look look;
    struct verdict verdict;
    struct sharing sharing;
    bool is_off; /* the user's cache is */
};

/* ---- asking the upstream ---- */

static void note_response(struct enquiry *enquiry, const struct fetched *fetched)
{
    struct cache_status *status = &enquiry->passage->status;

    status->forwarded_status = fetched->head.status;
}

/* The head of what was found, as long as the look has that. */
static void take_stored(struct enquiry *enquiry)
{
    const struct stored_response *stored = enquiry->look.stored;

    enquiry->verdict.stored = (struct response_head){
        stored->status, stored->fields, stored->request_time_ms, stored->response_time_ms};
}

/* Sees to the body of what is stored. With the body, all of it lies elsewhere. False: it is there no longer. */
static bool get_body(struct enquiry *enquiry)
{
    struct call *call = enquiry->passage->call;
    const struct work work = {call->arena, clock_deadline_ns(call->app->budget_ms), &call->error};

    if (gateway_store_body(enquiry->passage->route->gateway->store, &enquiry->key, &enquiry->look,
                           work) == ERR_OK) {
        take_stored(enquiry);
        return true;
    }
    error_clear(&call->error);
    return false;
}

/* An answer to HEAD tells of what is stored for GET, too (RFC 9111, section 4.3.5). */
static void take_head(struct enquiry *enquiry, const struct fetched *fetched)
{
    struct passage *passage = enquiry->passage;
    struct response_head fresh = enquiry->verdict.stored;

    if (!passage->is_head || !enquiry->look.stored)
        return;
    switch (head_effect_of(fetched->head.status, &fetched->head.fields, &enquiry->verdict.stored,
                           (int64_t)enquiry->look.body_length)) {
    case HEAD_SAYS_NOTHING:
        return;
    case HEAD_FRESHENS:
        if (!get_body(enquiry) ||
            freshened_fields(passage->call->arena, &enquiry->verdict.stored.fields,
                             &fetched->head.fields, &fresh.fields) != ERR_OK)
            return;
        fresh.request_time_ms = fetched->head.request_time_ms;
        fresh.response_time_ms = fetched->head.response_time_ms;
        (void)keep_confirmed(passage, &enquiry->key, &enquiry->look, &fresh);
        return;
    case HEAD_INVALIDATES:
        changes_drop(passage, &enquiry->key);
        return;
    }
}

/* The response is the answer, and is stored first where it may be. */
static enum err take_response(struct enquiry *enquiry, struct fetched *fetched)
{
    struct passage *passage = enquiry->passage;
    const char *why_not;
    enum err err = keep_response(passage, &enquiry->key, &enquiry->look, fetched, &why_not);

    passage->status.stored = !why_not;
    if (why_not)
        passage->status.detail = str_format(passage->call->arena, "not stored: %s", why_not);
    note_response(enquiry, fetched);
    take_head(enquiry, fetched);
    return err == ERR_OK ? answer_with_response(passage, fetched, CACHE_RESULT_MISS) : err;
}

static enum err serve_miss(struct enquiry *enquiry)
{
    struct fetched fetched;
    enum err err = fetch_head(enquiry->passage, &enquiry->passage->sent, &fetched);

    if (err == ERR_OK)
        err = take_response(enquiry, &fetched);
    fetch_end(&fetched);
    return err;
}

/* While the cache is off its user sees what is there now. What is stored may be older, and is not to follow on it when
 * the cache is on again. */
static void drop_what_is_older(const struct enquiry *enquiry, const struct fetched *fetched)
{
    const struct passage *passage = enquiry->passage;

    if (enquiry->is_off && !passage->is_head && !status_is_error(fetched->head.status))
        changes_drop(passage, &enquiry->key);
}

static enum err serve_past_cache(struct enquiry *enquiry)
{
    struct fetched fetched;
    enum err err = fetch_head(enquiry->passage, &enquiry->passage->sent, &fetched);

    if (err == ERR_OK)
        drop_what_is_older(enquiry, &fetched);
    if (err == ERR_OK)
        err = answer_with_response(enquiry->passage, &fetched, CACHE_RESULT_BYPASS);
    fetch_end(&fetched);
    return err;
}

/* ---- what is stored ---- */

static enum err answer_stored(struct enquiry *enquiry, const struct response_head *head,
                              int64_t age_s, enum cache_result result)
{
    const struct gateway_look *look = &enquiry->look;
    const struct stored_answer stored = {
        .head = *head,
        .body = look->has_body ? look->stored->body : STR_NONE,
        .body_length = look->body_length,
        .kept = look->kept,
        .age_s = age_s,
    };

    return answer_with_stored(enquiry->passage, &stored, result);
}

/* only-if-cached, and nothing may be served (RFC 9111, section 5.2.1.7). Nothing was asked upstream either. */
static enum err serve_nothing(struct enquiry *enquiry)
{
    static const struct http_field fields[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Cache-Control"), STR("no-store")},
        {STR("Cache-Status"), VERDICT_NOTHING_STATUS},
    };
    struct call *call = enquiry->passage->call;
    struct http_field *copy =
        arena_calloc(call->arena, sizeof fields / sizeof *fields, sizeof *copy);

    if (!copy)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for an answer");
    memcpy(copy, fields, sizeof fields);
    call->reply.cache_result = CACHE_RESULT_MISS;
    call_give_foreign(call, 504, copy, sizeof fields / sizeof *fields, NULL, 0);
    call_give_content(call, STR("{\"detail\":\"Nothing is stored that may answer this request.\"}"),
                      STR_NONE);
    return ERR_OK;
}

static bool asks_for_stored_only(const struct passage *passage)
{
    struct request_directives directives;

    request_directives_parse(&passage->came, &directives);
    return directives.only_if_cached;
}

/* Whether all is there that the answer is made of. */
static bool has_what_is_needed(struct enquiry *enquiry)
{
    return answer_needs_no_body(enquiry->passage, &enquiry->verdict.stored) || get_body(enquiry);
}

/* Without the upstream. */
static enum err serve_stored(struct enquiry *enquiry, enum cache_result result)
{
    struct passage *passage = enquiry->passage;

    if (!has_what_is_needed(enquiry))
        return asks_for_stored_only(passage) ? serve_nothing(enquiry) : serve_miss(enquiry);
    verdict_tell_served(&enquiry->verdict, &enquiry->look, &passage->status);
    passage->upstream_ms =
        enquiry->verdict.stored.response_time_ms - enquiry->verdict.stored.request_time_ms;
    passage->status.collapsed = passage->request->wait && passage->request->wait->until_ns > 0;
    return answer_stored(enquiry, &enquiry->verdict.stored, enquiry->verdict.reuse.age_s, result);
}

/* ---- asking the upstream whether what is stored is good still ---- */

/* It is: with the fields that came, it is stored anew, and is the answer. */
static enum err take_confirmed(struct enquiry *enquiry, const struct fetched *fetched)
{
    struct passage *passage = enquiry->passage;
    struct response_head fresh = enquiry->verdict.stored;
    enum err err = freshened_fields(passage->call->arena, &enquiry->verdict.stored.fields,
                                    &fetched->head.fields, &fresh.fields);

    if (err != ERR_OK)
        return error_set_detail(&passage->call->error, err, "no memory for fields");
    fresh.request_time_ms = fetched->head.request_time_ms;
    fresh.response_time_ms = fetched->head.response_time_ms;
    passage->status.stored = keep_confirmed(passage, &enquiry->key, &enquiry->look, &fresh);
    note_response(enquiry, fetched);
    return answer_stored(enquiry, &fresh, keep_age_s(passage, &fresh), CACHE_RESULT_MISS);
}

static enum err serve_after_failure(struct enquiry *enquiry, struct fetched *fetched)
{
    fetch_end(fetched);
    error_clear(&enquiry->passage->call->error);
    return serve_stored(enquiry, CACHE_RESULT_STALE);
}

static enum err serve_validated(struct enquiry *enquiry)
{
    struct passage *passage = enquiry->passage;
    struct http_fields fields = passage->sent;
    struct fetched fetched = {0};
    /* What is confirmed is stored with its body. */
    bool can_be_asked = response_can_be_validated(&enquiry->verdict.stored) && get_body(enquiry);

    if (can_be_asked && validation_fields(passage->call->arena, &passage->sent,
                                          &enquiry->verdict.stored, &fields) != ERR_OK)
        return error_set_detail(&passage->call->error, ERR_NO_MEMORY, "no memory for fields");
    enum err err = fetch_head(passage, &fields, &fetched);
    bool failed = (err == ERR_OK && status_is_error(fetched.head.status)) || err == ERR_BUSY ||
                  err == ERR_TIMEOUT || err == ERR_UPSTREAM_DOWN;
    if (failed && enquiry->verdict.reuse.serve_on_error && has_what_is_needed(enquiry))
        return serve_after_failure(enquiry, &fetched);
    if (err == ERR_OK && can_be_asked && fetched.head.status == 304) {
        if (not_modified_is_about(&fetched.head.fields, &enquiry->verdict.stored)) {
            err = take_confirmed(enquiry, &fetched);
        } else {
            fetch_end(&fetched);
            return serve_miss(enquiry);
        }
    } else if (err == ERR_OK) {
        err = take_response(enquiry, &fetched);
    }
    fetch_end(&fetched);
    return err;
}

/* ---- one request for many ---- */

static enum err serve_looked(struct enquiry *enquiry);

static enum err serve_fetched(struct enquiry *enquiry)
{
    struct call *call = enquiry->passage->call;

    switch (sharing_enter(&enquiry->sharing, &enquiry->look)) {
    case SHARING_PAUSES:
        return ERR_OK;
    case SHARING_LOOKS:
        gateway_look_release(&enquiry->look);
        call->deadline_ns = clock_deadline_ns(call->app->budget_ms);
        return serve_looked(enquiry);
    case SHARING_FETCHES:
        break;
    }
    enum err err = enquiry->look.stored ? serve_validated(enquiry) : serve_miss(enquiry);
    sharing_leave(&enquiry->sharing, err);
    return err;
}

/* ---- deciding ---- */

static enum err serve_judged(struct enquiry *enquiry)
{
    enquiry->passage->status.forwarded = enquiry->verdict.forwarded;
    switch (enquiry->verdict.reuse.reuse) {
    case REUSE_FRESH:
        return serve_stored(enquiry, CACHE_RESULT_HIT);
    case REUSE_STALE:
        return serve_stored(enquiry, CACHE_RESULT_STALE);
    case REUSE_STALE_WHILE_REVALIDATE:
        /* Whether this request or another one before it has the refresh done: it is served. */
        (void)refresher_ask(enquiry->passage->route->gateway->refresher, enquiry->passage,
                            &enquiry->look.entry);
        return serve_stored(enquiry, CACHE_RESULT_STALE);
    case REUSE_VALIDATE:
        /* Who asks for an answer from now on is not given that of a request of before. */
        return enquiry->verdict.reuse.by_request ? serve_validated(enquiry)
                                                 : serve_fetched(enquiry);
    case REUSE_MISS:
        return serve_fetched(enquiry);
    case REUSE_GATEWAY_TIMEOUT:
        return serve_nothing(enquiry);
    case REUSE_BYPASS:
        break;
    }
    return serve_past_cache(enquiry);
}

/* What the answer says of the caller's cache. */
static void tell_cache(struct enquiry *enquiry, enum err looked)
{
    struct reply *reply = &enquiry->passage->call->reply;
    bool is_enabled = looked == ERR_OK && enquiry->look.is_enabled;

    reply->user_id = enquiry->key.user_id;
    reply->cache_enabled = is_enabled ? YES : NO;
    if (is_enabled && !enquiry->passage->route->options.is_public)
        reply->cache_version = enquiry->look.version;
}

static enum err owe(struct enquiry *enquiry)
{
    enquiry->passage->status.detail = STR("a clear is owed");
    return ERR_UPSTREAM_DOWN;
}

/* While a clear is owed, nobody knows what is true: what it would drop is as it is without Redis. */
static enum err look(struct enquiry *enquiry)
{
    const struct gateway_route *route = enquiry->passage->route;
    struct call *call = enquiry->passage->call;

    if (!owed_settle(route, call->arena))
        return owe(enquiry);
    enum err err =
        gateway_store_look(route->gateway->store, &enquiry->key, call_work(call), &enquiry->look);
    if (err == ERR_OK && enquiry->look.stored &&
        owed_has_tag_of(route->gateway, enquiry->look.stored))
        return owe(enquiry);
    return err;
}

static enum err serve_looked(struct enquiry *enquiry)
{
    struct passage *passage = enquiry->passage;
    struct call *call = passage->call;
    enum err looked = look(enquiry);

    tell_cache(enquiry, looked);
    if (looked == ERR_OK && enquiry->look.is_enabled) {
        verdict_judge(passage, &enquiry->look, &enquiry->verdict);
        return serve_judged(enquiry);
    }
    error_clear(&call->error);
    passage->status.forwarded = FORWARDED_BYPASS;
    enquiry->is_off = looked == ERR_OK;
    if (enquiry->is_off)
        passage->status.detail = STR("switched off");
    else if (passage->status.detail.len == 0)
        passage->status.detail = STR("no answer from Redis");
    return serve_past_cache(enquiry);
}

enum err cached_serve(struct passage *passage)
{
    struct enquiry enquiry = {.passage = passage};
    enum err err =
        key_of(passage->route, passage->request, passage->call, &passage->sent, &enquiry.key);

    sharing_init(&enquiry.sharing, passage, &enquiry.key);
    if (err == ERR_OK)
        err = serve_looked(&enquiry);
    sharing_fini(&enquiry.sharing);
    gateway_look_release(&enquiry.look);
    return err;
}

/* Somebody else may have been quicker. */
static bool is_due(const struct enquiry *enquiry)
{
    return enquiry->look.stored && enquiry->verdict.reuse.reuse != REUSE_FRESH;
}

enum err cached_refresh(struct passage *passage)
{
    struct enquiry enquiry = {.passage = passage};
    struct call *call = passage->call;
    struct body_source *unsent = &call->reply.source;
    enum err err = key_of(passage->route, passage->request, call, &passage->sent, &enquiry.key);

    if (err != ERR_OK)
        return err;
    sharing_init(&enquiry.sharing, passage, &enquiry.key);
    call->deadline_ns = clock_deadline_ns(call->app->budget_ms);
    err = look(&enquiry);
    if (err == ERR_OK && enquiry.look.is_enabled) {
        verdict_judge(passage, &enquiry.look, &enquiry.verdict);
        if (is_due(&enquiry) && sharing_enter_refresh(&enquiry.sharing, &enquiry.look)) {
            err = serve_validated(&enquiry);
            sharing_leave(&enquiry.sharing, err);
        }
    }
    if (unsent->next)
        unsent->close(unsent->with);
    sharing_fini(&enquiry.sharing);
    gateway_look_release(&enquiry.look);
    return err;
}
