#include "http/dispatch.h"

#include "http/admit.h"
#include "http/gateway.h"
#include "http/router.h"
#include "http/status.h"

#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/entries.h"
#include "cachewarden/limits.h"

/* A list may come in several lines, which are one with commas between them (RFC 9110, section 5.3). */
static enum err join_lines(struct exchange *exchange, enum known_field known, struct str name,
                           struct str *list_out)
{
    const struct http_request *request = &exchange->request;
    struct strbuf list;

    *list_out = request->known[known];
    if (request->known_count[known] < 2)
        return ERR_OK;
    strbuf_init(&list, exchange->call.arena, 256);
    for (size_t i = 0; i < request->field_count; i++) {
        if (request->fields[i].value.len == 0 || !str_eq_nocase(request->fields[i].name, name))
            continue;
        strbuf_add(&list, list.len > 0 ? STR(", ") : STR_NONE);
        strbuf_add(&list, request->fields[i].value);
    }
    *list_out = strbuf_str(&list);
    return list.failed ? error_set_detail(&exchange->call.error, ERR_NO_MEMORY,
                                          "no memory for the lines of a field")
                       : ERR_OK;
}

/* What the request says about caches, for the operation. */
static enum err take_cache_fields(struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct call *call = &exchange->call;

    call->is_head = request->method == METHOD_HEAD;
    call->has_if_match = request->known_count[FIELD_IF_MATCH] > 0;
    call->has_if_unmodified = request->known_count[FIELD_IF_UNMODIFIED_SINCE] > 0;
    call->has_content_range = request->known_count[FIELD_CONTENT_RANGE] > 0;
    call->lease = request->known[FIELD_LEASE];
    return join_lines(exchange, FIELD_IF_NONE_MATCH, STR("If-None-Match"), &call->if_none_match);
}

static bool has_body(const struct http_request *request)
{
    struct str length = request->known[FIELD_CONTENT_LENGTH];

    return request->known_count[FIELD_TRANSFER_ENCODING] > 0 ||
           (length.len > 0 && !str_eq(length, STR("0")));
}

/* As it is, so that what it says can be seen. */
static bool is_coded(const struct http_request *request)
{
    struct str coding = request->known[FIELD_CONTENT_ENCODING];

    return request->known_count[FIELD_CONTENT_ENCODING] > 1 ||
           (coding.len > 0 && !str_eq_nocase(coding, STR("identity")));
}

/* The body, within the row's limit. False: answered, or suspended until it is there. */
static bool receive_body(const struct dispatcher *dispatcher, struct exchange *exchange)
{
    size_t limit = exchange->call.route->body_limit;

    if (!route_reads_body(exchange->call.route))
        return true;
    if (has_body(&exchange->request) && is_coded(&exchange->request)) {
        status_coding_refused(exchange);
        return false;
    }
    /* Passwords and tokens, and all that is made of them on the way. */
    if (exchange->call.route->body == BODY_FIELDS)
        arena_wipe_at_reset(exchange->call.arena);
    if (limit == 0)
        limit = dispatcher->max_body;
    int refused = exchange->call.route->body == BODY_STREAM
                      ? exchange->open_body(exchange, limit)
                      : exchange->read_body(exchange, limit, &exchange->call.body);

    exchange->is_suspended = refused == BODY_AWAITED;
    if (refused == BODY_BUSY)
        status_render(exchange, error_set_detail(&exchange->call.error, ERR_BUSY,
                                                 "too many bodies are read while they come"));
    else if (refused > 0)
        status_body_refused(exchange, refused);
    return refused == 0;
}

/* Whatever an operation makes of a body that did not come whole, the answer is that it did not. */
static void render(struct exchange *exchange, enum err err)
{
    if (exchange->body_status != 0)
        status_body_refused(exchange, exchange->body_status);
    else
        status_render(exchange, err);
}

/* A request that is begun again is not counted again. */
static enum err check_limit(struct exchange *exchange)
{
    struct exchange_kept *kept = &exchange->kept;
    struct reply *reply = &exchange->call.reply;
    enum err err = ERR_OK;

    if (kept->is_counted) {
        reply->rate_limit = kept->rate_limit;
        reply->rate_remaining = kept->rate_remaining;
        reply->rate_reset_s = kept->rate_reset_s;
    } else {
        err = limits_check(&exchange->call);
        *kept = (struct exchange_kept){.is_counted = !exchange->call.is_limit_pending,
                                       .rate_limit = reply->rate_limit,
                                       .rate_remaining = reply->rate_remaining,
                                       .rate_reset_s = reply->rate_reset_s};
    }
    return err;
}

/* All that stands before the operation. False: answered, or suspended. */
static bool read_request(const struct dispatcher *dispatcher, struct exchange *exchange,
                         const struct router_match *match)
{
    const struct http_request *request = &exchange->request;
    struct call *call = &exchange->call;
    enum err err = check_limit(exchange);

    if (err == ERR_OK)
        err = take_cache_fields(exchange);
    if (err == ERR_OK)
        err = params_read(call, request->query, match->values, match->value_count);
    if (err == ERR_OK) {
        if (!receive_body(dispatcher, exchange))
            return false;
        err = params_read_body(call, request->known[FIELD_CONTENT_TYPE]);
    }
    if (err != ERR_OK)
        render(exchange, err);
    return err == ERR_OK;
}

/*
 * 204 with what the path allows. HAProxy's checks ask with OPTIONS unless they are told otherwise: where
 * GET would say that the server is not well, so does this.
 */
static void answer_options(struct exchange *exchange, const struct router_match *match)
{
    struct call *call = &exchange->call;
    enum err err = ERR_OK;

    if (match->route && route_is_probe(match->route)) {
        call->route = match->route;
        err = call->route->operation(call);
    }
    if (err == ERR_OK)
        status_options(exchange, match->allow);
    else
        status_render(exchange, err);
}

void dispatch_run(const struct dispatcher *dispatcher, struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    struct call *call = &exchange->call;
    struct router_match match;

    call->now_s = clock_wall_s();
    call->deadline_ns = clock_deadline_ns(dispatcher->app->budget_ms);
    switch (router_find(dispatcher->router, request->method, request->path, &match)) {
    case ROUTER_NO_PATH:
        if (!gateway_dispatch(dispatcher, exchange))
            status_not_found(exchange);
        return;
    case ROUTER_NO_METHOD:
        status_not_allowed(exchange, match.error_format, match.allow);
        return;
    case ROUTER_OPTIONS:
        answer_options(exchange, &match);
        return;
    case ROUTER_FOUND:
        break;
    }
    call->route = match.route;

    if (!admit_caller(dispatcher->app, exchange))
        return;
    if (!read_request(dispatcher, exchange, &match)) {
        if (!exchange->is_suspended)
            entries_refused(call, params_target(call->route, call->arena, request->query));
        return;
    }
    /* From here on, not from the first byte: a slow body is the client's time, not Redis's. */
    call->deadline_ns = clock_deadline_ns(dispatcher->app->budget_ms);
    render(exchange, limits_finish(call, call->route->operation(call)));
}
