/* The audit: who did what, in a stream in Redis, or in the log while there is none. */
#ifndef CACHEWARDEN_AUDIT_H
#define CACHEWARDEN_AUDIT_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

struct app;
struct principal;

/*
 * The parts of the audit, each with a length of its own: what somebody may do as often as they like
 * pushes out its like and nothing else.
 */
enum audit_part {
    AUDIT_CHANGES = 0, /* what matters: by operators, to accounts, to rights, to sessions */
    /* clears, flushes and switches by API keys, and by users of what every user may */
    AUDIT_CLEARS,
    AUDIT_SIGN_INS, /* with a name and a password, good and bad */
    AUDIT_PARTS
};

/* One thing that happened; strings are copied. */
struct audit_record {
    enum audit_part part;
    const struct principal *principal;
    struct str client_address;
    struct str request_id;
    const char *route;  /* "cache.clear" */
    struct str target;  /* "user:123", "all", "messages", … */
    const char *result; /* "ok", or err_name() */
    int64_t count;      /* keys removed, new version, …; < 0: none */
    /* `target` is a named cache just emptied: remembered as its last flush (GET /api/v1/caches) */
    bool is_flush;
};
/*
 * Queues the record; a thread of its own writes it to the stream of its part, so the request pays
 * no round trip. When the queue is full or Redis is down it goes to the log instead: never lost silently.
 */
void audit_write(struct app *app, const struct audit_record *record);
/* From now on this many records are kept of each part, or some more. */
void audit_keep(struct app *app, const int64_t keep[AUDIT_PARTS]);
/* Waits until all that was queued before is in Redis or in the log. ERR_TIMEOUT. */
CW_MUST_CHECK enum err audit_drain(struct app *app, int64_t deadline_ns);

#endif
