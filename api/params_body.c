/* The request's body, as a row asks for it. */
#include "cachewarden/params.h"

/* With and without the hyphen and quotes: clients write all of them. */
static bool is_utf8_name(struct str charset)
{
    if (charset.len >= 2 && charset.ptr[0] == '"' && charset.ptr[charset.len - 1] == '"')
        charset = str_sub(charset, 1, charset.len - 2);
    return str_eq_nocase(charset, STR("utf-8")) || str_eq_nocase(charset, STR("utf8"));
}

/* "application/json; charset=utf-8" is application/json. Another charset is another type. */
static bool media_type_is(struct str content_type, struct str wanted)
{
    struct str rest = content_type, type, parameter;

    if (!str_split(&rest, ';', &type) || !str_eq_nocase(str_trim(type), wanted))
        return false;
    while (str_split(&rest, ';', &parameter)) {
        parameter = str_trim(parameter);
        if (!str_eq_nocase(str_sub(parameter, 0, 8), STR("charset=")))
            continue;
        if (!is_utf8_name(str_sub(parameter, 8, parameter.len)))
            return false;
    }
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

/* One name or value of a form: '+' is a space (WHATWG URL, application/x-www-form-urlencoded). */
static bool form_decode(struct arena *arena, struct str raw, struct str *text_out)
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

/*
 * A form becomes a JSON object of strings, so that operations know one kind of body. Going through
 * the JSON reader also gives a form its rules: no member twice, no NUL, valid UTF-8.
 */
/* More than any route knows; few enough to look at each pair. */
#define FORM_MEMBERS_MAX 32

/* Which of two values counts is anybody's guess (threats 15, 58). */
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

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The number that `count` hex digits at the start of `s` stand for, or -1. */
static int hex_number(struct str s, size_t count)
{
    int number = 0;

    if (s.len < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int digit = hex_digit(s.ptr[i]);
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* Takes one character off *rest, seen through the escapes of JSON (\u005f) and of forms (%5f). */
static int take_unmasked(struct str *rest)
{
    size_t length = 1;
    int c = (unsigned char)rest->ptr[0];
    int escaped = -1;

    if (c == '%') {
        escaped = hex_number(str_sub(*rest, 1, 2), 2);
        length = escaped >= 0 ? 3 : 1;
    } else if (c == '\\' && rest->len > 1 && rest->ptr[1] == 'u') {
        escaped = hex_number(str_sub(*rest, 2, 4), 4);
        length = escaped >= 0 ? 6 : 1;
    }
    *rest = str_sub(*rest, length, rest->len);
    return escaped >= 0 ? escaped : c;
}

/*
 * Whether "user_id" stands anywhere in the body, in any case, under the escapes of JSON and of
 * forms, with another or no separator (userId, user-id), or as UTF-16. One pass over bytes, so it
 * holds for every media type, for nested objects, and for bodies that are no valid anything. It
 * may refuse a body that only talks about a user_id; that costs a 400, the opposite mistake a
 * global clear.
 */
static bool mentions_user_id(struct str body)
{
    static const char wanted[] = "userid";
    struct str rest = body;
    size_t matched = 0;

    while (rest.len > 0) {
        int c = take_unmasked(&rest);
        if (c == '_' || c == '-' || c == '\0')
            continue;
        if (c >= 'A' && c <= 'Z')
            c += 'a' - 'A';
        /* 'u' stands only at the front of "userid", so after a mismatch no part of what was
         * matched can start a new match; only this character can. */
        if (c != wanted[matched])
            matched = 0;
        if (c == wanted[matched])
            matched++;
        if (wanted[matched] == '\0')
            return true;
    }
    return false;
}

enum err params_read_body(struct call *call, struct str content_type)
{
    switch (call->route->body) {
    case BODY_FIELDS:
        return read_fields(call, content_type);
    case BODY_NO_USER_ID:
        if (mentions_user_id(call->body))
            return error_set(&call->error, ERR_BAD_INPUT,
                             "user_id: Belongs in the query: ?user_id=<id>. Nothing was cleared.");
        return ERR_OK;
    case BODY_IGNORED:
    case BODY_RAW:
        break;
    }
    return ERR_OK;
}
