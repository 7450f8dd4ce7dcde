/* `routes`: the table of endpoints. */
#include "cli/cli.h"
#include "reference/openapi.h"

#include "cachewarden/routes.h"

static void print_json(struct strbuf *out, const struct route *routes, size_t count)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_open_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_open_object(&json);
        json_add_string(&json, "method", str_from(method_name(routes[i].method)));
        json_add_string(&json, "path", str_from(routes[i].path));
        json_add_string(&json, "name", str_from(routes[i].name));
        json_add_string(&json, "permission", str_from(permit_name(routes[i].permit)));
        json_name(&json, "limit");
        if (!route_limit_name(&routes[i]))
            json_write_null(&json);
        else
            json_write_string(&json, str_from(route_limit_name(&routes[i])));
        json_add_string(&json, "summary", str_from(routes[i].summary));
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

static void print_table(struct strbuf *out, const struct route *routes, size_t count)
{
    size_t path_width = 0, permit_width = sizeof "PERMISSION  " - 1;
    for (size_t i = 0; i < count; i++) {
        widen(&path_width, routes[i].path);
        widen(&permit_width, permit_name(routes[i].permit));
    }
    cli_pad(out, STR("METHOD"), 8);
    cli_pad(out, STR("PATH"), path_width);
    cli_pad(out, STR("PERMISSION"), permit_width);
    strbuf_addf(out, "LIMIT\n");
    for (size_t i = 0; i < count; i++) {
        const char *limit = route_limit_name(&routes[i]);
        cli_pad(out, str_from(method_name(routes[i].method)), 8);
        cli_pad(out, str_from(routes[i].path), path_width);
        cli_pad(out, str_from(permit_name(routes[i].permit)), permit_width);
        strbuf_addf(out, "%s\n", limit ? limit : "-");
    }
}

static int run_routes(struct cli *cli)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    struct strbuf text;
    strbuf_init(&text, NULL, 4096);
    if (cli_flag(cli, "openapi")) {
        openapi_write(&text);
        strbuf_add_char(&text, '\n');
    } else if (cli_flag(cli, "json")) {
        print_json(&text, routes, count);
    } else {
        print_table(&text, routes, count);
    }
    return cli_print(&text);
}

const struct cli_command cli_routes = {
    .name = "routes",
    .arguments = "[--json | --openapi]",
    .summary = "lists the endpoints: method, path, permission, limit",
    .options =
        (const struct cli_option[]){
            CLI_JSON,
            {"openapi", 0, NULL, false,
             "print the OpenAPI 3.1 document, as GET /api/schema answers it"},
            CLI_OPTIONS_END},
    .run = run_routes,
};
