#include "openapi.h"

#include "cookies.h"
#include "status.h"

#include <stdio.h>

/* Nothing here is anybody's input: it is as large as the tables are. */
enum { ARENA_FIRST = 64 * 1024, ARENA_LIMIT = 16 * 1024 * 1024 };

/* ---- headers ---- */

struct header {
    const char *name, *type, *description;
};

static const struct header headers[] = {
    {"X-Request-Id", "string", "Names this request in the log and in the audit."},
    {"WWW-Authenticate", "string", "Always Bearer."},
    {"Retry-After", "integer", "Seconds until it is worth another try."},
    {"RateLimit-Limit", "integer", "Calls allowed in a window of a minute."},
    {"RateLimit-Remaining", "integer", "Calls left in this window."},
    {"RateLimit-Reset", "integer", "Seconds until this window is over."},
    {"X-Cache-Enabled", "boolean", "Whether the caller's cache is on."},
};

static bool has_header(const struct route *route, int status, const char *name)
{
    if (strcmp(name, "X-Request-Id") == 0)
        return true;
    if (strcmp(name, "WWW-Authenticate") == 0)
        return status == 401;
    if (strcmp(name, "Retry-After") == 0)
        return status == 429 || status == 503;
    if (strcmp(name, "X-Cache-Enabled") == 0)
        return status < 300 && str_starts(str_from(route->path), STR("/api/cache/"));
    return status == 429; /* the three of the limit */
}

static void write_header_refs(struct json_writer *json, const struct route *route, int status)
{
    json_name(json, "headers");
    json_open_object(json);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char ref[64];
        if (!has_header(route, status, headers[i].name))
            continue;
        snprintf(ref, sizeof ref, "#/components/headers/%s", headers[i].name);
        json_name(json, headers[i].name);
        json_open_object(json);
        json_add_string(json, "$ref", str_from(ref));
        json_close_object(json);
    }
    json_close_object(json);
}

static void write_type(struct json_writer *json, const char *type)
{
    json_name(json, "schema");
    json_open_object(json);
    json_add_string(json, "type", str_from(type));
    json_close_object(json);
}

static void write_headers(struct json_writer *json)
{
    json_name(json, "headers");
    json_open_object(json);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        json_name(json, headers[i].name);
        json_open_object(json);
        json_add_string(json, "description", str_from(headers[i].description));
        json_add_bool(json, "required", true);
        write_type(json, headers[i].type);
        json_close_object(json);
    }
    json_close_object(json);
}

/* ---- answers ---- */

struct writer {
    struct json_writer *json;
    struct arena *arena;
};

static bool is_json(struct str media_type)
{
    return str_ends(media_type, STR("json"));
}

/* JSON as a value; what is no JSON as a string. */
static void write_text(const struct writer *writer, struct str text, bool is_value)
{
    const struct json *value;

    if (!is_value)
        json_write_string(writer->json, text);
    else if (json_parse(writer->arena, text, &value, NULL) == ERR_OK)
        openapi_write_value(writer->json, value);
    else
        writer->json->out->failed = true;
}

static void write_request(const struct writer *writer, const struct sample *sample)
{
    struct json_writer *json = writer->json;

    json_open_object(json);
    json_add_string(json, "as", str_from(sample->as));
    if (sample->given)
        json_add_string(json, "given", str_from(sample->given));
    json_add_string(json, "target", sample->target);
    if (sample->content_type)
        json_add_string(json, "content_type", str_from(sample->content_type));
    if (sample->body_size > 0)
        json_add_integer(json, "body_size", (int64_t)sample->body_size);
    if (sample->body) {
        json_name(json, "body");
        write_text(writer, str_from(sample->body), sample->body[0] == '{');
    }
    json_close_object(json);
}

static void write_example(const struct writer *writer, const struct sample *sample)
{
    struct json_writer *json = writer->json;

    json_name(json, sample->label);
    json_open_object(json);
    json_add_string(json, "summary", str_from(sample->summary));
    json_name(json, "value");
    write_text(writer, sample->reply, is_json(sample->media_type));
    json_name(json, "x-request");
    write_request(writer, sample);
    json_close_object(json);
}

