/* The request's body, as a row asks for it. */
#include "params_private.h"

#include "cachewarden/entries.h"
#include "mentions.h"

/* Whether a parameter of a media type is its charset, with quotes or without. */
static bool is_charset(struct str parameter, struct str *charset_out)
{
    struct str name = STR("charset="), value;

    parameter = str_trim(parameter);
    if (!str_eq_nocase(str_sub(parameter, 0, name.len), name))
        return false;
    value = str_sub(parameter, name.len, parameter.len);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = str_sub(value, 1, value.len - 2);
    *charset_out = value;
    return true;
}

/* With and without the hyphen: clients write both. */
static bool is_utf8_name(struct str charset)
{
    return str_eq_nocase(charset, STR("utf-8")) || str_eq_nocase(charset, STR("utf8"));
}

/* "application/json; charset=utf-8" is application/json. Another charset is another type. */
static bool media_type_is(struct str content_type, struct str wanted)
{
    struct str rest = content_type, type, parameter, charset;

    if (!str_split(&rest, ';', &type) || !str_eq_nocase(str_trim(type), wanted))
        return false;
    while (str_split(&rest, ';', &parameter))
        if (is_charset(parameter, &charset) && !is_utf8_name(charset))
            return false;
    return true;
}

static enum err read_json(struct call *call)
{
    /* call_field_optional refuses a NUL, and names the member. */
    enum err err = json_parse_nul(call->arena, call->body, &call->fields, &call->error);

    if (err != ERR_OK)
        return err;
    if (json_kind(call->fields) != JSON_OBJECT) {
        call->fields = NULL;
        return error_set(&call->error, ERR_BAD_INPUT, "The body must be a JSON object.");
    }
    return ERR_OK;
}

bool form_decode(struct arena *arena, struct str raw, struct str *text_out)
{
    struct str spaced = str_dup(arena, raw);

    if (!spaced.ptr)
        return false;
    char *bytes = (char *)(uintptr_t)spaced.ptr; /* our own copy */
    for (size_t i = 0; i < spaced.len; i++) {
        if (bytes[i] == '+')
            bytes[i] = ' ';
    }
    return percent_decode(arena, spaced, text_out) && str_is_utf8(*text_out);
}

/* More than any route knows; few enough to look at each pair. */
#define FORM_MEMBERS_MAX 32

/* Which of two values counts is anybody's guess: it is refused. */
static enum err note_member(struct call *call, struct str name, struct str *names, size_t *count)
{
    for (size_t i = 0; i < *count; i++) {
        if (str_eq(names[i], name))
            return call_refuse_name(call, name, "Given more than once.");
    }
    if (*count == FORM_MEMBERS_MAX)
        return error_set(&call->error, ERR_BAD_INPUT, "The form has more than %d members.",
                         FORM_MEMBERS_MAX);
    names[(*count)++] = name;
    return ERR_OK;
}

/*
 * A form becomes a JSON object of strings, so that operations know one kind of body. Going through
 * the JSON reader also gives a form its rules: no member twice, no NUL, valid UTF-8.
 */
static enum err read_form(struct call *call)
{
    struct str rest = call->body, part, name, value, names[FORM_MEMBERS_MAX];
    size_t count = 0;
    struct strbuf text;
    struct json_writer writer;

    if (str_starts(str_trim(rest), STR("{")))
        return error_set(&call->error, ERR_BAD_INPUT,
                         "This looks like JSON: send it with Content-Type: application/json.");
    strbuf_init(&text, call->arena, call->body.len + 64);
    json_writer_init(&writer, &text);
    json_open_object(&writer);
    while (str_split(&rest, '&', &part)) {
        struct str raw_name = part, raw_value = STR("");
        ptrdiff_t equals = str_find(part, '=');
        /* As in "a=1&" and "a=1&&b=2" (WHATWG URL, application/x-www-form-urlencoded). */
        if (part.len == 0)
            continue;
        if (equals >= 0) {
            raw_name = str_sub(part, 0, (size_t)equals);
            raw_value = str_sub(part, (size_t)equals + 1, part.len);
        }
        if (!form_decode(call->arena, raw_name, &name))
            return error_set(&call->error, ERR_BAD_INPUT,
                             "The form has a bad percent-escape, or is not UTF-8.");
        if (!form_decode(call->arena, raw_value, &value))
            return call_refuse_name(
                call, name, "This field has a NUL or a bad percent-escape, or is not UTF-8.");
        enum err err = note_member(call, name, names, &count);
        if (err != ERR_OK)
            return err;
        json_name(&writer, name.ptr);
        json_write_string(&writer, value);
    }
    json_close_object(&writer);
    if (text.failed)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "the form does not fit");
    return json_parse(call->arena, strbuf_str(&text), &call->fields, &call->error);
}

