/*
 * Entries of the cache service out of a backup, into a Redis that lost what it held when they were read. They get the
 * numbers of now, and only where nobody can have cleared them here: docs/design/backup.md says how that is known. What
 * lies under a label stays. Redis is told how far it is before an entry can be seen (control/dataset.h). So who does it
 * once more goes on behind it, and brings back none that was deleted in between. For one thread.
 */
#ifndef API_BACKUP_ENTRIES_PUT_H
#define API_BACKUP_ENTRIES_PUT_H

#include "backup/entries_read.h"

struct entries_counts {
    int64_t put;
    int64_t expired; /* their life has ended */
    int64_t cleared; /* they were cleared here, or may have been */
    int64_t taken;   /* something lies under their label */
    int64_t refused; /* there is no room for them, or redis takes nothing */
    int64_t earlier; /* they were put, or tried, before this began */
};

/* Where they are from; borrowed. */
struct entries_origin {
    struct str dataset; /* the control data that they were read with */
    struct str backup;
    int64_t earlier; /* so many of it were put, or tried, in what they are put into */
};

struct entries_putter;

CW_MUST_CHECK enum err entries_putter_begin(const struct entries_options *options,
                                            const struct entries_origin *from,
                                            struct entries_putter **putter_out);
/* Whole lines. ERR_BAD_INPUT; errors of redis_run: some may be in. */
CW_MUST_CHECK enum err entries_putter_put(struct entries_putter *putter, struct str lines,
                                          struct error *error);
/* Behind the last line. The same. */
CW_MUST_CHECK enum err entries_putter_finish(struct entries_putter *putter, struct error *error);
const struct entries_counts *entries_putter_counts(const struct entries_putter *putter);
void entries_putter_end(struct entries_putter **putter);

#endif
