/* `routes`: the table of endpoints. */
#include "cli/cli.h"
#include "reference/openapi.h"

#include "cachewarden/routes.h"

/* An endpoint, or a route of the gateway. */
struct route_line {
    const char *method, *path, *name, *permission, *limit, *summary;
};

struct route_lines {
    struct route_line *items;
    size_t count;
};

/* ---- what there is ---- */

static void add_endpoints(struct route_lines *lines, const struct route *routes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        lines->items[lines->count++] = (struct route_line){method_name(routes[i].method),
                                                           routes[i].path,
                                                           routes[i].name,
                                                           permit_name(routes[i].permit),
                                                           route_limit_name(&routes[i]),
                                                           routes[i].summary};
}

/* As the metrics and the log name it. */
static bool add_passed(struct route_lines *lines, const struct gateway_route_options *route,
                       struct arena *arena)
{
    struct strbuf summary;

    strbuf_init(&summary, arena, 128);
    strbuf_addf(&summary, "Passed on by the gateway, with all below it, to");
    for (size_t i = 0; i < route->upstream_count; i++)
        strbuf_addf(&summary, "%s %.*s", i ? "," : "", STR_ARG(route->upstreams[i]));
    strbuf_addf(&summary, ".");
    struct str name = str_format(arena, "gateway:%.*s", STR_ARG(route->prefix));
    lines->items[lines->count++] =
        (struct route_line){"*",      name.ptr ? name.ptr + strlen("gateway:") : NULL,
                            name.ptr, permit_name(route->is_public ? PERMIT_PUBLIC : PERMIT_USER),
                            NULL,     summary.ptr};
    return name.ptr && !summary.failed;
}

static bool add_all(struct route_lines *lines, const struct config *config, struct arena *arena)
{
    struct gateway_options gateway = {.route_count = 0};
    size_t count;
    const struct route *routes = routes_table(&count);

    if (config && config_gateway_options(config, arena, &gateway) != ERR_OK)
        return false;
    lines->items = arena_calloc(arena, count + gateway.route_count, sizeof *lines->items);
    if (!lines->items)
        return false;
    add_endpoints(lines, routes, count);
    for (size_t i = 0; i < gateway.route_count; i++)
        if (!add_passed(lines, &gateway.routes[i], arena))
            return false;
    return true;
}

/* ---- words ---- */

static void print_json(struct strbuf *out, const struct route_lines *lines)
{
    struct json_writer json;

    json_writer_init(&json, out);
    json_open_array(&json);
    for (size_t i = 0; i < lines->count; i++) {
        const struct route_line *line = &lines->items[i];
        json_open_object(&json);
        json_add_string(&json, "method", str_from(line->method));
        json_add_string(&json, "path", str_from(line->path));
        json_add_string(&json, "name", str_from(line->name));
        json_add_string(&json, "permission", str_from(line->permission));
        json_name(&json, "limit");
        if (!line->limit)
            json_write_null(&json);
        else
            json_write_string(&json, str_from(line->limit));
        json_add_string(&json, "summary", str_from(line->summary));
        json_close_object(&json);
    }
    json_close_array(&json);
    strbuf_add_char(out, '\n');
}

static void widen(size_t *width, const char *text)
{
    if (strlen(text) + 2 > *width)
        *width = strlen(text) + 2;
}

static void print_table(struct strbuf *out, const struct route_lines *lines)
{
    size_t path_width = 0, permit_width = sizeof "PERMISSION  " - 1;

    for (size_t i = 0; i < lines->count; i++) {
        widen(&path_width, lines->items[i].path);
        widen(&permit_width, lines->items[i].permission);
    }
    cli_pad(out, STR("METHOD"), 8);
    cli_pad(out, STR("PATH"), path_width);
    cli_pad(out, STR("PERMISSION"), permit_width);
    strbuf_addf(out, "LIMIT\n");
    for (size_t i = 0; i < lines->count; i++) {
        const struct route_line *line = &lines->items[i];
        cli_pad(out, str_from(line->method), 8);
        cli_pad(out, str_from(line->path), path_width);
        cli_pad(out, str_from(line->permission), permit_width);
        strbuf_addf(out, "%s\n", line->limit ? line->limit : "-");
    }
}

static int print_all(const struct cli *cli, const struct config *config, struct arena *arena)
{
    struct route_lines lines = {.count = 0};
    struct strbuf text;

    if (!arena || !add_all(&lines, config, arena))
        return cli_fail("out of memory");
    strbuf_init(&text, NULL, 8192);
    if (cli_flag(cli, "json"))
        print_json(&text, &lines);
    else
        print_table(&text, &lines);
    return cli_print(&text);
}

static int print_openapi(void)
{
    struct strbuf text;

    strbuf_init(&text, NULL, 65536);
    openapi_write(&text);
    strbuf_add_char(&text, '\n');
    return cli_print(&text);
}

/* The endpoints are what they are, whatever is wrong with the settings. */
static int run_routes(struct cli *cli)
{
    struct config *config = NULL;

    if (cli_flag(cli, "openapi"))
        return print_openapi();
    bool is_loaded = cli_load_config(cli, false, &config);
    struct arena *arena = arena_new(16384, 0);
    int status = print_all(cli, config, arena);
    arena_free(&arena);
    config_free(&config);
    return is_loaded ? status : cli_fail("routes of the gateway are not listed");
}

const struct cli_command cli_routes = {
    .name = "routes",
    .arguments = "[--json | --openapi]",
    .summary = "lists the endpoints and the routes of the gateway: method, path, permission, limit",
    .options =
        (const struct cli_option[]){
            CLI_JSON,
            {"openapi", 0, NULL, false,
             "print the OpenAPI 3.1 document, as GET /api/schema answers it"},
            CLI_OPTIONS_END},
    .run = run_routes,
};