static enum err read_fields(struct call *call, struct str content_type)
{
    if (call->body.len == 0)
        return json_parse(call->arena, STR("{}"), &call->fields, &call->error);
    if (media_type_is(content_type, STR("application/json")))
        return read_json(call);
    if (media_type_is(content_type, STR("application/x-www-form-urlencoded")))
        return read_form(call);
    return error_set(&call->error, ERR_UNSUPPORTED_TYPE,
                     "Send application/json or application/x-www-form-urlencoded.");
}

/* ---- bodies that are ignored, but may not name a parameter ---- */

/* Those in which the letters of a name are the bytes of ASCII; "none" is the usual case. */
static bool is_plain_charset(struct str charset)
{
    return is_utf8_name(charset) || str_eq_nocase(charset, STR("us-ascii")) ||
           str_eq_nocase(charset, STR("iso-8859-1")) || str_eq_nocase(charset, STR("windows-1252"));
}

static bool has_plain_charset(struct str content_type)
{
    struct str rest = content_type, parameter, charset;

    while (str_split(&rest, ';', &parameter))
        if (is_charset(parameter, &charset) && !is_plain_charset(charset))
            return false;
    return true;
}

/* Text, which a compressed or otherwise coded body is not, whatever its fields say. */
static bool is_text(struct str body)
{
    for (size_t i = 0; i < body.len; i++) {
        unsigned char c = (unsigned char)body.ptr[i];
        if ((c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return false;
    }
    return str_is_utf8(body);
}

/*
 * An id in the body instead of the query would make a clear that is meant for one account
 * everybody's. Whoever cannot be understood may have sent one.
 */
static enum err refuse_params(struct call *call, struct str content_type)
{
    const struct param_spec *spec = call->route->params;

    if (call->body.len == 0)
        return ERR_OK;
    for (; spec && spec->kind != PARAM_END; spec++) {
        if (spec->place == PLACE_QUERY && mentions(call->body, spec->name))
            return error_set(&call->error, ERR_BAD_INPUT,
                             "%s: Belongs in the query: ?%s=<value>. Nothing was done.", spec->name,
                             spec->name);
    }
    if (!is_text(call->body) || !has_plain_charset(content_type))
        return error_set(&call->error, ERR_UNSUPPORTED_TYPE,
                         "Send no body, or text in UTF-8. Nothing was done.");
    return ERR_OK;
}

/* ---- bodies that are whatever they are ---- */

/* It is sent back one day, as a line of a head. */
static enum err read_raw(struct call *call, struct str content_type)
{
    if (content_type.len > 0 && !entry_is_type(content_type))
        return error_set(&call->error, ERR_BAD_INPUT,
                         "Content-Type: Must be a media type such as application/json, of at most "
                         "255 visible ASCII characters.");
    call->content_type = content_type;
    return ERR_OK;
}

/* Whoever sends one wants something of it. {} says as little as nothing, and some clients always send it. */
static enum err refuse_body(struct call *call)
{
    struct str body = call->body;

    while (body.len > 0 && strchr(" \t\r\n", body.ptr[0]))
        body = str_sub(body, 1, body.len);
    while (body.len > 0 && strchr(" \t\r\n", body.ptr[body.len - 1]))
        body.len--;
    if (body.len == 0 || str_eq(body, STR("{}")))
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT, "This request takes no body. Nothing was done.");
}

enum err params_read_body(struct call *call, struct str content_type)
{
    switch (call->route->body) {
    case BODY_FIELDS:
        return read_fields(call, content_type);
    case BODY_NO_PARAMS:
        return refuse_params(call, content_type);
    case BODY_EMPTY:
        return refuse_body(call);
    case BODY_RAW:
    case BODY_STREAM:
        return read_raw(call, content_type);
    case BODY_IGNORED:
        break;
    }
    return ERR_OK;
}
