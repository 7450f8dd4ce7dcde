/*
 * The life of the services behind the operations, opened once at start and shared by all threads. What
 * each does is in a header of its own (control.h, caches.h, audit.h, limits.h, …); the command line uses
 * the same functions as the routes.
 */
#ifndef CACHEWARDEN_APP_H
#define CACHEWARDEN_APP_H

#include "cachewarden/audit.h"
#include "cachewarden/gateway.h"
#include "cachewarden/identity.h"
#include "cachewarden/limits.h"
#include "cachewarden/permit.h"
#include "cachewarden/redis.h"
#include "cachewarden/tally.h"
#include "cachewarden/work.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cache_spec;

/* The cache service. */
struct entry_options {
    struct str redis_url;  /* of the Redis where entries live; empty: that of the control data */
    int64_t default_ttl_s; /* of what is stored without a ttl; 0: an hour */
    int memory_percent;    /* of maxmemory that may be in use beside the control data; 0: 80 */
};

/* Backups by themselves; checked before (cron.h, zone.h). */
struct backup_options {
    struct str directory;
    int64_t retention_days;
    struct str passphrase; /* empty: archives are not encrypted */
    bool include_entries;  /* entries of the cache service, too, and they are put back */
    struct str schedule;   /* empty: none */
    struct str timezone;   /* in use already: zone_use */
};

struct app_options {
    struct redis_options control; /* address and timeouts; the pool for control data */
    /* Taken over by a successful app_open, closed by app_close. NULL: no accounts and no sign-in, for
       a command that needs none; routes must not be served then. */
    struct users *users;
    struct token_options tokens;
    struct str admin_group;
    const struct issuer_spec *issuers; /* others whose tokens are accepted; borrowed */
    size_t issuer_count;
    struct shared_spec shared;
    struct permit_policy policy;
    bool registration_open;
    struct limit_settings limits; /* all zero: off */
    struct str environment;
    const struct cache_spec *caches;
    size_t cache_count;
    struct entry_options entries;
    struct gateway_options gateway; /* no routes: none */
    struct backup_options backup;
    int64_t audit_keep[AUDIT_PARTS]; /* records kept of each part */
    int64_t audit_delayed_ms;        /* a record that waits longer is in the log, too; 0: 250 */
    struct str node_name;            /* for the audit; host name */
    unsigned workers;                /* threads that will serve requests; 0: none, a command */
    int jobs_duty_percent;           /* share of the time that jobs may take, 1 to 100 */
    int64_t jobs_give_up_ms; /* how long the Redis a job works on may be away; 0: a minute */
    /* Without its users database a node knows callers for half as long; from then on it is not ready, unless it goes on
     * telling some from each other (none for as long as this, while others came: it has ended), or is a gateway. 0: a
     * minute. */
    int64_t alone_ms;
    /* How long the start, and requests after it, wait for what this node has to learn first; 0: two seconds. */
    int64_t start_wait_ms;
    /* How long a term that another node has begun is left to it; 0: half a second. */
    int64_t term_patience_ms;
};

struct caches;
struct entries;
struct audit;
struct revocation_sync;
struct janitor;
struct health;
struct version_guard;
struct jobs;
struct backups;

/*
 * What only the program around the services knows, for the operations that tell it. Whoever takes
 * requests sets it before the first, and leaves it alone until the last has ended.
 */
struct app_edge {
    struct str schema; /* the OpenAPI document */
    /* Appends all counters in Prometheus' text format. */
    void (*write_metrics)(const void *with, struct strbuf *out);
    const void *with;
};

struct app {
    struct redis *control; /* control data: versions, switches, epoch, audit, tokens */
    struct identity *identity;
    struct users *users;
    struct caches *caches;
    struct entries *entries; /* the cache service; NULL without users */
    struct gateway *gateway; /* NULL: there are no routes of it */
    struct audit *audit;
    struct version_guard *guard; /* of versions, that they never go back; NULL without users */
    struct revocation_sync *revocation_sync; /* what other nodes revoke; NULL without users */
    struct janitor *janitor;                 /* from app_watch on */
    _Atomic int64_t watch_until_ns; /* until then the first callers wait for what is revoked */
    struct health *health;          /* the last probe of Redis, shared by all who ask */
    struct limits *limits;          /* NULL: off */
    struct jobs *jobs;
    struct backups *backups; /* NULL without users */
    struct permit_policy policy;
    _Atomic bool registration_open;
    _Atomic bool ready; /* false while starting and draining; see app_is_ready */
    /* The program ends soon: requests that take long give up, and answer 503 (ERR_BUSY). */
    _Atomic bool is_ending;
    /* When /health/ready was asked last and the time before, and when it last said no; clock_mono_ns,
       0: never. A load balancer asks again and again. */
    _Atomic int64_t ready_asked_ns, ready_asked_before_ns, ready_refused_ns;
    /* When a caller was last told from others while the users database was away; clock_mono_ns, 0: never. */
    _Atomic int64_t knew_caller_ns, turned_away_ns;
    int64_t alone_ms;            /* see app_options */
    const struct app_edge *edge; /* NULL: no requests are taken */
    struct tallies *tallies;     /* what the services did since the start */
    int64_t budget_ms;           /* what one request may spend on Redis in all */
    int64_t start_wait_ms;       /* see app_options */
};

