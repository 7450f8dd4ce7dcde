/* `cache`: the control operations, for an operator. */
#include "cachewarden/control.h"
#include "cli/cli.h"
#include "cli/job.h"

#include <stdio.h>

static const struct cli_option user_options[] = {
    {"user", 0, "ID", false, "the account's id"},
    CLI_JSON,
    CLI_OPTIONS_END,
};

static const struct cli_option clear_options[] = {
    {"user", 0, "ID", false, "the account's id"},
    {"all", 0, NULL, false, "everybody's cache"},
    {"namespace", 0, "N", false,
     "entries of the cache service: user:ID, or app:NAME; gateway: what it has stored"},
    {"pattern", 0, "GLOB", false, "those whose labels match alone, one by one: products:*"},
    CLI_JSON,
    CLI_OPTIONS_END,
};

static int take_user(const struct cli *cli, int64_t *user_id_out)
{
    const char *text = cli_value(cli, "user");
    if (!text)
        return cli_usage_error(cli, "needs --user ID");
    if (!str_to_int64(str_from(text), 1, INT64_MAX, user_id_out))
        return cli_usage_error(
            cli, "--user must be the id of an account, a whole number from 1 up, not \"%.64s\"",
            text);
    return CLI_OK;
}

/* ---- words ---- */

static int print_state(const struct cli *cli, int64_t user_id, const struct cache_state *state,
                       bool cleared)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 128);
    if (cli_flag(cli, "json")) {
        struct json_writer json;
        json_writer_init(&json, &text);
        json_open_object(&json);
        json_add_integer(&json, "user_id", user_id);
        if (cleared)
            json_add_bool(&json, "cleared", true);
        json_add_bool(&json, "enabled", state->enabled);
        json_add_integer(&json, "version", state->version);
        json_close_object(&json);
        strbuf_add_char(&text, '\n');
    } else if (cleared) {
        strbuf_addf(&text, "Cache of user %lld cleared (new version: %lld)\n", (long long)user_id,
                    (long long)state->version);
    } else {
        strbuf_addf(&text, "Cache of user %lld is %s (version %lld)\n", (long long)user_id,
                    state->enabled ? "enabled" : "disabled", (long long)state->version);
    }
    return cli_print(&text);
}

static int print_epoch(const struct cli *cli, int64_t epoch)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 128);
    if (cli_flag(cli, "json")) {
        struct json_writer json;
        json_writer_init(&json, &text);
        json_open_object(&json);
        json_add_bool(&json, "cleared", true);
        json_add_integer(&json, "epoch", epoch);
        json_close_object(&json);
        strbuf_add_char(&text, '\n');
    } else {
        strbuf_addf(&text, "Everybody's cache cleared (epoch: %lld)\n", (long long)epoch);
    }
    return cli_print(&text);
}

/* ---- operations ---- */

enum cache_command {
    CACHE_COMMAND_STATUS,
    CACHE_COMMAND_ENABLE,
    CACHE_COMMAND_DISABLE,
    CACHE_COMMAND_CLEAR
};

static enum err operate(struct cli_services *services, enum cache_command operation,
                        int64_t user_id, struct cache_state *state_out, struct error *error)
{
    struct app *app = services->app;
    switch (operation) {
    case CACHE_COMMAND_STATUS:
        return control_observe(app, services->arena, user_id, state_out, error);
    case CACHE_COMMAND_CLEAR:
        return control_clear(app, cli_work(services, error), user_id, state_out);
    case CACHE_COMMAND_ENABLE:
    case CACHE_COMMAND_DISABLE:
        break;
    }
    return control_switch(app, cli_work(services, error), user_id,
                          operation == CACHE_COMMAND_ENABLE, state_out);
}

