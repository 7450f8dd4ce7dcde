/* The bytes of an archive, as they were before they were encrypted, behind their seal: see sealed.h. */
#include "backup/sealed.h"

#include "backup/encrypted.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_SIZE = 64 * 1024 };

struct sealed {
    int fd;
    const struct archive_key *key;
    const struct backup_watch *watch;
    struct encrypted_reader *encrypted; /* NULL: the file is the plain archive */
    int64_t size;                       /* of the plain archive; */
    int64_t end;                        /* its seal begins there */
    bool is_false;                      /* what was read does not decrypt */
    struct archive_file file;
    char block[BLOCK_SIZE];
};

static enum err refuse(struct error *error, const char *what)
{
    return error_set(error, ERR_UNPROCESSABLE, "The archive is damaged: %s.", what);
}

enum err sealed_explain(const struct sealed *sealed, int reason, struct error *error)
{
    if (sealed->is_false)
        return error_set(
            error, ERR_UNPROCESSABLE,
            "The archive was encrypted with another backup.passphrase, or is damaged.");
    return error_set(error, ERR_UPSTREAM_DOWN, "The archive could not be read: %s.",
                     strerror(reason));
}

/* ---- bytes ---- */

/* Up to `size` bytes of the file at `at`: how many, 0 at its end; -1 with errno. */
static ssize_t read_file(struct sealed *sealed, void *buffer, size_t size, int64_t at)
{
    ssize_t got;

    do
        got = pread(sealed->fd, buffer, size, at);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The same of the plain archive. */
static ssize_t read_plain(struct sealed *sealed, void *buffer, size_t size, int64_t at)
{
    return sealed->encrypted
               ? encrypted_reader_read(sealed->encrypted, buffer, size, at, &sealed->is_false)
               : read_file(sealed, buffer, size, at);
}

typedef ssize_t reading(struct sealed *sealed, void *buffer, size_t size, int64_t at);

static enum err digest_range(struct sealed *sealed, reading *read, struct digest *digest,
                             int64_t from, int64_t to, struct error *error)
{
    while (from < to) {
        size_t wanted = to - from < BLOCK_SIZE ? (size_t)(to - from) : BLOCK_SIZE;
        ssize_t got = read(sealed, sealed->block, wanted, from);
        if (backup_is_unwanted(sealed->watch))
            return error_set(error, ERR_BUSY, "The archive was read no further: it is stopping.");
        if (got < 0)
            return sealed_explain(sealed, errno, error);
        if (got == 0)
            return refuse(error, "it became shorter while it was read");
        if (digest_add(digest, (struct str){sealed->block, (size_t)got}) != ERR_OK)
            return error_set_detail(error, ERR_INTERNAL, "an archive could not be hashed");
        from += got;
    }
    return ERR_OK;
}

/* ---- the seal ---- */

static enum err judge_seal(const struct sealed *sealed, const unsigned char seal[ARCHIVE_SEAL_SIZE],
                           const unsigned char digest[DIGEST_SHA256_SIZE], struct error *error)
{
    enum archive_seal judgement;
    enum err err = archive_seal_check(sealed->key, seal, digest, &judgement, error);

    if (err != ERR_OK)
        return err;
    switch (judgement) {
    case ARCHIVE_SEAL_GOOD:
        return ERR_OK;
    case ARCHIVE_SEAL_NONE:
        return refuse(error, "it does not end as a backup does");
    case ARCHIVE_SEAL_FOREIGN:
        return error_set(error, ERR_UNPROCESSABLE,
                         "The archive was made with another auth.secret, or is damaged.");
    case ARCHIVE_SEAL_BROKEN:
        break;
    }
    return refuse(error, "its bytes are not those that were written");
}

/* One pass over the plain archive, but its MAC. */
static enum err check_seal(struct sealed *sealed, struct digest *digest, struct error *error)
{
    unsigned char seal[ARCHIVE_SEAL_SIZE], before_mac[DIGEST_SHA256_SIZE];
    int64_t mac_at = sealed->end + ARCHIVE_SEAL_HEAD;
    size_t have = 0;

    while (have < sizeof seal) { /* which may stand in two chunks */
        ssize_t got =
            read_plain(sealed, seal + have, sizeof seal - have, sealed->end + (int64_t)have);
        if (got <= 0)
            return got < 0 ? sealed_explain(sealed, errno, error)
                           : refuse(error, "it became shorter while it was read");
        have += (size_t)got;
    }
    enum err err = digest_range(sealed, read_plain, digest, 0, mac_at, error);
    if (err != ERR_OK)
        return err;
    if (digest_so_far(digest, before_mac) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "an archive could not be hashed");
    return judge_seal(sealed, seal, before_mac, error);
}

/* Of the file: where the archive is plain, the pass before goes on over the MAC. */
static enum err digest_file(struct sealed *sealed, struct digest *digest, struct error *error)
{
    int64_t from = sealed->encrypted ? 0 : sealed->end + ARCHIVE_SEAL_HEAD;
    enum err err = digest_range(sealed, read_file, digest, from, sealed->file.size, error);

    if (err == ERR_OK && digest_so_far(digest, sealed->file.sha256) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "an archive could not be hashed");
    return err;
}

static enum err check_file(struct sealed *sealed, struct error *error)
{
    struct digest *plain, *file = NULL;
    enum err err = digest_new(&plain);

    if (err == ERR_OK)
        err = digest_new(&file);
    if (err != ERR_OK)
        (void)error_set_detail(error, err, "an archive could not be hashed");
    if (err == ERR_OK)
        err = check_seal(sealed, plain, error);
    if (err == ERR_OK)
        err = digest_file(sealed, sealed->encrypted ? file : plain, error);
    digest_free(&plain);
    digest_free(&file);
    return err;
}

/* ---- life ---- */

/* Sets what is plain and how long that is. */
static enum err begin_plain(struct sealed *sealed, struct error *error)
{
    char magic[ENCRYPTED_MAGIC];
    struct str passphrase = archive_key_passphrase(sealed->key);
    ssize_t got = read_file(sealed, magic, sizeof magic, 0);

    if (got < 0)
        return sealed_explain(sealed, errno, error);
    sealed->size = sealed->file.size;
    if (got < ENCRYPTED_MAGIC || !encrypted_is_one(magic))
        return ERR_OK;
    if (passphrase.len == 0)
        return error_set(error, ERR_UNPROCESSABLE,
                         "The archive is encrypted, and backup.passphrase is not set.");
    enum err err =
        encrypted_reader_new(sealed->fd, sealed->file.size, passphrase, &sealed->encrypted);
    if (err == ERR_UPSTREAM_DOWN)
        return sealed_explain(sealed, errno, error);
    if (err == ERR_UNAUTHENTICATED)
        return refuse(error, "it is too short");
    if (err != ERR_OK)
        return error_set_detail(error, err, "what decrypts an archive could not be made");
    sealed->size = encrypted_reader_size(sealed->encrypted);
    return ERR_OK;
}

static enum err look_at_file(struct sealed *sealed, struct error *error)
{
    struct stat status;

    if (fstat(sealed->fd, &status) != 0)
        return sealed_explain(sealed, errno, error);
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERR_UNPROCESSABLE, "The archive is not a regular file.");
    sealed->file.size = status.st_size;
    enum err err = begin_plain(sealed, error);
    if (err != ERR_OK)
        return err;
    if (sealed->size <= ARCHIVE_SEAL_SIZE)
        return refuse(error, "it is too short");
    sealed->end = sealed->size - ARCHIVE_SEAL_SIZE;
    return check_file(sealed, error);
}

enum err sealed_open(int fd, const struct archive_key *key, const struct backup_watch *watch,
                     struct sealed **sealed_out, struct error *error)
{
    struct sealed *sealed = calloc(1, sizeof *sealed);

    *sealed_out = sealed;
    if (!sealed)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for an archive");
    sealed->fd = fd;
    sealed->key = key;
    sealed->watch = watch;
    enum err err = look_at_file(sealed, error);
    if (err != ERR_OK)
        sealed_free(sealed_out);
    return err;
}

ssize_t sealed_read(struct sealed *sealed, void *buffer, size_t size, int64_t at)
{
    int64_t left = sealed->end - at;

    return read_plain(sealed, buffer, left < (int64_t)size ? (size_t)left : size, at);
}

const struct archive_file *sealed_file(const struct sealed *sealed)
{
    return &sealed->file;
}

void sealed_free(struct sealed **sealed)
{
    if (!*sealed)
        return;
    encrypted_reader_free(&(*sealed)->encrypted);
    free(*sealed);
    *sealed = NULL;
}
