/* What became of a backup: as it is kept in the users database, for all nodes and for `doctor`. */
#ifndef CACHEWARDEN_BACKUP_RESULT_H
#define CACHEWARDEN_BACKUP_RESULT_H

#include "cachewarden/cron.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

struct backup_result {
    int64_t at_s; /* when it ended */
    int64_t size_bytes, duration_ms;
    bool is_good;
    char id[32];      /* empty: none was made */
    char node[64];    /* the host that made it */
    char reason[128]; /* why it is not good */
};

enum { BACKUP_RESULT_SIZE = 320 };

/* In the buffer, NUL-terminated. */
struct str backup_result_write(const struct backup_result *result, char out[BACKUP_RESULT_SIZE]);
/* False: it is none, *result_out is as it was. */
bool backup_result_read(struct str text, struct backup_result *result_out);

/* Whether it is not so far ahead of the clock (a day) that some clock was wrong: what is has to be taken for none. */
bool backup_result_is_believed(const struct backup_result *result, int64_t now_s);

/*
 * A good backup has to be younger than this, or two ticks of the schedule have brought none; each tick has an hour to
 * bring it. `since_s`: when the schedule began; ticks before it do not count. 0: none is asked for yet.
 */
int64_t backup_asked_for_s(const struct cron *cron, cron_offset *offset, int64_t since_s,
                           int64_t now_s);

#endif
