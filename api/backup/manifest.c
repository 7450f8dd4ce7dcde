#include "backup/manifest.h"

#include "cachewarden/clock.h"
#include "cachewarden/json.h"

#include <inttypes.h>

/* ---- writing ---- */

static void write_hex(struct json_writer *json, const char *name, const unsigned char *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char hex[DIGEST_SHA256_SIZE * 2];

    for (size_t i = 0; i < DIGEST_SHA256_SIZE; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    json_add_string(json, name, (struct str){hex, sizeof hex});
}

static bool has_entries(int64_t format)
{
    return format >= ARCHIVE_FORMAT_ENTRIES;
}

/* An archive of a format has members of this kind. */
static bool has_kind(int64_t format, int kind)
{
    return kind != ARCHIVE_ENTRIES || has_entries(format);
}

static void write_counts(struct json_writer *json, const struct archive_manifest *manifest)
{
    json_name(json, "counts");
    json_open_object(json);
    json_add_integer(json, "users", manifest->counts.users);
    json_add_integer(json, "api_keys", manifest->counts.api_keys);
    json_add_integer(json, "control_keys", manifest->counts.control_keys);
    if (has_entries(manifest->format))
        json_add_integer(json, "entries", manifest->counts.entries);
    json_close_object(json);
    json_name(json, "rows");
    json_open_object(json);
    for (int kind = 0; kind < ARCHIVE_KINDS; kind++)
        if (has_kind(manifest->format, kind))
            json_add_integer(json, archive_kind_name((enum archive_kind)kind),
                             manifest->rows[kind]);
    json_close_object(json);
}

static void write_member(struct json_writer *json, const struct archive_member *member)
{
    char name[ARCHIVE_NAME_SIZE];

    archive_member_name(name, member->kind, member->number);
    json_open_object(json);
    json_add_string(json, "name", str_from(name));
    json_add_integer(json, "size", member->size);
    write_hex(json, "sha256", member->sha256);
    json_close_object(json);
}

void manifest_write(const struct archive_manifest *manifest, struct strbuf *out)
{
    const struct archive_about *about = &manifest->about;
    char created_at[CLOCK_RFC3339_SIZE];
    struct json_writer json;

    json_writer_init(&json, out);
    json_open_object(&json);
    json_add_integer(&json, "format", manifest->format);
    json_add_string(&json, "id", about->id);
    json_add_string(&json, "created_at", clock_rfc3339(about->created_at_s * 1000, created_at));
    json_add_string(&json, "program", about->program);
    json_add_string(&json, "users_driver", about->users_driver);
    json_add_integer(&json, "schema", about->schema);
    json_add_string(&json, "install_id", about->install_id);
    json_add_string(&json, "redis_version", about->redis_version);
    if (has_entries(manifest->format)) {
        json_add_string(&json, "dataset", about->dataset);
        json_add_string(&json, "store", about->store);
    }
    write_counts(&json, manifest);
    json_name(&json, "members");
    json_open_array(&json);
    for (size_t i = 0; i < manifest->member_count; i++)
        write_member(&json, &manifest->members[i]);
    json_close_array(&json);
    json_close_object(&json);
    strbuf_add_char(out, '\n');
}

void manifest_write_format(int64_t format, struct strbuf *out)
{
    struct json_writer json;

    json_writer_init(&json, out);
    json_open_object(&json);
    json_add_integer(&json, "format", format);
    json_close_object(&json);
    strbuf_add_char(out, '\n');
}

/* ---- reading ---- */

static enum err refuse(struct work work, const char *what)
{
    return error_set(work.error, ERR_UNPROCESSABLE, "The manifest is not one of ours: %s.", what);
}

/* A text of ours: it is there, and tells nothing that could not be shown. */
static bool read_text(const struct json *of, const char *name, struct str *text_out)
{
    const struct json *value = json_get(of, name);

    *text_out = json_string(value);
    return json_kind(value) == JSON_STRING && text_out->len <= 255 && !str_has_control(*text_out);
}

static bool read_number(const struct json *of, const char *name, int64_t *number_out)
{
    const struct json *value = json_get(of, name);

    *number_out = json_integer(value);
    return json_kind(value) == JSON_INTEGER && *number_out >= 0;
}

static bool read_about(const struct json *root, struct archive_manifest *manifest)
{
    struct archive_about *about = &manifest->about;

    return read_text(root, "id", &about->id) && archive_id_read(about->id, &about->created_at_s) &&
           read_text(root, "program", &about->program) &&
           read_text(root, "users_driver", &about->users_driver) &&
           read_number(root, "schema", &about->schema) &&
           read_text(root, "install_id", &about->install_id) &&
           read_text(root, "redis_version", &about->redis_version) &&
           (!has_entries(manifest->format) ||
            (read_text(root, "dataset", &about->dataset) && about->dataset.len > 0 &&
             read_text(root, "store", &about->store)));
}

static bool read_counts(const struct json *root, struct archive_manifest *manifest)
{
    const struct json *counts = json_get(root, "counts");
    const struct json *rows = json_get(root, "rows");

    if (!read_number(counts, "users", &manifest->counts.users) ||
        !read_number(counts, "api_keys", &manifest->counts.api_keys) ||
        !read_number(counts, "control_keys", &manifest->counts.control_keys) ||
        (has_entries(manifest->format) &&
         !read_number(counts, "entries", &manifest->counts.entries)))
        return false;
    for (int kind = 0; kind < ARCHIVE_KINDS; kind++)
        if (has_kind(manifest->format, kind) &&
            !read_number(rows, archive_kind_name((enum archive_kind)kind), &manifest->rows[kind]))
            return false;
    return true;
}

static bool read_digest(const struct json *of, struct arena *arena,
                        unsigned char digest_out[DIGEST_SHA256_SIZE])
{
    struct str hex = json_string(json_get(of, "sha256")), bytes;

    if (hex.len != DIGEST_SHA256_SIZE * 2 || !hex_decode(arena, hex, &bytes))
        return false;
    memcpy(digest_out, bytes.ptr, DIGEST_SHA256_SIZE);
    return true;
}

static bool read_members(const struct json *members, struct arena *arena,
                         struct archive_manifest *manifest)
{
    const struct archive_member *last = NULL;

    for (size_t i = 0; i < manifest->member_count; i++) {
        const struct json *member = json_at(members, i);
        struct archive_member *next = &manifest->members[i];
        if (!archive_member_follows(json_string(json_get(member, "name")), last, next) ||
            !read_number(member, "size", &next->size) || next->size < 1 ||
            next->size > ARCHIVE_MEMBER_SIZE_MAX || !has_kind(manifest->format, (int)next->kind) ||
            !read_digest(member, arena, next->sha256))
            return false;
        last = next;
    }
    return true;
}

enum err manifest_is_format(struct str text, struct work work, bool *is_one_out)
{
    const struct json *root;
    int64_t format;
    enum err err = json_parse(work.arena, text, &root, NULL);

    *is_one_out = err == ERR_OK && json_count(root) == 1 && read_number(root, "format", &format) &&
                  format > ARCHIVE_FORMAT_PLAIN && format <= ARCHIVE_FORMAT_ENTRIES;
    return err == ERR_NO_MEMORY ? err : ERR_OK;
}

enum err manifest_read(struct str text, struct work work, struct archive_manifest *manifest_out)
{
    const struct json *root;
    enum err err = json_parse(work.arena, text, &root, work.error);

    *manifest_out = (struct archive_manifest){.format = 0};
    if (err == ERR_BAD_INPUT)
        return refuse(work, "it is no JSON");
    if (err != ERR_OK)
        return err;
    if (!read_number(root, "format", &manifest_out->format))
        return refuse(work, "it has no format");
    if (manifest_out->format < ARCHIVE_FORMAT_PLAIN ||
        manifest_out->format > ARCHIVE_FORMAT_ENTRIES)
        return error_set(work.error, ERR_UNPROCESSABLE,
                         "The archive has format %" PRId64 "; this program reads formats up to %d.",
                         manifest_out->format, ARCHIVE_FORMAT_ENTRIES);
    if (!read_about(root, manifest_out))
        return refuse(work, "it does not say what it is of");
    if (!read_counts(root, manifest_out))
        return refuse(work, "its counts are wrong");

    const struct json *members = json_get(root, "members");
    manifest_out->member_count = json_count(members);
    if (json_kind(members) != JSON_ARRAY || manifest_out->member_count > ARCHIVE_MEMBERS_MAX)
        return refuse(work, "it has no list of members, or one that is too long");
    manifest_out->members =
        arena_calloc(work.arena, manifest_out->member_count, sizeof *manifest_out->members);
    if (!manifest_out->members)
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a manifest");
    return read_members(members, work.arena, manifest_out)
               ? ERR_OK
               : refuse(work, "its list of members is wrong");
}