/* The shape of the answers' bodies, or with `of_requests` of the bodies that were sent. */
static void write_schema(const struct writer *writer, const struct sample *samples, size_t count,
                         bool of_requests)
{
    const struct json **values = arena_alloc(writer->arena, count * sizeof *values);
    size_t found = 0;

    for (size_t i = 0; values && i < count; i++) {
        struct str text = of_requests ? str_from(samples[i].body) : samples[i].reply;
        if (text.len > 0 && json_parse(writer->arena, text, &values[found], NULL) == ERR_OK)
            found++;
    }
    json_name(writer->json, "schema");
    if (found > 0)
        openapi_write_shape(writer->json, writer->arena, values, found, of_requests);
    else
        writer->json->out->failed = true;
}

static void write_content(const struct writer *writer, const struct sample *samples, size_t count)
{
    struct json_writer *json = writer->json;
    char name[64];

    snprintf(name, sizeof name, "%.*s", STR_ARG(samples[0].media_type));
    json_name(json, name);
    json_open_object(json);
    if (is_json(samples[0].media_type))
        write_schema(writer, samples, count, false);
    else
        write_type(json, "string");
    json_name(json, "examples");
    json_open_object(json);
    for (size_t i = 0; i < count; i++)
        write_example(writer, &samples[i]);
    json_close_object(json);
    json_close_object(json);
}

/* An answer without a body has nowhere to hang its examples on but itself. */
static void write_bare_examples(const struct writer *writer, const struct sample *samples,
                                size_t count)
{
    struct json_writer *json = writer->json;

    json_name(json, "x-requests");
    json_open_object(json);
    for (size_t i = 0; i < count; i++) {
        json_name(json, samples[i].label);
        write_request(writer, &samples[i]);
    }
    json_close_object(json);
}

/* All samples of one status; they have one media type. */
static void write_response(const struct writer *writer, const struct route *route,
                           const struct sample *samples, size_t count)
{
    struct json_writer *json = writer->json;
    char status[16];

    snprintf(status, sizeof status, "%d", samples[0].status);
    json_name(json, status);
    json_open_object(json);
    json_add_string(json, "description", str_from(status_phrase(samples[0].status)));
    write_header_refs(json, route, samples[0].status);
    if (samples[0].reply.len > 0) {
        json_name(json, "content");
        json_open_object(json);
        write_content(writer, samples, count);
        json_close_object(json);
    } else {
        write_bare_examples(writer, samples, count);
    }
    json_close_object(json);
}

static void write_responses(const struct writer *writer, const struct route *route,
                            const struct sample *samples, size_t count)
{
    json_name(writer->json, "responses");
    json_open_object(writer->json);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && samples[next].status == samples[i].status;)
            next++;
        write_response(writer, route, &samples[i], next - i);
    }
    json_close_object(writer->json);
}

/* ---- requests ---- */

static void write_param_schema(struct json_writer *json, const struct param_spec *spec)
{
    json_name(json, "schema");
    json_open_object(json);
    switch (spec->kind) {
    case PARAM_ID:
    case PARAM_OWN_ID:
        json_add_string(json, "type", STR("integer"));
        json_add_string(json, "format", STR("int64"));
        json_add_integer(json, "minimum", 1);
        break;
    case PARAM_INTEGER:
        json_add_string(json, "type", STR("integer"));
        json_add_integer(json, "minimum", spec->min);
        json_add_integer(json, "maximum", spec->max);
        json_add_integer(json, "default", spec->default_value);
        break;
    case PARAM_BOOLEAN:
        json_add_string(json, "type", STR("boolean"));
        json_add_bool(json, "default", spec->default_value != 0);
        break;
    case PARAM_NAME:
        json_add_string(json, "type", STR("string"));
        json_add_string(json, "pattern", STR("^[A-Za-z0-9._-]{1,64}$"));
        break;
    case PARAM_STREAM_ID:
        json_add_string(json, "type", STR("string"));
        json_add_string(json, "pattern", STR("^[0-9]+-[0-9]+$"));
        break;
    case PARAM_END:
        break;
    }
    json_close_object(json);
}

static void write_parameters(struct json_writer *json, const struct route *route)
{
    if (!route->params)
        return;
    json_name(json, "parameters");
    json_open_array(json);
    for (const struct param_spec *spec = route->params; spec->kind != PARAM_END; spec++) {
        json_open_object(json);
        json_add_string(json, "name", str_from(spec->name));
        json_add_string(json, "in", spec->place == PLACE_PATH ? STR("path") : STR("query"));
        json_add_string(json, "description", str_from(spec->help));
        json_add_bool(json, "required", spec->place == PLACE_PATH);
        write_param_schema(json, spec);
        json_close_object(json);
    }
    json_close_array(json);
}

