#include "backup/reader.h"

#include "backup/encrypted.h"
#include "backup/manifest.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 64 * 1024,
    /* A manifest of ARCHIVE_MEMBERS_MAX members, parsed. */
    ARENA_MAX = 16 * 1024 * 1024,
};

struct backup_reader {
    int fd;
    const struct archive_key *key;
    struct encrypted_reader *encrypted; /* NULL: the file is the plain archive */
    int64_t size;                       /* of the plain archive */
    struct archive *archive;
    int64_t at, end; /* what libarchive gets: bytes [at, end) of the plain archive */
    int reason;      /* errno of a read that failed, or 0 */
    bool is_false;   /* it did not fail, but what is read does not decrypt */
    bool is_at_end;
    struct archive_file file;
    struct archive_member *seen; /* ARCHIVE_MEMBERS_MAX of them have room */
    size_t seen_count;
    int64_t rows[ARCHIVE_PARTS];
    struct arena *arena; /* of the manifest */
    struct archive_manifest manifest;
    char block[BLOCK_SIZE];
    char part[ARCHIVE_PART_MAX];
};

static enum err refuse(struct error *error, const char *what)
{
    return error_set(error, ERR_UNPROCESSABLE, "The archive is damaged: %s.", what);
}

static enum err no_read(const struct backup_reader *reader, struct error *error, int reason)
{
    if (reader->is_false)
        return error_set(
            error, ERR_UNPROCESSABLE,
            "The archive was encrypted with another backup.passphrase, or is damaged.");
    return error_set(error, ERR_UPSTREAM_DOWN, "The archive could not be read: %s.",
                     strerror(reason));
}

/* ---- the seal ---- */

