/* `version`: ours, and those of the libraries it was built with. */
#include "cli/cli.h"

/* "name version" pairs with semicolons between, from the build. */
static const char libraries[] = CW_LIBRARY_VERSIONS;

static bool next_library(struct str *rest, struct str *name_out, struct str *version_out)
{
    struct str pair;
    if (!str_split(rest, ';', &pair))
        return false;
    return str_split(&pair, ' ', name_out) && str_split(&pair, ' ', version_out);
}

static void print_json(struct strbuf *out)
{
    struct str rest = str_from(libraries), name, version;
    struct json_writer json;
    json_writer_init(&json, out);
    json_open_object(&json);
    json_add_string(&json, "version", STR(CW_VERSION));
    json_name(&json, "libraries");
    json_open_object(&json);
    while (next_library(&rest, &name, &version)) {
        char text[32] = "";
        memcpy(text, name.ptr, name.len < sizeof text ? name.len : sizeof text - 1);
        json_add_string(&json, text, version);
    }
    json_close_object(&json);
    json_close_object(&json);
    strbuf_add_char(out, '\n');
}

static int run_version(struct cli *cli)
{
    struct str rest = str_from(libraries), name, version;
    struct strbuf text;
    strbuf_init(&text, NULL, 256);
    if (cli_flag(cli, "json")) {
        print_json(&text);
        return cli_print(&text);
    }
    strbuf_addf(&text, "cachewarden %s\n", CW_VERSION);
    while (next_library(&rest, &name, &version))
        strbuf_addf(&text, "%.*s %.*s\n", STR_ARG(name), STR_ARG(version));
    return cli_print(&text);
}

const struct cli_command cli_version = {
    .name = "version",
    .arguments = "[--json]",
    .summary = "prints the version, and those of the libraries it was built with",
    .options = (const struct cli_option[]){CLI_JSON, CLI_OPTIONS_END},
    .run = run_version,
};
