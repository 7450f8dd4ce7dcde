/* What the files of backups share. */
#ifndef API_BACKUP_BACKUPS_PRIVATE_H
#define API_BACKUP_BACKUPS_PRIVATE_H

#include "backup/archive_key.h"
#include "backup/results.h"
#include "backup/schedule.h"
#include "backup/service.h"
#include "cachewarden/backup.h"

/* What became of entries here, for the metrics. */
enum backups_entries {
    BACKUPS_ENTRIES_BACKED_UP,
    BACKUPS_ENTRIES_RESTORED,
    BACKUPS_ENTRIES_EXPIRED,
    BACKUPS_ENTRIES_CLEARED,
    BACKUPS_ENTRIES_TAKEN,
    BACKUPS_ENTRIES_REFUSED,
    BACKUPS_ENTRIES
};

struct backups {
    struct app *app; /* borrowed; all of these are set at the start */
    struct users *users;
    char *directory;
    int64_t retention_days;
    int duty_percent; /* share of the time in which Redis works for a backup */
    bool includes_entries;
    struct archive_key *key;
    struct catalogue *catalogue;
    char node[64];
    char schedule_text[256];          /* cut */
    struct cron cron;                 /* where there is a schedule */
    struct backup_schedule *schedule; /* NULL: none */
    struct backup_results results;
    _Atomic int64_t entries[BACKUPS_ENTRIES];
};

/* Makes a schedule, if there is to be one; it begins with backups_watch (schedule_work.c). */
CW_MUST_CHECK enum err backups_open_schedule(struct backups *backups,
                                             const struct backup_options *options,
                                             struct error *error);

/* Whether that is how a backup failed: not where another one is made, nor where nobody wants it any more. */
bool backup_has_failed(enum err err, const struct backup_watch *watch);

#endif
