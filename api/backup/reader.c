#include "backup/reader.h"

#include "backup/manifest.h"
#include "backup/sealed.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>

enum {
    BLOCK_SIZE = 64 * 1024,
    /* A manifest of ARCHIVE_MEMBERS_MAX members, parsed. */
    ARENA_MAX = 16 * 1024 * 1024,
};

struct backup_reader {
    const struct archive_key *key;
    const struct backup_watch *watch;
    struct sealed *sealed;
    struct archive *archive;
    int64_t at;      /* libarchive has the bytes before it */
    bool has_failed; /* a read of them, */
    int reason;      /* with errno */
    bool is_at_end;
    int64_t format;              /* as it says before its members, or ARCHIVE_FORMAT_PLAIN */
    struct archive_member *seen; /* ARCHIVE_MEMBERS_MAX of them have room */
    size_t seen_count;
    int64_t rows[ARCHIVE_KINDS];
    struct arena *arena; /* of the manifest */
    struct archive_manifest manifest;
    char block[BLOCK_SIZE];
    char member[ARCHIVE_MEMBER_SIZE_MAX];
};

static enum err refuse(struct error *error, const char *what)
{
    return error_set(error, ERR_UNPROCESSABLE, "The archive is damaged: %s.", what);
}

/* ---- libarchive ---- */

