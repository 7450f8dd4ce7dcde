/*
 * A bounded set of connections to one Redis database. While few threads call, each pipeline acquires
 * a connection of its own. While many call, pipelines are sent in batches: the first that waits leads
 * the batch, takes the next connection and writes what has gathered. Everybody gets their own replies.
 *
 * When Redis cannot be reached, the breaker opens: pipelines fail at once, and one a second tries
 * again. When Redis does not answer a command in time, the breaker opens too, but the next pipeline
 * may try at once.
 *
 * Threads: any thread may call any function, unless it says otherwise. The pool holds no lock while
 * it talks to the network. A write that may have been sent is never sent again. A read is, once, if
 * the connection it was given was dead already.
 */
#ifndef CACHEWARDEN_POOL_H
#define CACHEWARDEN_POOL_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"
#include "cachewarden/tls_summary.h"

#include <stdbool.h>
#include <stdint.h>

struct pool;

/* Where Redis is and how to authenticate. All strings are NUL-terminated copies owned by the holder
 * (redis_address_fini); password is wiped. */
struct redis_address {
    char *host; /* NULL when unix_path is set */
    int port;
    char *unix_path;
    char *username; /* NULL: AUTH with the password alone */
    char *password; /* NULL: no AUTH */
    int database;
    bool tls;
    /* From the configuration, not the URL; used with .tls only. */
    char *tls_ca_file;          /* NULL: the system's authorities */
    char *tls_certificate_file; /* ours, for a Redis that asks for one; or NULL, like the key */
    char *tls_key_file;
};

enum redis_tls_file { REDIS_TLS_CA, REDIS_TLS_CERTIFICATE, REDIS_TLS_KEY };

/*
 * Reads redis://[user[:password]@]host[:port][/db], rediss://…, unix:///path[?db=N] and
 * unix://user:password@/path. Percent-escapes in user and password are decoded; IPv6 in brackets.
 * ERR_BAD_INPUT says what is wrong without quoting the password.
 */
CW_MUST_CHECK enum err redis_address_parse(struct str url, struct redis_address *address_out,
                                           struct error *error);
CW_MUST_CHECK enum err redis_address_copy(const struct redis_address *from,
                                          struct redis_address *address_out);
/* Takes the three files of `from` in place of those of `address`. ERR_NO_MEMORY: some are missing. */
CW_MUST_CHECK enum err redis_address_copy_tls(const struct redis_address *from,
                                              struct redis_address *address);
/* Reads the three files as pool_open does; the address has a host. ERR_BAD_INPUT: error->caller says
 * what is wrong with *file_out, beginning with a verb ("cannot be read: …"). summary_out may be NULL. */
CW_MUST_CHECK enum err redis_address_check_tls(const struct redis_address *address,
                                               enum redis_tls_file *file_out,
                                               struct tls_summary *summary_out,
                                               struct error *error);
void redis_address_fini(struct redis_address *address);
/* Same server (host/port or path) whatever the database and user. */
bool redis_address_same_server(const struct redis_address *a, const struct redis_address *b);
/* "redis.example:6379/0" or "/run/redis.sock/0" for logs: never the password. Cut at size. */
void redis_address_describe(const struct redis_address *address, char *out, size_t size);

struct pool_options {
    struct redis_address address; /* copied by pool_open */
    size_t size;                  /* connections at most, >= 1 */
    int64_t borrow_timeout_ms;  /* bounded wait for a connection or a batch place, then ERR_BUSY */
    int64_t connect_timeout_ms; /* name look-up excepted (documented limit of getaddrinfo) */
    int64_t command_timeout_ms; /* from the write to the last owed reply */
    size_t batch_limit;         /* commands in one batched write at most; 0: the default */
    const char *client_name;    /* CLIENT SETNAME; NULL: "cachewarden" */
    /* Every connection asks which Redis it got (pipeline_origin); an ACL user needs +info for it. */
    bool asks_origin;
};

