#include "backup/catalogue_private.h"

#include "backup/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KNOWN_MAX = 4096 };

/* ---- life ---- */

enum err catalogue_new(struct str directory, const struct archive_key *key,
                       struct catalogue **catalogue_out, struct error *error)
{
    struct catalogue *catalogue = calloc(1, sizeof *catalogue);

    *catalogue_out = NULL;
    if (catalogue)
        catalogue->directory = strndup(directory.ptr ? directory.ptr : "", directory.len);
    if (!catalogue || !catalogue->directory) {
        free(catalogue);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the folder of backups");
    }
    catalogue->key = key;
    lock_init(&catalogue->lock, LOCK_RANK_LEAF, "backups");
    *catalogue_out = catalogue;
    return ERR_OK;
}

void catalogue_free(struct catalogue **catalogue)
{
    struct catalogue *old = *catalogue;

    if (!old)
        return;
    lock_fini(&old->lock);
    free(old->known);
    free(old->directory);
    free(old);
    *catalogue = NULL;
}

/* ---- what is known ---- */

static bool looks_same(const struct known_archive *known, const struct stat *status)
{
    return known->inode == status->st_ino && known->size == status->st_size &&
           known->changed.tv_sec == status->st_ctim.tv_sec &&
           known->changed.tv_nsec == status->st_ctim.tv_nsec;
}

static struct known_archive *find_known_locked(struct catalogue *catalogue, const char *id)
    CW_NEEDS_LOCK(&catalogue->lock)
{
    for (size_t i = 0; i < catalogue->known_count; i++)
        if (strcmp(catalogue->known[i].backup.id, id) == 0)
            return &catalogue->known[i];
    return NULL;
}

static bool recall(struct catalogue *catalogue, const char *id, const struct stat *status,
                   struct known_archive *known_out)
{
    lock_acquire(&catalogue->lock);
    const struct known_archive *known = find_known_locked(catalogue, id);
    bool is_same =
        known && looks_same(known, status) && known->secrets == archive_key_secrets(catalogue->key);
    if (is_same)
        *known_out = *known;
    lock_release(&catalogue->lock);
    return is_same;
}

/* Where there is no room or no memory, it is read again next time. */
static struct known_archive *room_locked(struct catalogue *catalogue, const char *id)
    CW_NEEDS_LOCK(&catalogue->lock)
{
    struct known_archive *known = find_known_locked(catalogue, id);

    if (known || catalogue->known_count == KNOWN_MAX)
        return known;
    if (catalogue->known_count == catalogue->known_room) {
        size_t room = catalogue->known_room > 0 ? 2 * catalogue->known_room : 16;
        known = realloc(catalogue->known, room * sizeof *known);
        if (!known)
            return NULL;
        catalogue->known = known;
        catalogue->known_room = room;
    }
    return &catalogue->known[catalogue->known_count++];
}

void catalogue_remember(struct catalogue *catalogue, const struct stat *status, uint64_t secrets,
                        const struct backup *backup, const char *reason)
{
    lock_acquire(&catalogue->lock);
    struct known_archive *known = room_locked(catalogue, backup->id);
    if (known) {
        *known = (struct known_archive){.inode = status->st_ino,
                                        .size = status->st_size,
                                        .changed = status->st_ctim,
                                        .secrets = secrets,
                                        .backup = *backup};
        snprintf(known->reason, sizeof known->reason, "%s", reason);
    }
    lock_release(&catalogue->lock);
}

static void forget(struct catalogue *catalogue, const char *id)
{
    lock_acquire(&catalogue->lock);
    struct known_archive *known = find_known_locked(catalogue, id);
    if (known)
        *known = catalogue->known[--catalogue->known_count];
    lock_release(&catalogue->lock);
}

static int from_z_to_a(const void *a, const void *b)
{
    return strcmp(b, a);
}

