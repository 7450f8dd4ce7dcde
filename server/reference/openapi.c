#include "reference/openapi_private.h"

#include "http/cookies.h"

#include <stdio.h>

/* Nothing here is anybody's input: it is as large as the tables are. */
enum { OPENAPI_ARENA_FIRST = 64 * 1024, ARENA_LIMIT = 16 * 1024 * 1024 };

/* ---- operations ---- */

static const struct {
    const char *prefix, *tag, *description;
} tags[] = {
    {"cache.", "control", "A user's own cache: its version, and whether it is on."},
    {"caches.", "caches", "Named caches that operators and deploy scripts empty."},
    {"messages.", "caches", NULL},
    {"search.", "caches", NULL},
    {"jobs.", "jobs", "What takes longer than a request: how far it is, and how to stop it."},
    {"entries.", "entries",
     "The cache service: values under labels, until they are cleared or their time is over."},
    {"models.", "entries", NULL},
    {"audit.", "audit", "Who did what."},
    {"auth.", "accounts", "Signing in and out."},
    {"token.", "accounts", NULL},
    {"subjects.", "subjects", "Accounts that were made for users of other issuers."},
    {"users.", "users", "Accounts, for those who look after them."},
    {"keys.", "keys", "API keys, for those who look after them."},
    {"backups.", "backups", "Backups of accounts and control data, each in one file."},
    {"health.", "diagnostics", "How the service is."},
    {"metrics", "diagnostics", NULL},
    {"api.", "diagnostics", NULL},
};

const char *openapi_tag(const struct route *route)
{
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (str_starts(str_from(route->name), str_from(tags[i].prefix)))
            return tags[i].tag;
    return NULL;
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

static void write_tag(struct json_writer *json, const char *tag)
{
    json_name(json, "tags");
    json_open_array(json);
    if (tag)
        json_write_string(json, str_from(tag));
    json_close_array(json);
}

/* The last is for those who watch alone. */
static const char *const schemes[] = {"bearer", "api_key", "session", "basic"};

static void write_security(struct json_writer *json, const struct route *route)
{
    bool is_optional = route->accept == ACCEPT_OPTIONAL;
    bool has_none = route->permit == PERMIT_PUBLIC && !is_optional;
    size_t count = has_none ? 0 : route->accept == ACCEPT_SCRAPER ? 4 : 3;

    json_name(json, "security");
    json_open_array(json);
    for (size_t i = 0; i < count; i++) {
        json_open_object(json);
        json_name(json, schemes[i]);
        json_open_array(json);
        json_close_array(json);
        json_close_object(json);
    }
    if (is_optional) { /* none will do */
        json_open_object(json);
        json_close_object(json);
    }
    json_close_array(json);
}

static void write_description(struct json_writer *json, const struct route *route)
{
    bool has_slash = str_ends(str_from(route->path), STR("/"));
    const char *limit = route_limit_name(route);
    char text[256];

    snprintf(text, sizeof text, "%s Permission: %s.%s%s%s%s", route->summary,
             permit_name(route->permit), limit ? " Limit: " : "", limit ? limit : "",
             limit ? "." : "", has_slash ? " With and without a slash behind the path." : "");
    json_add_string(json, "description", str_from(text));
}

static void write_operation(const struct openapi_writer *writer, const struct route *route)
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
    json_add_string(json, "operationId",
                    route->method == METHOD_HEAD ? str_format(writer->arena, "%s.head", route->name)
                                                 : str_from(route->name));
    json_add_string(json, "summary", str_from(route->summary));
    write_description(json, route);
    write_tag(json, openapi_tag(route));
    json_add_string(json, "x-permission", str_from(permit_name(route->permit)));
    if (route_limit_name(route))
        json_add_string(json, "x-limit", str_from(route_limit_name(route)));
    write_security(json, route);
    openapi_write_parameters(json, route);
    openapi_write_request_body(writer, route, samples, count);
    openapi_write_responses(writer, route, samples, count);
    json_close_object(json);
}

/* A row for GET answers HEAD, too, with the same head and nothing behind it. */
static void write_operations(const struct openapi_writer *writer, const struct route *route)
{
    struct route head = *route;

    write_operation(writer, route);
    head.method = METHOD_HEAD;
    if (route->method == METHOD_GET)
        write_operation(writer, &head);
}

/* The path as most write it. With a slash behind it is taken as well, where the row has one. */
static void put_path(const struct route *route, char out[128])
{
    size_t len = strlen(route->path);

    snprintf(out, 128, "%.*s", (int)(route->path[len - 1] == '/' ? len - 1 : len), route->path);
}

static void write_paths(const struct openapi_writer *writer)
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
                write_operations(writer, &routes[j]);
        json_close_object(writer->json);
    }
    json_close_object(writer->json);
}

/* ---- the document ---- */

static const char description[] =
    "Looks after caches in Redis: a user clears their own view, an operator empties one cache or "
    "all, a browser learns that its copy is old.\n\n"
    "Any request may also be answered 400 (framing that could be read in two ways, or two "
    "credentials that disagree), 404, 405 (with `Allow`), 408, 413, 414, 421, "
    "431 or 500; the body then is `{\"detail\": …}`.\n\n"
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
    if (field)
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
                 "configuration names. Of /metrics an API key as well.");
    write_scheme(json, schemes[1], "apiKey", "header", "x-api-key",
                 "A key of `cachewarden key create`; its scopes say what it may do.");
    write_scheme(
        json, schemes[2], "apiKey", "cookie", COOKIE_SESSION,
        "The session of a browser. Every method but GET, HEAD and OPTIONS also needs the "
        "page's Origin, and as X-XSRF-TOKEN the value that came as XSRF-TOKEN with the session.");
    write_scheme(json, schemes[3], "http", "basic", NULL,
                 "Of /metrics alone: an API key as the password, whatever the name.");
    json_close_object(json);
    openapi_write_header_components(json);
    json_close_object(json);
}

void openapi_write(struct strbuf *out)
{
    struct json_writer json;
    const struct openapi_writer writer = {&json, arena_new(OPENAPI_ARENA_FIRST, ARENA_LIMIT)};
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
