/* A few entries of the cache service as they lie in Redis, and whether they are good: what entries_read.c reads by. */
#ifndef API_BACKUP_ENTRIES_BATCH_H
#define API_BACKUP_ENTRIES_BATCH_H

#include "backup/entries_rows.h"
#include "backup/entries_source.h"
#include "cachewarden/app.h"
#include "entries/service.h"

/* A key that an entry may lie under. Texts point into it. */
struct entries_place {
    struct str key, label;
    struct namespace space;
    int64_t size;    /* of a text */
    bool is_counter; /* it is no text */
};
/* False: no entry lies there. */
bool entries_place_read(struct str key, struct entries_place *place_out);
/* Finds out sizes. */
CW_MUST_CHECK enum err entries_places_measure(struct app *app, struct work work,
                                              struct entries_place *places, size_t count);

enum { ENTRIES_BATCH = 64, ENTRIES_BATCH_SIZE = 1024 * 1024 };

/* A line, with all bytes of a text. */
struct entries_item {
    struct entries_row row;
};
struct entries_batch {
    struct entries_item items[ENTRIES_BATCH];
    size_t count;
};
/*
 * Those of the places, from the first on, that are good: *taken_out places were looked at, at least one; together no
 * more than ENTRIES_BATCH_SIZE, or one that is larger. Bytes in the arena. Errors of redis_run; ERR_UPSTREAM_DOWN also:
 * the control data is not that of `source`.
 */
CW_MUST_CHECK enum err entries_batch_fetch(struct app *app, struct work work,
                                           const struct entries_source *source,
                                           const struct entries_place *places, size_t count,
                                           size_t *taken_out, struct entries_batch *batch_out);

#endif
