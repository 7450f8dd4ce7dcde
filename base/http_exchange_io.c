/* Bytes of an exchange, in both directions: what is left of the request goes out while the response is read. */
#include "http_exchange_private.h"

#include "cachewarden/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OUTPUT_SIZE = 32 * 1024,
    PIECE_PREFIX_SIZE = 10, /* 8 hex digits, CR LF */
};

/* ---- waiting ---- */

void exchange_touch(struct http_exchange *exchange)
{
    exchange->silent_ns = clock_mono_ns();
}

/* What is waited for. With `arrival`, bytes to read, which are taken. */
struct awaited {
    short events;
    struct http_arrival *arrival; /* NULL: they are left where they are */
};

static short wait_once(const struct http_exchange *exchange, const struct awaited *awaited,
                       int64_t until_ns, struct error *error)
{
    if (!awaited->arrival)
        return http_connection_wait(exchange->connection, awaited->events, until_ns);
    return http_connection_await(exchange->connection, awaited->arrival, until_ns, error) ? POLLIN
                                                                                          : 0;
}

/* Bytes that come again and again do not put it off to be asked. */
static bool is_unwanted(struct http_exchange *exchange)
{
    const struct body_watch *watch = &exchange->watch;

    if (!watch->is_unwanted || clock_left_ms(exchange->ask_ns) > 0)
        return false;
    exchange->ask_ns = clock_deadline_ns(EXCHANGE_ASK_MS);
    return watch->is_unwanted(watch->with);
}

/* Up to a deadline, or the stop; ERR_UPSTREAM_DOWN: nobody waits for it any more. */
static enum err await_ready(struct http_exchange *exchange, const struct awaited *awaited,
                            int64_t deadline_ns, short *ready_out, struct error *error)
{
    bool is_asked = exchange->watch.is_unwanted;

    do {
        bool is_last = !is_asked || exchange->ask_ns >= deadline_ns;
        int64_t until_ns = is_last ? deadline_ns : exchange->ask_ns;
        *ready_out = wait_once(exchange, awaited, until_ns, error);
        if (is_unwanted(exchange))
            return error_set_detail(error, ERR_UPSTREAM_DOWN,
                                    "given up: nobody waits for it any more");
        if (is_last || clock_left_ms(until_ns) > 0) /* or the stop */
            break;
    } while (*ready_out == 0);
    return ERR_OK;
}

static enum err await(struct http_exchange *exchange, const struct awaited *awaited,
                      short *ready_out, struct error *error)
{
    int64_t deadline_ns = exchange->silent_ns + exchange->timeout_ms * NS_PER_MS;
    bool is_last = exchange->deadline_ns > 0 && exchange->deadline_ns < deadline_ns;

    if (is_last)
        deadline_ns = exchange->deadline_ns;
    bool is_watched = exchange->watch.until_ns > 0 && exchange->watch.until_ns < deadline_ns;
    if (is_watched)
        deadline_ns = exchange->watch.until_ns;
    enum err err = await_ready(exchange, awaited, deadline_ns, ready_out, error);
    if (err != ERR_OK)
        return err;
    /* Bytes that always come in time put off the end of silence, but not the end of all. */
    if (*ready_out != 0 && !(is_last && clock_left_ms(exchange->deadline_ns) == 0))
        return ERR_OK;
    if (clock_left_ms(deadline_ns) > 0)
        return error_set_detail(error, ERR_UPSTREAM_DOWN, "given up: the server stops");
    exchange->watch.is_over = is_watched;
    if (is_watched)
        return ERR_TIMEOUT; /* to nobody's ears: http_exchange_read */
    return error_set_detail(error, ERR_TIMEOUT,
                            is_last ? "Timeout: it took too long"
                                    : "Timeout: silence of the server");
}

/* ---- sending ---- */

void exchange_send_no_more(struct http_exchange *exchange)
{
    exchange->unsent = STR_NONE;
    exchange->body.next = NULL;
    exchange->keeps = false;
    exchange->has_failed = true;
}

void exchange_send_some(struct http_exchange *exchange)
{
    size_t sent;

    if (http_connection_send(exchange->connection, exchange->unsent.ptr, exchange->unsent.len,
                             &sent, NULL)) {
        exchange_send_no_more(exchange);
        return;
    }
    exchange->unsent = str_sub(exchange->unsent, sent, exchange->unsent.len);
    if (sent > 0) {
        exchange->has_sent = true;
        exchange_touch(exchange);
    }
}