void catalogue_forget_others(struct catalogue *catalogue, char (*ids)[ARCHIVE_ID_SIZE],
                             size_t count)
{
    size_t kept = 0;

    lock_acquire(&catalogue->lock);
    for (size_t i = 0; i < catalogue->known_count; i++)
        if (count > 0 &&
            bsearch(catalogue->known[i].backup.id, ids, count, sizeof *ids, from_z_to_a))
            catalogue->known[kept++] = catalogue->known[i];
    catalogue->known_count = kept;
    lock_release(&catalogue->lock);
}

/* ---- files ---- */

void catalogue_file_name(char name_out[CATALOGUE_NAME_SIZE], const char *id, bool is_draft)
{
    snprintf(name_out, CATALOGUE_NAME_SIZE, "%s%s" CATALOGUE_SUFFIX, is_draft ? "." : "", id);
}

enum err catalogue_folder_failed(const struct catalogue *catalogue, const char *what,
                                 struct error *error)
{
    return error_set(error, ERR_UPSTREAM_DOWN, "backup.directory: cannot %s %.80s: %s", what,
                     catalogue->directory, strerror(errno));
}

enum err catalogue_open_folder(const struct catalogue *catalogue, int *folder_out,
                               struct error *error)
{
    *folder_out = open(catalogue->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*folder_out >= 0)
        return ERR_OK;
    if (errno == ENOENT)
        return error_set(error, ERR_NOT_FOUND, "There is no such backup.");
    return catalogue_folder_failed(catalogue, "open", error);
}

enum err catalogue_open_file(int folder, const char *id, int *fd_out, struct error *error)
{
    char name[CATALOGUE_NAME_SIZE];

    catalogue_file_name(name, id, false);
    /* Whatever stands there under the name: no link is followed, and no pipe waited for. */
    *fd_out = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd_out >= 0)
        return ERR_OK;
    if (errno == ENOENT)
        return error_set(error, ERR_NOT_FOUND, "There is no such backup.");
    return error_set(error, ERR_UNPROCESSABLE, "The archive cannot be opened: %s.",
                     strerror(errno));
}

/* False: it has not the form of one, so there is no file of it. */
static bool copy_id(struct str id, char id_out[ARCHIVE_ID_SIZE])
{
    int64_t at_s;

    if (!archive_id_read(id, &at_s))
        return false;
    memcpy(id_out, id.ptr, id.len);
    id_out[id.len] = '\0';
    return true;
}

static enum err open_by_id(const struct catalogue *catalogue, struct str id,
                           char id_out[ARCHIVE_ID_SIZE], int *fd_out, struct error *error)
{
    int folder;

    if (!copy_id(id, id_out))
        return error_set(error, ERR_NOT_FOUND, "There is no such backup.");
    enum err err = catalogue_open_folder(catalogue, &folder, error);
    if (err != ERR_OK)
        return err;
    err = catalogue_open_file(folder, id_out, fd_out, error);
    close(folder);
    return err;
}

enum err catalogue_open(struct catalogue *catalogue, struct str id, int *fd_out,
                        struct error *error)
{
    char text[ARCHIVE_ID_SIZE];

    return open_by_id(catalogue, id, text, fd_out, error);
}

/* ---- looking at one ---- */

static void tell(const struct backup_reader *reader, struct backup *backup)
{
    const struct archive_manifest *manifest = backup_reader_manifest(reader);
    const struct archive_file *file = backup_reader_file(reader);

    *backup = (struct backup){
        .created_at_s = manifest->about.created_at_s,
        .size = file->size,
        .users = manifest->counts.users,
        .api_keys = manifest->counts.api_keys,
        .control_keys = manifest->counts.control_keys,
        .has_entries = manifest->about.dataset.len > 0,
        .entries = manifest->counts.entries,
    };
    memcpy(backup->id, manifest->about.id.ptr, manifest->about.id.len);
    for (size_t i = 0; i < sizeof file->sha256; i++)
        snprintf(backup->sha256 + 2 * i, 3, "%02x", file->sha256[i]);
}

enum err catalogue_examine(const struct catalogue *catalogue, int fd, const char *id,
                           const struct backup_watch *watch, struct backup *backup_out,
                           struct error *error)
{
    struct backup_reader *reader;
    enum err err = backup_reader_open_watched(fd, catalogue->key, watch, &reader, error);

