/*
 * Backups: the users database and the control data in Redis, each in one file in a folder (backup.directory).
 * What is told of is whole: an archive that is cut, changed or another installation's is none.
 */
#ifndef CACHEWARDEN_BACKUP_H
#define CACHEWARDEN_BACKUP_H

#include "cachewarden/json.h"
#include "cachewarden/work.h"

#include <stdatomic.h>

struct app;

enum { BACKUP_ID_SIZE = 26, BACKUP_SHA256_SIZE = 65 };

/* What is told of a backup. */
struct backup {
    /* "20260131T000000Z-01234567": when it was begun, and eight digits at random */
    char id[BACKUP_ID_SIZE];
    int64_t created_at_s;
    int64_t size;                    /* of the file */
    char sha256[BACKUP_SHA256_SIZE]; /* of the file, in hex */
    int64_t users;                   /* accounts that are not deleted */
    int64_t api_keys;
    int64_t control_keys; /* of Redis */
    bool has_entries;     /* those of the cache service are in it; so many: */
    int64_t entries;
};

/* {"id":…,"created_at":…,"size":…,"sha256":…,"users":…,"api_keys":…,"control_keys":…}, and "entries" where they
 * are in it */
void backup_write(struct json_writer *json, const struct backup *backup);

/* Who waits for a backup: what may be told of how far it is, and asked whether it is still wanted. */
struct backup_watch {
    /* NULL: nobody looks. `done` of `total` rows, which is a guess, of "accounts", …; may come often. */
    void (*progress)(void *with, const char *what, int64_t done, int64_t total);
    void *with;
    const _Atomic bool *is_stopping; /* NULL: it is wanted until it is made */
};

/* NULL: nobody waits, and it is wanted. */
static inline bool backup_is_unwanted(const struct backup_watch *watch)
{
    return watch && watch->is_stopping && atomic_load(watch->is_stopping);
}

/*
 * Makes one: written, read back wholly, and only then found under its name. No deadline but the watch's.
 * ERR_CONFLICT: one is being made at this moment. ERR_BUSY: it is stopping. ERR_UPSTREAM_DOWN: the folder takes no
 * file, or the users database is away; the caller's text says which. Errors of redis_run.
 */
CW_MUST_CHECK enum err backup_create(struct app *app, const struct backup_watch *watch,
                                     struct backup *backup_out, struct error *error);

/* All that are whole, newest first; in the arena. A folder that is not there yet has none. ERR_BUSY: it is stopping,
 * and there are some that nobody has read so far. `watch` NULL: nobody waits. */
CW_MUST_CHECK enum err backup_list(struct app *app, const struct backup_watch *watch,
                                   struct work work, struct backup **backups_out,
                                   size_t *count_out);
/* ERR_NOT_FOUND: there is none of this id that is whole. */
CW_MUST_CHECK enum err backup_find(struct app *app, struct work work, struct str id,
                                   struct backup *backup_out);
/* Reads all of it anew. ERR_NOT_FOUND: there is no file; ERR_UNPROCESSABLE: it is not whole, with the reason;
 * ERR_BUSY: it is stopping. `watch` NULL: nobody waits. */
CW_MUST_CHECK enum err backup_verify(struct app *app, const struct backup_watch *watch,
                                     struct work work, struct str id, struct backup *backup_out);
/* Whole or not. ERR_NOT_FOUND. */
CW_MUST_CHECK enum err backup_delete(struct app *app, struct work work, struct str id);
/* A file that has the name of a backup and is none: damaged, or made with another secret or passphrase. */
struct backup_broken {
    char id[BACKUP_ID_SIZE];
    char reason[192];
    bool is_removed;
};

struct backup_cleaned {
    struct backup *removed; /* newest first */
    size_t count;
    struct backup_broken *broken; /* all that were there */
    size_t broken_count;
    size_t files; /* that were removed, whole or not */
};

/*
 * Removes those that are older than backup.retention_days, whole or not, but only behind the newest that is whole,
 * which is read anew to know, and stays. Also what a program that was killed has left of one it was making. What
 * was done, in the arena; also after an error.
 */
CW_MUST_CHECK enum err backup_cleanup(struct app *app, const struct backup_watch *watch,
                                      struct work work, struct backup_cleaned *cleaned_out);
/* {"removed":[…],"not_whole":[{"id":…,"reason":…,"removed":true}]} */
void backup_cleaned_write(struct json_writer *json, const struct backup_cleaned *cleaned);

#endif
