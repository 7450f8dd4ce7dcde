/*
 * Putting a backup in the place of what is here: accounts and API keys are those of the backup, but what was revoked
 * stays so, versions only rise, and no number is given again (api/backup/restore.h). Servers go on answering, and all
 * of them notice within a second.
 */
#ifndef CACHEWARDEN_BACKUP_RESTORE_H
#define CACHEWARDEN_BACKUP_RESTORE_H

#include "cachewarden/backup.h"

/* All borrowed. */
struct backup_restore_order {
    struct str id;      /* of a backup in the folder; or, empty, */
    const char *path;   /* of a file anywhere: for the command line alone */
    bool only_tries;    /* tells what would change, and changes nothing */
    bool takes_foreign; /* also where there are accounts here, and it is another installation's */
    /* Goes on where Redis is away; then it is told nothing, and a new term begins by itself when it is back. */
    bool may_miss_redis;
    /*
     * Where there has never been an account, takes the place of the installation that was backed up: its control data
     * in Redis is ours then. For a program that ends afterwards, or opens everything anew before backup_restore_redis.
     */
    bool may_become;
    const struct backup_watch *watch; /* NULL: nobody waits */
};

/* What became of the entries of a backup. */
enum backup_entries {
    BACKUP_ENTRIES_NONE,      /* there are none in it */
    BACKUP_ENTRIES_UNTOUCHED, /* it was only tried, or redis was not told */
    BACKUP_ENTRIES_OFF,       /* backup.include_entries is not set here */
    /* Redis did not lose what it held since, or nobody knows: it was another's, or has entries of another backup. */
    BACKUP_ENTRIES_KEPT,
    BACKUP_ENTRIES_RESTORED, /* as the numbers say */
    BACKUP_ENTRIES_FAILED    /* in the middle: as far as the numbers say */
};

/* "restored", … */
const char *backup_entries_name(enum backup_entries state);

struct backup_entries_counts {
    enum backup_entries state;
    int64_t restored; /* or would be, at most */
    int64_t expired;
    int64_t cleared; /* they were cleared here, or may have been */
    int64_t taken;   /* something lies under their label */
    int64_t refused; /* there is no room for them, or redis takes nothing */
    int64_t earlier; /* an earlier restore has put them back, or tried */
};

/* What became of it, or would. */
struct backup_restored {
    char id[BACKUP_ID_SIZE];
    int64_t created_at_s;
    int64_t users;          /* accounts that are not deleted */
    int64_t added, removed; /* of those: were not here, or were deleted; are deleted now */
    int64_t passwords;      /* accounts that were here, and have another password now */
    int64_t api_keys, api_keys_removed;
    int64_t revocations, clears; /* that Redis was told of; namespaces whose clears were raised */
    struct backup_entries_counts entries;
    bool only_tried;
    bool has_told_redis;
    bool
        has_become; /* it is another installation now: the one that was backed up, since nobody was here */
    /* For backup_restore_redis: the term, and which installation it was before. */
    int64_t term;
    char before[33];
};

/* {"id":…,"created_at":…,"dry_run":…,"users":…,"users_added":…,…,"redis":"restored"}, and "entries" where there
 * are any in it: {"state":…,"restored":…,…} */
void backup_restored_write(struct json_writer *json, const struct backup_restored *restored);

/*
 * The users database: all of it or nothing, without Redis but for the look whether it is there. Where it may become
 * another installation Redis is not looked at, because its data may be that one's.
 * ERR_NOT_FOUND: there is no such file; ERR_UNPROCESSABLE: it is not whole, or another installation's, with the reason;
 * ERR_CONFLICT: a backup is being made or put back at this moment; ERR_BUSY: it is stopping; errors of redis_run:
 * Redis is away. Nothing has changed then. ERR_UNCERTAIN: the users database did not confirm it.
 */
CW_MUST_CHECK enum err backup_restore_users(struct app *app,
                                            const struct backup_restore_order *order,
                                            struct backup_restored *restored_out,
                                            struct error *error);
/* Then Redis. After an error it can be done again, and what is in is in. Control data of the installation that it was
 * before it has become another one is taken over: nobody ever had an account there. */
CW_MUST_CHECK enum err backup_restore_redis(struct app *app,
                                            const struct backup_restore_order *order,
                                            struct backup_restored *restored, struct error *error);

#endif
