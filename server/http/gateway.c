#include "http/gateway.h"

#include "http/admit.h"
#include "http/status.h"

#include "cachewarden/app.h"

/*
 * A body that is passed on is not kept, so that its size is no matter of ours: the upstream bounds it. How fast it
 * must come is what is asked of all bodies that are read while they come.
 */
#define ANY_SIZE (SIZE_MAX / 2) /* sizes are compared as signed numbers, too */

static bool has_field(const struct http_request *request, struct str name, struct str *value_out)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (str_eq_nocase(request->fields[i].name, name)) {
            *value_out = request->fields[i].value;
            return true;
        }
    }
    return false;
}

/* Another protocol is not spoken here. That of HTTP/2 may be left out: clients offer it, and need not have it. */
static bool wants_upgrade(const struct http_request *request)
{
    struct str protocols;

    return has_field(request, STR("Upgrade"), &protocols) && !str_eq_nocase(protocols, STR("h2c"));
}

/* Methods that are about the way and not about what is at its end: one would show the fields that were added, the
 * other be a way through. */
static bool is_for_us(struct str method)
{
    return str_eq(method, STR("TRACE")) || str_eq(method, STR("CONNECT"));
}

struct guard_verdict gateway_check(const struct http_request *request)
{
    if (wants_upgrade(request))
        return (struct guard_verdict){501, STR("Another protocol is not passed on.")};
    if (is_for_us(request->method_name))
        return (struct guard_verdict){501, STR("This method is not passed on.")};
    return (struct guard_verdict){0, STR_NONE};
}

bool gateway_has_body(const struct http_request *request)
{
    return request->known_count[FIELD_CONTENT_LENGTH] > 0 ||
           request->known_count[FIELD_TRANSFER_ENCODING] > 0;
}

static bool has_credential(const struct http_request *request)
{
    return request->known_count[FIELD_AUTHORIZATION] > 0 ||
           request->known_count[FIELD_API_KEY] > 0 || request->known_count[FIELD_COOKIE] > 0;
}

/* Of a page of another origin, which asks whether it may. A browser sends it without any credential and without a
 * body; what has one is a request like others. */
static bool is_preflight(const struct http_request *request)
{
    return request->method == METHOD_OPTIONS && request->known_count[FIELD_ORIGIN] > 0 &&
           request->known_count[FIELD_PREFLIGHT_METHOD] > 0 && !has_credential(request) &&
           !gateway_has_body(request);
}

/* False: answered, or suspended until there is enough of it. */
static bool open_body(struct exchange *exchange)
{
    if (!gateway_has_body(&exchange->request))
        return true;
    int refused = exchange->open_body(exchange, ANY_SIZE);

    exchange->is_suspended = refused == BODY_AWAITED;
    if (refused == BODY_BUSY)
        status_render(exchange, error_set_detail(&exchange->call.error, ERR_BUSY,
                                                 "too many bodies are read while they come"));
    else if (refused > 0)
        status_body_refused(exchange, refused);
    return refused == 0;
}

static bool is_client_gone(void *with)
{
    const struct exchange *exchange = with;

    return exchange->is_client_gone && exchange->is_client_gone(exchange);
}

static void send_interim(void *with, int status, const struct http_field *fields,
                         size_t field_count)
{
    struct exchange *exchange = with;

    if (exchange->send_interim)
        exchange->send_interim(exchange, status, fields, field_count);
}

struct gateway_request gateway_request_of(const struct http_request *request)
{
    return (struct gateway_request){
        .method = request->method_name,
        .path = request->path,
        .query = request->query,
        .host = request->known[FIELD_HOST],
        .minor_version = request->minor_version,
        .fields = request->fields,
        .field_count = request->field_count,
        .is_secure = request->is_secure,
        .peer_address = request->peer_address,
    };
}

static enum err serve(const struct gateway_route *route, struct exchange *exchange)
{
    struct gateway_request passed = gateway_request_of(&exchange->request);

    passed.is_unwanted = is_client_gone;
    passed.unwanted_with = exchange;
    passed.wait = exchange->pause ? &exchange->kept.wait : NULL;
    passed.send_interim = send_interim;
    passed.interim_with = exchange;
    return gateway_serve(route, &passed, &exchange->call);
}

/* Without a worker; not when the server ends: what it waits for may come too late. */
static void go_on_waiting(const struct app *app, struct exchange *exchange)
{
    struct gateway_wait *wait = &exchange->kept.wait;

    if (!app->is_ending) {
        exchange->pause(exchange, wait->pause_ms);
        return;
    }
    gateway_waits_no_more(app->gateway, wait, false);
    wait->is_paused = false;
    status_gateway_failed(exchange,
                          error_set_detail(&exchange->call.error, ERR_BUSY, "the server stops"));
}

bool gateway_dispatch(const struct dispatcher *dispatcher, struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    const struct gateway_route *route = gateway_match(dispatcher->app->gateway, request->path);

    if (!route)
        return false;
    exchange->call.route = gateway_row(route);
    if (gateway_still_waits(dispatcher->app->gateway, &exchange->kept.wait)) {
        go_on_waiting(dispatcher->app, exchange);
        return true;
    }
    struct guard_verdict verdict = gateway_check(request);
    if (verdict.status != 0) {
        status_refused(exchange, verdict.status, verdict.detail);
        return true;
    }
    if (!is_preflight(request) && !admit_caller(dispatcher->app, exchange))
        return true;
    if (!open_body(exchange))
        return true;
    enum err err = serve(route, exchange);
    if (exchange->kept.wait.is_paused)
        go_on_waiting(dispatcher->app, exchange);
    else if (exchange->body_status != 0)
        status_body_refused(exchange, exchange->body_status);
    else if (err == ERR_UPSTREAM_DOWN && is_client_gone(exchange)) /* no fault of the upstream */
        status_refused(exchange, 400, STR("The client went away."));
    else
        status_gateway_failed(exchange, err);
    return true;
}
