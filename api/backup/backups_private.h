/* What the files of backups share. */
#ifndef API_BACKUP_BACKUPS_PRIVATE_H
#define API_BACKUP_BACKUPS_PRIVATE_H

#include "backup/archive_key.h"
#include "backup/results.h"
#include "backup/service.h"

struct backups {
    struct app *app; /* borrowed; all of these are set at the start */
    struct users *users;
    char *directory;
    int64_t retention_days;
    int duty_percent; /* share of the time in which Redis works for a backup */
    struct archive_key *key;
    struct catalogue *catalogue;
    char node[64];
    struct str schedule; /* empty: none */
    struct cron cron;    /* where there is one */
    struct backup_results results;
};

#endif
