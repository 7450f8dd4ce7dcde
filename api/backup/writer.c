#include "backup/writer.h"

#include "backup/encrypted.h"
#include "backup/manifest.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct backup_writer {
    int fd;
    const struct archive_key *key;
    struct archive *archive;
    struct archive_entry *entry;        /* used for each member in turn */
    struct digest *digest;              /* of the plain archive, for its seal */
    struct digest *file;                /* of the bytes that were written, */
    int64_t size;                       /* and how many */
    struct encrypted_writer *encrypted; /* NULL: they are the plain archive */
    struct archive_manifest manifest;
    size_t member_room;
    enum err failed; /* what the bytes' way to the disk ended with; */
    int reason;      /* and errno then, or 0 */
};

/* ---- bytes ---- */

/* ERR_UPSTREAM_DOWN, with errno in writer->reason. */
static enum err write_all(struct backup_writer *writer, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(writer->fd, bytes.ptr, bytes.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            writer->reason = written < 0 ? errno : ENOSPC;
            return ERR_UPSTREAM_DOWN;
        }
        bytes = str_sub(bytes, (size_t)written, bytes.len);
    }
    return ERR_OK;
}

static enum err put_file_bytes(void *with, struct str bytes)
{
    struct backup_writer *writer = with;
    enum err err = digest_add(writer->file, bytes);

    writer->size += (int64_t)bytes.len;
    return err == ERR_OK ? write_all(writer, bytes) : err;
}

/* After a failure nothing more is written. */
static enum err put_bytes(struct backup_writer *writer, struct str bytes)
{
    if (writer->failed == ERR_OK)
        writer->failed = digest_add(writer->digest, bytes);
    if (writer->failed == ERR_OK)
        writer->failed = writer->encrypted ? encrypted_writer_add(writer->encrypted, bytes)
                                           : put_file_bytes(writer, bytes);
    return writer->failed;
}

static la_ssize_t put_compressed(struct archive *archive, void *arg, const void *bytes, size_t size)
{
    (void)archive;
    return put_bytes(arg, (struct str){bytes, size}) == ERR_OK ? (la_ssize_t)size : -1;
}

static enum err explain(const struct backup_writer *writer, struct error *error)
{
    if (writer->failed == ERR_UPSTREAM_DOWN) {
        bool is_full = writer->reason == ENOSPC || writer->reason == EDQUOT;
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "The backup could not be written into backup.directory: %s.%s",
                         strerror(writer->reason),
                         is_full ? " Make room there, or let a cleanup remove old backups." : "");
    }
    if (writer->failed != ERR_OK)
        return error_set_detail(error, writer->failed, "a backup could not be hashed or encrypted");
    const char *why = archive_error_string(writer->archive);
    return error_set_detail(
        error, archive_errno(writer->archive) == ENOMEM ? ERR_NO_MEMORY : ERR_INTERNAL,
        "a backup could not be written: %s", why ? why : "libarchive did not say");
}

/* ---- members ---- */

static bool put_member(struct backup_writer *writer, const char *name, struct str bytes)
{
    struct archive_entry *entry = archive_entry_clear(writer->entry);

    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_mtime(entry, (time_t)writer->manifest.about.created_at_s, 0);
    archive_entry_set_size(entry, (la_int64_t)bytes.len);
    return archive_write_header(writer->archive, entry) == ARCHIVE_OK &&
           archive_write_data(writer->archive, bytes.ptr, bytes.len) == (la_ssize_t)bytes.len &&
           archive_write_finish_entry(writer->archive) == ARCHIVE_OK;
}

static struct archive_member *add_member(struct backup_writer *writer, enum archive_kind kind)
{
    struct archive_manifest *manifest = &writer->manifest;
    const struct archive_member *last =
        manifest->member_count > 0 ? &manifest->members[manifest->member_count - 1] : NULL;
    int number = last && last->kind == kind ? last->number + 1 : 1;