/* Up to `size` bytes of the file at `at`: how many, 0 at its end; -1 with errno. */
static ssize_t read_file(struct backup_reader *reader, void *buffer, size_t size, int64_t at)
{
    ssize_t got;

    do
        got = pread(reader->fd, buffer, size, at);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The same of the plain archive. */
static ssize_t read_at(struct backup_reader *reader, void *buffer, size_t size, int64_t at)
{
    return reader->encrypted
               ? encrypted_reader_read(reader->encrypted, buffer, size, at, &reader->is_false)
               : read_file(reader, buffer, size, at);
}

typedef ssize_t reading(struct backup_reader *reader, void *buffer, size_t size, int64_t at);

static enum err digest_range(struct backup_reader *reader, reading *read, struct digest *digest,
                             int64_t from, int64_t to, struct error *error)
{
    while (from < to) {
        size_t wanted = to - from < BLOCK_SIZE ? (size_t)(to - from) : BLOCK_SIZE;
        ssize_t got = read(reader, reader->block, wanted, from);
        if (got < 0)
            return no_read(reader, error, errno);
        if (got == 0)
            return refuse(error, "it became shorter while it was read");
        if (digest_add(digest, (struct str){reader->block, (size_t)got}) != ERR_OK)
            return error_set_detail(error, ERR_INTERNAL, "an archive could not be hashed");
        from += got;
    }
    return ERR_OK;
}

static enum err judge_seal(const struct backup_reader *reader,
                           const unsigned char seal[ARCHIVE_SEAL_SIZE],
                           const unsigned char digest[DIGEST_SHA256_SIZE], struct error *error)
{
    enum archive_seal judgement;
    enum err err = archive_seal_check(reader->key, seal, digest, &judgement, error);

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
static enum err check_seal(struct backup_reader *reader, struct digest *digest, struct error *error)
{
    unsigned char seal[ARCHIVE_SEAL_SIZE], before_mac[DIGEST_SHA256_SIZE];
    int64_t mac_at = reader->end + ARCHIVE_SEAL_HEAD;
    size_t have = 0;

    while (have < sizeof seal) { /* which may stand in two chunks */
        ssize_t got = read_at(reader, seal + have, sizeof seal - have, reader->end + (int64_t)have);
        if (got <= 0)
            return got < 0 ? no_read(reader, error, errno)
                           : refuse(error, "it became shorter while it was read");
        have += (size_t)got;
    }
    enum err err = digest_range(reader, read_at, digest, 0, mac_at, error);
    if (err != ERR_OK)
        return err;
    if (digest_so_far(digest, before_mac) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "an archive could not be hashed");
    return judge_seal(reader, seal, before_mac, error);
}

/* Of the file: where the archive is plain, the pass before goes on over the MAC. */
static enum err digest_file(struct backup_reader *reader, struct digest *digest,
                            struct error *error)
{
    int64_t from = reader->encrypted ? 0 : reader->end + ARCHIVE_SEAL_HEAD;
    enum err err = digest_range(reader, read_file, digest, from, reader->file.size, error);

    if (err == ERR_OK && digest_so_far(digest, reader->file.sha256) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "an archive could not be hashed");
    return err;
}

static enum err check_file(struct backup_reader *reader, struct error *error)
{
    struct digest *plain, *file = NULL;
    enum err err = digest_new(&plain);

    if (err == ERR_OK)
        err = digest_new(&file);
    if (err != ERR_OK)
        (void)error_set_detail(error, err, "an archive could not be hashed");
    if (err == ERR_OK)
        err = check_seal(reader, plain, error);
    if (err == ERR_OK)
        err = digest_file(reader, reader->encrypted ? file : plain, error);
    digest_free(&plain);
    digest_free(&file);
    return err;
}

/* Sets what is plain and how long that is. */
static enum err begin_plain(struct backup_reader *reader, struct error *error)
{
    char magic[ENCRYPTED_MAGIC];
    struct str passphrase = archive_key_passphrase(reader->key);
    ssize_t got = read_file(reader, magic, sizeof magic, 0);

    if (got < 0)
        return no_read(reader, error, errno);
    reader->size = reader->file.size;
    if (got < ENCRYPTED_MAGIC || !encrypted_is_one(magic))
        return ERR_OK;
    if (passphrase.len == 0)
        return error_set(error, ERR_UNPROCESSABLE,
                         "The archive is encrypted, and backup.passphrase is not set.");
    enum err err =
        encrypted_reader_new(reader->fd, reader->file.size, passphrase, &reader->encrypted);
    if (err == ERR_UPSTREAM_DOWN)
        return no_read(reader, error, errno);
    if (err == ERR_UNAUTHENTICATED)
        return refuse(error, "it is too short");
    if (err != ERR_OK)
        return error_set_detail(error, err, "what decrypts an archive could not be made");
    reader->size = encrypted_reader_size(reader->encrypted);
    return ERR_OK;
}

static enum err look_at_file(struct backup_reader *reader, struct error *error)
{
    struct stat status;

    if (fstat(reader->fd, &status) != 0)
        return no_read(reader, error, errno);
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERR_UNPROCESSABLE, "The archive is not a regular file.");
    reader->file.size = status.st_size;
    enum err err = begin_plain(reader, error);
    if (err != ERR_OK)
        return err;
    if (reader->size <= ARCHIVE_SEAL_SIZE)
        return refuse(error, "it is too short");
    reader->end = reader->size - ARCHIVE_SEAL_SIZE;
    return check_file(reader, error);
}

/* ---- libarchive ---- */

static la_ssize_t give_compressed(struct archive *archive, void *arg, const void **bytes_out)
{
    struct backup_reader *reader = arg;
    int64_t left = reader->end - reader->at;
    ssize_t got =
        read_at(reader, reader->block, left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE, reader->at);

    if (got < 0) {
        reader->reason = errno;
        archive_set_error(archive, errno, "read failed");
        return -1;
    }
    reader->at += got;
    *bytes_out = reader->block;
    return got;
}

static bool begin_archive(struct backup_reader *reader)
{
    struct archive *archive = reader->archive;

    return archive_read_support_filter_zstd(archive) == ARCHIVE_OK &&
           archive_read_support_format_tar(archive) == ARCHIVE_OK &&
           archive_read_open2(archive, reader, NULL, give_compressed, NULL, NULL) == ARCHIVE_OK;
}

/* What libarchive complains of. It quotes names of the archive, which are nobody's to read but the log's. */
static enum err explain(const struct backup_reader *reader, struct error *error)
{
    const char *why = archive_error_string(reader->archive);

    if (reader->reason != 0 || reader->is_false)
        return no_read(reader, error, reader->reason);
    if (archive_errno(reader->archive) == ENOMEM)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for an archive");
    enum err err = refuse(error, "it is no tar in zstd");
    if (error && why) {
        struct error detail;
        (void)error_set_detail(&detail, err, "an archive is no tar in zstd: %s", why);
        memcpy(error->detail, detail.detail, sizeof error->detail);
    }
    return err;
}

enum err backup_reader_open(int fd, const struct archive_key *key,
                            struct backup_reader **reader_out, struct error *error)
{
    struct backup_reader *reader = calloc(1, sizeof *reader);

    *reader_out = NULL;
    if (reader) {
        reader->fd = fd;
        reader->key = key;
        reader->archive = archive_read_new();
        reader->arena = arena_new(4096, ARENA_MAX);
        reader->seen = calloc(ARCHIVE_MEMBERS_MAX, sizeof *reader->seen);
    }
    if (!reader || !reader->archive || !reader->arena || !reader->seen) {
        backup_reader_free(&reader);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for an archive");
    }
    enum err err = look_at_file(reader, error);
    if (err == ERR_OK && !begin_archive(reader))
        err = explain(reader, error);
    if (err == ERR_OK)
        *reader_out = reader;
    else
        backup_reader_free(&reader);
    return err;
}

void backup_reader_free(struct backup_reader **reader)
{
    struct backup_reader *old = *reader;

    if (!old)
        return;
    if (old->archive)
        (void)archive_read_free(old->archive);
    encrypted_reader_free(&old->encrypted);
    arena_free(&old->arena);
    free(old->seen);
    free(old);
    *reader = NULL;
}

/* ---- members ---- */

/* A plain file with nothing about it that tar could do beside. */
static bool is_plain(struct archive_entry *entry)
{
    return archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry) &&
           !archive_entry_symlink(entry) && archive_entry_sparse_count(entry) == 0 &&
           archive_entry_xattr_count(entry) == 0 && archive_entry_acl_count(entry, ~0) == 0 &&
           archive_entry_size_is_set(entry);
}

