/*
 * A backup takes the place of what is here. The archive is read once for each stage, and each time believed only at
 * its end: to know that it is whole, before anything is touched; to put its rows into the users database, in one
 * transaction that anything wrong undoes; and to tell Redis, last. What was given, ended or shown stays so whatever
 * the backup says: users_copy.h has the rules for accounts and keys, and control_data.h those for Redis. Versions
 * rise, because a new term begins.
 */
#ifndef API_BACKUP_RESTORE_H
#define API_BACKUP_RESTORE_H

#include "backup/archive_key.h"
#include "backup/control_data.h"
#include "cachewarden/app.h"
#include "cachewarden/backup.h"
#include "cachewarden/backup_restore.h"
#include "cachewarden/users_copy.h"

/* All borrowed. */
struct restore_order {
    struct app *app;
    int fd; /* of the archive */
    const struct archive_key *key;
    bool
        only_tries; /* changes nothing, and keeps nobody waiting: the result tells what would change */
    bool includes_entries; /* they are put back, too */
    bool takes_foreign;    /* of another installation, too, where there are accounts here */
    /* Where there has never been an account, this becomes the installation that was backed up: its control data in
     * Redis is ours then. Who has it open has to open it again. */
    bool may_become;
    /* NULL: nobody waits. Until the end of the transaction it may be given up. */
    const struct backup_watch *watch;
};

/* restore_redis goes on from what restore_users has told. */
struct restore_result {
    char id[ARCHIVE_ID_SIZE];
    int64_t created_at_s;
    struct users_import_counts users;
    struct control_counts control;
    struct backup_entries_counts entries;
    int64_t term;    /* that nobody has begun; 0: no version was ever shown */
    bool has_become; /* see may_become: it is another installation now */
};

/*
 * The users database. Redis is not needed, and not asked. ERR_UNPROCESSABLE: the archive is not whole, or its rows do
 * not fit together; the text says why. ERR_BUSY: it is stopping. ERR_UPSTREAM_DOWN: the users database is away, or
 * somebody else changes it for longer. Nothing has changed after any error but ERR_UNCERTAIN.
 */
CW_MUST_CHECK enum err restore_users(const struct restore_order *order,
                                     struct restore_result *result_out, struct error *error);
/*
 * Redis, after that, with the app of the installation that it is now: what was cleared and revoked, then a new term,
 * and then the entries, if there are any: what becomes of them is no error (restore_entries.h). Errors of
 * redis_run and version_guard_reconcile. After an error some of it may be in, and it can be done again;
 * the new term begins by itself when Redis is back.
 */
CW_MUST_CHECK enum err restore_redis(const struct restore_order *order,
                                     struct restore_result *result, struct error *error);

#endif
