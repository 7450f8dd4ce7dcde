#include "conn.h"

#include "reply.h"
#include "resp.h"

#include "cachewarden/die.h"

/* Row: from; bits: to. */
#define TO(state) (1u << (state))
static const unsigned legal_moves[CONN_STATES] = {
    [CONN_NEW] = TO(CONN_CONNECTING),
    [CONN_CONNECTING] = TO(CONN_HANDSHAKE) | TO(CONN_BROKEN),
    [CONN_HANDSHAKE] = TO(CONN_READY) | TO(CONN_BROKEN),
    [CONN_READY] = TO(CONN_OWING) | TO(CONN_BROKEN),
    [CONN_OWING] = TO(CONN_READY) | TO(CONN_BROKEN),
    [CONN_BROKEN] = 0,
};

/* An illegal move is a mistake of ours. It must never end in a connection that is used again, so it
 * ends the process in every build. */
void conn_move(struct conn *conn, enum conn_state to)
{
    if (!(legal_moves[conn->state] & TO(to)))
        die("a connection to redis cannot go from state %d to %d", (int)conn->state, (int)to);
    conn->state = to;
}

static enum exchange_step fail(struct conn *conn, struct exchange *exchange,
                               enum exchange_failure failure)
{
    exchange->failure = failure;
    conn_move(conn, CONN_BROKEN);
    return EXCHANGE_FAILED;
}

enum err conn_begin(struct conn *conn, struct exchange *exchange)
{
    /* Odd step and random start: no number comes twice, and no stored value can foresee one. */
    conn->nonce += UINT64_C(0x9e3779b97f4a7c15);
    str_put_hex64(exchange->guard, conn->nonce);
    const struct str echo[] = {STR("ECHO"), {exchange->guard, 16}};
    resp_add_command(exchange->out, 2, echo);
    if (exchange->out->failed)
        return ERR_NO_MEMORY;
    exchange->sent = 0;
    exchange->arrived = 0;
    exchange->received = 0;
    exchange->failure = EXCHANGE_SOUND;
    exchange->is_reused = conn->is_reused;
    exchange->origin = conn->origin;
    if (conn->state == CONN_READY) /* the handshake is an exchange too, and stays HANDSHAKE */
        conn_move(conn, CONN_OWING);
    return ERR_OK;
}

static enum exchange_step send_rest(struct conn *conn, struct exchange *exchange,
                                    int64_t deadline_ns)
{
    size_t sent = 0;
    enum io_status status =
        conn->transport.ops->send(&conn->transport, exchange->out->ptr + exchange->sent,
                                  exchange->out->len - exchange->sent, deadline_ns, &sent);
    exchange->sent += sent;
    switch (status) {
    case IO_DONE:
        return EXCHANGE_DONE;
    case IO_TIMEOUT:
        return EXCHANGE_WAITING;
    case IO_CLOSED:
    case IO_FAILED:
        break;
    }
    return fail(conn, exchange, EXCHANGE_LOST);
}

/* Takes all whole replies out of the reader. DONE when none is owed any more, WAITING for bytes. */
static enum exchange_step take_replies(struct conn *conn, struct exchange *exchange)
{
    while (exchange->arrived <= exchange->owed) {
        struct value *value = &exchange->values[exchange->arrived];
        switch (reply_reader_next(conn->reader, exchange->arena, value)) {
        case REPLY_READY:
            exchange->arrived++;
            break;
        case REPLY_MORE:
            return EXCHANGE_WAITING;
        case REPLY_GARBLED:
            return fail(conn, exchange, EXCHANGE_GARBLED);
        case REPLY_TOO_LARGE:
            return fail(conn, exchange, EXCHANGE_TOO_LARGE);
        case REPLY_NO_MEMORY:
            return fail(conn, exchange, EXCHANGE_NO_MEMORY);
        }
    }
    return EXCHANGE_DONE;
}

/*
 * The last reply must be the echo of this exchange's number and nothing may follow it. Redis
 * refuses ECHO itself only when it refuses everything (a script runs too long, the user was taken
 * away): then every reply is the same kind of error, and that is believed.
 */
static bool is_in_step(const struct conn *conn, const struct exchange *exchange)
{
    const struct value *last = &exchange->values[exchange->owed];
    if (reply_reader_left(conn->reader) > 0)
        return false;
    if (last->kind == VALUE_STRING)
        return str_eq(last->text, (struct str){exchange->guard, 16});
    enum redis_fault fault = value_fault(last);
    if (fault != REDIS_FAULT_BUSY && fault != REDIS_FAULT_AUTH && fault != REDIS_FAULT_NOPERM)
        return false;
    for (size_t i = 0; i < exchange->owed; i++)
        if (value_fault(&exchange->values[i]) != fault)
            return false;
    return true;
}

static enum exchange_step read_rest(struct conn *conn, struct exchange *exchange,
                                    int64_t deadline_ns)
{
    for (;;) {
        size_t got = 0;
        enum io_status status = conn->transport.ops->receive(&conn->transport, conn->buffer,
                                                             CONN_READ_BUFFER, deadline_ns, &got);
        if (status == IO_TIMEOUT)
            return EXCHANGE_WAITING;
        if (status != IO_DONE)
            return fail(conn, exchange, EXCHANGE_LOST);
        exchange->received += got;
        if (!reply_reader_feed(conn->reader, conn->buffer, got))
            return fail(conn, exchange, EXCHANGE_NO_MEMORY);
        enum exchange_step step = take_replies(conn, exchange);
        if (step != EXCHANGE_WAITING)
            return step;
    }
}

enum exchange_step conn_continue(struct conn *conn, struct exchange *exchange, int64_t deadline_ns)
{
    if (exchange->sent < exchange->out->len) {
        enum exchange_step step = send_rest(conn, exchange, deadline_ns);
        if (step != EXCHANGE_DONE)
            return step;
    }
    enum exchange_step step = read_rest(conn, exchange, deadline_ns);
    if (step != EXCHANGE_DONE)
        return step;
    if (!is_in_step(conn, exchange))
        return fail(conn, exchange, EXCHANGE_GARBLED);
    conn->is_reused = true;
    /* Whatever Redis has against us when it refuses even the echo, a new connection finds out. */
    bool is_refused = exchange->values[exchange->owed].kind == VALUE_ERROR;
    conn_move(conn, is_refused ? CONN_BROKEN : CONN_READY);
    return EXCHANGE_DONE;
}

void conn_abort(struct conn *conn, struct exchange *exchange)
{
    (void)fail(conn, exchange, EXCHANGE_LATE);
}

enum io_silence conn_listen(struct conn *conn)
{
    return conn->transport.ops->listen(&conn->transport);
}
