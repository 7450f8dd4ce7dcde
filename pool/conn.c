#include "conn.h"

#include "protocol/reply.h"
#include "protocol/resp.h"

#include "cachewarden/clock.h"
#include "cachewarden/die.h"

#include <stdlib.h>

/* What is there already is read though the deadline has passed, for this thread may have waited for a processor. But
 * bytes that keep coming keep nobody. */
#define LATE_READS_MAX 64

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

static enum round_trip_step fail(struct conn *conn, struct round_trip *round_trip,
                                 enum round_trip_failure failure)
{
    round_trip->failure = failure;
    conn_move(conn, CONN_BROKEN);
    return ROUND_TRIP_FAILED;
}

enum err conn_begin(struct conn *conn, struct round_trip *round_trip)
{
    /* Odd step and random start: no number comes twice, and no stored value can foresee one. */
    conn->nonce += UINT64_C(0x9e3779b97f4a7c15);
    str_put_hex64(round_trip->guard, conn->nonce);
    const struct str echo[] = {STR("ECHO"), {round_trip->guard, 16}};
    resp_add_command(round_trip->out, 2, echo);
    if (round_trip->out->failed)
        return ERR_NO_MEMORY;
    round_trip->sent = 0;
    round_trip->arrived = 0;
    round_trip->received = 0;
    round_trip->failure = ROUND_TRIP_OK;
    round_trip->is_reused = conn->is_reused;
    round_trip->replication_id = conn->replication_id;
    round_trip->is_replica = conn->is_replica;
    round_trip->met_replica = false;
    if (conn->state == CONN_READY) /* the handshake is a round trip too, and stays HANDSHAKE */
        conn_move(conn, CONN_OWING);
    return ERR_OK;
}

static enum round_trip_step send_rest(struct conn *conn, struct round_trip *round_trip,
                                      int64_t deadline_ns)
{
    size_t sent = 0;
    enum io_status status =
        conn->transport.ops->send(&conn->transport, round_trip->out->ptr + round_trip->sent,
                                  round_trip->out->len - round_trip->sent, deadline_ns, &sent);
    round_trip->sent += sent;
    switch (status) {
    case IO_DONE:
        return ROUND_TRIP_DONE;
    case IO_TIMEOUT:
        return ROUND_TRIP_WAITING;
    case IO_CLOSED:
    case IO_FAILED:
        break;
    }
    return fail(conn, round_trip, ROUND_TRIP_LOST);
}

static bool is_of_replica(const struct value *value)
{
    enum redis_fault fault = value_fault(value);

    return fault == REDIS_FAULT_READONLY || fault == REDIS_FAULT_MASTERDOWN;
}

/* Takes all whole replies out of the reader. DONE when none is owed any more, WAITING for bytes. */
static enum round_trip_step take_replies(struct conn *conn, struct round_trip *round_trip)
{
    while (round_trip->arrived <= round_trip->owed) {
        struct value *value = &round_trip->values[round_trip->arrived];
        switch (reply_reader_next(conn->reader, round_trip->arena, value)) {
        case REPLY_READY:
            if (value->kind == VALUE_ERROR && is_of_replica(value))
                round_trip->met_replica = true;
            round_trip->arrived++;
            break;
        case REPLY_MORE:
            return ROUND_TRIP_WAITING;
        case REPLY_PROTOCOL_ERROR:
            return fail(conn, round_trip, ROUND_TRIP_PROTOCOL_ERROR);
        case REPLY_TOO_LARGE:
            return fail(conn, round_trip, ROUND_TRIP_TOO_LARGE);
        case REPLY_NO_MEMORY:
            return fail(conn, round_trip, ROUND_TRIP_NO_MEMORY);
        }
    }
    return ROUND_TRIP_DONE;
}

/*
 * The last reply must be the echo of this round trip's number and nothing may follow it. Redis
 * refuses ECHO itself only when it refuses everything (a script runs too long, the user was taken
 * away): then every reply is the same kind of error, and that is believed.
 */
static bool is_in_step(const struct conn *conn, const struct round_trip *round_trip)
{
    const struct value *last = &round_trip->values[round_trip->owed];
    if (reply_reader_left(conn->reader) > 0)
        return false;
    if (last->kind == VALUE_STRING)
        return str_eq(last->text, (struct str){round_trip->guard, 16});
    enum redis_fault fault = value_fault(last);
    if (fault != REDIS_FAULT_BUSY && fault != REDIS_FAULT_AUTH && fault != REDIS_FAULT_NOPERM)
        return false;
    for (size_t i = 0; i < round_trip->owed; i++)
        if (value_fault(&round_trip->values[i]) != fault)
            return false;
    return true;
}

static enum round_trip_step read_rest(struct conn *conn, struct round_trip *round_trip,
                                      int64_t deadline_ns)
{
    for (unsigned late = 0;; late += clock_mono_ns() >= deadline_ns) {
        size_t got = 0;
        if (late > LATE_READS_MAX)
            return ROUND_TRIP_WAITING;
        enum io_status status = conn->transport.ops->receive(&conn->transport, conn->buffer,
                                                             CONN_READ_BUFFER, deadline_ns, &got);
        if (status == IO_TIMEOUT)
            return ROUND_TRIP_WAITING;
        if (status != IO_DONE)
            return fail(conn, round_trip, ROUND_TRIP_LOST);
        round_trip->received += got;
        if (!reply_reader_feed(conn->reader, conn->buffer, got))
            return fail(conn, round_trip, ROUND_TRIP_NO_MEMORY);
        enum round_trip_step step = take_replies(conn, round_trip);
        if (step != ROUND_TRIP_WAITING)
            return step;
    }
}

enum round_trip_step conn_continue(struct conn *conn, struct round_trip *round_trip,
                                   int64_t deadline_ns)
{
    if (round_trip->sent < round_trip->out->len) {
        enum round_trip_step step = send_rest(conn, round_trip, deadline_ns);
        if (step != ROUND_TRIP_DONE)
            return step;
    }
    enum round_trip_step step = read_rest(conn, round_trip, deadline_ns);
    if (step != ROUND_TRIP_DONE)
        return step;
    if (!is_in_step(conn, round_trip))
        return fail(conn, round_trip, ROUND_TRIP_PROTOCOL_ERROR);
    conn->is_reused = true;
    /* Whatever Redis has against us when it refuses even the echo, a new connection finds out. */
    bool is_refused = round_trip->values[round_trip->owed].kind == VALUE_ERROR;
    conn_move(conn, is_refused ? CONN_BROKEN : CONN_READY);
    return ROUND_TRIP_DONE;
}

void conn_abort(struct conn *conn, struct round_trip *round_trip)
{
    (void)fail(conn, round_trip, ROUND_TRIP_TIMED_OUT);
}

enum io_idle_check conn_check_idle(struct conn *conn)
{
    return conn->transport.ops->check_idle(&conn->transport);
}

void conn_close(struct conn **conn)
{
    transport_close(&(*conn)->transport);
    reply_reader_free(&(*conn)->reader);
    free(*conn);
    *conn = NULL;
}

void conn_close_list(struct conn *conn)
{
    while (conn) {
        struct conn *next = conn->next;
        conn_close(&conn);
        conn = next;
    }
}
