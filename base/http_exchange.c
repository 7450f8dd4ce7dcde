#include "http_exchange.h"

#include "cachewarden/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    INPUT_SIZE = 16 * 1024,
    OUTPUT_SIZE = 32 * 1024,
    PIECE_PREFIX_SIZE = 10, /* 8 hex digits, CR LF */
    DIRECT_MIN_SIZE = 4096, /* less is read through the buffer */
    UNWANTED_POLL_MS = 500,
    INTERIM_MAX = 16 /* responses 1xx before the one that counts */
};

enum err http_exchange_new(struct http_connection *connection, int timeout_ms,
                           struct http_exchange **exchange_out)
{
    struct http_exchange *exchange = calloc(1, sizeof *exchange);

    *exchange_out = exchange;
    if (exchange)
        exchange->input = malloc(INPUT_SIZE);
    if (!exchange || !exchange->input) {
        free(exchange);
        http_connection_close(&connection);
        *exchange_out = NULL;
        return ERR_NO_MEMORY;
    }
    exchange->connection = connection;
    exchange->capacity = INPUT_SIZE;
    exchange->timeout_ms = timeout_ms;
    return ERR_OK;
}

void http_exchange_free(struct http_exchange **exchange)
{
    struct http_exchange *freed = *exchange;

    *exchange = NULL;
    if (!freed)
        return;
    http_connection_close(&freed->connection);
    free(freed->input);
    free(freed->output);
    free(freed);
}

/* ---- waiting ---- */

static void touch(struct http_exchange *exchange)
{
    exchange->silent_ns = clock_mono_ns();
}

/* 0: the deadline, or nobody waits for it any more. */
static short await_ready(const struct http_exchange *exchange, short events, int64_t deadline_ns)
{
    for (;;) {
        int64_t until_ns = clock_deadline_ns(UNWANTED_POLL_MS);
        if (!exchange->is_unwanted || until_ns > deadline_ns)
            until_ns = deadline_ns;
        short ready = http_connection_wait(exchange->connection, events, until_ns);
        if (ready != 0 || until_ns == deadline_ns || clock_left_ms(until_ns) > 0 ||
            exchange->is_unwanted(exchange->unwanted_with))
            return ready;
    }
}

static enum err await(struct http_exchange *exchange, short events, short *ready_out,
                      struct error *error)
{
    int64_t deadline_ns = exchange->silent_ns + exchange->timeout_ms * NS_PER_MS;
    bool is_last = exchange->deadline_ns > 0 && exchange->deadline_ns < deadline_ns;

    if (is_last)
        deadline_ns = exchange->deadline_ns;
    *ready_out = await_ready(exchange, events, deadline_ns);
    /* Bytes that always come in time put off the end of silence, but not the end of all. */
    if (*ready_out != 0 && !(is_last && clock_left_ms(deadline_ns) == 0))
        return ERR_OK;
    if (clock_left_ms(deadline_ns) > 0)
        return error_set_detail(error, ERR_UPSTREAM_DOWN, "given up: nobody waits for it any more");
    return error_set_detail(error, ERR_TIMEOUT,
                            is_last ? "Timeout: it took too long"
                                    : "Timeout: silence of the server");
}

/* ---- sending ---- */

static void send_no_more(struct http_exchange *exchange)
{
    exchange->unsent = STR_NONE;
    exchange->body.next = NULL;
    exchange->keeps = false;
    exchange->has_failed = true;
}