/*
 * Opens everything but connects nothing. ERR_BAD_INPUT names the setting: a target without a kind, two
 * of one name, a database that holds control data, …. After a failure options->users is still the caller's.
 */
CW_MUST_CHECK enum err app_open(const struct app_options *options, struct app **app_out,
                                struct error *error);
/* Before app_watch, if at all: control data in Redis that belongs to another users database will be
 * taken over, once. */
void app_adopt(struct app *app);
/* In its place, for a Redis that is this program's own child: it is taken over whatever it holds, and
 * it syncs every write, so that a restart of it loses nothing and versions simply go on. */
void app_own_redis(struct app *app);
/* In its place, for a command beside servers: what they agreed to about the control data holds for it
 * too. Not for who serves: nobody would notice then that Redis came back with older data. */
void app_follow(struct app *app);
/* For who takes requests before app_watch: tokens are not judged (ERR_BUSY) until Redis was asked what is
 * revoked. Not without users. */
void app_expect_watch(struct app *app);
/* Follows what other nodes revoke, and the keys of other issuers, and looks after the control data, from
 * here on until app_close; once, and not without users. */
CW_MUST_CHECK enum err app_watch(struct app *app, struct error *error);
/*
 * For who judges a token: waits until what is revoked is known, until start_wait_ms after app_watch, and as
 * long for the keys of other issuers. A Redis or an issuer that does not answer is no error; while Redis
 * answers and not all is known after that time, tokens are not judged (ERR_BUSY). Costs nothing once all is
 * known.
 */
void app_await_watch(struct app *app);
/* The same for who starts; waits as well until the control data was looked at. */
void app_await_start(struct app *app);
/* Whether this node wants requests: it was told so (`ready`), it knows what is revoked as far as Redis
 * tells, the control data is ours, and app_knows_callers. */
bool app_is_ready(struct app *app);
/* Whether it can answer anything but 503: not long after its users database went away (app_options, alone_ms).
 * Tokens of other issuers are judged without it, where they come. */
bool app_knows_callers(const struct app *app);
/* Somebody was told from others just now. */
void app_note_caller(struct app *app);
/* Somebody could not be told from others for want of the users database. */
void app_note_turned_away(struct app *app);
/*
 * Whether the control data in Redis was found to belong to another users database, when it was
 * looked at last; error gets a text that says what to do. Such a node must not serve: its
 * operations on caches fail, and what others revoked it does not know.
 */
bool app_is_foreign(struct app *app, struct error *error);
/*
 * Asks Redis whether it is so now: ERR_UPSTREAM_REFUSED with that text, and then nothing is to be changed
 * anywhere. A Redis that does not tell is no reason to refuse.
 */
CW_MUST_CHECK enum err app_admit(struct app *app, struct work work);
/* redis_renew_tls for every Redis: the certificate files of Redis are read anew. */
CW_MUST_CHECK enum err app_renew_tls(struct app *app, const struct redis_address *files,
                                     bool changed_out[TLS_PARTS], struct error *error);
/* Where users and passwords stand for the Redis servers and the users database; all borrowed. The rest of each URL is
 * that of the options. */
struct app_logins {
    const struct redis_address *control;
    struct str entries_url; /* empty: none */
    const struct cache_spec *caches;
    size_t cache_count;
    struct str users_url;
};
/* redis_renew_login for every Redis, and users_renew_login. After an error some are renewed; call it again. */
CW_MUST_CHECK enum err app_renew_logins(struct app *app, const struct app_logins *logins,
                                        bool *redis_changed_out, bool *users_changed_out,
                                        struct error *error);
/*
 * Other secrets from here on (tokens_set_secrets), for all that is signed with them: tokens, leases, backups. The same
 * ones change nothing (*changed_out). ERR_BAD_INPUT: nothing has changed; ERR_NO_MEMORY, ERR_INTERNAL: not all of it,
 * call it again. One thread at a time, while requests are served. Not without users.
 */
CW_MUST_CHECK enum err app_set_secrets(struct app *app, const struct secrets *secrets,
                                       bool *changed_out, struct error *error);
/* Writes out what the audit still holds (bounded wait), then closes. No call may be running. */
void app_close(struct app **app);

#endif