static la_ssize_t give_compressed(struct archive *archive, void *arg, const void **bytes_out)
{
    struct backup_reader *reader = arg;
    ssize_t got = sealed_read(reader->sealed, reader->block, BLOCK_SIZE, reader->at);

    if (got < 0) {
        reader->has_failed = true;
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

    if (reader->has_failed)
        return sealed_explain(reader->sealed, reader->reason, error);
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
    return backup_reader_open_watched(fd, key, NULL, reader_out, error);
}

enum err backup_reader_open_watched(int fd, const struct archive_key *key,
                                    const struct backup_watch *watch,
                                    struct backup_reader **reader_out, struct error *error)
{
    struct backup_reader *reader = calloc(1, sizeof *reader);

    *reader_out = NULL;
    if (reader) {
        reader->key = key;
        reader->watch = watch;
        reader->format = ARCHIVE_FORMAT_PLAIN;
        reader->archive = archive_read_new();
        reader->arena = arena_new(4096, ARENA_MAX);
        reader->seen = calloc(ARCHIVE_MEMBERS_MAX, sizeof *reader->seen);
    }
    if (!reader || !reader->archive || !reader->arena || !reader->seen) {
        backup_reader_free(&reader);
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for an archive");
    }
    enum err err = sealed_open(fd, key, watch, &reader->sealed, error);
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
    sealed_free(&old->sealed);
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

/* All of the member, which says how long it is, into reader->member. */
static enum err take_bytes(struct backup_reader *reader, struct archive_entry *entry,
                           struct str *bytes_out, struct error *error)
{
    int64_t size = archive_entry_size(entry);
    size_t have = 0;
    char more;

    if (size < 1 || size > ARCHIVE_MEMBER_SIZE_MAX)
        return refuse(error, "a member is empty, or too long");
    while (have < (size_t)size) {
        la_ssize_t got =
            archive_read_data(reader->archive, reader->member + have, (size_t)size - have);
        if (got < 0)
            return explain(reader, error);
        if (got == 0)
            return refuse(error, "a member is shorter than it says");
        have += (size_t)got;
    }
    if (archive_read_data(reader->archive, &more, 1) != 0)
        return refuse(error, "a member is longer than it says");
    *bytes_out = (struct str){reader->member, have};
    return ERR_OK;
}

static enum err take_member(struct backup_reader *reader, struct str name, struct str lines,
                            enum archive_kind *kind_out, struct error *error)
{
    const struct archive_member *last =
        reader->seen_count > 0 ? &reader->seen[reader->seen_count - 1] : NULL;

    if (reader->seen_count == ARCHIVE_MEMBERS_MAX)
        return refuse(error, "it has too many members");
    struct archive_member *member = &reader->seen[reader->seen_count];
    if (!archive_member_follows(name, last, member) ||
        (member->kind == ARCHIVE_ENTRIES && reader->format < ARCHIVE_FORMAT_ENTRIES))
        return refuse(error, "it has a member that does not belong there");
    if (!str_ends(lines, STR("\n")))
        return refuse(error, "a member does not end with a line");

    member->size = (int64_t)lines.len;
    if (digest_sha256(lines, member->sha256) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "a member could not be hashed");
    reader->seen_count++;
    for (size_t i = 0; i < lines.len; i++)
        reader->rows[member->kind] += lines.ptr[i] == '\n';
    *kind_out = member->kind;
    return ERR_OK;
}

/* ---- the end ---- */

static bool has_what_manifest_says(const struct backup_reader *reader)
{
    const struct archive_manifest *manifest = &reader->manifest;

    if (manifest->format != reader->format || manifest->member_count != reader->seen_count)
        return false;
    for (size_t i = 0; i < reader->seen_count; i++) {
        const struct archive_member *said = &manifest->members[i], *seen = &reader->seen[i];
        if (said->kind != seen->kind || said->number != seen->number || said->size != seen->size ||
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
    if (backup_is_unwanted(reader->watch))
        return error_set(error, ERR_BUSY, "The archive was read no further: it is stopping.");
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
    struct str name, hex, said;
    bool is_good = false;
    enum err err = next_member(reader, &name, &hex, error);

    if (err != ERR_OK)
        return err;
    if (!str_eq(name, STR(ARCHIVE_HMAC)))
        return refuse(error, "its manifest has no HMAC");
    hex = str_ends(hex, STR("\n")) ? str_sub(hex, 0, hex.len - 1) : STR_NONE;
    if (hex_decode(reader->arena, hex, &said))
        err = archive_key_proves(reader->key, manifest, said, &is_good, error);
    return err != ERR_OK || is_good ? err
                                    : refuse(error, "its manifest is not the one that was written");
}

static enum err expect_end(struct backup_reader *reader, struct error *error)
{
    struct archive_entry *entry;
    int next = archive_read_next_header(reader->archive, &entry);

    if (next == ARCHIVE_OK)
        return refuse(error, "it has a member behind the last");
    return next == ARCHIVE_EOF ? ERR_OK : explain(reader, error);
}

/* The format, before any other member. */
static bool is_at_begin(const struct backup_reader *reader)
{
    return reader->seen_count == 0 && reader->format == ARCHIVE_FORMAT_PLAIN;
}

static enum err take_manifest(struct backup_reader *reader, struct str text, struct error *error)
{
    struct work work = {.arena = reader->arena, .error = error};
    struct str manifest = str_dup(reader->arena, text);

    if (!manifest.ptr)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a manifest");
    bool is_format = false;
    enum err err = check_hmac(reader, manifest, error);
    if (err == ERR_OK && is_at_begin(reader))
        err = manifest_is_format(manifest, work, &is_format);
    if (is_format) {
        reader->format = ARCHIVE_FORMAT_ENTRIES;
        return err;
    }
    if (err == ERR_OK)
        err = manifest_read(manifest, work, &reader->manifest);
    if (err == ERR_OK && !has_what_manifest_says(reader))
        err = refuse(error, "its members are not those of its manifest");
    if (err == ERR_OK)
        err = expect_end(reader, error);
    reader->is_at_end = err == ERR_OK;
    return err;
}

enum err backup_reader_next(struct backup_reader *reader, enum archive_kind *kind_out,
                            struct str *lines_out, bool *is_over_out, struct error *error)
{
    struct str name;

    while (!reader->is_at_end) {
        enum err err = next_member(reader, &name, lines_out, error);
        *is_over_out = false;
        if (err == ERR_OK && !str_eq(name, STR(ARCHIVE_MANIFEST)))
            return take_member(reader, name, *lines_out, kind_out, error);
        if (err == ERR_OK)
            err = take_manifest(reader, *lines_out, error);
        if (err != ERR_OK)
            return err;
    }
    *lines_out = STR_NONE;
    *is_over_out = true;
    return ERR_OK;
}

enum err backup_reader_drain(struct backup_reader *reader, struct error *error)
{
    enum archive_kind kind;
    struct str lines;
    bool is_over = false;
    enum err err = ERR_OK;

    while (err == ERR_OK && !is_over)
        err = backup_reader_next(reader, &kind, &lines, &is_over, error);
    return err;
}

enum err backup_reader_each(int fd, const struct archive_key *key, enum archive_kind kind,
                            enum err (*take)(void *with, struct str lines, struct error *error),
                            void *with, struct error *error)
{
    struct backup_reader *reader;
    enum archive_kind found;
    struct str lines;
    bool is_over = false;
    enum err err = backup_reader_open(fd, key, &reader, error);

    while (err == ERR_OK && !is_over) {
        err = backup_reader_next(reader, &found, &lines, &is_over, error);
        if (err == ERR_OK && !is_over && found == kind)
            err = take(with, lines, error);
    }
    backup_reader_free(&reader);
    return err;
}

const struct archive_manifest *backup_reader_manifest(const struct backup_reader *reader)
{
    return &reader->manifest;
}

const struct archive_file *backup_reader_file(const struct backup_reader *reader)
{
    return sealed_file(reader->sealed);
}
