/* What the files of the catalogue share. */
#ifndef API_BACKUP_CATALOGUE_PRIVATE_H
#define API_BACKUP_CATALOGUE_PRIVATE_H

#include "backup/catalogue.h"
#include "cachewarden/lock.h"

#include <sys/stat.h>

#define CATALOGUE_SUFFIX ".tar.zst"
enum { CATALOGUE_NAME_SIZE = ARCHIVE_ID_SIZE + 16 };

/* A file that was read, and is not read again while it looks the same and the secrets are. */
struct known_archive {
    ino_t inode;
    int64_t size;
    struct timespec changed; /* st_ctim: nobody sets that by hand */
    uint64_t secrets;        /* archive_key_secrets, when it was read */
    struct backup backup;    /* of one that is not whole only the id */
    char reason[192];        /* why it is not whole; empty: it is */
};

struct catalogue {
    char *directory;
    const struct archive_key *key;
    struct lock lock; /* guards the rest */
    struct known_archive *known;
    size_t known_count, known_room;
};

/* The file's name; a draft's begins with a dot. */
void catalogue_file_name(char name_out[CATALOGUE_NAME_SIZE], const char *id, bool is_draft);
/* ERR_UPSTREAM_DOWN, with errno: "cannot <what> <the folder>". */
CW_MUST_CHECK enum err catalogue_folder_failed(const struct catalogue *catalogue, const char *what,
                                               struct error *error);
/* ERR_NOT_FOUND: it is not there. */
CW_MUST_CHECK enum err catalogue_open_folder(const struct catalogue *catalogue, int *folder_out,
                                             struct error *error);
/* Runs `each` with the id of every file that has the name of a backup, or of a draft, until one fails. */
CW_MUST_CHECK enum err catalogue_walk(const struct catalogue *catalogue, int folder, bool drafts,
                                      enum err (*each)(const char *id, void *with), void *with,
                                      struct error *error);
/* ERR_NOT_FOUND, ERR_UNPROCESSABLE. */
CW_MUST_CHECK enum err catalogue_open_file(int folder, const char *id, int *fd_out,
                                           struct error *error);
/* Reads all of it. ERR_UNPROCESSABLE, ERR_UPSTREAM_DOWN; ERR_BUSY: it is stopping. */
CW_MUST_CHECK enum err catalogue_examine(const struct catalogue *catalogue, int fd, const char *id,
                                         const struct backup_watch *watch,
                                         struct backup *backup_out, struct error *error);
/* The same, unless it is known and this is not `is_anew`. Closes the file. */
CW_MUST_CHECK enum err catalogue_look_at(struct catalogue *catalogue, int fd, const char *id,
                                         bool is_anew, const struct backup_watch *watch,
                                         struct backup *backup_out, struct error *error);
/* Forgets all but these, which are sorted from Z to A. */
void catalogue_forget_others(struct catalogue *catalogue, char (*ids)[ARCHIVE_ID_SIZE],
                             size_t count);
void catalogue_remember(struct catalogue *catalogue, const struct stat *status, uint64_t secrets,
                        const struct backup *backup, const char *reason);

#endif
