#include "backup/control_rows.h"

#include "cachewarden/json.h"

static const char *const kinds[] = {
    [CONTROL_MARKS] = "marks",
    [CONTROL_REVOCATION] = "revoked",
    [CONTROL_CLEARS] = "clears",
};

/* No clears bring a number there (control/reserved.h has the same bound for what Redis holds). */
#define NUMBER_MAX (INT64_C(1) << 52)

/* What somebody put there by hand may be above it. What is written has to be read again. */
static int64_t bounded(int64_t number)
{
    return number < NUMBER_MAX ? number : NUMBER_MAX;
}

void control_row_write(const struct control_row *row, struct strbuf *lines)
{
    struct json_writer json;

    json_writer_init(&json, lines);
    json_open_object(&json);
    json_add_string(&json, "kind", str_from(kinds[row->kind]));
    switch (row->kind) {
    case CONTROL_MARKS:
        json_add_integer(&json, "term", bounded(row->marks.term));
        json_add_integer(&json, "epoch", bounded(row->marks.epoch));
        json_add_integer(&json, "reserved", bounded(row->marks.reserved));
        json_add_integer(&json, "highest_id", bounded(row->marks.highest_id));
        json_add_integer(&json, "voided_s", bounded(row->marks.voided_s));
        break;
    case CONTROL_REVOCATION:
        json_add_string(&json, "what", row->text);
        json_add_integer(&json, "expires_s", bounded(row->revocation.expires_at_s));
        break;
    case CONTROL_CLEARS:
        json_add_string(&json, "namespace", row->text);
        json_add_integer(&json, "clears", bounded(row->clears));
        break;
    }
    json_close_object(&json);
    strbuf_add_char(lines, '\n');
}

static bool take_number(const struct json *row, const char *name, int64_t *number_out)
{
    const struct json *value = json_get(row, name);

    *number_out = json_integer(value);
    return json_kind(value) == JSON_INTEGER && *number_out >= 0 && *number_out <= NUMBER_MAX;
}

static bool take_marks(const struct json *row, struct control_marks *marks)
{
    return json_count(row) == 6 && take_number(row, "term", &marks->term) &&
           take_number(row, "epoch", &marks->epoch) &&
           take_number(row, "reserved", &marks->reserved) &&
           take_number(row, "highest_id", &marks->highest_id) &&
           take_number(row, "voided_s", &marks->voided_s);
}

static bool take_revocation(const struct json *row, struct control_row *out)
{
    int64_t expires_at_s;

    out->text = json_string(json_get(row, "what"));
    return json_count(row) == 3 && take_number(row, "expires_s", &expires_at_s) &&
           revocation_read(out->text, expires_at_s, &out->revocation);
}

static bool take_clears(const struct json *row, struct control_row *out)
{
    out->text = json_string(json_get(row, "namespace"));
    return json_count(row) == 3 && take_number(row, "clears", &out->clears) &&
           namespace_parse(out->text, &out->space);
}

enum err control_row_read(struct arena *arena, struct str line, struct control_row *row_out,
                          struct error *error)
{
    const struct json *row = NULL;
    bool is_good = false;
    enum err err = json_parse(arena, line, &row, NULL);

    *row_out = (struct control_row){.kind = CONTROL_MARKS};
    if (err == ERR_NO_MEMORY)
        return err;
    struct str kind = err ? STR_NONE : json_string(json_get(row, "kind"));
    if (str_eq(kind, str_from(kinds[CONTROL_MARKS]))) {
        is_good = take_marks(row, &row_out->marks);
    } else if (str_eq(kind, str_from(kinds[CONTROL_REVOCATION]))) {
        row_out->kind = CONTROL_REVOCATION;
        is_good = take_revocation(row, row_out);
    } else if (str_eq(kind, str_from(kinds[CONTROL_CLEARS]))) {
        row_out->kind = CONTROL_CLEARS;
        is_good = take_clears(row, row_out);
    }
    return is_good ? ERR_OK : error_set(error, ERR_BAD_INPUT, "a line of control data is none");
}
