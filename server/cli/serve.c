/* `serve`: the server, or a look at its settings. */
#include "process/serve.h"
#include "cli/cli.h"
#include "config/certificates.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdio.h>
#include <unistd.h>

/* ---- --check-config ---- */

/* What only the edge can tell, such as an address that is not this machine's. */
static bool check_edge(const struct config *config, struct error *error)
{
    struct http_options options;
    config_http_options(config, &options);
    return http_check(&options, error) == ERR_OK;
}

/* What only the services can tell, such as a named cache in the database of the control data. */
static bool check_services(const struct config *config, struct config_report *report,
                           struct error *error)
{
    struct app *app;
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    enum err err = config_open_app(config, true, report, &app, error);
    if (err == ERR_OK)
        app_close(&app);
    return err == ERR_OK;
}

static void write_problems(struct json_writer *json, const char *name,
                           const struct config_report *report, enum config_severity severity,
                           const char *further)
{
    json_name(json, name);
    json_open_array(json);
    for (size_t i = 0; i < report->count; i++)
        if (report->items[i].severity == severity)
            json_write_string(json, str_from(report->items[i].text));
    if (further)
        json_write_string(json, str_from(further));
    json_close_array(json);
}

static void print_json(struct strbuf *out, const struct config *config,
                       const struct config_report *report, const char *failure)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_open_object(&json);
    json_add_bool(&json, "ok", config && !failure);
    write_problems(&json, "errors", report, CONFIG_ERROR, failure);
    write_problems(&json, "warnings", report, CONFIG_WARNING, NULL);
    if (config) {
        json_name(&json, "settings");
        json_open_object(&json);
        config_write_effective(config, &json);
        json_close_object(&json);
    }
    json_close_object(&json);
    strbuf_add_char(out, '\n');
}

static int check_config(const struct cli *cli)
{
    const struct config_override override = {"server.listen", cli_value(cli, "listen"), "--listen"};
    const struct config_input input = {
        .file = cli_value(cli, "config"),
        .environment = (const char *const *)environ,
        .overrides = &override,
        .override_count = override.value ? 1 : 0,
        .is_strict = true,
    };
    struct config *config;
    struct config_report report;
    struct error error = {0};
    struct strbuf text;
    bool fine = config_load(&input, &config, &report) == ERR_OK;
    /* In the order of the start, so that both find the same fault first. */
    fine = fine && check_edge(config, &error) &&
           config_check_files(config, &report, &error) == ERR_OK &&
           check_services(config, &report, &error);
    const char *failure = error.caller[0] ? error.caller : NULL;
    if (config)
        config_warn_of_certificates(config, clock_wall_s(), &report);

    strbuf_init(&text, NULL, 4096);
    if (cli_flag(cli, "json")) {
        print_json(&text, config, &report, failure);
    } else {
        config_report_print(&report);
        if (failure)
            fprintf(stderr, "error: %s\n", failure);
        if (config && cli_flag(cli, "verbose"))
            config_print_effective(config, &text);
        if (fine)
            strbuf_addf(&text, "configuration ok\n");
    }
    config_report_fini(&report);
    config_free(&config);
    int status = cli_print(&text);
    return fine ? status : CLI_FAILED;
}

/* ---- */

static int run_serve(struct cli *cli)
{
    const struct serve_options options = {
        .config_file = cli_value(cli, "config"),
        .listen = cli_value(cli, "listen"),
        .demo = cli_flag(cli, "demo"),
        .adopt = cli_flag(cli, "adopt"),
    };
    if (cli_flag(cli, "check-config") && options.demo)
        return cli_usage_error(cli, "--check-config and --demo do not go together");
    if (cli_flag(cli, "check-config") && options.adopt)
        return cli_usage_error(cli, "--check-config and --adopt do not go together");
    if (cli_flag(cli, "check-config"))
        return check_config(cli);
    if (cli_flag(cli, "json") || cli_flag(cli, "verbose"))
        return cli_usage_error(cli, "--json and --verbose go with --check-config");
    return serve_run(&options) ? CLI_OK : CLI_FAILED;
}

const struct cli_command cli_serve = {
    .name = "serve",
    .arguments = "[--config FILE] [--listen LIST] [--adopt] [--check-config | --demo]",
    .summary = "runs the server",
    .details =
        "SIGTERM and SIGINT stop it once the requests under way have ended; a second one at once.\n"
        "SIGHUP reads the settings and certificates again. `cachewarden help settings` explains "
        "them.",
    .options =
        (const struct cli_option[]){
            {"listen", 0, "LIST", false, "addresses instead of server.listen, with commas"},
            {"check-config", 0, NULL, false,
             "look at the settings, say all that is wrong, and end"},
            {"verbose", 'v', NULL, false, "with --check-config: print the settings in force"},
            {"json", 0, NULL, false, "with --check-config: print JSON"},
            {"adopt", 0, NULL, false,
             "take over control data in Redis that belongs to another users database"},
            {"demo", 0, NULL, false, "try it out: everything in ./.cachewarden"},
            CLI_OPTIONS_END},
    .run = run_serve,
};
