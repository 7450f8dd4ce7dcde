/* The file of a SQLite users database: made private, and recognised again. */
#ifndef AUTH_USERS_SQLITE_FILE_H
#define AUTH_USERS_SQLITE_FILE_H

#include "cachewarden/error.h"

#include <sys/types.h>

struct users_file {
    dev_t device;
    ino_t inode;
};

/*
 * Makes the file (empty, 0600 whatever the umask) and the folders above it (0700) when they are
 * missing, as root for the owner of the folder they are in, and checks that it is a regular file. An existing file is
 * not opened: closing it again would drop the locks that SQLite holds on it for this process. ERR_UPSTREAM_DOWN with
 * a caller's text that names the file and the reason.
 */
CW_MUST_CHECK enum err users_file_prepare(const char *path, struct error *error);

/* Whether that would succeed, as the account that asks: the same texts, and nothing is made. */
CW_MUST_CHECK enum err users_file_check(const char *path, struct error *error);

/* Another process that has it open in SQLite's way, USERS_PROCESS_ELSEWHERE, or 0. See users_other_process for when. */
pid_t users_file_other_process(const char *path);

/* Which file the path leads to now. ERR_UPSTREAM_DOWN when to none. */
CW_MUST_CHECK enum err users_file_identify(const char *path, struct users_file *file_out,
                                           struct error *error);

#endif
