/*
 * A request's body comes, an answer goes: between the library's connection and an exchange.
 */
#include "http/body_sender.h"
#include "http/http_private.h"
#include "http/status.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/die.h"
#include "cachewarden/gateway.h"

#include <civetweb.h>

#include <civetweb_extra.h>

#include <errno.h>

/*
 * Who takes an answer that is made meanwhile, or sends a body that is read meanwhile, may need more than
 * body_timeout_ms, but not be slower than this for long, nor silent for that long. The watchdog allows for so much
 * more silence (process/watchdog.c).
 */
enum { RATE_MIN = 1024 /* bytes a second */, AHEAD_MS = 30000 };

static struct mg_pace pace_of(const struct worker *worker)
{
    int64_t ahead_ms = worker->http->options.body_timeout_ms;

    return (struct mg_pace){
        .ns_a_byte = NS_PER_S / RATE_MIN,
        .ahead_ns = (uint64_t)((ahead_ms > AHEAD_MS ? ahead_ms : AHEAD_MS) * NS_PER_MS),
    };
}

static void note_piece(struct worker *worker)
{
    uint64_t pieces = atomic_load_explicit(&worker->pieces, memory_order_relaxed);

    atomic_store_explicit(&worker->pieces, pieces + 1, memory_order_relaxed);
}

/* ---- the body of the request ---- */

/* 0, or what refuses the body. */
static int status_of_body(enum mg_body_state state)
{
    switch (state) {
    case MG_BODY_WHOLE:
        return 0;
    case MG_BODY_AWAITED:
        return BODY_AWAITED;
    case MG_BODY_TOO_LARGE:
        return 413;
    case MG_BODY_LATE:
        return 408;
    case MG_BODY_BROKEN:
        return 400;
    case MG_BODY_STOPPED:
        return BODY_STOPPED;
    case MG_BODY_UNKNOWN:
    case MG_BODY_NO_ROOM:
    default:
        return 503;
    }
}

static uint64_t body_deadline_ns(const struct worker *worker)
{
    return (uint64_t)clock_deadline_ns(worker->http->options.body_timeout_ms);
}

int transfer_read_body(struct exchange *exchange, size_t limit, struct str *body_out)
{
    struct worker *worker = exchange->body_source;
    const char *bytes;
    size_t size;
    enum mg_body_state state =
        mg_body(worker->connection, limit, body_deadline_ns(worker), &bytes, &size);

    *body_out = state == MG_BODY_WHOLE ? (struct str){bytes, size} : STR_NONE;
    return status_of_body(state);
}

/* ---- a body that is read while it comes ---- */

/* A body up to this size is there before its operation begins. */
enum { STREAM_FIRST = 64 * 1024 };

static enum err code_of_body(int status)
{
    switch (status) {
    case 413:
        return ERR_TOO_LARGE;
    case 408:
        return ERR_TIMEOUT;
    case 400:
        return ERR_BAD_INPUT;
    default:
        return ERR_BUSY;
    }
}

static enum err next_of_request(void *with, const struct work *work, char *buffer, size_t size,
                                size_t *len_out)
{
    struct worker *worker = with;
    struct exchange *exchange = &worker->exchange;
    const struct mg_pace pace = pace_of(worker);
    const int64_t begun_ns = clock_mono_ns();
    enum mg_body_state state;
    int len = mg_body_read(worker->connection, buffer, size, &pace, &state);

    exchange->call.deadline_ns += clock_mono_ns() - begun_ns; /* that time was the client's */
    note_piece(worker);
    *len_out = len > 0 ? (size_t)len : 0;
    if (len >= 0)
        return ERR_OK;
    exchange->body_status = status_of_body(state);
    return error_set_detail(work->error, code_of_body(exchange->body_status),
                            "the body of the request did not come whole");
}

static void close_of_request(void *with)
{
    (void)with; /* what was not read is dealt with at the end of the request */
}

/* One of few, so that slow clients leave workers for others. */
static bool take_place(struct worker *worker)
{
    struct http *http = worker->http;
    int most = http->options.threads * 3 / 4;

    if (atomic_fetch_add(&http->streams, 1) >= (most > 0 ? most : 1)) {
        atomic_fetch_sub(&http->streams, 1);
        return false;
    }
    worker->exchange.has_stream_place = true;
    return true;
}