static int run_on_user(struct cli *cli, enum cache_command operation)
{
    static const char *const routes[] = {"cache.status", "cache.enable", "cache.disable",
                                         "cache.clear"};
    struct cli_services services;
    struct cache_state state = {0};
    struct error error = {0};
    int64_t user_id = 0;
    int status = take_user(cli, &user_id);
    if (status != CLI_OK)
        return status;
    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err = operate(&services, operation, user_id, &state, &error);
    struct str target = str_format(services.arena, "user:%lld", (long long)user_id);
    if (operation != CACHE_COMMAND_STATUS)
        (void)cli_audit(&services, routes[operation], target, err,
                        err == ERR_OK && operation == CACHE_COMMAND_CLEAR ? state.version : -1,
                        false);
    status = err == ERR_OK ? print_state(cli, user_id, &state, operation == CACHE_COMMAND_CLEAR)
                           : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int run_clear_all(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    int64_t epoch = -1;
    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err = control_clear_all(services.app, cli_work(&services, &error), &epoch);
    (void)cli_audit(&services, "cache.admin_clear", STR("all"), err, epoch, false);
    int status = err == ERR_OK ? print_epoch(cli, epoch) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int run_status(struct cli *cli)
{
    return run_on_user(cli, CACHE_COMMAND_STATUS);
}

static int run_enable(struct cli *cli)
{
    return run_on_user(cli, CACHE_COMMAND_ENABLE);
}

static int run_disable(struct cli *cli)
{
    return run_on_user(cli, CACHE_COMMAND_DISABLE);
}

/* Of --namespace, or of --user where a pattern says that it is about entries. */
static int take_namespace(const struct cli *cli, struct namespace *space_out)
{
    const char *name = cli_value(cli, "namespace");
    int64_t user_id = 0;
    if (name && !namespace_parse_any(str_from(name), space_out))
        return cli_usage_error(cli, "--namespace is user:ID, app:NAME or gateway, not \"%.80s\"",
                               name);
    if (name)
        return CLI_OK;
    int status = take_user(cli, &user_id);
    *space_out = namespace_of_user(user_id);
    return status;
}

/* Everybody's cache goes only when that is said in so many words. */
static int run_clear(struct cli *cli)
{
    const char *pattern = cli_value(cli, "pattern");
    struct namespace space;
    bool all = cli_flag(cli, "all"), has_space = cli_flag(cli, "namespace");
    int whose = all + has_space + cli_flag(cli, "user");
    if (whose != 1)
        return cli_usage_error(cli, whose > 1 ? "--user, --namespace and --all do not go together"
                                              : "needs --user ID, --namespace N, or --all");
    if (pattern && all)
        return cli_usage_error(cli, "--pattern is of one namespace: --user ID or --namespace N");
    if (!pattern && !has_space)
        return all ? run_clear_all(cli) : run_on_user(cli, CACHE_COMMAND_CLEAR);
    int status = take_namespace(cli, &space);
    if (status != CLI_OK)
        return status;
    if (pattern && space.is_gateway)
        return cli_usage_error(cli, "--pattern is of labels, and the gateway has none");
    return pattern ? cli_clear_by_pattern(cli, &space, str_from(pattern))
                   : cli_clear_namespace(cli, &space);
}

const struct cli_command cli_cache = {
    .name = "cache",
    .arguments = "status | enable | disable | clear",
    .summary = "looks at, switches and clears the caches of accounts",
    .subcommands =
        (const struct cli_command[]){
            {.name = "status",
             .arguments = "--user ID [--json]",
             .summary = "whether it is on, and its version",
             .options = user_options,
             .run = run_status},
            {.name = "enable",
             .arguments = "--user ID [--json]",
             .summary = "turns it on",
             .options = user_options,
             .run = run_enable},
            {.name = "disable",
             .arguments = "--user ID [--json]",
             .summary = "turns it off",
             .options = user_options,
             .run = run_disable},
            {.name = "clear",
             .arguments = "--user ID | --namespace N | --all [--pattern GLOB] [--json]",
             .summary = "raises the version, so that everything cached before is out of date",
             .details =
                 "With --pattern it is a job instead: entries of the cache service whose labels "
                 "match\n"
                 "are removed, one by one. It shows how far it is; Ctrl-C ends it where it is.",
             .options = clear_options,
             .run = run_clear},
            {.name = NULL},
        },
};
