/* Opening a connection: connect, authenticate, select the database, give a name; and closing it. */
#include "cachewarden/redis_error.h"
#include "conn.h"
#include "protocol/reply.h"
#include "protocol/resp.h"

#include "cachewarden/log.h"
#include "cachewarden/random.h"

#include <stdio.h>
#include <stdlib.h>

#define HANDSHAKE_COMMANDS_MAX 5

struct handshake {
    struct strbuf out;
    const char *names[HANDSHAKE_COMMANDS_MAX + 1];
    bool may_be_refused[HANDSHAKE_COMMANDS_MAX + 1];
    size_t count;
    size_t hello; /* which of them is HELLO */
};

static void add(struct handshake *handshake, const char *name, size_t argc, const struct str *argv)
{
    handshake->names[handshake->count++] = name;
    resp_add_command(&handshake->out, argc, argv);
}

static void begin(struct handshake *handshake, const char *username, const char *password_text,
                  size_t more)
{
    struct str user = str_from(username), password = str_from(password_text);
    /* Room for everything: a buffer that moves leaves a copy of the password behind. */
    strbuf_init(&handshake->out, NULL, user.len + password.len + more);
    if (username)
        add(handshake, "AUTH", 3, (const struct str[]){STR("AUTH"), user, password});
    else if (password_text)
        add(handshake, "AUTH", 2, (const struct str[]){STR("AUTH"), password});
}

/* Passwords, database and name are one write; the guard of the round trip goes behind them. */
static void compose(struct handshake *handshake, const struct conn_target *target)
{
    const struct redis_address *address = target->address;
    size_t more = strlen(target->client_name) + 256;
    if (target->login) {
        lock_acquire(&target->login->lock);
        begin(handshake, target->login->who.username, target->login->who.password, more);
        lock_release(&target->login->lock);
    } else {
        begin(handshake, address->username, address->password, more);
    }
    if (address->database != 0) {
        char number[16];
        snprintf(number, sizeof number, "%d", address->database);
        add(handshake, "SELECT", 2, (const struct str[]){STR("SELECT"), str_from(number)});
    }
    /* A name helps whoever reads CLIENT LIST; an ACL user without that right works as well. */
    handshake->may_be_refused[handshake->count] = true;
    add(handshake, "CLIENT SETNAME", 3,
        (const struct str[]){STR("CLIENT"), STR("SETNAME"), str_from(target->client_name)});
    /* Whom it leads to, in the only way that needs no right: the ACL lets everybody say HELLO. */
    handshake->hello = handshake->count;
    handshake->may_be_refused[handshake->count] = true;
    add(handshake, "HELLO", 1, (const struct str[]){STR("HELLO")});
    if (target->asks_replication_id) {
        handshake->may_be_refused[handshake->count] = true;
        add(handshake, "INFO", 2, (const struct str[]){STR("INFO"), STR("replication")});
    }
    handshake->names[handshake->count] = "ECHO";
}

static enum err refused(struct error *error, const char *command, const struct value *value)
{
    char sentence[VALUE_SENTENCE_SIZE];
    enum redis_fault fault = value_fault(value);
    if (fault == REDIS_FAULT_CLIENTS)
        return redis_error_set(error, ERR_UPSTREAM_REFUSED, redis_fault_cause(fault),
                               "max number of clients reached: raise maxclients of Redis");
    value_error_sentence(value, sentence);
    return redis_error_set(error, ERR_UPSTREAM_REFUSED, redis_fault_cause(fault), "%s refused: %s",
                           command, sentence);
}

/* A TLS port hangs up on a client without TLS. With TLS 1.3 Redis looks at our certificate only when
 * the TLS handshake is over on our side. Both show here, and not always with a reason. */
static enum err lost(const struct conn *conn, struct error *error)
{
    const struct transport *transport = &conn->transport;
    char why[sizeof transport->reason];
    transport_explain(transport, why, sizeof why);
    const char *hint = transport->session ? "; does Redis want another client certificate?"
                                          : "; if Redis speaks TLS on this port, use rediss://";
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE, "handshake: %s%s",
                           why, transport->reason[0] ? "" : hint);
}

