#include "users/sqlite/file.h"

#include "cachewarden/users.h"

#include "cachewarden/log.h"
#include "cachewarden/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err complain(struct error *error, const char *path, const char *what, int errno_value)
{
    return error_set(error, ERR_UPSTREAM_DOWN, "users database: %s (%s): %s", what,
                     strerrordesc_np(errno_value), path);
}

/* One that was just made. Through a descriptor, so that it cannot become another file meanwhile. */
static void give_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return;
    owner_inherit(fd, folder);
    close(fd);
}

/* Every missing folder above the file. mkdir's mode can only lose bits to the umask; chmod gives
 * the owner's back. */
static enum err make_folders(const char *path, struct error *error)
{
    char folder[PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof folder)
        return complain(error, path, "its name is too long", ENAMETOOLONG);
    memcpy(folder, path, len + 1);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        /* What exists is good enough, even where making it would not have been allowed. */
        if (mkdir(folder, 0700) != 0) {
            int reason = errno;
            if (access(folder, F_OK) != 0)
                return complain(error, path, "its folder cannot be made", reason);
        } else if (chmod(folder, 0700) != 0) {
            return complain(error, path, "its folder cannot be made private", errno);
        } else {
            give_folder(folder);
        }
        *slash = '/';
    }
    return ERR_OK;
}

/* SQLite gives its journal files the mode of the database, so this decides theirs too. */
static enum err make_file(const char *path, struct error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno == EEXIST ? ERR_OK : complain(error, path, "it cannot be made", errno);
    int result = fchmod(fd, 0600);
    int reason = errno;
    owner_inherit(fd, path);
    close(fd);
    return result == 0 ? ERR_OK : complain(error, path, "it cannot be made private", reason);
}

/* SQLite makes files of its own beside the database. `folder_out` has room for PATH_MAX. */
static void folder_of(const char *path, char *folder_out)
{
    const char *slash = strrchr(path, '/');

    snprintf(folder_out, PATH_MAX, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
}

/* One that is there. */
static enum err judge_file(const char *path, struct error *error)
{
    struct stat status;
    char folder[PATH_MAX];

    if (stat(path, &status) != 0)
        return complain(error, path, "it cannot be looked at", errno);
    if (S_ISDIR(status.st_mode))
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "users database: it is a folder, name a file in it: %s", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERR_UPSTREAM_DOWN, "users database: it is not a regular file: %s",
                         path);
    if (euidaccess(path, R_OK | W_OK) != 0)
        return complain(error, path, "it cannot be read and written", errno);
    folder_of(path, folder);
    if (euidaccess(folder, W_OK | X_OK) != 0)
        return complain(error, path, "its folder cannot be written", errno);
    return ERR_OK;
}

enum err users_file_prepare(const char *path, struct error *error)
{
    struct stat status;

    enum err err = make_folders(path, error);
    if (!err)
        err = make_file(path, error);
    if (!err)
        err = judge_file(path, error);
    /* Whoever gets at it through the group alone must not take that right away. */
    if (!err && stat(path, &status) == 0 && (status.st_mode & 077) != 0)
        log_event(LOG_LEVEL_WARN, "users.file_not_private", LOG_CSTR("path", path),
                  LOG_CSTR("fix", status.st_uid == geteuid()
                                      ? "chmod 600"
                                      : "chown it to the account of the server, then chmod 600"));
    return err;
}

/* Whether make_folders would succeed. *is_there_out: nothing is missing. */
static enum err check_folders(const char *path, bool *is_there_out, struct error *error)
{
    char folder[PATH_MAX], *above = NULL;
    size_t len = strlen(path);

    *is_there_out = false;
    if (len >= sizeof folder)
        return complain(error, path, "its name is too long", ENAMETOOLONG);
    memcpy(folder, path, len + 1);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (euidaccess(folder, F_OK) != 0) {
            int reason = errno;
            if (above)
                *above = '\0';
            const char *parent = above ? folder : folder[0] == '/' ? "/" : ".";
            if (reason == ENOENT && euidaccess(parent, W_OK | X_OK) == 0)
                return ERR_OK;
            return complain(error, path, "its folder cannot be made",
                            reason == ENOENT ? errno : reason);
        }
        *slash = '/';
        above = slash;
    }
    *is_there_out = true;
    return ERR_OK;
}

enum err users_file_check(const char *path, struct error *error)
{
    char folder[PATH_MAX];
    bool is_there;

    enum err err = check_folders(path, &is_there, error);
    if (err || !is_there)
        return err;
    if (euidaccess(path, F_OK) == 0)
        return judge_file(path, error);
    int reason = errno;
    folder_of(path, folder);
    if (reason == ENOENT && euidaccess(folder, W_OK | X_OK) == 0)
        return ERR_OK;
    return complain(error, path, "it cannot be made", reason == ENOENT ? errno : reason);
}

enum err users_file_identify(const char *path, struct users_file *file_out, struct error *error)
{
    struct stat status;

    *file_out = (struct users_file){0};
    if (stat(path, &status) != 0)
        return complain(error, path, "it is not there any more", errno);
    *file_out = (struct users_file){status.st_dev, status.st_ino};
    return ERR_OK;
}

/*
 * Whoever has the file open holds a shared lock on this byte of "-shm", whether it does something or not
 * (SQLite's "dead man switch": sqlite.org/walformat.html, section 2.1).
 */
enum { DEAD_MAN_SWITCH = 128 };

pid_t users_file_other_process(const char *path)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = DEAD_MAN_SWITCH, .l_len = 1};
    char *shared = NULL;

    if (asprintf(&shared, "%s-shm", path) < 0)
        return 0;
    int fd = open(shared, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_asked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0;
    if (fd >= 0)
        close(fd);
    free(shared);
    if (!is_asked || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid > 0 ? lock.l_pid : USERS_PROCESS_ELSEWHERE;
}