/*
 * Says which Redis may take writes. `ask` is called before every PIPELINE_WRITE, and before a read
 * with a command that writes. It gives the origin that may have them, or 0 for any; an error of it
 * ends the pipeline, and nothing is sent. If the connection leads to another origin, nothing is sent
 * either, and `ask` is called again, with the origin it gave as `missed`. It may run pipelines on the
 * pool itself, but only with PIPELINE_WRITE_REPAIR.
 */
struct pool_gate {
    enum err (*ask)(void *with, uint64_t missed, int64_t deadline_ns, uint64_t *origin_out,
                    struct error *error);
    void *with;
};
/* Before the first pipeline runs. */
void pool_set_gate(struct pool *pool, struct pool_gate gate);

/* Makes the pool; connects nothing (a Redis that is down must not stop the start). ERR_BAD_INPUT
 * names the option that makes no sense, or the file for TLS that cannot be used. */
CW_MUST_CHECK enum err pool_open(const struct pool_options *options, struct pool **pool_out,
                                 struct error *error);

/* Closes all connections; the caller sees to it that no pipeline is running any more. */
void pool_close(struct pool **pool);

/*
 * Which Redis it is: a number made of the replication id and the role in INFO replication. It changes
 * when Redis restarts, at a failover, and when the address leads to another server. Everybody who is
 * connected to the same Redis gets the same number.
 */
#define POOL_ORIGIN_UNKNOWN 0 /* nobody asked */
#define POOL_ORIGIN_UNTOLD  2 /* Redis does not tell: the ACL user lacks +info */
uint64_t pool_origin_of(struct str replication_info);
/* Whether two differ in more than the role: a Redis that was made a replica has lost nothing yet. */
bool pool_origin_is_other(uint64_t a, uint64_t b);

/* Replaces every connection there is now, as soon as nobody uses it. For a caller who has learnt that
 * another Redis is behind the address now. */
void pool_renew(struct pool *pool);

/*
 * Reads the TLS files that `files` names, in place of those the pool has. *changed_out says which of
 * them differ. New connections use them from now on; if one differs, pool_renew replaces the others.
 * Does nothing for a pool without TLS. ERR_BAD_INPUT as pool_open; nothing has changed then.
 */
CW_MUST_CHECK enum err pool_renew_tls(struct pool *pool, const struct redis_address *files,
                                      bool changed_out[TLS_PARTS], struct error *error);

/* How long something took: how often up to each bound, and beyond the last. */
enum { POOL_TIME_BOUNDS = 11 };
extern const int64_t pool_time_bounds_ns[POOL_TIME_BOUNDS];
struct pool_times {
    uint64_t counts[POOL_TIME_BOUNDS + 1];
    uint64_t sum_ns;
};

/* Pipelines in a batch: 1, 2, up to 4, up to 8, … up to 512, more. */
enum { POOL_SIZE_BOUNDS = 10 };

/* A snapshot of counters for /metrics, logs and tests. */
struct pool_stats {
    size_t size, idle, busy; /* connections */
    size_t connecting;       /* of the busy: being made */
    size_t under_way;        /* pipelines that wait or were sent, and have no answer yet */
    uint64_t connects, connect_failures, closes;
    uint64_t borrows;          /* pipelines that got a connection of their own */
    uint64_t batches, batched; /* batched writes, and pipelines that went in them */
    uint64_t batch_sizes[POOL_SIZE_BOUNDS + 1]; /* batches by the pipelines in them */
    struct pool_times waits;            /* of batches for a connection, as their leaders saw it */
    struct pool_times round_trip_times; /* from a write to the last reply, or to its failure */
    uint64_t waits_timed_out;           /* ERR_BUSY */
    uint64_t breaker_refusals;          /* failed at once while the breaker was open */
    uint64_t round_trips, commands;
    uint64_t replies_refused; /* Redis error replies */
    uint64_t desynchronised;  /* closed: a reply was owed, or one came that nobody asked for */
    bool breaker_open;
};
void pool_stats_read(struct pool *pool, struct pool_stats *stats_out);

/* True while the last attempt to connect failed and no probe has succeeded since. */
bool pool_is_down(struct pool *pool);

#endif
