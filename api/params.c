/* The query and the path; the body is read in params_body.c. */
#include "params_private.h"

#include "cachewarden/namespace.h"
#include "mentions.h"

#include <assert.h>

/* What a client sent is shown back this far at most: the text has a size. */
enum { SHOWN_MAX = 32 };

/* "name=value" in two, still encoded; names are compared as they came, since no client needs to encode one and a second
 * spelling is a second chance to slip past a check. A part without '=' is all name and has no value. */
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

/* Whom one value of a parameter names that says whose things are meant. */
static struct permit_target target_of(const struct param_spec *spec, struct arena *arena,
                                      struct str raw)
{
    struct permit_target target = {.user_id = -1};
    struct namespace space;
    struct str text;

    if (spec->kind == PARAM_OWN_ID)
        (void)str_to_int64(raw, 1, INT64_MAX, &target.user_id);
    else if (percent_decode(arena, raw, &text) && param_takes_namespace(spec, text, &space))
        target = (struct permit_target){
            .user_id = space.user_id, .app = space.app, .is_gateway = space.is_gateway};
    return target;
}

struct permit_target params_target(const struct route *route, struct arena *arena,
                                   struct query query)
{
    const struct param_spec *whose = NULL;
    struct permit_target target = {0};
    struct str rest = query.raw, part, name;
    int found = 0;

    for (EACH_SPEC(spec, route)) {
        if (spec->kind == PARAM_OWN_ID || spec->kind == PARAM_NAMESPACE)
            whose = spec;
    }
    while (whose && str_split(&rest, '&', &part)) {
        bool has_value;
        struct str value = split_pair(part, &name, &has_value);
        if (!str_eq(name, str_from(whose->name)))
            continue;
        target = target_of(whose, arena, value);
        if (++found > 1)
            return (struct permit_target){.user_id = -1};
    }
    return target;
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

    if (!param_fits(spec, text, &value->integer))
        return param_refuse(call, spec);
    if (spec->kind == PARAM_OWN_ID && value->integer != call->principal.user_id)
        return error_set_detail(&call->error, ERR_FORBIDDEN, "%s is somebody else's", spec->name);
    value->given = true;
    value->text = text;
    return ERR_OK;
}

/* One more value of a parameter that may repeat. The same again says nothing new. */
static enum err add_value(struct call *call, const struct param_spec *spec, struct str text)
{
    struct param_value *value = value_of(call, spec);
    struct str first = value->given ? value->text : text;

    for (size_t i = 0; i < value->text_count; i++) {
        if (str_eq(value->texts[i], text))
            return ERR_OK;
    }
    if (value->text_count == PARAM_REPEATS_MAX)
        return error_set(&call->error, ERR_BAD_INPUT, "%s: Given more than %d times.", spec->name,
                         PARAM_REPEATS_MAX);
    if (!value->texts)
        value->texts = arena_alloc(call->arena, PARAM_REPEATS_MAX * sizeof *value->texts);
    if (!value->texts)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for %s", spec->name);
    enum err err = take_value(call, spec, text);
    if (err != ERR_OK)
        return err;
    value->text = first;
    value->texts[value->text_count++] = text;
    return ERR_OK;
}

static bool decode(struct arena *arena, const struct param_spec *spec, struct str raw,
                   struct str *text_out)
{
    return param_is_path_text(spec) ? form_decode(arena, raw, text_out)
                                    : percent_decode(arena, raw, text_out);
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
        if (value_of(call, spec)->given && !spec->repeats)
            return error_set(&call->error, ERR_BAD_INPUT, "%s: Given more than once.", spec->name);
        if (!has_value || !decode(call->arena, spec, raw_value, &value))
            return param_refuse(call, spec);
        return spec->repeats ? add_value(call, spec, value) : take_value(call, spec, value);
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

/*
 * A segment that is text. ';' and '\\' as they are mean something else to some proxies, so they must come
 * as %3B and %5C.
 */
static enum err read_segment(struct call *call, const struct param_spec *spec, struct str raw)
{
    struct str text;

    if (str_find(raw, ';') >= 0 || str_find(raw, '\\') >= 0)
        return error_set(&call->error, ERR_BAD_INPUT, "%s: Write ; as %%3B and \\ as %%5C.",
                         spec->name);
    if (!percent_decode(call->arena, raw, &text))
        return param_refuse(call, spec);
    return take_value(call, spec, text);
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
        struct str raw = path_values[next++];
        enum err err =
            param_is_path_text(spec) ? read_segment(call, spec, raw) : take_value(call, spec, raw);
        if (err != ERR_OK && param_is_path_text(spec))
            return err;
        /* A segment that cannot be a name names nothing: 404, like any other unknown path. */
        if (err != ERR_OK)
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
