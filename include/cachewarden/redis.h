/*
 * The front to Redis: what everybody holds who runs pipelines. Which servers stand behind it, with a pool of
 * connections to each, and which of them a command goes to, is decided behind it (pool/topology).
 *
 * Threads: any thread may call any function, unless it says otherwise. No lock is held during the talk to
 * the network. A write that may have been sent is never sent again. A read is, once, if the connection it
 * was given was dead already.
 */
#ifndef CACHEWARDEN_REDIS_H
#define CACHEWARDEN_REDIS_H

#include "cachewarden/str.h"
#include "cachewarden/tls_summary.h"
#include "cachewarden/work.h"

#include <stdbool.h>
#include <stdint.h>

struct redis;
struct pipeline;
struct value;

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
/* Takes the user and the password of `from`; *changed_out: they are others. ERR_NO_MEMORY: nothing has changed. */
CW_MUST_CHECK enum err redis_address_copy_login(const struct redis_address *from,
                                                struct redis_address *address, bool *changed_out);
/* Reads the three files as redis_open does; the address has a host. ERR_BAD_INPUT: error->caller says
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

#define REDIS_SENTINELS_MAX 16 /* of a front */

enum redis_topology_kind { REDIS_STANDALONE, REDIS_SENTINEL, REDIS_CLUSTER };

/* Which servers there are. All borrowed; redis_open copies what it needs. */
struct redis_topology {
    enum redis_topology_kind kind;
    const char *const *endpoints; /* "host:port": of sentinels, or of some nodes of the cluster */
    size_t endpoint_count;
    /* REDIS_SENTINEL: the host and port of the address do not count. */
    const char *master_name;
    const char *sentinel_username, *sentinel_password; /* NULL: none */
    bool sentinel_tls;                                 /* with the files of the address */
};

struct redis_options {
    struct redis_topology topology;
    struct redis_address address; /* copied by redis_open */
    size_t size;                  /* connections at most, >= 1; of 1, two while it is replaced */
    int64_t borrow_timeout_ms;  /* bounded wait for a connection or a batch place, then ERR_BUSY */
    int64_t connect_timeout_ms; /* a first look-up of the name included */
    int64_t command_timeout_ms; /* from the write to the last owed reply */
    /* A connection older than this, less up to a quarter by chance, is replaced before it is used again; 0: never. */
    int64_t connection_lifetime_s;
    size_t batch_limit;      /* commands in one batched write at most; 0: the default */
    const char *client_name; /* CLIENT SETNAME; NULL: "cachewarden" */
    /* Every connection asks which Redis it got (pipeline_replication_id); an ACL user needs +info for it. */
    bool asks_replication_id;
};

/*
 * Says which Redis may take writes. `ask` is called before every PIPELINE_WRITE, and before a read
 * with a command that writes. It gives the replication id that may have them, or 0 for any; an error of it
 * ends the pipeline, and nothing is sent. If the connection leads to another replication id, nothing is sent
 * either, and `ask` is called again, with the replication id it gave as `missed`. It may run pipelines here
 * itself, but only with PIPELINE_WRITE_REPAIR.
 */
struct redis_gate {
    enum err (*ask)(void *with, uint64_t missed, int64_t deadline_ns, uint64_t *replication_id_out,
                    struct error *error);
    void *with;
};
/* Before the first pipeline runs. */
void redis_set_gate(struct redis *redis, struct redis_gate gate);

/* Connects nothing (a Redis that is down must not stop the start). ERR_BAD_INPUT names the option that
 * makes no sense, or the file for TLS that cannot be used. */
CW_MUST_CHECK enum err redis_open(const struct redis_options *options, struct redis **redis_out,
                                  struct error *error);

/* Closes all connections; the caller sees to it that no pipeline is running any more. */
void redis_close(struct redis **redis);

/*
 * Sends all commands in one write and reads all replies, alone or inside a batch. Returns by
 * work.deadline_ns or the pool's own timeouts, whichever comes first.
 * ERR_OK: every reply arrived and is of the kind expected.
 * ERR_UPSTREAM_REFUSED: all replies arrived, at least one is an error or of the wrong kind;
 *   pipeline_value tells which, and commands before and behind it may have taken effect.
 * ERR_BUSY, ERR_UPSTREAM_DOWN, ERR_TIMEOUT, ERR_NO_MEMORY, errors of a gate: nothing has changed in Redis, or only
 *   what a READ changes. ERR_UNCERTAIN: it may have. No reply can be read then.
 * A PIPELINE_WRITE that a Redis took that was a replica when the connection was made is ERR_UNCERTAIN: a replica
 * that takes writes (replica-read-only no) forgets them when it next follows its primary.
 * Behind the commands goes one ECHO of a fresh number; only when its answer comes last, the replies
 * are believed to be ours. So an ACL user needs +echo besides its commands (and +select for another
 * database; +client|setname is welcome).
 * A deadline later than the pool's borrow and command timeouts together is cheaper: a pipeline in a
 * batch then needs no timer of its own.
 * work.error gets a text for the log, in .redis the cause, and in .caller the text of that
 * (redis_error.h).
 * A pipeline runs once.
 */
