/*
 * Queries and bodies against every row of the table. What is accepted must be as narrow as the row
 * says: an id that is canonical, no id but one's own, no body with a user_id where that is refused.
 * Input: one byte for the row, the query up to a newline ("?" in front: it is there), media type
 * up to a newline, and the body.
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
    expect(!str_has_control(value->text), "no value has a control character");
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
}

static void expect_body(const struct call *call)
{
    const struct param_spec *spec = call->route->params;

    if (call->route->body == BODY_FIELDS)
        expect(json_kind(call->fields) == JSON_OBJECT, "fields are an object");
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
    size_t count;
    const struct route *rows = routes_table(&count);
    struct arena *arena = arena_new(4096, (size_t)16 << 20);
    struct call call;

    if (!arena || size == 0) {
        arena_free(&arena);
        return 0;
    }
    struct str rest = {(const char *)data + 1, size - 1};
    struct str line = take_line(&rest), type = take_line(&rest);
    struct query query = {str_sub(line, 1, line.len), line.len > 0 && line.ptr[0] == '?'};
    if (!query.present)
        query.raw = STR_NONE;

    call_init(&call, NULL, &rows[data[0] % count], arena);
    call.principal = (struct principal){.kind = PRINCIPAL_USER, .user_id = OWN_ID};
    call.body = rest;
    struct str name = STR("messages");
    if (params_read(&call, query, &name, 1) == ERR_OK)
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
