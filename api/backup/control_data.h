/*
 * The control data that is backed up (control_rows.h), out of Redis and in again. Other requests go on: it is read in
 * short steps with rests between them. What is cleared or revoked meanwhile may be in it or not; it is after
 * the backup then.
 */
#ifndef API_BACKUP_CONTROL_DATA_H
#define API_BACKUP_CONTROL_DATA_H

#include "backup/control_rows.h"
#include "cachewarden/redis.h"

#include <stdatomic.h>

/* All borrowed. */
struct control_options {
    struct redis *control;           /* of control data that is ours: its gate is passed */
    int64_t budget_ms;               /* for one round trip */
    int duty_percent;                /* share of the time in which Redis works for this, 1 to 100 */
    const _Atomic bool *is_stopping; /* NULL: never. Once it is, reading ends with ERR_BUSY */
};

/* ---- out ---- */

struct control_reader;

CW_MUST_CHECK enum err control_reader_begin(const struct control_options *options,
                                            struct control_reader **reader_out);

struct control_rows {
    size_t rows; /* lines that were added */
    size_t keys; /* of Redis that are in them; one that many lines are of counts once */
    bool is_done;
};
/*
 * Adds the next lines: as many as fit in `limit` bytes, at least 4096. Call it until is_done, which may come with no
 * line. Errors of redis_run; ERR_UPSTREAM_DOWN also: another Redis came in the place of this one.
 */
CW_MUST_CHECK enum err control_reader_read(struct control_reader *reader, size_t limit,
                                           struct strbuf *lines, struct control_rows *rows_out,
                                           struct error *error);
void control_reader_end(struct control_reader **reader);

/* ---- in ---- */

struct control_counts {
    int64_t revocations; /* that had not expired yet: they are all in Redis now */
    int64_t clears;      /* namespaces whose clears were fewer here, and were raised */
};
/*
 * Whole lines. Clears are raised to what they were, and revocations are added or last longer; nothing is lowered. Marks
 * are not for Redis. Doing it twice is fine. Adds to *counts. ERR_BAD_INPUT; errors of redis_run: some may be in.
 */
CW_MUST_CHECK enum err control_put(const struct control_options *options, struct str lines,
                                   struct control_counts *counts, struct error *error);

#endif
