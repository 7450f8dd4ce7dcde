/* The query and the path; the body is read in params_body.c. */
#include "cachewarden/params.h"

#include "mentions.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* What a client sent is shown back this far at most: the text has a size. */
enum { SHOWN_MAX = 32 };

/* "name=value" in two, still encoded; names are compared as they came, since no client needs to
 * encode one and a second spelling is a second chance to slip past a check. A part without '=' is all name and has no value. */
static struct str split_pair(struct str part, struct str *name_out, bool *has_value_out)
{
    ptrdiff_t equals = str_find(part, '=');

    *has_value_out = equals >= 0;
    if (equals < 0) {
        *name_out = part;
        return STR_NONE;
    }
    *name_out = str_sub(part, 0, (size_t)equals);
    return str_sub(part, (size_t)equals + 1, part.len);
}

static const struct param_spec *spec_next(const struct param_spec *spec)
{
    return spec && spec->kind != PARAM_END ? spec : NULL;
}

#define EACH_SPEC(spec, route)                                  \
    const struct param_spec *spec = spec_next((route)->params); \
    spec;                                                       \
    spec = spec_next(spec + 1)

int64_t params_target(const struct route *route, struct query query)
{
    const struct param_spec *own = NULL;
    struct str rest = query.raw, part, name;
    int64_t target = 0;
    int found = 0;

    for (EACH_SPEC(spec, route)) {
        if (spec->kind == PARAM_OWN_ID)
            own = spec;
    }
    while (own && str_split(&rest, '&', &part)) {
        bool has_value;
        struct str value = split_pair(part, &name, &has_value);
        if (!str_eq(name, str_from(own->name)))
            continue;
        if (++found > 1 || !str_to_int64(value, 1, INT64_MAX, &target))
            return -1;
    }
    return target;
}

/* What a value of the kind must look like: the mend that goes with every refusal. */
static enum err refuse_value(struct call *call, const struct param_spec *spec)
{
    struct error *error = &call->error;

    switch (spec->kind) {
    case PARAM_ID:
    case PARAM_OWN_ID:
        return error_set(error, ERR_BAD_INPUT, "%s: Must be one positive whole number.",
                         spec->name);
    case PARAM_INTEGER:
        return error_set(error, ERR_BAD_INPUT,
                         "%s: Must be a whole number from %" PRId64 " to %" PRId64 ".", spec->name,
                         spec->min, spec->max);
    case PARAM_BOOLEAN:
        return error_set(error, ERR_BAD_INPUT, "%s: Must be true or false.", spec->name);
    case PARAM_NAME:
        return error_set(error, ERR_BAD_INPUT,
                         "%s: Must be 1 to 64 letters, digits, dots, underscores or hyphens.",
                         spec->name);
    case PARAM_STREAM_ID:
        return error_set(error, ERR_BAD_INPUT,
                         "%s: Must be an id such as 1700000000000-0, taken from an earlier answer.",
                         spec->name);
    case PARAM_TEXT:
        return error_set(error, ERR_BAD_INPUT,
                         "%s: Must be 1 to 255 bytes of UTF-8 without control characters.",
                         spec->name);
    case PARAM_END:
        break;
    }
    return error_set_detail(error, ERR_INTERNAL, "%s: a parameter without a kind", spec->name);
}

