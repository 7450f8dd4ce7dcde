/*
 * Life and private faces of the services inside struct app; app.c alone opens and closes them.
 * What operations and the command line call is in cachewarden/app.h.
 */
#ifndef API_SERVICES_H
#define API_SERVICES_H

#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "cachewarden/pipeline.h"

/* ---- caches/ ---- */

/* Checks and copies the targets and opens a pool for each that does not live beside the control
 * data (`control` is borrowed; closed after caches_close). ERR_BAD_INPUT names target and mend. */
CW_MUST_CHECK enum err caches_open(const struct app_options *options, struct redis *control,
                                   struct caches **caches_out, struct error *error);
void caches_close(struct caches **caches);
/* redis_renew_tls for the pools of targets with a Redis or database of their own, until one fails. */
CW_MUST_CHECK enum err caches_renew_tls(struct caches *caches, const struct redis_address *files,
                                        bool changed_out[TLS_PARTS], struct error *error);

/* ---- entries/ ---- */

/* Of options: entries; and tokens.secret, from which the key of leases is derived. `control` is borrowed, and closed
 * after entries_close. Not without users. ERR_BAD_INPUT names the setting. */
CW_MUST_CHECK enum err entries_open(const struct app_options *options, struct redis *control,
                                    struct entries **entries_out, struct error *error);
void entries_close(struct entries **entries);
/* Where entries live; their own Redis, or that of the control data. */
struct redis *entries_redis(const struct entries *entries);
bool entries_own_redis(const struct entries *entries);
/* redis_renew_tls for the pool of their own, if they have one. `entries` may be NULL. */
CW_MUST_CHECK enum err entries_renew_tls(struct entries *entries, const struct redis_address *files,
                                         bool changed_out[TLS_PARTS], struct error *error);

/* ---- audit/ ---- */

/* Starts the thread that writes records through `control` (borrowed; closed after audit_close). Of
 * options: node_name, audit_keep. */
CW_MUST_CHECK enum err audit_open(struct redis *control, const struct app_options *options,
                                  int64_t budget_ms, struct audit **audit_out, struct error *error);
/* Waits until all is written, at most until deadline_ns; what is left then goes to the log. */
void audit_close(struct audit **audit, int64_t deadline_ns);

/*
 * Records what a call did to `target`, with the outcome it had. One that was refused did nothing, and
 * leaves no record: the caller may have that as often as they like. The access log tells of it.
 */
void audit_call(const struct call *call, struct str target, enum err outcome, int64_t count);
/* The same for a clear or a switch of a user's cache, or of everybody's. */
void audit_clear(const struct call *call, struct str target, enum err outcome, int64_t count);
/* The part that takes such a record. */
enum audit_part audit_part_of(const struct call *call);
/* The same for a user's own logout. */
void audit_logout(const struct call *call, struct str target, enum err outcome, int64_t count);
/* The same for the flush of a named cache, which is also remembered as its last. */
void audit_flush(const struct call *call, struct str cache, enum err outcome, int64_t removed);
/*
 * Records that a spent refresh token of the account came again and ended its session. The outcome is that
 * of telling the other nodes: the session has ended on this one in any case, so there is always a record.
 */
void audit_reuse(const struct call *call, int64_t user_id, enum err outcome);
/*
 * Records a sign-in with a name and a password: ERR_OK, or ERR_UNAUTHENTICATED. `user` has the name; of
 * one that nobody has (id 0) the digest is kept.
 */
void audit_sign_in(const struct call *call, const struct user *user, struct str name_digest,
                   enum err outcome);

/* For GET /metrics: records since the start. */
struct audit_stats {
    uint64_t waiting;       /* on their way to Redis */
    uint64_t saved, logged; /* in the stream; in the log, in its place */
};
void audit_stats_read(struct audit *audit, struct audit_stats *stats_out);

/* ---- health/ ---- */

CW_MUST_CHECK enum err health_open(struct health **health_out, struct error *error);
void health_close(struct health **health);

/* ---- jobs/ ---- */

/* Of options: jobs_duty_percent, jobs_give_up_ms. `app` is borrowed, and complete when a job runs. */
CW_MUST_CHECK enum err jobs_open(struct app *app, const struct app_options *options,
                                 struct jobs **jobs_out, struct error *error);
/* Starts the runner, which works on jobs whenever no other node does. */
CW_MUST_CHECK enum err jobs_watch(struct jobs *jobs, struct error *error);
/* Lets another node go on with what is under way. */
void jobs_close(struct jobs **jobs);
struct job;
/* The answer of an operation that has started a job. */
CW_MUST_CHECK enum err jobs_answer_started(struct call *call, const struct job *job);
/* For GET /metrics. */
void jobs_write_metrics(const struct jobs *jobs, struct strbuf *out);

/* ---- limits/ ---- */

CW_MUST_CHECK enum err limits_open(const struct limit_settings *settings,
                                   struct limits **limits_out, struct error *error);
void limits_close(struct limits **limits);

/* ---- control/ ---- */

/* control_status for the caller itself, counted on the way against the limit of the call's row. */
CW_MUST_CHECK enum err control_status_counted(struct call *call, struct cache_state *state_out);

/*
 * Commands of somebody else's in the round trip that looks at a namespace, ahead of what looks at it: so a
 * value that was read is judged by numbers that were read later. What writes is sent again when the look is
 * repeated because the control data had been lost; the version is another one then.
 */
struct control_part {
    void (*add)(void *with, struct pipeline *pipeline);
    /* Once the replies of a try are there; those of `add` begin at 0. What is taken counts only if the look
     * succeeds, and then what was taken last. */
    enum err (*take)(void *with, const struct pipeline *pipeline, struct error *error);
    void *with;
    bool writes; /* it is sent as a PIPELINE_WRITE */
    /* As control_observe: nothing is repaired. ERR_NOT_FOUND: there is no control data. */
    bool is_passive;
};
/* control_status of any namespace, with this part (NULL: none). An application's is always enabled. */
CW_MUST_CHECK enum err control_look(struct app *app, struct work work,
                                    const struct namespace *whose, const struct control_part *part,
                                    struct cache_state *state_out);

/* ---- what they share ---- */

/*
 * For a reply of Redis that came but cannot be believed: ERR_UPSTREAM_REFUSED with the fixed words
 * for the caller and `format` for the log. Returns the code.
 */
enum err refuse_reply(struct error *error, const char *format, ...) CW_PRINTF(2, 3);

/*
 * Whether memory was found for all these texts. What makes a text gives {NULL,0} without, which to
 * a pipeline is an empty argument: a command must not be sent on half a name.
 */
bool texts_made(size_t count, const struct str *texts);
#define TEXTS_MADE(...)                                                        \
    texts_made(sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str), \
               (const struct str[]){__VA_ARGS__})

#endif
