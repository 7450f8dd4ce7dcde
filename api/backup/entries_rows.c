#include "backup/entries_rows.h"

#include "cachewarden/entries.h"
#include "cachewarden/json.h"
#include "entries/envelope.h"

static const char *const kinds[] = {
    [ENTRIES_TEXT] = "entry",
    [ENTRIES_MORE] = "more",
    [ENTRIES_COUNTER] = "counter",
};

/* The year 9999; and what no clears bring a number to (control_rows.c). */
#define TIME_MAX_MS INT64_C(253402300799000)
#define CLEARS_MAX  (INT64_C(1) << 52)
enum { NUMBER_MAX = 20 };

/* ---- writing ---- */

static void add_bytes(struct json_writer *json, const char *name, struct str bytes,
                      struct arena *arena, struct strbuf *lines)
{
    struct str text = base64url_encode(arena, bytes);

    if (bytes.len > 0 && !text.ptr)
        lines->failed = true;
    json_add_string(json, name, text);
}

static void add_place(struct json_writer *json, const struct entries_row *row, struct strbuf *lines)
{
    lines->failed |= !row->where.ptr;
    json_add_string(json, "namespace", row->where);
    json_add_string(json, "label", row->label);
    json_add_integer(json, "clears", row->clears);
    json_add_integer(json, "expires_ms", row->expires_ms);
}

void entries_row_write(const struct entries_row *row, struct arena *arena, struct strbuf *lines)
{
    struct json_writer json;

    json_writer_init(&json, lines);
    json_open_object(&json);
    json_add_string(&json, "kind", str_from(kinds[row->kind]));
    switch (row->kind) {
    case ENTRIES_TEXT:
        add_place(&json, row, lines);
        json_add_integer(&json, "size", row->size);
        add_bytes(&json, "bytes", row->bytes, arena, lines);
        break;
    case ENTRIES_MORE:
        add_bytes(&json, "bytes", row->bytes, arena, lines);
        break;
    case ENTRIES_COUNTER:
        add_place(&json, row, lines);
        add_bytes(&json, "head", row->bytes, arena, lines);
        json_add_string(&json, "number", row->number);
        break;
    }
    json_close_object(&json);
    strbuf_add_char(lines, '\n');
}

/* ---- reading ---- */

static bool take_text(const struct json *row, const char *name, size_t max, struct str *text_out)
{
    const struct json *value = json_get(row, name);

    *text_out = json_string(value);
    return json_kind(value) == JSON_STRING && text_out->len <= max;
}

static bool take_number(const struct json *row, const char *name, int64_t most, int64_t *number_out)
{
    const struct json *value = json_get(row, name);

    *number_out = json_integer(value);
    return json_kind(value) == JSON_INTEGER && *number_out >= 0 && *number_out <= most;
}

static bool take_bytes_of(struct arena *arena, const struct json *row, const char *name, size_t max,
                          struct str *bytes_out)
{
    struct str text;

    return take_text(row, name, max / 3 * 4 + 4, &text) &&
           base64url_decode(arena, text, bytes_out) && bytes_out->len >= 1 && bytes_out->len <= max;
}

static bool take_place(const struct json *row, struct entries_row *out)
{
    return take_text(row, "namespace", NAMESPACE_TEXT_MAX, &out->where) &&
           namespace_parse(out->where, &out->space) &&
           take_text(row, "label", ENTRY_LABEL_MAX, &out->label) && entry_is_label(out->label) &&
           take_number(row, "clears", CLEARS_MAX, &out->clears) &&
           take_number(row, "expires_ms", TIME_MAX_MS, &out->expires_ms);
}

static bool take_entry(struct arena *arena, const struct json *row, struct entries_row *out)
{
    return json_count(row) == 7 && take_place(row, out) &&
           take_number(row, "size", (int64_t)ENTRIES_VALUE_MAX, &out->size) &&
           take_bytes_of(arena, row, "bytes", ENTRIES_CHUNK, &out->bytes) &&
           (size_t)out->size >= out->bytes.len;
}

static bool take_counter(struct arena *arena, const struct json *row, struct entries_row *out)
{
    int64_t number;

    return json_count(row) == 7 && take_place(row, out) &&
           take_bytes_of(arena, row, "head", ENVELOPE_HEAD_MAX, &out->bytes) &&
           take_text(row, "number", NUMBER_MAX, &out->number) &&
           str_to_int64(out->number, INT64_MIN, INT64_MAX, &number);
}

enum err entries_row_read(struct arena *arena, struct str line, struct entries_row *row_out,
                          struct error *error)
{
    const struct json *row = NULL;
    bool is_good = false;
    enum err err = json_parse(arena, line, &row, NULL);

    *row_out = (struct entries_row){.kind = ENTRIES_TEXT};
    if (err == ERR_NO_MEMORY)
        return err;
    struct str kind = err ? STR_NONE : json_string(json_get(row, "kind"));
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++)
        if (str_eq(kind, str_from(kinds[i])))
            row_out->kind = (enum entries_kind)i;
    if (str_eq(kind, str_from(kinds[ENTRIES_TEXT])))
        is_good = take_entry(arena, row, row_out);
    else if (row_out->kind == ENTRIES_COUNTER)
        is_good = take_counter(arena, row, row_out);
    else if (row_out->kind == ENTRIES_MORE)
        is_good = json_count(row) == 2 &&
                  take_bytes_of(arena, row, "bytes", ENTRIES_CHUNK, &row_out->bytes);
    return is_good ? ERR_OK : error_set(error, ERR_BAD_INPUT, "a line of entries is none");
}

/* ---- lines that make an entry ---- */

enum err entries_lines_take(struct entries_lines *lines, const struct entries_row *row,
                            bool *is_whole_out, struct error *error)
{
    *is_whole_out = false;
    if ((lines->left > 0) != (row->kind == ENTRIES_MORE))
        return error_set(error, ERR_BAD_INPUT, "a line of entries does not belong there");
    if (row->kind == ENTRIES_TEXT)
        lines->left = row->size;
    if (row->kind != ENTRIES_COUNTER && (int64_t)row->bytes.len > lines->left)
        return error_set(error, ERR_BAD_INPUT, "an entry goes on behind its end");
    if (row->kind != ENTRIES_COUNTER)
        lines->left -= (int64_t)row->bytes.len;
    *is_whole_out = lines->left == 0;
    return ERR_OK;
}

enum err entries_lines_end(const struct entries_lines *lines, struct error *error)
{
    return lines->left > 0 ? error_set(error, ERR_BAD_INPUT, "an entry has no end") : ERR_OK;
}