int transfer_open_body(struct exchange *exchange, size_t limit)
{
    struct worker *worker = exchange->body_source;
    struct http_request *request = &exchange->request;
    int64_t announced = mg_get_request_info(worker->connection)->content_length;
    const struct mg_pace pace = pace_of(worker);
    int status = status_of_body(
        mg_body_open(worker->connection, limit, STREAM_FIRST, &pace, body_deadline_ns(worker)));

    if (status != 0)
        return status;
    if (!mg_body_is_here(worker->connection) && !take_place(worker))
        return BODY_BUSY;
    exchange->incoming = (struct body_source){
        .length = request->known_count[FIELD_TRANSFER_ENCODING] > 0 ? BODY_LENGTH_UNKNOWN
                  : announced > 0                                   ? announced
                                                                    : 0,
        .next = next_of_request,
        .close = close_of_request,
        .with = worker,
    };
    exchange->call.body_source = &exchange->incoming;
    return 0;
}

bool transfer_is_client_gone(const struct exchange *exchange)
{
    struct worker *worker = exchange->body_source;

    return mg_peer_is_gone(worker->connection) != 0;
}

static void on_left(struct mg_connection *connection)
{
    const struct worker *worker = mg_get_thread_pointer(connection);
    const struct request_memory *memory = mg_request_memory(connection);

    gateway_waits_no_more(worker->http->options.app->gateway, &memory->kept.wait,
                          mg_peer_is_gone(connection) != 0);
}

/* The library looks ten times a second whose time has come. */
void transfer_pause(struct exchange *exchange, int64_t pause_ms)
{
    struct worker *worker = exchange->body_source;

    mg_pause(worker->connection, (uint64_t)clock_deadline_ns(pause_ms), on_left);
    exchange->is_suspended = true;
}

/* HTTP/1.0 knows none. */
void transfer_send_interim(struct exchange *exchange, int status, const struct http_field *fields,
                           size_t field_count)
{
    struct worker *worker = exchange->body_source;
    struct strbuf head;

    if (exchange->request.minor_version == 0)
        return;
    strbuf_init(&head, exchange->call.arena, 256);
    strbuf_addf(&head, "HTTP/1.1 %d %s\r\n", status, status_phrase(status));
    for (size_t i = 0; i < field_count; i++)
        strbuf_addf(&head, "%.*s: %.*s\r\n", STR_ARG(fields[i].name), STR_ARG(fields[i].value));
    strbuf_add(&head, STR("\r\n"));
    if (!head.failed)
        mg_write_interim(worker->connection, head.ptr, head.len);
}

void transfer_end_body(struct exchange *exchange)
{
    struct worker *worker = exchange->body_source;

    if (exchange->has_stream_place)
        atomic_fetch_sub(&worker->http->streams, 1);
    exchange->has_stream_place = false;
}

/* ---- an answer that is made while it is sent ---- */

_Static_assert((int)BODY_SENDER_END == (int)MG_SOURCE_END, "one word for the end");
_Static_assert((int)BODY_SENDER_FAILED == (int)MG_SOURCE_FAILED, "and for a failure");

static bool is_taker_gone(void *connection)
{
    return mg_peer_is_gone(connection) != 0;
}

/* The exchange is over, and its worker has not begun another one. */
static int next_piece(struct mg_connection *connection, void *with, char *buffer, size_t size)
{
    struct worker *worker = mg_get_thread_pointer(connection);
    struct error error = {0};
    const struct work work = {worker->arena,
                              clock_deadline_ns(worker->http->options.app->budget_ms), &error};
    const struct body_watch watch = {.is_unwanted = is_taker_gone, .with = connection};
    int len = body_sender_next(with, &watch, &work, buffer, size);

    note_piece(worker);
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
    const struct mg_source source = {
        .next = next_piece,
        .close = close_sender,
        .with = sender,
        .pace = pace_of(worker),
        .is_at_hand = body_sender_is_at_hand(sender),
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

/* Bytes, or -1: see mg_write. */
static int write_message(struct worker *worker, const struct body_sender *sender,
                         struct str message)
{
    struct mg_connection *connection = worker->connection;
    struct str apart = response_body_apart(&worker->exchange);

    if (sender && body_sender_is_at_hand(sender))
        return mg_write_ahead(connection, message.ptr, message.len);
    if (apart.len > 0)
        return mg_write_both(connection, message.ptr, message.len, apart.ptr, apart.len);
    return mg_write(connection, message.ptr, message.len);
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
    int sent = write_message(worker, *sender, message);
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