    if (err == ERR_OK)
        err = backup_reader_drain(reader, error);
    if (err == ERR_OK) {
        tell(reader, backup_out);
        if (strcmp(backup_out->id, id) != 0)
            err = error_set(error, ERR_UNPROCESSABLE,
                            "The archive is that of the backup %s, and has another's name.",
                            backup_out->id);
    }
    backup_reader_free(&reader);
    return err;
}

/* What is not whole is not read again either: a folder may be full of archives of an earlier secret. */
static enum err examine_once(struct catalogue *catalogue, int fd, const char *id,
                             const struct backup_watch *watch, const struct stat *status,
                             struct backup *backup_out, struct error *error)
{
    uint64_t secrets = archive_key_secrets(catalogue->key);
    struct error reason;

    error_clear(&reason);
    enum err err = catalogue_examine(catalogue, fd, id, watch, backup_out, &reason);
    if (error && err != ERR_OK)
        *error = reason;
    if (err == ERR_OK) {
        catalogue_remember(catalogue, status, secrets, backup_out, "");
    } else if (err == ERR_UNPROCESSABLE) {
        struct backup none = {.size = 0};
        memcpy(none.id, id, sizeof none.id);
        catalogue_remember(catalogue, status, secrets, &none, reason.caller);
    } else if (err != ERR_BUSY) {
        forget(catalogue, id);
    }
    return err;
}

enum err catalogue_look_at(struct catalogue *catalogue, int fd, const char *id, bool is_anew,
                           const struct backup_watch *watch, struct backup *backup_out,
                           struct error *error)
{
    struct known_archive known;
    struct stat status;
    enum err err = ERR_OK;

    if (fstat(fd, &status) != 0)
        err =
            error_set(error, ERR_UNPROCESSABLE, "The archive cannot be read: %s.", strerror(errno));
    else if (is_anew || !recall(catalogue, id, &status, &known))
        err = examine_once(catalogue, fd, id, watch, &status, backup_out, error);
    else if (known.reason[0])
        err = error_set(error, ERR_UNPROCESSABLE, "%s", known.reason);
    else
        *backup_out = known.backup;
    close(fd);
    return err;
}

enum err catalogue_verify(struct catalogue *catalogue, struct str id,
                          const struct backup_watch *watch, struct backup *backup_out,
                          struct error *error)
{
    char text[ARCHIVE_ID_SIZE];
    int fd;
    enum err err = open_by_id(catalogue, id, text, &fd, error);

    return err == ERR_OK ? catalogue_look_at(catalogue, fd, text, true, watch, backup_out, error)
                         : err;
}

enum err catalogue_find(struct catalogue *catalogue, struct str id, struct backup *backup_out,
                        struct error *error)
{
    char text[ARCHIVE_ID_SIZE];
    int fd;
    enum err err = open_by_id(catalogue, id, text, &fd, error);

    if (err == ERR_OK)
        err = catalogue_look_at(catalogue, fd, text, false, NULL, backup_out, error);
    if (err == ERR_UNPROCESSABLE)
        return error_set(error, ERR_NOT_FOUND, "There is no such backup.");
    return err;
}

enum err catalogue_remove(struct catalogue *catalogue, struct str id, struct error *error)
{
    char text[ARCHIVE_ID_SIZE], name[CATALOGUE_NAME_SIZE];
    int folder;

    if (!copy_id(id, text))
        return error_set(error, ERR_NOT_FOUND, "There is no such backup.");
    enum err err = catalogue_open_folder(catalogue, &folder, error);
    if (err != ERR_OK)
        return err;
    catalogue_file_name(name, text, false);
    if (unlinkat(folder, name, 0) == 0)
        (void)fsync(folder);
    else if (errno == ENOENT || errno == EISDIR) /* a folder is none */
        err = error_set(error, ERR_NOT_FOUND, "There is no such backup.");
    else
        err = catalogue_folder_failed(catalogue, "remove a backup from", error);
    close(folder);
    if (err == ERR_OK)
        forget(catalogue, text);
    return err;
}
