/*
 * A request's body comes, an answer goes: between the library's connection and an exchange.
 */
#include "http/body_sender.h"
#include "http/http_private.h"
#include "http/status.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/die.h"

#include <civetweb.h>

#include <civetweb_extra.h>

#include <errno.h>

/*
 * Who takes an answer that is made meanwhile may be slower than body_timeout_ms, but not than this for long, nor
 * silent for that long.
 */
enum { RATE_MIN = 1024 /* bytes a second */, AHEAD_MS = 60000 };

/* ---- the body of the request ---- */

int transfer_read_body(struct exchange *exchange, size_t limit, struct str *body_out)
{
    struct worker *worker = exchange->body_source;
    int64_t deadline_ns = clock_deadline_ns(worker->http->options.body_timeout_ms);
    const char *bytes;
    size_t size;

    *body_out = STR_NONE;
    switch (mg_body(worker->connection, limit, (uint64_t)deadline_ns, &bytes, &size)) {
    case MG_BODY_WHOLE:
        *body_out = (struct str){bytes, size};
        return 0;
    case MG_BODY_AWAITED:
        return BODY_AWAITED;
    case MG_BODY_TOO_LARGE:
        return 413;
    case MG_BODY_LATE:
        return 408;
    case MG_BODY_BROKEN:
        return 400;
    case MG_BODY_UNKNOWN:
    case MG_BODY_NO_ROOM:
    default:
        return 503;
    }
}

/* ---- an answer that is made while it is sent ---- */

_Static_assert((int)BODY_SENDER_END == (int)MG_SOURCE_END, "one word for the end");
_Static_assert((int)BODY_SENDER_FAILED == (int)MG_SOURCE_FAILED, "and for a failure");

/* The exchange is over, and its worker has not begun another one. */
static int next_piece(struct mg_connection *connection, void *with, char *buffer, size_t size)
{
    struct worker *worker = mg_get_thread_pointer(connection);
    struct error error = {0};
    const struct work work = {worker->arena,
                              clock_deadline_ns(worker->http->options.app->budget_ms), &error};
    int len = body_sender_next(with, &work, buffer, size);

    arena_reset(worker->arena);
    return len;
}

static void close_sender(void *with, int is_whole)
{
    struct body_sender *sender = with;

    body_sender_close(&sender, is_whole);
}

static void send_source(struct worker *worker, struct body_sender *sender, size_t head_bytes)
{
    int64_t ahead_ms = worker->http->options.body_timeout_ms;
    const struct mg_source source = {
        .next = next_piece,
        .close = close_sender,
        .with = sender,
        .ns_a_byte = NS_PER_S / RATE_MIN,
        .ahead_ns = (uint64_t)((ahead_ms > AHEAD_MS ? ahead_ms : AHEAD_MS) * NS_PER_MS),
    };

    worker->exchange.is_streamed = true;
    body_sender_begin(sender, head_bytes);
    mg_write_source(worker->connection, &source);
}

/* NULL: the body is none that a source gives, or not to be sent. */
static struct body_sender *make_sender(struct exchange *exchange)
{
    struct body_sender *sender;

    if (!exchange->response.has_source || exchange->request.method == METHOD_HEAD)
        return NULL;
    sender = body_sender_new(exchange);
    if (!sender)
        status_render(exchange, error_set_detail(&exchange->call.error, ERR_NO_MEMORY,
                                                 "no memory for the answer"));
    else if (exchange->response.source_length < 0 && exchange->request.minor_version == 0)
        exchange->response.close = true; /* which is the only end of such a body */
    return sender;
}

/* ---- answers ---- */

static bool will_keep(const struct worker *worker)
{
    return !worker->exchange.response.close && !atomic_load(&worker->http->draining) &&
           mg_will_keep_alive(worker->connection);
}

/* What belongs behind the head, and is no part of its message. How many bytes are known to be. */
static size_t send_rest(struct worker *worker, struct body_sender **sender, size_t head_bytes)
{
    const struct exchange *exchange = &worker->exchange;
    struct str body = exchange->response.body;

    if (*sender) {
        send_source(worker, *sender, head_bytes);
        *sender = NULL;
    } else if (exchange->response.body_lasts && exchange->request.method != METHOD_HEAD) {
        mg_write_lasting(worker->connection, body.ptr, body.len);
        return body.len;
    }
    return 0;
}

static size_t send_message(struct worker *worker, struct body_sender **sender)
{
    struct exchange *exchange = &worker->exchange;
    struct mg_connection *connection = worker->connection;
    int64_t now_ns = clock_mono_ns();

    bool keep = will_keep(worker);
    struct str message = response_compose(exchange, &worker->date, clock_wall_s(), keep);
    if (!keep || exchange->response.close)
        mg_disable_connection_keep_alive(connection);
    if (!exchange->response.has_source) /* there was no memory for its head */
        body_sender_close(sender, false);

    /* So long has the client to take the answer. */
    int64_t deadline_ns = now_ns + worker->http->options.body_timeout_ms * NS_PER_MS;
    mg_set_write_deadline(connection, (uint64_t)deadline_ns);
    int sent = mg_write(connection, message.ptr, message.len);
    if (sent < 0) {
        exchange->cut = errno == ENOMEM ? CUT_NO_ROOM : CUT_CLIENT_GONE;
        return 0;
    }
    return (size_t)sent + send_rest(worker, sender, (size_t)sent);
}

size_t transfer_send(struct worker *worker)
{
    struct exchange *exchange = &worker->exchange;
    struct body_sender *sender = make_sender(exchange);
    struct body_source *unsent = &exchange->call.reply.source;
    size_t bytes = send_message(worker, &sender);

    body_sender_close(&sender, false);
    if (unsent->next)
        unsent->close(unsent->with);
    return bytes;
}
