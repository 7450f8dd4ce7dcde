/* A file that is to become a backup. */
#include "backup/catalogue_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* What root makes on the shell is the service's, whose folder it is. Only root can give something away. */
static bool give_to(int fd, const struct stat *owner)
{
    return geteuid() != 0 || fchown(fd, owner->st_uid, owner->st_gid) == 0;
}

/* Also where the umask would take our own rights away. */
static enum err make_folder(const struct catalogue *catalogue, int *folder_out, struct error *error)
{
    bool is_new = mkdir(catalogue->directory, 0700) == 0;
    struct stat above;

    if (is_new && chmod(catalogue->directory, 0700) != 0)
        return catalogue_folder_failed(catalogue, "make", error);
    enum err err = catalogue_open_folder(catalogue, folder_out, error);
    if (err == ERR_NOT_FOUND) {
        errno = ENOENT; /* the folder above */
        return catalogue_folder_failed(catalogue, "make", error);
    }
    if (err == ERR_OK && is_new &&
        (fstatat(*folder_out, "..", &above, 0) != 0 || !give_to(*folder_out, &above)))
        return catalogue_folder_failed(catalogue, "give to the owner of the folder above it",
                                       error);
    return err;
}

static enum err remove_draft(const char *id, void *with)
{
    const int *folder = with;
    char name[CATALOGUE_NAME_SIZE];

    catalogue_file_name(name, id, true);
    (void)unlinkat(*folder, name, 0);
    return ERR_OK;
}

static enum err note_draft(const char *id, void *with)
{
    (void)id;
    *(bool *)with = true;
    return ERR_OK;
}

/* The lock is taken only if there is something to do: who wants to write in that moment would be told of a conflict. */
enum err catalogue_remove_drafts(struct catalogue *catalogue, struct error *error)
{
    bool has_any = false;
    int folder;
    enum err err = catalogue_open_folder(catalogue, &folder, error);

    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    if (err != ERR_OK)
        return err;
    err = catalogue_walk(catalogue, folder, true, note_draft, &has_any, error);
    if (err == ERR_OK && has_any && flock(folder, LOCK_EX | LOCK_NB) == 0)
        err = catalogue_walk(catalogue, folder, true, remove_draft, &folder, error);
    close(folder);
    return err;
}

static enum err begin_in(const struct catalogue *catalogue, struct catalogue_draft *draft,
                         struct error *error)
{
    char name[CATALOGUE_NAME_SIZE];

    if (flock(draft->folder, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? error_set(error, ERR_CONFLICT, "A backup is being made at this moment.")
                   : catalogue_folder_failed(catalogue, "lock", error);
    /* Whoever left one has ended, or it would hold the folder. */
    enum err err =
        catalogue_walk(catalogue, draft->folder, true, remove_draft, &draft->folder, error);
    if (err != ERR_OK)
        return err;
    catalogue_file_name(name, draft->id, true);
    draft->fd =
        openat(draft->folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat folder;
    if (draft->fd < 0 || fchmod(draft->fd, 0600) != 0 || fstat(draft->folder, &folder) != 0 ||
        !give_to(draft->fd, &folder))
        return catalogue_folder_failed(catalogue, "write into", error);
    return ERR_OK;
}

enum err catalogue_begin(struct catalogue *catalogue, const char *id,
                         struct catalogue_draft *draft_out, struct error *error)
{
    *draft_out = (struct catalogue_draft){.folder = -1, .fd = -1};
    snprintf(draft_out->id, sizeof draft_out->id, "%s", id);
    enum err err = make_folder(catalogue, &draft_out->folder, error);
    if (err == ERR_OK)
        err = begin_in(catalogue, draft_out, error);
    if (err != ERR_OK)
        catalogue_drop(draft_out);
    return err;
}

void catalogue_drop(struct catalogue_draft *draft)
{
    char name[CATALOGUE_NAME_SIZE];

    if (draft->fd >= 0) {
        catalogue_file_name(name, draft->id, true);
        (void)unlinkat(draft->folder, name, 0);
        close(draft->fd);
    }
    if (draft->folder >= 0)
        close(draft->folder); /* which ends the lock */
    draft->fd = draft->folder = -1;
}

static enum err keep(struct catalogue *catalogue, const struct catalogue_draft *draft,
                     const struct backup_watch *watch, struct backup *backup_out,
                     struct error *error)
{
    char from[CATALOGUE_NAME_SIZE], to[CATALOGUE_NAME_SIZE];
    struct stat status;

    catalogue_file_name(from, draft->id, true);
    catalogue_file_name(to, draft->id, false);
    if (fsync(draft->fd) != 0)
        return catalogue_folder_failed(catalogue, "write into", error);
    enum err err = catalogue_examine(catalogue, draft->fd, draft->id, watch, backup_out, error);
    if (err != ERR_OK)
        return err;
    if (renameat(draft->folder, from, draft->folder, to) != 0 || fsync(draft->folder) != 0)
        return catalogue_folder_failed(catalogue, "write into", error);
    if (fstat(draft->fd, &status) == 0)
        catalogue_remember(catalogue, &status, archive_key_secrets(catalogue->key), backup_out, "");
    return ERR_OK;
}

enum err catalogue_keep(struct catalogue *catalogue, struct catalogue_draft *draft,
                        const struct backup_watch *watch, struct backup *backup_out,
                        struct error *error)
{
    enum err err = keep(catalogue, draft, watch, backup_out, error);

    if (err == ERR_OK) {
        close(draft->fd);
        draft->fd = -1;
    }
    catalogue_drop(draft);
    return err;
}