static void frame_chunk(struct http_exchange *exchange, size_t len)
{
    char *data = exchange->output + PIECE_PREFIX_SIZE, prefix[PIECE_PREFIX_SIZE + 1];
    size_t prefix_size;

    if (len == 0) {
        exchange->unsent = STR("0\r\n\r\n");
        return;
    }
    prefix_size = (size_t)snprintf(prefix, sizeof prefix, "%x\r\n", (unsigned)len);
    memcpy(data - prefix_size, prefix, prefix_size);
    memcpy(data + len, "\r\n", 2);
    exchange->unsent = (struct str){data - prefix_size, prefix_size + len + 2};
}

/* Asks the request's body for more; it may wait for whoever sends it, which is no silence of the server. */
static enum err make_piece(struct http_exchange *exchange, const struct work *work)
{
    size_t size = OUTPUT_SIZE - PIECE_PREFIX_SIZE - 2, len = 0;
    bool is_chunked = exchange->left_to_send == BODY_LENGTH_UNKNOWN;

    if (!exchange->output)
        exchange->output = malloc(OUTPUT_SIZE);
    if (!exchange->output)
        return ERR_NO_MEMORY;
    if (!is_chunked && exchange->left_to_send < (int64_t)size)
        size = (size_t)exchange->left_to_send;
    enum err err = size == 0
                       ? ERR_OK
                       : exchange->body.next(exchange->body.with, work,
                                             exchange->output + PIECE_PREFIX_SIZE, size, &len);
    exchange_touch(exchange);
    if (err)
        return err;
    if (is_chunked) {
        frame_chunk(exchange, len);
    } else {
        if (len == 0 && size > 0)
            return error_set_detail(work->error, ERR_INTERNAL, "a body shorter than it said");
        exchange->left_to_send -= (int64_t)len;
        exchange->unsent = (struct str){exchange->output + PIECE_PREFIX_SIZE, len};
    }
    if (len == 0 || exchange->left_to_send == 0)
        exchange->body.next = NULL;
    return ERR_OK;
}

/* ---- reading ---- */

/* Until there may be bytes to read, or were taken. Sends meanwhile what is left of the request. */
static enum err await_input(struct http_exchange *exchange, const struct work *work,
                            struct http_arrival *arrival)
{
    struct http_connection *connection = exchange->connection;
    const struct awaited both = {.events = POLLIN | POLLOUT}, bytes = {.arrival = arrival};
    short ready = 0;

    for (;;) {
        enum err err = ERR_OK;
        if (exchange->unsent.len > 0) {
            err = await(exchange, &both, &ready, work->error);
            if (ready & POLLOUT)
                exchange_send_some(exchange);
            if (err || (ready & POLLIN))
                return err;
        } else if (exchange->body.next) {
            if (http_connection_wait(connection, POLLIN, 0) != 0)
                return ERR_OK;
            err = make_piece(exchange, work);
            if (err && !exchange->has_head)
                return err;
            if (err)
                exchange_send_no_more(exchange);
            else
                exchange_send_some(exchange);
        } else {
            err = await(exchange, &bytes, &ready, work->error);
            return err ? err : arrival->err;
        }
    }
}

enum err exchange_cut(struct error *error)
{
    return error_set_detail(error, ERR_UPSTREAM_DOWN, "the server closed the connection too early");
}

enum err exchange_receive(struct http_exchange *exchange, const struct work *work, char *buffer,
                          size_t size, size_t *got_out)
{
    struct http_arrival arrival = {.buffer = buffer, .size = size};
    bool must_wait = exchange->must_wait;
    enum err err = ERR_OK;

    while (!err && arrival.got == 0 && !arrival.is_end) {
        if (must_wait)
            err = await_input(exchange, work, &arrival);
        if (!err && arrival.got == 0 && !arrival.is_end)
            err = http_connection_receive(exchange->connection, buffer, size, &arrival.got,
                                          &arrival.is_end, work->error);
        must_wait = true;
    }
    *got_out = arrival.got;
    exchange->must_wait = false;
    /* A head that has begun is to be there before the time is over: else one that drips would have no end. */
    if (*got_out > 0 && (exchange->has_head || !exchange->has_heard))
        exchange_touch(exchange);
    exchange->has_heard = exchange->has_heard || *got_out > 0;
    return err;
}

enum err exchange_fill(struct http_exchange *exchange, const struct work *work, bool *is_end_out)
{
    size_t got;

    if (exchange->from == exchange->to)
        exchange->from = exchange->to = 0;
    enum err err = exchange_receive(exchange, work, exchange->input + exchange->to,
                                    exchange->capacity - exchange->to, &got);
    exchange->to += got;
    *is_end_out = got == 0;
    return err;
}
