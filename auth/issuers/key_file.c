#include "issuers/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest step of any file system's times (FAT). */
enum { TIME_STEP_S = 2 };

static enum err complain(struct error *error, const char *path, const char *what)
{
    return error_set(error, ERR_UPSTREAM_DOWN, "the key file cannot be read (%s): %s", what, path);
}

static struct key_file_stamp stamp_of(const struct stat *status)
{
    return (struct key_file_stamp){
        .exists = true,
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = status->st_size,
        .modified = status->st_mtim,
        .changed = status->st_ctim,
    };
}

void key_file_look(const char *path, struct key_file_stamp *stamp_out)
{
    struct stat status;

    *stamp_out = stat(path, &status) == 0 ? stamp_of(&status) : (struct key_file_stamp){0};
}

enum err key_file_read(const char *path, char *memory, size_t size, size_t *size_out,
                       struct key_file_stamp *stamp_out, struct error *error)
{
    struct stat status = {0};
    ssize_t got = 1;

    *size_out = 0;
    /* O_NONBLOCK: a FIFO would make us wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int why = errno;
        key_file_look(path, stamp_out);
        return complain(error, path, strerrordesc_np(why));
    }
    bool is_regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    *stamp_out = stamp_of(&status);
    while (is_regular && got > 0 && *size_out < size) {
        got = read(fd, memory + *size_out, size - *size_out);
        if (got > 0)
            *size_out += (size_t)got;
    }
    close(fd);
    if (!is_regular)
        return complain(error, path, "it is not a regular file");
    if (got < 0)
        return complain(error, path, "reading failed");
    return digest_sha256((struct str){memory, *size_out}, stamp_out->digest);
}

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool key_file_same(const struct key_file_stamp *a, const struct key_file_stamp *b)
{
    return a->exists == b->exists && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && is_same_time(a->modified, b->modified) &&
           is_same_time(a->changed, b->changed);
}

bool key_file_same_text(const struct key_file_stamp *a, const struct key_file_stamp *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

bool key_file_is_young(const struct key_file_stamp *stamp, int64_t now_s)
{
    int64_t age_s = now_s - stamp->changed.tv_sec;

    return stamp->exists && age_s >= -TIME_STEP_S && age_s <= TIME_STEP_S;
}
