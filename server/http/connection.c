/*
 * From the library's callbacks to an exchange and back. Each callback runs on the worker thread that serves the
 * request; between two requests a connection may change to another.
 */
#include "http/http_private.h"

#include "http/access_log.h"
#include "http/client_address.h"
#include "http/router.h"
#include "http/status.h"

#include "cachewarden/clock.h"
#include "cachewarden/die.h"
#include "cachewarden/log.h"

#include <civetweb.h>

#include <civetweb_extra.h>

_Static_assert(sizeof(struct request_memory) <= MG_REQUEST_MEMORY, "the library keeps that much");

/* ---- threads and connections ---- */

static void *on_thread_start(const struct mg_context *library, int type)
{
    struct http *http = mg_get_user_data(library);

    lock_acquire(&http->lock);
    http->thread_count++;
    lock_cond_broadcast(&http->finished);
    lock_release(&http->lock);
    if (type != 1) /* 1: a worker; others are the library's own */
        return NULL;
    int index = atomic_fetch_add(&http->worker_count, 1);
    if (index >= http->options.threads)
        die("more worker threads than asked for");
    return &http->workers[index];
}

static void count(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

/* A new connection, or one that comes back. */
static int on_connection(const struct mg_connection *connection, void **data_out)
{
    struct worker *worker = mg_get_thread_pointer(connection);

    *data_out = NULL;
    worker->is_peer_judged = false;
    atomic_store_explicit(&worker->has_connection, true, memory_order_relaxed);
    return 0;
}

static void on_connection_closed(const struct mg_connection *connection)
{
    struct worker *worker = mg_get_thread_pointer(connection);

    atomic_store_explicit(&worker->has_connection, false, memory_order_relaxed);
}

/* ---- from the library's request to ours ---- */

static bool is_request_id(struct str id)
{
    if (id.len == 0 || id.len > 64)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* SplitMix64: distinct for 2^64 requests of a thread, seeded by the kernel's randomness. Ids are
 * names, not secrets, and not worth a system call. */
static struct str next_request_id(struct worker *worker)
{
    uint64_t mixed = worker->id_state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    mixed ^= mixed >> 31;
    str_put_hex64(worker->id, mixed);
    return (struct str){worker->id, REQUEST_ID_SIZE - 1};
}

/* When it began and what it is called, now or before it waited for its body. */
static void begin_or_resume(struct worker *worker, const struct request_memory *memory)
{
    struct exchange *exchange = &worker->exchange;

    exchange->kept = memory->kept;
    if (memory->is_begun) {
        exchange->request.started_ns = memory->started_ns;
        memcpy(worker->id, memory->id, sizeof worker->id);
        exchange->request.id = (struct str){worker->id, REQUEST_ID_SIZE - 1};
    } else {
        count(&worker->requests);
        exchange->request.started_ns = clock_mono_ns();
        exchange->request.id = next_request_id(worker);
    }
}

/* An exchange that knows when and from whom, but nothing yet of the request. */
static struct exchange *begin_exchange(struct worker *worker, struct mg_connection *connection)
{
    struct exchange *exchange = &worker->exchange;
    struct http_request *request = &exchange->request;

    /* Sequentially consistent, as is the flag http_drain() sets: of drain and request, the later
     * one sees the earlier. */
    atomic_store(&worker->is_busy, true);
    worker->connection = connection;

    memset(request, 0, sizeof *request);
    begin_or_resume(worker, mg_request_memory(connection));
    request->method = METHOD_OTHER;
    request->client_address = str_from(mg_get_request_info(connection)->remote_addr);
    request->peer_address = request->client_address;

    exchange->response = (struct http_response){.cache_enabled = UNKNOWN};
    exchange->result = ERR_OK;
    exchange->read_body = transfer_read_body;
    exchange->open_body = transfer_open_body;
    exchange->is_client_gone = transfer_is_client_gone;
    exchange->pause = transfer_pause;
    exchange->send_interim = transfer_send_interim;
    exchange->body_source = worker;
    exchange->has_stream_place = false;
    exchange->body_status = 0;
    exchange->is_suspended = false;
    exchange->is_streamed = false;
    exchange->cut = NOT_CUT;
    call_init(&exchange->call, worker->http->options.app, NULL, worker->arena);
    return exchange;
}

_Static_assert(MG_MAX_HEADERS == HTTP_MAX_FIELDS, "the library stores as many fields as we do");

static void take_fields(struct worker *worker, const struct mg_request_info *info)
{
    struct http_request *request = &worker->exchange.request;

    request->field_count = (size_t)info->num_headers;
    request->fields = worker->fields;
    for (size_t i = 0; i < request->field_count; i++)
        worker->fields[i] = (struct http_field){str_from(info->http_headers[i].name),
                                                str_from(info->http_headers[i].value)};
    guard_index(request);
}

/* Is the peer a proxy whose word counts? Asked once a connection. */
static bool is_peer_trusted(struct worker *worker, struct str peer)
{
    const struct http_options *options = &worker->http->options;

    if (!worker->is_peer_judged)
        worker->is_peer_trusted =
            client_is_trusted(options->trusted_proxies, options->trusted_proxy_count, peer);
    worker->is_peer_judged = true;
    return worker->is_peer_trusted;
}

/* By TLS from the browser, as far as we can know. */
static bool is_secure(struct worker *worker, const struct mg_request_info *info)
{
    const struct http_request *request = &worker->exchange.request;

    return info->is_ssl || (request->known_count[FIELD_FORWARDED_PROTO] > 0 &&
                            is_peer_trusted(worker, str_from(info->remote_addr)) &&
                            str_eq_nocase(request->known[FIELD_FORWARDED_PROTO], STR("https")));
}

/* The library has cut the target at its first '?' and left everything else as it came. */
static void take_request(struct worker *worker, const struct mg_request_info *info)
{
    const struct http_options *options = &worker->http->options;
    struct exchange *exchange = &worker->exchange;
    struct http_request *request = &exchange->request;

    request->method_name = str_from(info->request_method);
    request->method = router_method(request->method_name);
    request->path = str_from(info->local_uri_raw);
    request->query = (struct query){str_from(info->query_string), info->query_string != NULL};
    request->minor_version = strcmp(info->http_version, "1.0") == 0 ? 0 : 1;
    take_fields(worker, info);

    if (is_peer_trusted(worker, request->client_address)) {
        if (request->known_count[FIELD_FORWARDED_FOR] > 0)
            request->client_address =
                client_behind_proxies(options->trusted_proxies, options->trusted_proxy_count,
                                      request, request->client_address, worker->arena);
        if (request->known_count[FIELD_REQUEST_ID] == 1 &&
            is_request_id(request->known[FIELD_REQUEST_ID]))
            request->id = request->known[FIELD_REQUEST_ID];
    }
    request->is_secure = is_secure(worker, info);
    exchange->call.is_same_origin =
        request->known_count[FIELD_ORIGIN] > 0 &&
        origin_is_own(request, &worker->http->origins, request->is_secure);
    exchange->call.request_id = request->id;
    exchange->call.client_address = request->client_address;
}

/* ---- the end ---- */

/* Probes go on while a server drains; who else comes was not told yet. */
static bool is_probe(const struct exchange *exchange)
{
    const struct route *route = exchange->call.route;

    return route && strncmp(route->name, "health.", 7) == 0;
}

static void end_exchange(struct worker *worker, size_t bytes_sent)
{
    struct http *http = worker->http;
    struct exchange *exchange = &worker->exchange;
    /* What has not gone out is no answer. */
    int status = exchange->cut == NOT_CUT ? exchange->response.status : 0;
    int64_t now_ns = clock_mono_ns();
    int64_t duration_ns = now_ns - exchange->request.started_ns;

    if (!is_probe(exchange))
        atomic_store_explicit(&worker->ended_ns, now_ns, memory_order_relaxed);
    if (!exchange->is_streamed)
        access_log_write(exchange, bytes_sent, duration_ns);
    metrics_count(http->metrics, (int)(worker - http->workers), exchange->call.route, status,
                  duration_ns);
    arena_reset(worker->arena);
    count(&worker->by_class[status / 100]);
    atomic_store(&worker->is_busy, false);
    if (atomic_load(&http->draining)) {
        lock_acquire(&http->lock);
        lock_cond_broadcast(&http->finished);
        lock_release(&http->lock);
    }
}

/* The request waits for its body without a worker; on_request is called again when that is there. */
static void suspend_exchange(struct worker *worker)
{
    const struct exchange *exchange = &worker->exchange;
    struct request_memory *memory = mg_request_memory(worker->connection);

    if (!memory->is_begun)
        memcpy(memory->id, worker->id, sizeof memory->id);
    memory->is_begun = true;
    memory->started_ns = exchange->request.started_ns;
    memory->kept = exchange->kept;
    arena_reset(worker->arena);
    atomic_store(&worker->is_busy, false);
}

/* begin_request: every request with a sound head comes by here; none goes back to the library. */
static int on_request(struct mg_connection *connection)
{
    struct worker *worker = mg_get_thread_pointer(connection);
    const struct http *http = worker->http;
    struct exchange *exchange = begin_exchange(worker, connection);

    take_request(worker, mg_get_request_info(connection));
    struct guard_verdict verdict = guard_check(&exchange->request, &http->guard);
    if (verdict.status != 0)
        status_refused(exchange, verdict.status, verdict.detail);
    else
        dispatch_run(&http->dispatcher, exchange);
    transfer_end_body(exchange);
    if (exchange->is_suspended) {
        suspend_exchange(worker);
        return 0;
    }
    if (!exchange->response.is_foreign) /* which says itself who may read it */
        response_allow_origin(exchange, http->options.cors_origins,
                              http->options.cors_origin_count);

    size_t bytes_sent = transfer_send(worker);
    int status = exchange->response.status;
    end_exchange(worker, bytes_sent);
    return status;
}

/* http_error: a head the library refused. Nothing in it can be trusted, so nothing is looked at. */
static int on_refused_head(struct mg_connection *connection, int status, const char *message)
{
    struct worker *worker = mg_get_thread_pointer(connection);
    struct exchange *exchange = begin_exchange(worker, connection);
    struct str detail = STR("Bad request.");

    if (status == 408)
        detail = STR("The request head did not arrive in time.");
    else if (status == 414)
        detail = STR("The request target is too long.");
    else if (status == 431)
        detail = STR("The request head is too large.");
    else if (status == 503)
        detail = STR("Service temporarily unavailable.");
    else if (status == 505)
        detail = STR("Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    else
        status = 400;
    status_refused(exchange, status, detail);
    if (status == 500) /* its words for it are for the log */
        exchange->result = error_set_detail(&exchange->call.error, ERR_INTERNAL, "%s", message);
    else if (status == 503)
        exchange->result = error_set_detail(&exchange->call.error, ERR_BUSY, STATUS_MADE_ROOM);
    end_exchange(worker, transfer_send(worker));
    return 0;
}

/* ---- messages ---- */

/* What the library says while it starts is why it did not; later on it tells of clients' mistakes,
 * in TLS above all. */
static int on_message(const struct mg_connection *connection, const char *message)
{
    struct http *http = mg_get_user_data(mg_get_context(connection));

    lock_acquire(&http->lock);
    bool is_started = http->is_started;
    if (!is_started && (strstr(message, "thread") || strstr(message, "worker"))) {
        http->is_short_of_threads = true;
        (void)error_set(&http->complaint, ERR_BAD_INPUT, "%s", message);
        lock_cond_broadcast(&http->finished);
    } else if (!is_started && http->complaint.code == ERR_OK) {
        (void)error_set(&http->complaint, ERR_BAD_INPUT, "server.listen: %s", message);
    }
    lock_release(&http->lock);
    if (is_started)
        log_event(LOG_LEVEL_INFO, "http.library", LOG_CSTR("message", message));
    return 1;
}

void connection_callbacks(struct mg_callbacks *callbacks_out)
{
    callbacks_out->init_thread = on_thread_start;
    callbacks_out->init_connection = on_connection;
    callbacks_out->connection_closed = on_connection_closed;
    callbacks_out->begin_request = on_request;
    callbacks_out->http_error = on_refused_head;
    callbacks_out->log_message = on_message;
}
