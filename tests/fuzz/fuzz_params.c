/*
 * Queries and bodies against every row of the table. What is accepted must be as narrow as the row
 * says: an id that is canonical, no id but one's own, no body with a user_id where that is refused.
 * Input: the row's name, a blank and what stands for a segment of its path, up to a newline; the query up
 * to a newline ("?" in front: it is there), media type up to a newline, and the body.
 */
#include "cachewarden/params.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OWN_ID = 42 };

static void expect(bool is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static struct str take_line(struct str *rest)
{
    struct str line = STR_NONE;

    (void)str_split(rest, '\n', &line);
    return line;
}

/* By its name; what is none is some row, too. */
static const struct route *row_named(struct str name)
{
    size_t count, sum = name.len;
    const struct route *rows = routes_table(&count);

    for (size_t i = 0; i < count; i++)
        if (str_eq(name, str_from(rows[i].name)))
            return &rows[i];
    for (size_t i = 0; i < name.len; i++)
        sum += (unsigned char)name.ptr[i];
    return &rows[sum % count];
}

static void expect_text(const struct param_spec *spec, struct str text)
{
    size_t max = spec->kind == PARAM_MODEL ? 128 : 512;
    bool is_path_text = spec->kind == PARAM_LABEL || spec->kind == PARAM_MODEL;

    expect(!str_has_control(text), "no value has a control character");
    expect(!is_path_text || (text.len >= 1 && text.len <= max && str_is_utf8(text)),
           "a label and a model are text of some length");
    expect(spec->kind != PARAM_MODEL || str_find(text, '/') < 0, "a model has no slash");
    expect(spec->place != PLACE_PATH || !str_eq(text, STR("..")), "no path has dots");
}

static void expect_value(struct arena *arena, const struct param_spec *spec,
                         const struct param_value *value, int64_t own_id)
{
    if (!value->given)
        return;
    if (spec->kind == PARAM_ID || spec->kind == PARAM_OWN_ID) {
        struct str again = str_format(arena, "%lld", (long long)value->integer);
        expect(value->integer > 0 && str_eq(value->text, again), "an id is one canonical number");
    }
    if (spec->kind == PARAM_OWN_ID)
        expect(value->integer == own_id, "an own id is one's own");
    if (spec->kind == PARAM_INTEGER)
        expect(value->integer >= spec->min && value->integer <= spec->max,
               "a number is in its range");
    if (spec->kind == PARAM_BOOLEAN)
        expect(str_eq(value->text, value->integer ? STR("true") : STR("false")),
               "a boolean is true or false");
    expect_text(spec, value->text);
    expect(value->text_count <= PARAM_REPEATS_MAX, "a value repeats so often at most");
    for (size_t i = 0; i < value->text_count; i++)
        expect_text(spec, value->texts[i]);
}

static void expect_query(struct call *call, struct query query)
{
    const struct param_spec *spec = call->route->params;

    for (; spec && spec->kind != PARAM_END; spec++) {
        const struct param_value *value = call_param(call, spec->name);
        expect_value(call->arena, spec, value, call->principal.user_id);
        if (!spec->raw_only)
            continue;
        struct str exactly = str_format(call->arena, "%s=%.*s", spec->name, STR_ARG(value->text));
        expect(value->given == query.present, "a query that is there names it");
        expect(!query.present || str_eq(query.raw, exactly), "and nothing else");
    }
    if (!call->route->params && !route_ignores_query(call->route))
        expect(query.raw.len == 0, "no parameter without a row for it");
    struct permit_target target = params_target(call->route, call->arena, query);
    expect(call->route->permit == PERMIT_ENTRIES || target.user_id == 0 ||
               target.user_id == call->principal.user_id,
           "whoever got here acts on itself");
    expect(target.user_id >= 0, "and on somebody");
    expect(target.app.len == 0 || call->route->permit == PERMIT_ENTRIES, "or an application");
}

static void expect_body(const struct call *call)
{
    const struct param_spec *spec = call->route->params;

    if (call->route->body == BODY_FIELDS)
        expect(json_kind(call->fields) == JSON_OBJECT, "fields are an object");
    expect(!str_has_control(call->content_type), "what a body is can stand in a head");
    if (call->route->body != BODY_NO_PARAMS)
        return;
    for (; spec && spec->kind != PARAM_END; spec++) {
        size_t size = strlen(spec->name);
        for (size_t i = 0; spec->place == PLACE_QUERY && i + size <= call->body.len; i++)
            expect(!str_eq_nocase(str_sub(call->body, i, size), str_from(spec->name)),
                   "no parameter in the body");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, (size_t)16 << 20);
    struct call call;

    if (!arena)
        return 0;
    struct str rest = {(const char *)data, size};
    struct str segment = take_line(&rest), line = take_line(&rest), type = take_line(&rest);
    struct str name = STR_NONE;
    (void)str_split(&segment, ' ', &name);
    struct query query = {str_sub(line, 1, line.len), line.len > 0 && line.ptr[0] == '?'};
    if (!query.present)
        query.raw = STR_NONE;

    call_init(&call, NULL, row_named(name), arena);
    call.principal = (struct principal){.kind = PRINCIPAL_USER, .user_id = OWN_ID};
    call.body = rest;
    if (params_read(&call, query, &segment, 1) == ERR_OK)
        expect_query(&call, query);
    else
        expect(call.error.code != ERR_OK, "a refusal says so");
    error_clear(&call.error);
    if (params_read_body(&call, type) == ERR_OK)
        expect_body(&call);
    else
        expect(call.error.code != ERR_OK && call.error.code != ERR_INTERNAL, "a refusal says so");
    arena_free(&arena);
    return 0;
}