    assert(!last || last->kind <= kind);
    if (!manifest->members || manifest->member_count == writer->member_room) {
        size_t room = writer->member_room > 0 ? 2 * writer->member_room : 16;
        struct archive_member *more = realloc(manifest->members, room * sizeof *more);
        if (!more)
            return NULL;
        manifest->members = more;
        writer->member_room = room;
    }
    struct archive_member *member = &manifest->members[manifest->member_count++];
    *member = (struct archive_member){.kind = kind, .number = number};
    return member;
}

enum err backup_writer_add(struct backup_writer *writer, enum archive_kind kind, struct str lines,
                           size_t rows, struct error *error)
{
    char name[ARCHIVE_NAME_SIZE];

    assert(lines.len <= ARCHIVE_MEMBER_SIZE_MAX);
    assert(kind != ARCHIVE_ENTRIES || writer->manifest.format >= ARCHIVE_FORMAT_ENTRIES);
    if (lines.len == 0)
        return ERR_OK;
    if (writer->manifest.member_count == ARCHIVE_MEMBERS_MAX)
        return error_set(error, ERR_TOO_LARGE, "A backup holds at most %d MiB of rows.",
                         ARCHIVE_MEMBERS_MAX);

    struct archive_member *member = add_member(writer, kind);
    if (!member)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the members of a backup");
    member->size = (int64_t)lines.len;
    if (digest_sha256(lines, member->sha256) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "a member could not be hashed");
    writer->manifest.rows[kind] += (int64_t)rows;
    archive_member_name(name, kind, member->number);
    return put_member(writer, name, lines) ? ERR_OK : explain(writer, error);
}

/* ---- begin and end ---- */

/* A manifest, and its HMAC. */
static enum err put_manifest(struct backup_writer *writer, struct str text, struct error *error)
{
    unsigned char mac[ARCHIVE_MAC_SIZE];
    struct strbuf hex;
    enum err err = archive_key_sign(writer->key, text, mac, error);

    if (err != ERR_OK)
        return err;
    strbuf_init(&hex, NULL, 2 * sizeof mac + 2);
    for (size_t i = 0; i < sizeof mac; i++)
        strbuf_addf(&hex, "%02x", mac[i]);
    strbuf_add_char(&hex, '\n');
    if (hex.failed)
        err = error_set_detail(error, ERR_NO_MEMORY, "no memory for an HMAC");
    else if (!put_member(writer, ARCHIVE_MANIFEST, text) ||
             !put_member(writer, ARCHIVE_HMAC, strbuf_str(&hex)))
        err = explain(writer, error);
    strbuf_fini(&hex);
    return err;
}

/* Which format it has, where it is another one than the first. */
static enum err put_format(struct backup_writer *writer, struct error *error)
{
    struct strbuf text;
    enum err err = ERR_OK;

    if (writer->manifest.format == ARCHIVE_FORMAT_PLAIN)
        return ERR_OK;
    strbuf_init(&text, NULL, 64);
    manifest_write_format(writer->manifest.format, &text);
    if (text.failed)
        err = error_set_detail(error, ERR_NO_MEMORY, "no memory for a manifest");
    else
        err = put_manifest(writer, strbuf_str(&text), error);
    strbuf_fini(&text);
    return err;
}

static bool begin_archive(struct backup_writer *writer)
{
    struct archive *archive = writer->archive;

    /* Without padding: a reader takes every byte between the tar's end and the seal for damage. */
    return archive_write_set_format_pax_restricted(archive) == ARCHIVE_OK &&
           archive_write_add_filter_zstd(archive) == ARCHIVE_OK &&
           archive_write_set_bytes_in_last_block(archive, 1) == ARCHIVE_OK &&
           archive_write_open2(archive, writer, NULL, put_compressed, NULL, NULL) == ARCHIVE_OK;
}

static enum err make_parts(struct backup_writer *writer)
{
    struct str passphrase = archive_key_passphrase(writer->key);
    enum err err = digest_new(&writer->digest);