static bool is_name(struct str s)
{
    if (s.len == 0 || s.len > 64)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* Redis would take more forms ("5", "+"); one canonical form is enough and cannot surprise. 0-0 is no
 * entry's id, and Redis refuses to look before it. */
static bool is_stream_id(struct str s)
{
    struct str ms, rest = s;
    int64_t time_ms, sequence;

    return str_split(&rest, '-', &ms) && str_to_int64(ms, 0, INT64_MAX, &time_ms) &&
           str_to_int64(rest, 0, INT64_MAX, &sequence) && (time_ms > 0 || sequence > 0);
}

static bool value_fits(const struct param_spec *spec, struct str text, int64_t *integer_out)
{
    switch (spec->kind) {
    case PARAM_ID:
    case PARAM_OWN_ID:
        return str_to_int64(text, 1, INT64_MAX, integer_out);
    case PARAM_INTEGER:
        return str_to_int64(text, spec->min, spec->max, integer_out);
    case PARAM_BOOLEAN:
        *integer_out = str_eq(text, STR("true"));
        return *integer_out || str_eq(text, STR("false"));
    case PARAM_NAME:
        return is_name(text);
    case PARAM_STREAM_ID:
        return is_stream_id(text);
    case PARAM_TEXT:
        return text.len >= 1 && text.len <= 255 && str_is_utf8(text) && !str_has_control(text);
    case PARAM_END:
        break;
    }
    return false;
}

static struct param_value *value_of(struct call *call, const struct param_spec *spec)
{
    for (size_t i = 0; i < call->param_count; i++) {
        if (call->params[i].name == spec->name)
            return &call->params[i];
    }
    return NULL;
}

static enum err take_value(struct call *call, const struct param_spec *spec, struct str text)
{
    struct param_value *value = value_of(call, spec);

    if (!value_fits(spec, text, &value->integer))
        return refuse_value(call, spec);
    if (spec->kind == PARAM_OWN_ID && value->integer != call->principal.user_id)
        return error_set_detail(&call->error, ERR_FORBIDDEN, "%s is somebody else's", spec->name);
    value->given = true;
    value->text = text;
    return ERR_OK;
}

/* Of the name a piece, of the value nothing: it may be a token that somebody put into the query. */
static enum err refuse_unknown(struct call *call, struct str name)
{
    struct strbuf why;
    bool is_first = true;

    strbuf_init(&why, call->arena, 128);
    strbuf_add(&why, STR("Unknown parameter. This route takes "));
    for (EACH_SPEC(spec, call->route)) {
        if (spec->place != PLACE_QUERY)
            continue;
        strbuf_add(&why, is_first ? STR_NONE : STR(", "));
        strbuf_add(&why, str_from(spec->name));
        is_first = false;
    }
    strbuf_add(&why, is_first ? STR("none.") : STR("."));
    strbuf_add_char(&why, '\0');
    return call_refuse_name(call, str_sub(name, 0, SHOWN_MAX),
                            why.failed ? "Unknown parameter." : why.ptr);
}

/* Whether somebody meant one of the row's parameters and spelt it another way: user%5Fid, userId. */
static bool is_near_miss(const struct route *route, struct str name)
{
    for (EACH_SPEC(spec, route)) {
        if (spec->place == PLACE_QUERY && mentions(name, spec->name))
            return true;
    }
    return false;
}

/* One part of the query, "name=value". */
static enum err read_part(struct call *call, struct str part)
{
    struct str name;
    bool has_value;
    struct str raw_value = split_pair(part, &name, &has_value), value;

    for (EACH_SPEC(spec, call->route)) {
        if (spec->place != PLACE_QUERY || !str_eq(name, str_from(spec->name)))
            continue;
        if (value_of(call, spec)->given)
            return error_set(&call->error, ERR_BAD_INPUT, "%s: Given more than once.", spec->name);
        if (!has_value || !percent_decode(call->arena, raw_value, &value))
            return refuse_value(call, spec);
        return take_value(call, spec, value);
    }
    if (route_ignores_query(call->route) && !is_near_miss(call->route, name))
        return ERR_OK;
    return refuse_unknown(call, name);
}

/*
 * A row with a raw_only parameter: nothing at all, or exactly name=value and not a byte more. On
 * the admin's clear a misspelt parameter would otherwise empty everybody's cache.
 */
static enum err read_raw_only(struct call *call, const struct param_spec *spec, struct query query)
{
    struct str name;
    bool has_value;

    if (!query.present)
        return ERR_OK;
    struct str value = split_pair(query.raw, &name, &has_value);
    if (!has_value || !str_eq(name, str_from(spec->name)))
        return error_set(&call->error, ERR_BAD_INPUT,
                         "The query must be exactly %s=<value>, or absent.", spec->name);
    return take_value(call, spec, value);
}

static enum err read_path(struct call *call, const struct str *path_values, size_t path_count)
{
    size_t next = 0;

    for (EACH_SPEC(spec, call->route)) {
        if (spec->place != PLACE_PATH)
            continue;
        if (next == path_count)
            return error_set_detail(&call->error, ERR_INTERNAL, "no path segment for %s",
                                    spec->name);
        /* A segment that cannot be a name names nothing: 404, like any other unknown path. */
        if (take_value(call, spec, path_values[next++]) != ERR_OK)
            return error_set_detail(&call->error, ERR_NOT_FOUND, "%s has an impossible form",
                                    spec->name);
    }
    return ERR_OK;
}

static enum err check_required(struct call *call)
{
    for (EACH_SPEC(spec, call->route)) {
        if (spec->required && !value_of(call, spec)->given)
            return error_set(&call->error, ERR_BAD_INPUT, "%s: This parameter is required.",
                             spec->name);
    }
    return ERR_OK;
}

enum err params_read(struct call *call, struct query query, const struct str *path_values,
                     size_t path_count)
{
    const struct param_spec *raw_only = NULL;
    struct str rest = query.raw, part;

    call->param_count = 0;
    for (EACH_SPEC(spec, call->route)) {
        assert(call->param_count < CALL_MAX_PARAMS);
        call->params[call->param_count++] =
            (struct param_value){.name = spec->name, .integer = spec->default_value};
        if (spec->raw_only)
            raw_only = spec;
    }

    enum err err = read_path(call, path_values, path_count);
    if (err == ERR_OK && raw_only)
        return read_raw_only(call, raw_only, query);
    /* "/x?" asks for nothing, so it is "/x". */
    if (rest.len > 0) {
        while (err == ERR_OK && str_split(&rest, '&', &part))
            err = read_part(call, part);
    }
    return err == ERR_OK ? check_required(call) : err;
}
