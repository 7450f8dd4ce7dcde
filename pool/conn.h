/*
 * One connection to Redis: its states, its handshake, and one round trip (a write, then every owed
 * reply) at a time. Used by one thread at a time; the pool hands it from thread to thread under its
 * lock. No locks here.
 */
#ifndef POOL_CONN_H
#define POOL_CONN_H

#include "login.h"
#include "transport/transport.h"

#include "cachewarden/arena.h"
#include "cachewarden/value.h"

/* One recv takes what fits: the replies of a full batch of small commands do. */
#define CONN_READ_BUFFER 16384

enum conn_state {
    CONN_NEW = 0,
    CONN_CONNECTING, /* TCP, and TLS on top of it */
    CONN_HANDSHAKE,  /* AUTH, SELECT, CLIENT SETNAME are on their way */
    CONN_READY,      /* owes nothing, has nothing unread: the only state in which it may be kept */
    CONN_OWING,      /* a request was (partly) sent, replies are owed */
    CONN_BROKEN,     /* lost, late, or out of step: can only be closed */
    CONN_STATES
};

/* Why a round trip came to nothing. */
enum round_trip_failure {
    ROUND_TRIP_OK,
    ROUND_TRIP_LOST,           /* closed or reset by the other side, or a socket error */
    ROUND_TRIP_TIMED_OUT,      /* not answered in time */
    ROUND_TRIP_PROTOCOL_ERROR, /* not RESP2, a reply too many, or replies that are not ours */
    ROUND_TRIP_TOO_LARGE,      /* a reply over the limits of reply.h */
    ROUND_TRIP_NO_MEMORY
};

/*
 * What goes over a connection in one go: one write, and the replies it is owed.
 *
 * The guard is an ECHO behind the caller's commands, of a number that was never used before on this
 * connection. The replies are believed only if its answer comes last. A reply that was duplicated,
 * dropped or left over from an earlier request shifts all that follow, so the last one is not the
 * echo then. That nobody gets somebody else's reply rests on this. It costs Redis a quarter of a
 * microsecond a round trip.
 */
struct round_trip {
    struct strbuf *out;   /* RESP commands; the guard is appended by conn_begin */
    struct value *values; /* owed + 1 of them: the last is the guard's */
    size_t owed;          /* replies to the caller's commands */
    struct arena *arena;  /* for texts and items of the replies; used only inside conn_continue */
    size_t sent;          /* bytes that may have left */
    size_t arrived;       /* whole replies so far, the guard's included */
    size_t received;      /* bytes so far */
    enum round_trip_failure failure;
    uint64_t replication_id; /* of the connection: which Redis it leads to */
    bool is_replica;         /* of the connection: it led to a replica when it was made */
    bool writes;             /* set by conn_begin's caller, for the pool: something in it writes */
    bool met_replica;        /* a reply can only come from one: READONLY, MASTERDOWN */
    int64_t began_ns;        /* set by conn_begin's caller, for the pool */
    bool is_large;           /* for the pool (large.h) */
    bool is_reused; /* the connection had served before: it may have died while it was idle */
    char guard[STR_HEX64_SIZE];
};

enum round_trip_step {
    ROUND_TRIP_DONE,    /* all owed replies are there and are ours; the connection is READY */
    ROUND_TRIP_WAITING, /* deadline_ns passed; the replies are still owed, call conn_continue again */
    ROUND_TRIP_FAILED   /* see .failure; the connection is BROKEN */
};

struct conn {
    struct transport transport;
    enum conn_state state; /* changed by conn_move alone */
    struct conn *next;     /* the pool's list of idle ones; guarded by its lock */
    int64_t idle_since_ns;
    struct reply_reader *reader;
    uint64_t nonce; /* of the last guard */
    uint64_t
        replication_id; /* redis_replication_id_of what the handshake learnt; REDIS_REPLICATION_ID_UNKNOWN: not asked */
    bool is_replica;     /* Redis said so when it was made */
    bool is_primary;     /* Redis said so when it was made; neither: it does not tell */
    int64_t expires_ns;  /* of the pool: to be replaced from then on */
    uint64_t generation; /* of the pool, when it was made (renew.c) */
    uint64_t login;      /* which of the pool's it was made with */
    bool is_reused;      /* a round trip has succeeded on it */
    char buffer[CONN_READ_BUFFER];
};

/* Where a connection leads, and how it begins. */
struct conn_target {
    const struct redis_address *address;
    struct login *login;     /* NULL: that of the address */
    struct tls_context *tls; /* NULL: plain */
    const char *client_name;
    bool asks_replication_id; /* it is to find out which Redis it leads to */
};

/*
 * Connects, authenticates, selects the database and sets the client's name, all before deadline_ns.
 * ERR_UPSTREAM_DOWN, ERR_TIMEOUT and ERR_BUSY as transport_open; ERR_UPSTREAM_REFUSED when Redis answered and
 * said no (password, database, max clients): error->redis has the cause. A refused CLIENT SETNAME
 * is no failure (the ACL user may lack it), nor is a refused INFO: the replication id is untold then.
 * The role is asked for with HELLO, which every ACL user may say; who refuses it tells no role.
 */
CW_MUST_CHECK enum err conn_open(const struct conn_target *target, int64_t deadline_ns,
                                 struct conn **conn_out, struct error *error);
void conn_close(struct conn **conn);
/* A list linked by .next; NULL is an empty one. */
void conn_close_list(struct conn *conn);

/* Only a connection that is IO_IDLE may be used after it was idle. One system call, no wait. */
enum io_idle_check conn_check_idle(struct conn *conn);

/* Starts the round trip: appends the guard. Then conn_continue until it is not WAITING.
 * ERR_NO_MEMORY: nothing was sent, the connection is READY still. */
CW_MUST_CHECK enum err conn_begin(struct conn *conn, struct round_trip *round_trip);
/* Sends the rest and reads until everything is there or deadline_ns has passed. */
enum round_trip_step conn_continue(struct conn *conn, struct round_trip *round_trip,
                                   int64_t deadline_ns);
/* Gives up a round trip that is WAITING: the connection is BROKEN, failure is TIMED_OUT. */
void conn_abort(struct conn *conn, struct round_trip *round_trip);

/* The one place where the state changes, checked against the table of legal moves. For the files
 * of the connection only (conn.c, handshake.c). */
void conn_move(struct conn *conn, enum conn_state to);

#endif
