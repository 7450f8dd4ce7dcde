/*
 * Backups: the users database and the control data in Redis, each in one file in a folder (backup.directory).
 * What is told of is whole: an archive that is cut, changed or another installation's is none.
 */
#ifndef CACHEWARDEN_BACKUP_H
#define CACHEWARDEN_BACKUP_H

#include <stdint.h>

enum { BACKUP_ID_SIZE = 26, BACKUP_SHA256_SIZE = 65 };

/* What is told of a backup. */
struct backup {
    char id
        [BACKUP_ID_SIZE]; /* "20260131T000000Z-01234567": when it was begun, and eight digits at random */
    int64_t created_at_s;
    int64_t size;                    /* of the file */
    char sha256[BACKUP_SHA256_SIZE]; /* of the file, in hex */
    int64_t users;                   /* accounts that are not deleted */
    int64_t api_keys;
    int64_t control_keys; /* of Redis */
};

#endif