static void write_request_body(const struct writer *writer, const struct route *route,
                               const struct sample *samples, size_t count)
{
    static const char *const types[] = {"application/json", "application/x-www-form-urlencoded"};
    struct json_writer *json = writer->json;
    bool is_needed = true;
    size_t good = 0; /* those that succeed come first */

    if (route->body != BODY_FIELDS)
        return;
    for (; good < count && samples[good].status < 300; good++)
        is_needed = is_needed && samples[good].body;
    json_name(json, "requestBody");
    json_open_object(json);
    json_add_bool(json, "required", is_needed);
    json_name(json, "content");
    json_open_object(json);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        json_name(json, types[t]);
        json_open_object(json);
        write_schema(writer, samples, good, true);
        json_name(json, "examples");
        json_open_object(json);
        for (size_t i = 0; i < good; i++) {
            if (!samples[i].body)
                continue;
            json_name(json, samples[i].label);
            json_open_object(json);
            json_add_string(json, "summary", str_from(samples[i].summary));
            json_name(json, "value");
            write_text(writer, str_from(samples[i].body), true);
            json_close_object(json);
        }
        json_close_object(json);
        json_close_object(json);
    }
    json_close_object(json);
    json_close_object(json);
}

/* ---- operations ---- */

static const struct {
    const char *prefix, *tag, *description;
} tags[] = {
    {"cache.", "control", "A user's own cache: its version, and whether it is on."},
    {"caches.", "caches", "Named caches that operators and deploy scripts empty."},
    {"messages.", "caches", NULL},
    {"search.", "caches", NULL},
    {"audit.", "audit", "Who did what."},
    {"auth.", "accounts", "Signing in and out."},
    {"token.", "accounts", NULL},
    {"", "diagnostics", "How the service is."},
};

static const char *tag_of(const struct route *route)
{
    size_t i = 0;

    while (!str_starts(str_from(route->name), str_from(tags[i].prefix)))
        i++; /* the last fits all */
    return tags[i].tag;
}

static void write_tags(struct json_writer *json)
{
    json_name(json, "tags");
    json_open_array(json);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!tags[i].description)
            continue;
        json_open_object(json);
        json_add_string(json, "name", str_from(tags[i].tag));
        json_add_string(json, "description", str_from(tags[i].description));
        json_close_object(json);
    }
    json_close_array(json);
}

static const char *const schemes[] = {"bearer", "api_key", "session"};

static void write_security(struct json_writer *json, const struct route *route)
{
    json_name(json, "security");
    json_open_array(json);
    for (size_t i = 0; route->permit != PERMIT_PUBLIC && i < 3; i++) {
        json_open_object(json);
        json_name(json, schemes[i]);
        json_open_array(json);
        json_close_array(json);
        json_close_object(json);
    }
    json_close_array(json);
}

static void write_description(struct json_writer *json, const struct route *route)
{
    bool has_slash = str_ends(str_from(route->path), STR("/"));
    char text[256];

    snprintf(text, sizeof text, "%s Permission: %s.%s%s%s%s", route->summary,
             permit_name(route->permit), route->limit == LIMIT_NONE ? "" : " Limit: ",
             route->limit == LIMIT_NONE ? "" : limit_name(route->limit),
             route->limit == LIMIT_NONE ? "" : ".",
             has_slash ? " With and without a slash behind the path." : "");
    json_add_string(json, "description", str_from(text));
}

static void write_operation(const struct writer *writer, const struct route *route)
{
    static const char *const methods[] = {
        [METHOD_GET] = "get",        [METHOD_HEAD] = "head",     [METHOD_POST] = "post",
        [METHOD_PUT] = "put",        [METHOD_DELETE] = "delete", [METHOD_PATCH] = "patch",
        [METHOD_OPTIONS] = "options"};
    struct json_writer *json = writer->json;
    struct sample *samples;
    size_t count = openapi_samples(route, writer->arena, &samples);

    if (count == 0) {
        json->out->failed = true;
        return;
    }
    json_name(json, methods[route->method]);
    json_open_object(json);
    json_add_string(json, "operationId", str_from(route->name));
    json_add_string(json, "summary", str_from(route->summary));
    write_description(json, route);
    json_name(json, "tags");
    json_open_array(json);
    json_write_string(json, str_from(tag_of(route)));
    json_close_array(json);
    json_add_string(json, "x-permission", str_from(permit_name(route->permit)));
    if (route->limit != LIMIT_NONE)
        json_add_string(json, "x-limit", str_from(limit_name(route->limit)));
    write_security(json, route);
    write_parameters(json, route);
    write_request_body(writer, route, samples, count);
    write_responses(writer, route, samples, count);
    json_close_object(json);
}

