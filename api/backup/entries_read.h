/*
 * Entries of the cache service out of Redis, for a backup (entries_rows.h): those that a reader would be served, each
 * as it was at a moment while the backup was made. Others go on: SCAN in short steps with rests between them, and
 * no more in memory than one value and a megabyte.
 */
#ifndef API_BACKUP_ENTRIES_READ_H
#define API_BACKUP_ENTRIES_READ_H

#include "backup/entries_rows.h"
#include "backup/entries_source.h"
#include "cachewarden/app.h"

#include <stdatomic.h>

/* All borrowed. */
struct entries_options {
    struct app *app;
    int duty_percent;                /* share of the time in which Redis works for this, 1 to 100 */
    const _Atomic bool *is_stopping; /* NULL: never. Once it is, reading ends with ERR_BUSY */
};

struct entries_reader;

/* The source is borrowed. */
CW_MUST_CHECK enum err entries_reader_begin(const struct entries_options *options,
                                            const struct entries_source *source,
                                            struct entries_reader **reader_out);

struct entries_rows {
    size_t rows;    /* lines that were added */
    size_t entries; /* that end with them */
    bool is_done;
};
/*
 * Adds the next lines: as many as fit in `limit` bytes, at least twice ENTRIES_CHUNK. Call it until is_done, which may
 * come with no line. Errors of redis_run; ERR_UPSTREAM_DOWN also: other control data came in the place of the
 * source.
 */
CW_MUST_CHECK enum err entries_reader_read(struct entries_reader *reader, size_t limit,
                                           struct strbuf *lines, struct entries_rows *rows_out,
                                           struct error *error);
/* After control data was read, too: whether it is still what the entries were judged by. ERR_UPSTREAM_DOWN: it is not,
 * and the two do not belong together. */
CW_MUST_CHECK enum err entries_reader_confirm(struct entries_reader *reader, struct error *error);
void entries_reader_end(struct entries_reader **reader);

#endif
