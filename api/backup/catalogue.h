/*
 * The folder of backups. An archive is named by its id, and nothing else belongs there. One that is being written has a
 * name that begins with a dot, which is found by nobody and removed by the next who writes one. Whoever writes holds
 * the folder itself (flock), so there is one at a time in all processes.
 *
 * All threads, any number of processes; nothing on the disk is touched before it is needed.
 */
#ifndef API_BACKUP_CATALOGUE_H
#define API_BACKUP_CATALOGUE_H

#include "backup/archive_key.h"
#include "cachewarden/backup.h"

struct catalogue;

/* Borrows the key; copies the folder's name. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err catalogue_new(struct str directory, const struct archive_key *key,
                                     struct catalogue **catalogue_out, struct error *error);
/* Harmless for NULL. */
void catalogue_free(struct catalogue **catalogue);

/* A file that is to become a backup: to be ended by catalogue_keep or catalogue_drop. */
struct catalogue_draft {
    int folder, fd;
    char id[ARCHIVE_ID_SIZE];
};

/* Makes the folder where there is none (0700), and a file in it (0600), whatever the umask. ERR_CONFLICT: somebody
 * writes one. ERR_UPSTREAM_DOWN: the folder does not take it; the text says why. */
CW_MUST_CHECK enum err catalogue_begin(struct catalogue *catalogue, const char *id,
                                       struct catalogue_draft *draft_out, struct error *error);
/* To the disk, read back while `watch` wants it (NULL: always), and then found under its name. A draft that fails is
 * dropped. ERR_BUSY: it is stopping. */
CW_MUST_CHECK enum err catalogue_keep(struct catalogue *catalogue, struct catalogue_draft *draft,
                                      const struct backup_watch *watch, struct backup *backup_out,
                                      struct error *error);
void catalogue_drop(struct catalogue_draft *draft);
/* Removes what was left by whoever was killed; nothing while somebody writes. */
CW_MUST_CHECK enum err catalogue_remove_drafts(struct catalogue *catalogue, struct error *error);

struct catalogue_listing {
    struct backup *backups; /* whole */
    size_t count;
    struct backup_broken *broken; /* not whole */
    size_t broken_count;
};
/* All that are there, each list newest first; in the arena. A folder that is not there yet has none. What nobody has
 * read so far is read. ERR_BUSY: it is stopping. `watch` may be NULL. */
CW_MUST_CHECK enum err catalogue_list(struct catalogue *catalogue, const struct backup_watch *watch,
                                      struct work work, struct catalogue_listing *listing_out);
/* ERR_NOT_FOUND: there is none of this id that is whole. */
CW_MUST_CHECK enum err catalogue_find(struct catalogue *catalogue, struct str id,
                                      struct backup *backup_out, struct error *error);
/* Reads all of it anew. ERR_NOT_FOUND: there is no file; ERR_UNPROCESSABLE: it is not whole, with the reason;
 * ERR_BUSY: it is stopping. `watch` may be NULL. */
CW_MUST_CHECK enum err catalogue_verify(struct catalogue *catalogue, struct str id,
                                        const struct backup_watch *watch, struct backup *backup_out,
                                        struct error *error);
/* Whole or not. ERR_NOT_FOUND. */
CW_MUST_CHECK enum err catalogue_remove(struct catalogue *catalogue, struct str id,
                                        struct error *error);
/* For who reads the rows: the file, to be closed. ERR_NOT_FOUND, ERR_UNPROCESSABLE (it cannot be read). */
CW_MUST_CHECK enum err catalogue_open(struct catalogue *catalogue, struct str id, int *fd_out,
                                      struct error *error);

#endif