/* What the server does not take any more is not sent; it may have answered before that. */
static void send_some(struct http_exchange *exchange)
{
    size_t sent;

    if (http_connection_send(exchange->connection, exchange->unsent.ptr, exchange->unsent.len,
                             &sent, NULL)) {
        send_no_more(exchange);
        return;
    }
    exchange->unsent = str_sub(exchange->unsent, sent, exchange->unsent.len);
    if (sent > 0) {
        exchange->has_sent = true;
        touch(exchange);
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
    touch(exchange);
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

/* Until there may be bytes to read. Sends meanwhile what is left of the request. */
static enum err await_input(struct http_exchange *exchange, const struct work *work)
{
    struct http_connection *connection = exchange->connection;
    short ready = 0;

    for (;;) {
        enum err err = ERR_OK;
        if (exchange->unsent.len > 0) {
            err = await(exchange, POLLIN | POLLOUT, &ready, work->error);
            if (ready & POLLOUT)
                send_some(exchange);
            if (err || (ready & POLLIN))
                return err;
        } else if (exchange->body.next) {
            if (http_connection_wait(connection, POLLIN, 0) != 0)
                return ERR_OK;
            err = make_piece(exchange, work);
            if (err && !exchange->has_head)
                return err;
            if (err)
                send_no_more(exchange);
            else
                send_some(exchange);
        } else {
            return await(exchange, POLLIN, &ready, work->error);
        }
    }
}

static enum err cut(struct error *error)
{
    return error_set_detail(error, ERR_UPSTREAM_DOWN, "the server closed the connection too early");
}

/* At least one byte, or the end: 0. */
static enum err receive(struct http_exchange *exchange, const struct work *work, char *buffer,
                        size_t size, size_t *got_out)
{
    bool is_end = false;
    enum err err = ERR_OK;

    *got_out = 0;
    if (!exchange->must_wait)
        err = http_connection_receive(exchange->connection, buffer, size, got_out, &is_end,
                                      work->error);
    while (!err && *got_out == 0 && !is_end) {
        err = await_input(exchange, work);
        if (!err)
            err = http_connection_receive(exchange->connection, buffer, size, got_out, &is_end,
                                          work->error);
    }
    exchange->must_wait = false;
    /* A head that has begun is to be there before the time is over: else one that drips would have no end. */
    if (exchange->has_head || !exchange->has_heard)
        touch(exchange);
    exchange->has_heard = exchange->has_heard || *got_out > 0;
    return err;
}

static struct str waiting(const struct http_exchange *exchange)
{
    return (struct str){exchange->input + exchange->from, exchange->to - exchange->from};
}

/* More of it behind what is there; *is_end_out: there is no more. */
static enum err fill(struct http_exchange *exchange, const struct work *work, bool *is_end_out)
{
    size_t got;

    if (exchange->from == exchange->to)
        exchange->from = exchange->to = 0;
    enum err err = receive(exchange, work, exchange->input + exchange->to,
                           exchange->capacity - exchange->to, &got);
    exchange->to += got;
    *is_end_out = got == 0;
    return err;
}

/* ---- the head ---- */

static enum err make_room(struct http_exchange *exchange, struct error *error)
{
    size_t size = exchange->to - exchange->from;

    memmove(exchange->input, exchange->input + exchange->from, size);
    exchange->from = 0;
    exchange->to = size;
    if (size < exchange->capacity)
        return ERR_OK;
    if (exchange->capacity >= HTTP_HEAD_MAX_SIZE)
        return error_set_detail(error, ERR_UPSTREAM_DOWN, "the head of its response is too long");
    char *larger = realloc(exchange->input, exchange->capacity * 2);
    if (!larger)
        return ERR_NO_MEMORY;
    exchange->input = larger;
    exchange->capacity *= 2;
    return ERR_OK;
}

static enum err read_head(struct http_exchange *exchange, const struct work *work,
                          struct http_head *head_out)
{
    size_t looked = 0, size = 0;
    enum err err = ERR_OK;

    touch(exchange);
    for (;;) {
        bool is_end = false;
        struct str there = waiting(exchange);
        if (!http_head_find_end(there, looked, &size))
            return error_set_detail(work->error, ERR_UPSTREAM_DOWN, "it does not speak HTTP/1");
        if (size > 0)
            break;
        looked = there.len;
        if (exchange->to == exchange->capacity)
            err = make_room(exchange, work->error);
        if (!err)
            err = fill(exchange, work, &is_end);
        if (!err && is_end)
            err = cut(work->error);
        if (err)
            return err;
    }
    err = http_head_parse(work->arena, str_sub(waiting(exchange), 0, size), head_out, work->error);
    exchange->from += size;
    return err;
}

static enum err read_final_head(struct http_exchange *exchange,
                                const struct http_peer_request *request, const struct work *work,
                                struct http_head *head_out)
{
    for (int i = 0; i <= INTERIM_MAX; i++) {
        enum err err = read_head(exchange, work, head_out);
        if (err || head_out->status >= 200)
            return err;
        if (head_out->status == 101)
            return error_set_detail(work->error, ERR_UPSTREAM_DOWN,
                                    "it switched protocols, which nobody asked for");
        if (request->on_interim && head_out->status != 100)
            request->on_interim(request->interim_with, head_out->status, head_out->fields,
                                head_out->field_count);
    }
    return error_set_detail(work->error, ERR_UPSTREAM_DOWN, "too many responses 1xx");
}

/* ---- an exchange ---- */

static void begin(struct http_exchange *exchange, struct str head,
                  const struct http_peer_request *request)
{
    exchange->unsent = head;
    exchange->body = request->body ? *request->body : (struct body_source){0};
    exchange->left_to_send = exchange->body.length;
    if (exchange->left_to_send == 0)
        exchange->body.next = NULL;
    exchange->deadline_ns = request->deadline_ns;
    exchange->is_unwanted = request->is_unwanted;
    exchange->unwanted_with = request->unwanted_with;
    exchange->has_sent = exchange->has_heard = exchange->has_head = false;
    exchange->has_failed = exchange->keeps = false;
    exchange->must_wait = true;
    exchange->chunks = (struct http_chunks){0};
    exchange->left = 0;
    touch(exchange);
}

static void frame(struct http_exchange *exchange, const struct http_head *head, struct str method)
{
    bool has_body = !str_eq(method, STR("HEAD")) && head->status != 204 && head->status != 304;

    exchange->keeps = head->keeps;
    if (!has_body) {
        exchange->end = BODY_ENDS_AT_ONCE;
    } else if (head->is_chunked) {
        exchange->end = BODY_ENDS_WITH_CHUNK;
    } else if (head->length != BODY_LENGTH_UNKNOWN) {
        exchange->end = BODY_ENDS_AFTER_LENGTH;
        exchange->left = head->length;
    } else {
        exchange->end = BODY_ENDS_WITH_CONNECTION;
        exchange->keeps = false;
    }
    /* Refused before it was read: the rest of the request's body is of no use. */
    if (head->status >= 300 && (exchange->body.next || exchange->unsent.len > 0))
        send_no_more(exchange);
}

enum err http_exchange_run(struct http_exchange *exchange, struct str head,
                           const struct http_peer_request *request, const struct work *work,
                           struct http_peer_response *response_out)
{
    struct http_head parsed = {0};

    begin(exchange, head, request);
    *response_out = (struct http_peer_response){.request_time_ms = clock_wall_ms()};
    send_some(exchange);
    enum err err = read_final_head(exchange, request, work, &parsed);
    exchange->is_unwanted = NULL;
    exchange->has_head = !err;
    if (err) {
        exchange->has_failed = true;
        return err;
    }
    frame(exchange, &parsed, request->method);
    response_out->response_time_ms = clock_wall_ms();
    response_out->status = parsed.status;
    response_out->minor_version = parsed.minor_version;
    response_out->fields = parsed.fields;
    response_out->field_count = parsed.field_count;
    response_out->has_body = exchange->end != BODY_ENDS_AT_ONCE;
    response_out->body.length =
        exchange->end == BODY_ENDS_AFTER_LENGTH ? parsed.length : BODY_LENGTH_UNKNOWN;
    return ERR_OK;
}

/* ---- its body ---- */

/* Up to `size` bytes, of the buffer or past it; 0: the end of the connection. */
static enum err take(struct http_exchange *exchange, const struct work *work, char *buffer,
                     size_t size, size_t *got_out)
{
    *got_out = 0;
    if (exchange->from == exchange->to) {
        bool is_end = false;
        if (size >= DIRECT_MIN_SIZE)
            return receive(exchange, work, buffer, size, got_out);
        enum err err = fill(exchange, work, &is_end);
        if (err || is_end)
            return err;
    }
    struct str there = str_sub(waiting(exchange), 0, size);
    memcpy(buffer, there.ptr, there.len);
    exchange->from += there.len;
    *got_out = there.len;
    return ERR_OK;
}

static enum err read_length(struct http_exchange *exchange, const struct work *work, char *buffer,
                            size_t size, size_t *len_out)
{
    if (exchange->left == 0)
        return ERR_OK;
    if ((int64_t)size > exchange->left)
        size = (size_t)exchange->left;
    enum err err = take(exchange, work, buffer, size, len_out);
    exchange->left -= (int64_t)*len_out;
    return !err && *len_out == 0 ? cut(work->error) : err;
}

/* Up to the next data, or the end of the body. */
static enum err read_chunk_lines(struct http_exchange *exchange, const struct work *work)
{
    struct http_chunks *chunks = &exchange->chunks;

    for (;;) {
        bool is_end = false;
        exchange->from += http_chunks_take(chunks, waiting(exchange));
        if (chunks->state == CHUNKS_BROKEN)
            return error_set_detail(work->error, ERR_UPSTREAM_DOWN, "it broke HTTP: a chunk");
        if (chunks->state == CHUNKS_DATA || chunks->state == CHUNKS_WHOLE)
            return ERR_OK;
        enum err err = fill(exchange, work, &is_end);
        if (err || is_end)
            return err ? err : cut(work->error);
    }
}

static enum err read_chunks(struct http_exchange *exchange, const struct work *work, char *buffer,
                            size_t size, size_t *len_out)
{
    enum err err = read_chunk_lines(exchange, work);

    if (err || exchange->chunks.state == CHUNKS_WHOLE)
        return err;
    if ((int64_t)size > exchange->chunks.left)
        size = (size_t)exchange->chunks.left;
    err = take(exchange, work, buffer, size, len_out);
    if (err || *len_out == 0)
        return err ? err : cut(work->error);
    http_chunks_read(&exchange->chunks, *len_out);
    return ERR_OK;
}

enum err http_exchange_read(struct http_exchange *exchange, const struct work *work, char *buffer,
                            size_t size, size_t *len_out)
{
    enum err err = ERR_OK;

    *len_out = 0;
    touch(exchange); /* whoever reads slowly is not the server's silence */
    switch (exchange->end) {
    case BODY_ENDS_AT_ONCE:
        break;
    case BODY_ENDS_AFTER_LENGTH:
        err = read_length(exchange, work, buffer, size, len_out);
        break;
    case BODY_ENDS_WITH_CHUNK:
        err = read_chunks(exchange, work, buffer, size, len_out);
        break;
    case BODY_ENDS_WITH_CONNECTION:
        err = take(exchange, work, buffer, size, len_out);
        break;
    }
    exchange->has_failed = exchange->has_failed || err;
    return err;
}

/* ---- between exchanges ---- */

bool http_exchange_is_clean(const struct http_exchange *exchange)
{
    bool is_whole = exchange->end == BODY_ENDS_WITH_CHUNK ? exchange->chunks.state == CHUNKS_WHOLE
                                                          : exchange->left == 0;

    return is_whole && exchange->keeps && !exchange->has_failed && !exchange->body.next &&
           exchange->unsent.len == 0 && exchange->from == exchange->to;
}

bool http_exchange_is_quiet(const struct http_exchange *exchange)
{
    return http_connection_wait(exchange->connection, POLLIN, 0) == 0;
}