    if (err == ERR_OK)
        err = digest_new(&writer->file);
    if (err == ERR_OK && passphrase.len > 0)
        err = encrypted_writer_new(passphrase, put_file_bytes, writer, &writer->encrypted);
    writer->archive = archive_write_new();
    writer->entry = archive_entry_new();
    return err == ERR_OK && (!writer->archive || !writer->entry) ? ERR_NO_MEMORY : err;
}

enum err backup_writer_open(int fd, const struct archive_key *key,
                            const struct archive_about *about, struct backup_writer **writer_out,
                            struct error *error)
{
    struct backup_writer *writer = calloc(1, sizeof *writer);

    *writer_out = NULL;
    if (!writer)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for a backup");
    writer->fd = fd;
    writer->key = key;
    writer->manifest.format =
        about->dataset.len > 0 ? ARCHIVE_FORMAT_ENTRIES : ARCHIVE_FORMAT_PLAIN;
    writer->manifest.about = *about;
    enum err err = make_parts(writer);
    if (err != ERR_OK)
        (void)error_set_detail(error, err, "what writes a backup could not be made");
    else if (!begin_archive(writer))
        err = explain(writer, error);
    if (err == ERR_OK)
        err = put_format(writer, error);
    if (err == ERR_OK)
        *writer_out = writer;
    else
        backup_writer_free(&writer);
    return err;
}

void backup_writer_free(struct backup_writer **writer)
{
    struct backup_writer *old = *writer;

    if (!old)
        return;
    /* What was not finished goes nowhere. */
    if (old->failed == ERR_OK)
        old->failed = ERR_INTERNAL;
    if (old->archive)
        (void)archive_write_free(old->archive);
    archive_entry_free(old->entry);
    encrypted_writer_free(&old->encrypted);
    digest_free(&old->digest);
    digest_free(&old->file);
    free(old->manifest.members);
    free(old);
    *writer = NULL;
}

static enum err put_seal(struct backup_writer *writer, struct error *error)
{
    unsigned char head[ARCHIVE_SEAL_HEAD], mac[ARCHIVE_MAC_SIZE], digest[DIGEST_SHA256_SIZE];

    archive_seal_begin(writer->key, head);
    if (put_bytes(writer, (struct str){(const char *)head, sizeof head}) != ERR_OK)
        return explain(writer, error);
    if (digest_so_far(writer->digest, digest) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "a backup could not be hashed");
    enum err err = archive_seal_end(writer->key, head, digest, mac, error);
    if (err == ERR_OK && put_bytes(writer, (struct str){(const char *)mac, sizeof mac}) != ERR_OK)
        err = explain(writer, error);
    return err;
}

enum err backup_writer_finish(struct backup_writer *writer, const struct archive_counts *counts,
                              struct archive_file *file_out, struct error *error)
{
    struct strbuf text;

    writer->manifest.counts = *counts;
    strbuf_init(&text, NULL, 4096);
    manifest_write(&writer->manifest, &text);
    enum err err = text.failed ? error_set_detail(error, ERR_NO_MEMORY, "no memory for a manifest")
                               : put_manifest(writer, strbuf_str(&text), error);
    strbuf_fini(&text);
    if (err == ERR_OK && archive_write_close(writer->archive) != ARCHIVE_OK)
        err = explain(writer, error);
    if (err == ERR_OK)
        err = put_seal(writer, error);
    if (err == ERR_OK && writer->encrypted) {
        writer->failed = encrypted_writer_end(writer->encrypted);
        err = writer->failed == ERR_OK ? ERR_OK : explain(writer, error);
    }
    if (err != ERR_OK)
        return err;
    file_out->size = writer->size;
    if (digest_so_far(writer->file, file_out->sha256) != ERR_OK)
        return error_set_detail(error, ERR_INTERNAL, "a backup could not be hashed");
    return ERR_OK;
}