/* What the answers to the handshake mean. */
static enum err judge(const struct conn *conn, const struct handshake *handshake,
                      const struct round_trip *round_trip, enum round_trip_step step,
                      struct error *error)
{
    /* "-ERR max number of clients reached" and "-DENIED …" come once, unasked, and then the end:
     * so errors are looked at before the fate of the round trip. */
    bool is_rejection = step == ROUND_TRIP_FAILED && round_trip->arrived == 1;
    for (size_t i = 0; i < round_trip->arrived; i++)
        if (round_trip->values[i].kind == VALUE_ERROR &&
            (!handshake->may_be_refused[i] || is_rejection))
            return refused(error, handshake->names[i], &round_trip->values[i]);
    switch (step) {
    case ROUND_TRIP_DONE:
        return ERR_OK;
    case ROUND_TRIP_WAITING:
        return redis_error_set(error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT,
                               "handshake: no answer in time");
    case ROUND_TRIP_FAILED:
        break;
    }
    if (round_trip->failure == ROUND_TRIP_LOST)
        return lost(conn, error);
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                           "handshake: the answers make no sense");
}

static void learn(struct conn *conn, const struct conn_target *target,
                  const struct handshake *handshake, const struct value *values)
{
    /* The last command; a refusal is a text without the fields. */
    const struct value *info = target->asks_replication_id ? &values[handshake->count - 1] : NULL;
    enum redis_role role = redis_role_of(&values[handshake->hello]);

    if (info)
        conn->replication_id = redis_replication_id_of(info->text);
    if (info && role == REDIS_ROLE_UNTOLD)
        role = redis_role_of(info);
    conn->is_replica = role == REDIS_ROLE_REPLICA;
    conn->is_primary = role == REDIS_ROLE_PRIMARY;
}

static enum err shake_hands(struct conn *conn, const struct conn_target *target,
                            int64_t deadline_ns, struct error *error)
{
    struct arena *arena = arena_new(1024, REPLY_LINE_MAX * 2);
    if (!arena)
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "handshake: out of memory");
    struct handshake handshake = {0};
    struct value values[HANDSHAKE_COMMANDS_MAX + 1] = {0};
    compose(&handshake, target);
    struct round_trip round_trip = {
        .out = &handshake.out, .values = values, .owed = handshake.count, .arena = arena};
    enum err err = conn_begin(conn, &round_trip);
    if (err)
        (void)redis_error_set(error, err, REDIS_ERROR_UNAVAILABLE, "handshake: out of memory");
    else
        err = judge(conn, &handshake, &round_trip, conn_continue(conn, &round_trip, deadline_ns),
                    error);
    if (!err)
        learn(conn, target, &handshake, values);
    if (handshake.out.ptr)
        secret_wipe(handshake.out.ptr, handshake.out.len);
    strbuf_fini(&handshake.out);
    arena_free(&arena);
    return err;
}

enum err conn_open(const struct conn_target *target, int64_t deadline_ns, struct conn **conn_out,
                   struct error *error)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (!conn || !(conn->reader = reply_reader_new())) {
        free(conn);
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "connection: out of memory");
    }
    conn->transport.fd = -1;
    random_bytes(&conn->nonce, sizeof conn->nonce);
    conn_move(conn, CONN_CONNECTING);
    enum err err =
        transport_open(target->address, target->tls, deadline_ns, &conn->transport, error);
    if (!err) {
        conn_move(conn, CONN_HANDSHAKE);
        err = shake_hands(conn, target, deadline_ns, error);
    }
    /* A round trip may end well and the connection still be of no use (see conn_continue). */
    if (!err && conn->state != CONN_READY)
        err = redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                              "handshake: refused");
    if (err) {
        conn_close(&conn);
        return err;
    }
    conn->is_reused = false;
    *conn_out = conn;
    return ERR_OK;
}