CW_MUST_CHECK enum err redis_run(struct redis *redis, struct pipeline *pipeline, struct work work);

/* The value of the line "name:value" in a reply to INFO; {NULL,0}: there is none. */
struct str redis_info_field(struct str info, const char *name);

/*
 * Which Redis it is: a number made of the replication id and the role in INFO replication. It changes
 * when Redis restarts, at a failover, and when the address leads to another server. Everybody who is
 * connected to the same Redis gets the same number.
 */
#define REDIS_REPLICATION_ID_UNKNOWN 0 /* nobody asked */
#define REDIS_REPLICATION_ID_UNTOLD  2 /* Redis does not tell: the ACL user lacks +info */
uint64_t redis_replication_id_of(struct str replication_info);
/* Whether two differ in more than the role: a Redis that was made a replica has lost nothing yet. */
bool redis_replication_id_is_other(uint64_t a, uint64_t b);

/* What INFO replication or HELLO (without an argument) says of the one who answers. Every ACL user may say HELLO;
 * a Redis before 6.2, and a proxy, may not know it. */
enum redis_role { REDIS_ROLE_UNTOLD, REDIS_ROLE_PRIMARY, REDIS_ROLE_REPLICA };
enum redis_role redis_role_of(const struct value *told);

/* The caller has learnt, from a reply of this front, that a replica answers: as after a write that was answered
 * READONLY, the connections are replaced once a second until they lead to a primary. */
void redis_note_replica(struct redis *redis);

/* Replaces every connection there is now, as soon as nobody uses it. For a caller who has learnt that
 * another Redis is behind the address now. */
void redis_renew(struct redis *redis);

/*
 * Reads the TLS files that `files` names, in place of those it has. *changed_out says which of
 * them differ. New connections use them from now on; if one differs, redis_renew replaces the others.
 * Does nothing without TLS. ERR_BAD_INPUT as redis_open; nothing has changed then.
 */
CW_MUST_CHECK enum err redis_renew_tls(struct redis *redis, const struct redis_address *files,
                                       bool changed_out[TLS_PARTS], struct error *error);

/*
 * New connections authenticate with the user and the password of `address` from now on. If they are others
 * (*changed_out), those there are go on until they are replaced, one by one, and for good should Redis refuse the new
 * password. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err redis_renew_login(struct redis *redis, const struct redis_address *address,
                                         bool *changed_out, struct error *error);

/* How long something took: how often up to each bound, and beyond the last. */
enum { REDIS_TIME_BOUNDS = 11 };
extern const int64_t redis_time_bounds_ns[REDIS_TIME_BOUNDS];
struct redis_times {
    uint64_t counts[REDIS_TIME_BOUNDS + 1];
    uint64_t sum_ns;
};

/* Pipelines in a batch: 1, 2, up to 4, up to 8, … up to 512, more. */
enum { REDIS_BATCH_SIZE_BOUNDS = 10 };

/* A snapshot of counters for /metrics, logs and tests. */
struct redis_stats {
    size_t size, idle, busy; /* connections */
    size_t connecting;       /* of the busy: being made */
    size_t under_way;        /* pipelines that wait or were sent, and have no answer yet */
    uint64_t connects, connect_failures, closes;
    uint64_t outlived;         /* of the closes: at the end of connection_lifetime_s */
    uint64_t borrows;          /* pipelines that got a connection of their own */
    uint64_t batches, batched; /* batched writes, and pipelines that went in them */
    uint64_t batch_sizes[REDIS_BATCH_SIZE_BOUNDS + 1]; /* batches by the pipelines in them */
    struct redis_times waits;            /* of batches for a connection, as their leaders saw it */
    struct redis_times round_trip_times; /* from a write to the last reply, or to its failure */
    uint64_t waits_timed_out;            /* ERR_BUSY */
    uint64_t breaker_refusals;           /* failed at once while the breaker was open */
    uint64_t round_trips, commands;
    uint64_t replies_refused; /* Redis error replies */
    uint64_t desynchronised;  /* closed: a reply was owed, or one came that nobody asked for */
    bool breaker_open;
};
void redis_stats_read(struct redis *redis, struct redis_stats *stats_out);

/* True while the last attempt to connect failed and no probe has succeeded since. */
bool redis_is_down(struct redis *redis);

/* What the sentinels said last. */
struct redis_sentinels {
    size_t count;       /* that are configured */
    size_t answering;   /* of these: reached, and not refused */
    size_t naming;      /* name a primary */
    size_t lack_quorum; /* see too few others to start a failover */
    uint64_t switches;  /* how often another primary was taken, the first one included */
    char primary[300];  /* "host:port" of the one that is used; "" while there is none */
    char trouble[200];  /* what is wrong with them, for people; "" */
};
/* False: no sentinels are asked. */
bool redis_sentinels_read(struct redis *redis, struct redis_sentinels *sentinels_out);

#endif