/* The path as most write it. With a slash behind it is taken as well, where the row has one. */
static void put_path(const struct route *route, char out[128])
{
    size_t len = strlen(route->path);

    snprintf(out, 128, "%.*s", (int)(route->path[len - 1] == '/' ? len - 1 : len), route->path);
}

static void write_paths(const struct writer *writer)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    char path[128];

    json_name(writer->json, "paths");
    json_open_object(writer->json);
    for (size_t i = 0; i < count; i++) {
        bool is_first = true;
        for (size_t j = 0; j < i; j++)
            is_first = is_first && strcmp(routes[j].path, routes[i].path) != 0;
        if (!is_first)
            continue;
        put_path(&routes[i], path);
        json_name(writer->json, path);
        json_open_object(writer->json);
        for (size_t j = i; j < count; j++)
            if (strcmp(routes[j].path, routes[i].path) == 0)
                write_operation(writer, &routes[j]);
        json_close_object(writer->json);
    }
    json_close_object(writer->json);
}

/* ---- the document ---- */

static const char description[] =
    "Looks after caches in Redis: a user clears their own view, an operator empties one cache or "
    "all, a browser learns that its copy is old.\n\n"
    "Any request may also be answered 400 (framing that could be read in two ways, or two "
    "credentials that disagree), 404, 405 (with `Allow`), 408, 413, 414, 421, 431, 500 or 503; "
    "the body then is `{\"detail\": …}`.\n\n"
    "Every example of an answer has an `x-request`: the request that gets it.";

static void write_info(struct json_writer *json)
{
    json_name(json, "info");
    json_open_object(json);
    json_add_string(json, "title", STR("Cachewarden"));
    json_add_string(json, "version", STR(CW_VERSION));
    json_add_string(json, "description", str_from(description));
    json_name(json, "contact");
    json_open_object(json);
    json_add_string(json, "name", STR("Whoever runs this server"));
    json_close_object(json);
    json_close_object(json);
    json_name(json, "servers");
    json_open_array(json);
    json_open_object(json);
    json_add_string(json, "url", STR("/"));
    json_add_string(json, "description", STR("The server this document came from."));
    json_close_object(json);
    json_close_array(json);
}

static void write_scheme(struct json_writer *json, const char *name, const char *type,
                         const char *in, const char *field, const char *text)
{
    bool is_http = strcmp(type, "http") == 0;

    json_name(json, name);
    json_open_object(json);
    json_add_string(json, "type", str_from(type));
    json_add_string(json, is_http ? "scheme" : "in", str_from(in));
    json_add_string(json, is_http ? "bearerFormat" : "name", str_from(field));
    json_add_string(json, "description", str_from(text));
    json_close_object(json);
}

static void write_components(struct json_writer *json)
{
    json_name(json, "components");
    json_open_object(json);
    json_name(json, "securitySchemes");
    json_open_object(json);
    write_scheme(json, schemes[0], "http", "bearer", "JWT",
                 "An access token: of /auth/login, of /api/token, or of another issuer the "
                 "configuration names.");
    write_scheme(json, schemes[1], "apiKey", "header", "x-api-key",
                 "A key of `cachewarden key create`; its scopes say what it may do.");
    write_scheme(json, schemes[2], "apiKey", "cookie", COOKIE_SESSION,
                 "The session of a browser. Every method but GET, HEAD and OPTIONS also needs the "
                 "page's Origin and an X-XSRF-TOKEN equal to the cookie XSRF-TOKEN.");
    json_close_object(json);
    write_headers(json);
    json_close_object(json);
}

void openapi_write(struct strbuf *out)
{
    struct json_writer json;
    const struct writer writer = {&json, arena_new(ARENA_FIRST, ARENA_LIMIT)};
    struct arena *arena = writer.arena;

    if (!arena) {
        out->failed = true;
        return;
    }
    json_writer_init(&json, out);
    json_open_object(&json);
    json_add_string(&json, "openapi", STR("3.1.0"));
    write_info(&json);
    write_tags(&json);
    write_paths(&writer);
    write_components(&json);
    json_close_object(&json);
    arena_free(&arena);
}
