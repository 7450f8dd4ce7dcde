#include "edge.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/routes.h"
#include "patience.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct app app;
static struct http *http;
static char url[64];
static atomic_int calls;
static char big[EDGE_BIG_SIZE]; /* a request has not memory enough for it twice */

static pthread_mutex_t gate_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static bool gate_is_open;
static atomic_int inside_gate;

/* ---- operations ---- */

static enum err write_flag(struct call *call, const char *name)
{
    struct json_writer *json = &call->reply.json;

    atomic_fetch_add(&calls, 1);
    json_open_object(json);
    json_add_bool(json, name, true);
    json_close_object(json);
    return ERR_OK;
}

static enum err op_plain(struct call *call)
{
    return write_flag(call, "plain");
}

static enum err op_status(struct call *call)
{
    call->reply.cache_version = 5;
    call->reply.cache_enabled = YES;
    return write_flag(call, "enabled");
}

static enum err op_echo(struct call *call)
{
    atomic_fetch_add(&calls, 1);
    strbuf_add(&call->reply.body, call->body);
    call->reply.media_type = STR("text/plain");
    return ERR_OK;
}

static enum err op_client(struct call *call)
{
    struct json_writer *json = &call->reply.json;

    atomic_fetch_add(&calls, 1);
    json_open_object(json);
    json_add_string(json, "client", call->client_address);
    json_add_string(json, "id", call->request_id);
    json_close_object(json);
    return ERR_OK;
}

static enum err op_big(struct call *call)
{
    atomic_fetch_add(&calls, 1);
    call->reply.body = (struct strbuf){.ptr = big, .len = sizeof big, .cap = sizeof big};
    call->reply.media_type = STR("application/octet-stream");
    return ERR_OK;
}

static enum err op_lasting(struct call *call)
{
    atomic_fetch_add(&calls, 1);
    call->reply.lasting_body = (struct str){big, sizeof big};
    call->reply.media_type = STR("application/octet-stream");
    return ERR_OK;
}

/* `with` is how much of it is left. */
static enum err next_of_big(void *with, const struct work *work, char *buffer, size_t size,
                            size_t *len_out)
{
    size_t *left = with;

    (void)work;
    *len_out = *left < size ? *left : size;
    memset(buffer, EDGE_BIG_BYTE, *len_out);
    *left -= *len_out;
    return ERR_OK;
}

static enum err give_big(struct call *call, int64_t length)
{
    size_t *left = malloc(sizeof *left);
    const struct body_source source = {
        .length = length, .next = next_of_big, .close = free, .with = left};

    ck_assert_ptr_nonnull(left);
    *left = EDGE_BIG_SIZE;
    call_give_source(call, &source, STR_NONE);
    return ERR_OK;
}

static enum err op_made(struct call *call)
{
    return give_big(call, EDGE_BIG_SIZE);
}

static enum err op_made_chunked(struct call *call)
{
    return give_big(call, BODY_LENGTH_UNKNOWN);
}

static enum err op_fail(struct call *call)
{
    atomic_fetch_add(&calls, 1);
    return error_set(&call->error, ERR_INTERNAL, "words that are for us only");
}

static enum err op_gate(struct call *call)
{
    atomic_fetch_add(&inside_gate, 1);
    pthread_mutex_lock(&gate_mutex);
    while (!gate_is_open)
        pthread_cond_wait(&gate_changed, &gate_mutex);
    pthread_mutex_unlock(&gate_mutex);
    atomic_fetch_sub(&inside_gate, 1);
    return write_flag(call, "passed");
}

#define ROW(verb, row_path, row_name, function) \
    .method = (verb), .path = (row_path), .name = (row_name), .operation = (function)

static const struct route routes[] = {
    {ROW(METHOD_GET, "/plain", "plain", op_plain), .permit = PERMIT_PUBLIC, .effect = EFFECT_READ},
    {ROW(METHOD_GET, "/status/", "status", op_status), .permit = PERMIT_PUBLIC,
     .effect = EFFECT_READ, .no_store = true},
    {ROW(METHOD_POST, "/echo", "echo", op_echo), .permit = PERMIT_PUBLIC, .body = BODY_RAW},
    {ROW(METHOD_POST, "/small", "small", op_echo), .permit = PERMIT_PUBLIC, .body = BODY_RAW,
     .body_limit = 16},
    {ROW(METHOD_POST, "/ignored", "ignored", op_plain), .permit = PERMIT_PUBLIC},
    {ROW(METHOD_GET, "/client", "client", op_client), .permit = PERMIT_PUBLIC,
     .effect = EFFECT_READ},
    {ROW(METHOD_GET, "/big", "big", op_big), .permit = PERMIT_PUBLIC, .effect = EFFECT_READ},
    {ROW(METHOD_GET, "/lasting", "lasting", op_lasting), .permit = PERMIT_PUBLIC,
     .effect = EFFECT_READ},
    {ROW(METHOD_GET, "/made", "made", op_made), .permit = PERMIT_PUBLIC, .effect = EFFECT_READ},
    {ROW(METHOD_GET, "/made-chunked", "made-chunked", op_made_chunked), .permit = PERMIT_PUBLIC,
     .effect = EFFECT_READ},
    {ROW(METHOD_GET, "/fail", "fail", op_fail), .permit = PERMIT_PUBLIC, .effect = EFFECT_READ},
    {ROW(METHOD_GET, "/gate", "gate", op_gate), .permit = PERMIT_PUBLIC, .effect = EFFECT_READ},
};

/* ---- life ---- */

static const struct listen_address any_port = {"127.0.0.1", 0, false};

struct http_options edge_options(void)
{
    return (struct http_options){
        .app = &app,
        .routes = routes,
        .route_count = sizeof routes / sizeof *routes,
        .listen = &any_port,
        .listen_count = 1,
        .threads = 4,
        .max_body = 64 * 1024,
        .header_timeout_ms = 600000,
        .body_timeout_ms = 600000,
        .keep_alive_timeout_ms = 600000,
    };
}

void edge_open(const struct http_options *options)
{
    struct error error;

    app.budget_ms = 1000;
    gate_is_open = false;
    atomic_store(&calls, 0);
    memset(big, EDGE_BIG_BYTE, sizeof big);
    log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    ck_assert_msg(http_start(options, &http, &error) == ERR_OK, "%s", error.caller);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", edge_port());
}

void edge_close(void)
{
    edge_open_gate();
    http_stop(&http);
}

struct http *edge_http(void)
{
    return http;
}

int edge_port(void)
{
    return http_port(http, 0);
}

const char *edge_url(void)
{
    return url;
}

int edge_calls(void)
{
    return atomic_load(&calls);
}

/* ---- waiting ---- */

void edge_wait(bool (*is_met)(void *arg), void *arg, const char *what)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (!is_met(arg)) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "waited in vain for: %s", what);
        poll(NULL, 0, 2);
    }
}

static bool are_inside(void *arg)
{
    return atomic_load(&inside_gate) >= *(int *)arg;
}

void edge_wait_gate(int requests)
{
    edge_wait(are_inside, &requests, "requests inside /gate");
}

void edge_open_gate(void)
{
    pthread_mutex_lock(&gate_mutex);
    gate_is_open = true;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_mutex);
}
