#include "http_exchange_private.h"

#include "cachewarden/clock.h"

#include <poll.h>
#include <stdlib.h>

enum {
    INPUT_SIZE = 16 * 1024,
    DIRECT_MIN_SIZE = 4096, /* less is read through the buffer */
    INTERIM_MAX = 16        /* responses 1xx before the one that counts */
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

    exchange_touch(exchange);
    for (;;) {
        bool is_end = false;
        struct str there = exchange_waiting(exchange);
        if (!http_head_find_end(there, looked, &size))
            return error_set_detail(work->error, ERR_UPSTREAM_DOWN, "it does not speak HTTP/1");
        if (size > 0)
            break;
        looked = there.len;
        if (exchange->to == exchange->capacity)
            err = make_room(exchange, work->error);
        if (!err)
            err = exchange_fill(exchange, work, &is_end);
        if (!err && is_end)
            err = exchange_cut(work->error);
        if (err)
            return err;
    }
    err = http_head_parse(work->arena, str_sub(exchange_waiting(exchange), 0, size), head_out,
                          work->error);
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
    exchange->watch = (struct body_watch){request->is_unwanted, request->unwanted_with, 0, false};
    exchange->ask_ns = clock_deadline_ns(EXCHANGE_ASK_MS);
    exchange->was_left = false;
    exchange->has_sent = exchange->has_heard = exchange->has_head = false;
    exchange->has_failed = exchange->keeps = false;
    exchange->must_wait = true;
    exchange->chunks = (struct http_chunks){0};
    exchange->left = 0;
    exchange_touch(exchange);
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
        exchange_send_no_more(exchange);
}

/*
 * Whether the first of the response's body is here, or its end. It mostly is: head and body come together, or nearly
 * so. Takes what has come meanwhile; that this fails shows again when the body is read, for then bytes of it are
 * missing.
 */
static bool has_body_at_hand(struct http_exchange *exchange)
{
    bool is_counted = exchange->end == BODY_ENDS_AFTER_LENGTH
                          ? exchange->left > 0
                          : exchange->end == BODY_ENDS_WITH_CHUNK;
    bool is_sent = exchange->unsent.len == 0 && !exchange->body.next;
    size_t got = 0;
    bool is_end;

    if (is_counted && is_sent && exchange->from == exchange->to) {
        exchange->from = exchange->to = 0;
        if (http_connection_receive(exchange->connection, exchange->input, exchange->capacity, &got,
                                    &is_end, NULL) == ERR_OK)
            exchange->to = got;
    }
    if (exchange->end != BODY_ENDS_WITH_CHUNK)
        return exchange->from < exchange->to;
    exchange->from += http_chunks_take(&exchange->chunks, exchange_waiting(exchange));
    return exchange->chunks.state == CHUNKS_WHOLE ||
           (exchange->chunks.state == CHUNKS_DATA && exchange->from < exchange->to);
}

enum err http_exchange_run(struct http_exchange *exchange, struct str head,
                           const struct http_peer_request *request, const struct work *work,
                           struct http_peer_response *response_out)
{
    struct http_head parsed = {0};

    begin(exchange, head, request);
    *response_out = (struct http_peer_response){.request_time_ms = clock_wall_ms()};
    exchange_send_some(exchange);
    enum err err = read_final_head(exchange, request, work, &parsed);
    exchange->watch = (struct body_watch){0};
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
    response_out->body.watch = &exchange->watch;
    response_out->body.is_at_hand = response_out->has_body && has_body_at_hand(exchange);
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
            return exchange_receive(exchange, work, buffer, size, got_out);
        enum err err = exchange_fill(exchange, work, &is_end);
        if (err || is_end)
            return err;
    }
    struct str there = str_sub(exchange_waiting(exchange), 0, size);
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
    return !err && *len_out == 0 ? exchange_cut(work->error) : err;
}

/* Up to the next data, or the end of the body. */
static enum err read_chunk_lines(struct http_exchange *exchange, const struct work *work)
{
    struct http_chunks *chunks = &exchange->chunks;

    for (;;) {
        bool is_end = false;
        exchange->from += http_chunks_take(chunks, exchange_waiting(exchange));
        if (chunks->state == CHUNKS_BROKEN)
            return error_set_detail(work->error, ERR_UPSTREAM_DOWN, "it broke HTTP: a chunk");
        if (chunks->state == CHUNKS_DATA || chunks->state == CHUNKS_WHOLE)
            return ERR_OK;
        enum err err = exchange_fill(exchange, work, &is_end);
        if (err || is_end)
            return err ? err : exchange_cut(work->error);
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
        return err ? err : exchange_cut(work->error);
    http_chunks_read(&exchange->chunks, *len_out);
    return ERR_OK;
}

enum err http_exchange_read(struct http_exchange *exchange, const struct work *work, char *buffer,
                            size_t size, size_t *len_out)
{
    enum err err = ERR_OK;

    *len_out = 0;
    if (exchange->watch.until_ns > 0 && clock_left_ms(exchange->watch.until_ns) == 0) {
        exchange->watch.is_over = true;
        return ERR_OK;
    }
    if (!exchange->was_left)
        exchange_touch(exchange); /* whoever reads slowly is not the server's silence */
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
    exchange->was_left = exchange->watch.is_over;
    if (exchange->was_left)
        return ERR_OK;
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
