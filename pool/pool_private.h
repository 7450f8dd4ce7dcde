/* What the files of the pool share: the pool, what is acquired of it, and how it sees a pipeline. */
#ifndef POOL_PRIVATE_H
#define POOL_PRIVATE_H

#include "breaker.h"
#include "conn.h"
#include "large.h"
#include "pool.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/redis.h"

struct batch;

/* How pipelines are spread over connections; pool.c says why the defaults are what they are. */
struct pool_tuning {
    size_t spread_until;  /* up to so many callers: each pipeline may have its own connection */
    size_t spread_beyond; /* more of them: so many connections are in use, and batches form */
    int64_t
        hedge_ns; /* after a batch has waited so long, a further connection is in use all the same */
    bool yields;  /* a leader lets threads that are ready to run join before it writes */
};

/* What the pool knows of being led to a replica (renew.c). */
struct pool_replica {
    bool is_met;          /* a reply or a handshake said so; one trial a second until it ends */
    bool is_led_to;       /* the newest connection that was kept leads to one */
    bool is_told;         /* it was logged */
    int64_t try_next_ns;  /* no trial before */
    int64_t tell_next_ns; /* not logged again before */
};

/*
 * A bounded set of connections to one Redis database. While few threads call, each pipeline acquires
 * a connection of its own. While many call, pipelines are sent in batches: the first that waits leads
 * the batch, takes the next connection and writes what has gathered. Everybody gets their own replies.
 *
 * When Redis cannot be reached, the breaker opens: pipelines fail at once, and one a second tries
 * again. When Redis says nothing to anybody for as long as a command may take, the breaker opens too, but the next
 * pipeline may try at once.
 */
struct pool {
    /* Set by pool_open, constant. */
    struct redis_address address; /* without user and password */
    struct login login;           /* has a lock of its own */
    struct tls_context *tls;      /* NULL: plain */
    char *client_name;
    struct conn_target target; /* made of these */
    char description[128];
    size_t size;
    size_t batch_limit;
    int64_t borrow_timeout_ns, connect_timeout_ns, command_timeout_ns;
    int64_t lifetime_ns; /* of a connection; 0: no end */
    struct pool_tuning tuning;

    struct large_keys large_keys; /* atomic */
    struct lock lock;
    struct lock_cond large_left;
    /* Guarded by lock. */
    uint64_t replication_id; /* of the newest connection; those of another are not kept */
    uint64_t generation;     /* connections made in an earlier one are not kept */
    uint64_t login_number;   /* rises with each login; connections of before are to be replaced */
    struct pool_replica replica;
    int64_t sweep_next_ns; /* no connection is closed for its age before */
    struct conn *idle;     /* newest first: the one whose socket is warm */
    size_t idle_count;
    size_t live;        /* connections that exist or are being made, <= size (1: 2 for a moment) */
    size_t busy;        /* of these, those in somebody's hands */
    size_t connecting;  /* of the busy, those being made */
    size_t under_way;   /* pipelines inside pool_run */
    size_t large;       /* of those that bring back much: how many are past pool_enter_large */
    size_t large_sent;  /* of these: on their connections */
    size_t recent_peak; /* how many were under_way lately at most, in 256ths (acquire.c) */
    int64_t grow_again_ns; /* no further connection before that (one could not be made) */
    bool is_capped;        /* the last one was refused, and others live: one try a second */
    struct batch *queue;   /* waiting for a connection, oldest first */
    struct batch *queue_last;
    struct batch *spare; /* for the next batch; never freed before pool_close */
    int64_t answered_ns; /* when the last round trip went well */
    struct breaker breaker;
    char down_why[192]; /* the log's text of what opened it, for who is refused meanwhile */
    struct redis_stats stats;
};

/* One attempt to run a pipeline. */
struct pool_request {
    struct pipeline *pipeline;
    enum pipeline_effect effect;
    struct str bytes; /* its commands, without a guard */
    size_t commands;
    uint64_t required; /* the replication id it may be sent to; 0: any */
    bool is_large;     /* it is likely to bring back much, and is sent alone */
    int64_t start_ns;
    int64_t deadline_ns;         /* the caller's */
    int64_t acquire_deadline_ns; /* until then it waits for a connection; <= deadline_ns */
};

/* Why a connection is made. */
enum dial {
    DIAL_GROWTH,
    DIAL_PROBE, /* the breaker is open */
    DIAL_TRIAL  /* those there are lead to a replica */
};

enum acquired_kind {
    ACQUIRED_CONN,    /* a connection of its own */
    ACQUIRED_LEADER,  /* first of a batch */
    ACQUIRED_WAITER,  /* waits like a batch, then is sent alone (see BATCH_MEMBER_BYTES_MAX) */
    ACQUIRED_FOLLOWER /* member of a batch somebody else leads */
};

struct acquired {
    enum acquired_kind kind;
    struct conn *conn; /* ACQUIRED_CONN: NULL when it is to be made with pool_connect */
    enum dial dial;    /* what for */
    struct batch *batch;
    size_t slot;
};

/* Gets the request a connection or a place in a batch. ERR_UPSTREAM_DOWN: breaker open;
 * ERR_BUSY: too many wait; ERR_NO_MEMORY. */
CW_MUST_CHECK enum err pool_acquire(struct pool *pool, const struct pool_request *request,
                                    struct acquired *acquired_out, struct error *error);