/* All of the member, which says how long it is, into reader->part. */
static enum err take_bytes(struct backup_reader *reader, struct archive_entry *entry,
                           struct str *bytes_out, struct error *error)
{
    int64_t size = archive_entry_size(entry);
    size_t have = 0;
    char more;

    if (size < 1 || size > ARCHIVE_PART_MAX)
        return refuse(error, "a member is empty, or too long");
    while (have < (size_t)size) {
        la_ssize_t got =
            archive_read_data(reader->archive, reader->part + have, (size_t)size - have);
        if (got < 0)
            return explain(reader, error);
        if (got == 0)
            return refuse(error, "a member is shorter than it says");
        have += (size_t)got;
    }
    if (archive_read_data(reader->archive, &more, 1) != 0)
        return refuse(error, "a member is longer than it says");
    *bytes_out = (struct str){reader->part, have};
    return ERR_OK;
}

static enum err take_part(struct backup_reader *reader, struct str name, struct str lines,
                          enum archive_part *part_out, struct error *error)
{
    const struct archive_member *last =
        reader->seen_count > 0 ? &reader->seen[reader->seen_count - 1] : NULL;

    if (reader->seen_count == ARCHIVE_MEMBERS_MAX)
        return refuse(error, "it has too many members");
    struct archive_member *member = &reader->seen[reader->seen_count];
    if (!archive_member_follows(name, last, member))
        return refuse(error, "it has a member that does not belong there");
    if (!str_ends(lines, STR("\n")))
        return refuse(error, "a member does not end with a line");

    member->size = (int64_t)lines.len;
    if (digest_sha256(lines, member->sha256) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "a member could not be hashed");
    reader->seen_count++;
    for (size_t i = 0; i < lines.len; i++)
        reader->rows[member->part] += lines.ptr[i] == '\n';
    *part_out = member->part;
    return ERR_OK;
}

/* ---- the end ---- */

