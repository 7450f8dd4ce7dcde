/*
 * What entries of the cache service are judged by, and where they lie: so that who restores them can tell whether
 * that was lost since.
 */
#ifndef API_BACKUP_ENTRIES_SOURCE_H
#define API_BACKUP_ENTRIES_SOURCE_H

#include "cachewarden/app.h"
#include "control/dataset.h"

struct entries_source {
    struct str dataset;      /* the id of the control data (control/dataset.h) */
    uint64_t replication_id; /* of the Redis that it is in */
    struct str store;        /* the Redis that entries have of their own; empty: they have none */
};

/* For a backup; texts in the arena. Where entries have a Redis of their own it gets a number that goes with what lies
 * there, if it has none. ERR_UPSTREAM_DOWN: there is no control data. Errors of redis_run. */
CW_MUST_CHECK enum err entries_source_read(struct app *app, struct work work,
                                           struct entries_source *source_out);
/* ERR_UPSTREAM_DOWN: they are not the same. */
CW_MUST_CHECK enum err entries_source_expect(const struct entries_source *source,
                                             const struct entries_source *now, struct error *error);
/* What a Redis knows of entries that were read from a source. */
struct entries_memory {
    bool is_there;               /* something there remembers what became of them since */
    struct dataset_entries back; /* what was put back since it has lost them; texts in the arena */
};
/* For a restore. The control data is not asked whose it is. Errors of redis_run. */
CW_MUST_CHECK enum err entries_source_remembers(struct app *app, struct work work,
                                                struct str dataset, struct str store,
                                                struct entries_memory *memory_out);

#endif
