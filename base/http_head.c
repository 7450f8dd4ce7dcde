#include "http_head.h"

enum { STATUS_LINE_MIN_SIZE = 12 /* HTTP/1.1 200 */ };

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UPSTREAM_DOWN, "it broke HTTP: %s", why);
}

/* ---- where it ends ---- */

bool http_head_find_end(struct str bytes, size_t from, size_t *size_out)
{
    static const struct str begins = {"HTTP/1.", 7};
    size_t known = bytes.len < begins.len ? bytes.len : begins.len;

    *size_out = 0;
    if (!str_eq(str_sub(bytes, 0, known), str_sub(begins, 0, known)))
        return false;
    /* The end may have begun in what was there before: \n\r is two bytes of it. */
    size_t at = from > 2 ? from - 2 : 0;
    while (at < bytes.len) {
        const char *line = memchr(bytes.ptr + at, '\n', bytes.len - at);
        if (!line)
            break;
        at = (size_t)(line - bytes.ptr) + 1;
        size_t empty = at < bytes.len && bytes.ptr[at] == '\r' ? 1 : 0;
        if (at + empty < bytes.len && bytes.ptr[at + empty] == '\n') {
            *size_out = at + empty + 1;
            break;
        }
    }
    return true;
}

/* ---- lines ---- */

/* Takes the next line off, without its end. A carriage return elsewhere is left in it, and refused there. */
static struct str take_line(struct str *rest)
{
    struct str line = STR_NONE;

    (void)str_split(rest, '\n', &line);
    return str_ends(line, STR("\r")) ? str_sub(line, 0, line.len - 1) : line;
}

bool http_is_field_value(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return true;
}

static enum err parse_status_line(struct str line, struct http_head *head, struct error *error)
{
    int64_t status;

    if (line.len < STATUS_LINE_MIN_SIZE || line.ptr[8] != ' ' ||
        (line.ptr[7] != '0' && line.ptr[7] != '1') ||
        !str_to_int64(str_sub(line, 9, 3), 100, 599, &status) ||
        (line.len > STATUS_LINE_MIN_SIZE && line.ptr[STATUS_LINE_MIN_SIZE] != ' ') ||
        !http_is_field_value(line))
        return refuse(error, "its status line");
    head->minor_version = line.ptr[7] - '0';
    head->status = (int)status;
    return ERR_OK;
}

static enum err parse_field(struct str line, struct http_field *field, struct error *error)
{
    ptrdiff_t colon = str_find(line, ':');

    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return refuse(error, "a field that goes on in a second line");
    /* Blanks before the colon are taken away (RFC 9112, section 5.1): whoever reads what we write sees none. */
    struct str name = str_trim(str_sub(line, 0, colon > 0 ? (size_t)colon : 0));
    if (!str_is_token(name))
        return refuse(error, "a field without a name");
    *field = (struct http_field){name, str_trim(str_sub(line, (size_t)colon + 1, line.len))};
    if (!http_is_field_value(field->value))
        return refuse(error, "a control character in a field");
    return ERR_OK;
}

/* ---- what the fields say about the body ---- */

static enum err note_length(struct http_head *head, struct str value, struct error *error)
{
    int64_t length = 0;

    /* 00 is a number here, too. */
    while (value.len > 1 && value.ptr[0] == '0')
        value = str_sub(value, 1, value.len);
    if (!str_to_int64(value, 0, INT64_MAX, &length))
        return refuse(error, "its Content-Length");
    if (head->length != BODY_LENGTH_UNKNOWN && head->length != length)
        return refuse(error, "two Content-Lengths that differ");
    head->length = length;
    return ERR_OK;
}

static bool says_close(struct str value)
{
    struct str option;

    while (str_split(&value, ',', &option)) {
        if (str_eq_nocase(str_trim(option), STR("close")))
            return true;
    }
    return false;
}

static enum err note_field(struct http_head *head, const struct http_field *field,
                           struct error *error)
{
    if (str_eq_nocase(field->name, STR("Content-Length")))
        return note_length(head, field->value, error);
    if (str_eq_nocase(field->name, STR("Connection"))) {
        head->keeps = head->keeps && !says_close(field->value);
    } else if (str_eq_nocase(field->name, STR("Transfer-Encoding"))) {
        /* We send no TE, so no other coding may come. */
        if (head->is_chunked || !str_eq_nocase(field->value, STR("chunked")))
            return refuse(error, "a Transfer-Encoding other than chunked");
        head->is_chunked = true;
    }
    return ERR_OK;
}

static enum err check_framing(struct http_head *head, struct error *error)
{
    bool has_content = head->status >= 200 && head->status != 204 && head->status != 304;

    if (head->is_chunked && head->length != BODY_LENGTH_UNKNOWN)
        return refuse(error, "Content-Length and Transfer-Encoding");
    if (head->is_chunked && head->minor_version == 0)
        return refuse(error, "Transfer-Encoding in HTTP/1.0");
    /* Whether a body follows all the same, nobody knows. */
    if (!has_content && head->status != 304 && (head->is_chunked || head->length > 0))
        head->keeps = false;
    return ERR_OK;
}

static size_t count_lines(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == '\n';
    return count;
}

enum err http_head_parse(struct arena *arena, struct str text, struct http_head *head_out,
                         struct error *error)
{
    struct str rest = str_dup(arena, text);
    size_t room = count_lines(text); /* the first and the last line are no fields */
    struct http_field *fields = arena_calloc(arena, room, sizeof *fields);

    *head_out = (struct http_head){.length = BODY_LENGTH_UNKNOWN};
    if (!rest.ptr || !fields)
        return ERR_NO_MEMORY;
    enum err err = parse_status_line(take_line(&rest), head_out, error);
    head_out->fields = fields;
    head_out->keeps = head_out->minor_version == 1;
    while (!err) {
        struct str line = take_line(&rest);
        if (line.len == 0)
            break;
        if (head_out->field_count == HTTP_HEAD_MAX_FIELDS || head_out->field_count == room)
            return refuse(error, "too many fields");
        struct http_field *field = &fields[head_out->field_count++];
        err = parse_field(line, field, error);
        if (!err)
            err = note_field(head_out, field, error);
    }
    return err ? err : check_framing(head_out, error);
}