static bool has_what_manifest_says(const struct backup_reader *reader)
{
    const struct archive_manifest *manifest = &reader->manifest;

    if (manifest->member_count != reader->seen_count)
        return false;
    for (size_t i = 0; i < reader->seen_count; i++) {
        const struct archive_member *said = &manifest->members[i], *seen = &reader->seen[i];
        if (said->part != seen->part || said->number != seen->number || said->size != seen->size ||
            memcmp(said->sha256, seen->sha256, sizeof said->sha256) != 0)
            return false;
    }
    return memcmp(manifest->rows, reader->rows, sizeof manifest->rows) == 0;
}

/* Its name and its bytes; the end of the archive is no member. */
static enum err next_member(struct backup_reader *reader, struct str *name_out,
                            struct str *bytes_out, struct error *error)
{
    struct archive_entry *entry;
    int next = archive_read_next_header(reader->archive, &entry);

    *name_out = *bytes_out = STR_NONE;
    if (next == ARCHIVE_EOF)
        return refuse(error, "it has no manifest");
    if (next != ARCHIVE_OK)
        return explain(reader, error);
    if (!is_plain(entry))
        return refuse(error, "it has a member that is no plain file");
    *name_out = str_from(archive_entry_pathname(entry));
    return take_bytes(reader, entry, bytes_out, error);
}

/* Nothing in the manifest is looked at before its HMAC is found right. */
static enum err check_hmac(struct backup_reader *reader, struct str manifest, struct error *error)
{
    unsigned char mac[ARCHIVE_MAC_SIZE];
    struct str name, hex, said;
    enum err err = archive_key_sign(reader->key, manifest, mac, error);

    if (err == ERR_OK)
        err = next_member(reader, &name, &hex, error);
    if (err != ERR_OK)
        return err;
    if (!str_eq(name, STR(ARCHIVE_HMAC)))
        return refuse(error, "its manifest has no HMAC");
    hex = str_ends(hex, STR("\n")) ? str_sub(hex, 0, hex.len - 1) : STR_NONE;
    if (!hex_decode(reader->arena, hex, &said) ||
        !str_eq_secret(said, (struct str){(const char *)mac, sizeof mac}))
        return refuse(error, "its manifest is not the one that was written");
    return ERR_OK;
}

static enum err expect_end(struct backup_reader *reader, struct error *error)
{
    struct archive_entry *entry;
    int next = archive_read_next_header(reader->archive, &entry);

    if (next == ARCHIVE_OK)
        return refuse(error, "it has a member behind the last");
    return next == ARCHIVE_EOF ? ERR_OK : explain(reader, error);
}

static enum err take_end(struct backup_reader *reader, struct str text, struct error *error)
{
    struct str manifest = str_dup(reader->arena, text);

    if (!manifest.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a manifest");
    enum err err = check_hmac(reader, manifest, error);
    if (err == ERR_OK)
        err = manifest_read(manifest, (struct work){.arena = reader->arena, .error = error},
                            &reader->manifest);
    if (err == ERR_OK && !has_what_manifest_says(reader))
        err = refuse(error, "its members are not those of its manifest");
    if (err == ERR_OK)
        err = expect_end(reader, error);
    reader->is_at_end = err == ERR_OK;
    return err;
}

enum err backup_reader_next(struct backup_reader *reader, enum archive_part *part_out,
                            struct str *lines_out, struct error *error)
{
    struct str name;

    if (reader->is_at_end)
        return ERR_NOT_FOUND;
    enum err err = next_member(reader, &name, lines_out, error);
    if (err != ERR_OK)
        return err;
    if (!str_eq(name, STR(ARCHIVE_MANIFEST)))
        return take_part(reader, name, *lines_out, part_out, error);
    err = take_end(reader, *lines_out, error);
    return err == ERR_OK ? ERR_NOT_FOUND : err;
}

enum err backup_reader_drain(struct backup_reader *reader, struct error *error)
{
    enum archive_part part;
    struct str lines;
    enum err err;

    do
        err = backup_reader_next(reader, &part, &lines, error);
    while (err == ERR_OK);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

const struct archive_manifest *backup_reader_manifest(const struct backup_reader *reader)
{
    return &reader->manifest;
}

const struct archive_file *backup_reader_file(const struct backup_reader *reader)
{
    return &reader->file;
}