/*
 * Makes the connection that a pipeline or a batch was allowed to make. On failure the permission is
 * used up, and *down_out tells whether the breaker is open now (true) or other connections still
 * work and are worth waiting for (false).
 */
CW_MUST_CHECK enum err pool_connect(struct pool *pool, int64_t deadline_ns, enum dial dial,
                                    struct conn **conn_out, bool *down_out, struct error *error);

/* Before a round trip on a connection that was idle: true when it may be used. Else it is closed and
 * the caller holds the permission to connect in its place. */
bool pool_check_idle(struct pool *pool, struct conn **conn, enum pipeline_effect effect);

/* After a round trip: keeps the connection or closes it, serves the queue, counts. The batch whose
 * round trip it was ends with it; NULL: a pipeline that was sent alone does. */
void pool_release(struct pool *pool, struct conn *conn, const struct round_trip *round_trip,
                  struct batch *batch);
/* Gives back a connection that nothing was sent on; one that leads elsewhere is closed. */
void pool_release_unused(struct pool *pool, struct conn *conn);
/* A pipeline with a connection of its own ends without a round trip. */
void pool_count_out(struct pool *pool);

/* Leaders that may go on; to be woken once the lock is given. */
#define POOL_WAKES_MAX 8
struct pool_wakes {
    struct batch *batches[POOL_WAKES_MAX];
    size_t count;
};
/* Grants connections to batches in the queue, as far as the spread allows. */
void pool_serve_locked(struct pool *pool, int64_t now_ns, struct pool_wakes *wakes);
/* One connection, if there is any, for the batch that has waited for longest, whatever the spread. */
void pool_hedge_locked(struct pool *pool, int64_t now_ns, struct pool_wakes *wakes);
void pool_wake(struct pool *pool, struct pool_wakes *wakes);
/* An idle connection (or NULL: the permission to make one), whatever the spread. */
CW_MUST_CHECK bool pool_acquire_conn_locked(struct pool *pool, int64_t now_ns,
                                            struct conn **conn_out);
/* Undoes pool_acquire_conn_locked. */
void pool_release_conn_locked(struct pool *pool, int64_t now_ns, struct conn *conn);
/* The same, unless the connection is not to be kept: it is returned then, and the caller closes it without the lock. */
CW_MUST_CHECK struct conn *pool_unuse_locked(struct pool *pool, int64_t now_ns, struct conn *conn);
/* Counts out a connection that broke; the caller closes it without the lock. */
void pool_discard_locked(struct pool *pool, const struct round_trip *round_trip);
void pool_unqueue_locked(struct pool *pool, struct batch *batch);

/* The request's time is over. ERR_UNCERTAIN, ERR_TIMEOUT, ERR_BUSY. */
enum err pipeline_late(const struct pool_request *request, bool was_sent, struct error *error);
/* The connection leads to another Redis than the request may go to: ERR_CONFLICT. */
enum err pipeline_wrong_redis(struct error *error);
/* What a failed round trip means to the request, whose bytes begin at `from` of what was sent.
 * *may_retry_out: nothing has happened, and a fresh connection may do better. */
enum err pipeline_failed(const struct pool_request *request, const struct round_trip *round_trip,
                         size_t from, bool *may_retry_out, struct error *error);

/* ---- renew.c ---- */

/* What is to be logged once the lock is given. */
enum pool_news { POOL_NO_NEWS, POOL_MET_REPLICA, POOL_MET_PRIMARY };
void pool_log_news(const struct pool *pool, enum pool_news news);

/* Whether a connection may be kept: it is not of before a renewal, and leads where the newest does. */
bool pool_keeps_locked(const struct pool *pool, const struct conn *conn);
/* The idle ones; the caller closes them without the lock. */
struct conn *pool_drop_idle_locked(struct pool *pool);
/* A connection was made, and says whom it leads to. */
enum pool_news pool_note_made_locked(struct pool *pool, const struct conn *conn, int64_t now_ns);
/* A round trip is over. */
enum pool_news pool_note_replies_locked(struct pool *pool, const struct conn *conn,
                                        const struct round_trip *round_trip, int64_t now_ns);
/* Whether it is time for a trial: one connection more, in the hope that it leads to a primary. */
bool pool_trial_due_locked(const struct pool *pool, int64_t now_ns);
/* A connection was made that leads to a replica, and better ones live. */
bool pool_spurns_locked(const struct pool *pool, const struct conn *conn, enum dial dial);
/* When a connection made now is too old: up to a quarter of a lifetime sooner, by chance, so that not all are at
 * once. */
int64_t pool_expiry(const struct pool *pool, const struct conn *conn, int64_t now_ns);
/* The next request that would get an idle connection had better make one in its place. */
bool pool_is_outlived_locked(const struct pool *pool, int64_t now_ns);
/* The idle ones that are too old; the caller closes them without the lock. */
struct conn *pool_drop_outlived_locked(struct pool *pool, int64_t now_ns);
/* The same of one at most, once a second, and never of the last that lives. */
struct conn *pool_sweep_locked(struct pool *pool, int64_t now_ns);

/* Gives up all there are: those in use once they are released. The caller closes the idle ones, which it returns,
 * without the lock. */
CW_MUST_CHECK struct conn *pool_renew_locked(struct pool *pool);

#endif
