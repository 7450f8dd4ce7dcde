/* `key`: API keys. */
#include "cli/cli.h"

#include "cachewarden/api_keys.h"
#include "cachewarden/clock.h"

#include <stdio.h>

/* ---- create ---- */

static int take_scopes(const struct cli *cli, unsigned *scopes_out)
{
    const char *name;
    *scopes_out = 0;
    for (size_t i = 0; (name = cli_value_at(cli, "scope", i)); i++) {
        unsigned scope = scope_from_name(str_from(name));
        if (!scope)
            return cli_usage_error(
                cli, "there is no scope \"%.64s\"; they are " API_KEY_SCOPES_TEXT, name);
        *scopes_out |= scope;
    }
    if (*scopes_out & SCOPE_USER && !cli_flag(cli, "user"))
        return cli_usage_error(cli, "a key with the scope user acts as somebody: add --user NAME");
    return CLI_OK;
}

static void warn_of_useless(const struct api_key *key)
{
    if (!key->scopes)
        fprintf(stderr,
                "warning: the key has no scope and may do nothing; give it one with --scope\n");
    if (api_key_lacks_space(key))
        fprintf(
            stderr,
            "warning: a key with the scope entries works in a namespace, and has none; make one "
            "with --namespace app:NAME, or for that of an account with --scope user --user NAME\n");
}

static int take_expiry(const struct cli *cli, int64_t now_s, int64_t *expires_at_s_out)
{
    const char *text = cli_value(cli, "expires-days");
    int64_t days = 0;
    *expires_at_s_out = 0;
    if (text && (!str_to_int64(str_from(text), 1, API_KEY_DAYS_MAX, &days) ||
                 !api_key_take_days(days, now_s, expires_at_s_out)))
        return cli_usage_error(cli,
                               "--expires-days must be a whole number from 1 to %d, not \"%.64s\"",
                               API_KEY_DAYS_MAX, text);
    return CLI_OK;
}

static int take_space(const struct cli *cli, struct str *name_out)
{
    const char *text = cli_value(cli, "namespace");
    *name_out = STR_NONE;
    if (text && !api_key_take_space(str_from(text), name_out))
        return cli_usage_error(
            cli,
            "--namespace is app:NAME, not \"%.80s\"; in that of an account works "
            "a key with --scope user --user NAME",
            text);
    return CLI_OK;
}

static enum err find_owner(struct cli_services *services, const char *name, struct api_key *key,
                           struct error *error)
{
    struct user owner;
    if (!name)
        return ERR_OK;
    enum err err =
        users_find_by_name(services->app->users, services->arena, str_from(name), &owner, error);
    if (err == ERR_NOT_FOUND)
        return error_set(error, err, "there is no user \"%.64s\"", name);
    key->owner_id = err == ERR_OK ? owner.id : 0;
    return err;
}

static int show_created(const struct cli *cli, struct arena *arena, const struct api_key *key,
                        struct str secret)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, arena, 512);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        json_open_object(&json);
        api_key_write(&json, arena, key);
        json_close_object(&json);
        /* Alone on the last line, as without --json: `| tail -n 1` is right for both. */
        strbuf_addf(&text, "\n%.*s\n", STR_ARG(secret));
    } else {
        struct str scopes = key->scopes ? scope_names(arena, key->scopes) : STR("none");
        strbuf_addf(&text, "API key %.*s (id %.*s), scopes: %.*s. It is shown only now:\n%.*s\n",
                    STR_ARG(key->name), STR_ARG(key->id), STR_ARG(scopes), STR_ARG(secret));
    }
    int status = cli_print(&text);
    if (text.ptr)
        secret_wipe(text.ptr, text.len);
    /* Standard output may hold it until the end. */
    if (status != CLI_OK || fflush(stdout) != 0)
        return cli_fail("the secret of the key could not be shown; revoke the key: cachewarden key "
                        "revoke %.*s",
                        STR_ARG(key->name));
    return status;
}

static int run_create(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct str secret = STR_NONE;
    int64_t now_s = clock_wall_s();
    struct api_key key = {.name = str_from(cli_argument(cli, 0))};
    int status = take_scopes(cli, &key.scopes);
    if (status == CLI_OK)
        status = take_space(cli, &key.space);
    if (status == CLI_OK)
        status = take_expiry(cli, now_s, &key.expires_at_s);
    if (status != CLI_OK)
        return status;
    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    enum err err = find_owner(&services, cli_value(cli, "user"), &key, &error);
    if (err == ERR_OK) {
        err = identity_create_key(services.app->identity, services.arena, &key, now_s, &secret,
                                  &error);
        (void)cli_audit(&services, "key.create",
                        str_format(services.arena, "key:%.*s", STR_ARG(key.name)), err, -1, false);
    }
    if (err == ERR_CONFLICT)
        error_set(
            &error, err,
            "there is or was an API key \"%.64s\"; take another name, a revoked key keeps its own",
            cli_argument(cli, 0));
    if (err == ERR_OK)
        warn_of_useless(&key);
    status = err == ERR_OK ? show_created(cli, services.arena, &key, secret)
                           : cli_fail_with(err, &error);
    if (secret.ptr)
        secret_wipe((char *)(uintptr_t)secret.ptr, secret.len);
    cli_close(&services);
    return status;
}

/* ---- list ---- */

static void print_time(struct strbuf *out, int64_t time_s, size_t width)
{
    char text[CLOCK_RFC3339_SIZE];
    struct str shown = STR("never");
    if (time_s > 0)
        shown = str_sub(clock_rfc3339(time_s * 1000, text), 0, sizeof "2026-01-31T12:00:00" - 1);
    cli_pad(out, shown, width);
}

static void print_keys(struct strbuf *out, struct arena *arena, const struct api_key *keys,
                       size_t count)
{
    static const char *const heads[] = {"ID",   "NAME",    "SCOPES",   "NAMESPACE",
                                        "USER", "EXPIRES", "LAST USED"};
    static const size_t widths[] = {15, 24, 20, 14, 8, 21, 21};
    for (size_t i = 0; i < 7; i++)
        cli_pad(out, str_from(heads[i]), widths[i]);
    strbuf_addf(out, "STATE\n");
    for (size_t i = 0; i < count; i++) {
        const struct api_key *key = &keys[i];
        struct str owner =
            key->owner_id > 0 ? str_format(arena, "%lld", (long long)key->owner_id) : STR("-");
        cli_pad(out, key->id, widths[0]);
        cli_pad(out, key->name, widths[1]);
        cli_pad(out, key->scopes ? scope_names(arena, key->scopes) : STR("-"), widths[2]);
        cli_pad(out, key->space.len > 0 ? key->space : STR("-"), widths[3]);
        cli_pad(out, owner, widths[4]);
        print_time(out, key->expires_at_s, widths[5]);
        print_time(out, key->last_used_at_s, widths[6]);
        strbuf_addf(out, "%s\n", api_key_state(key, clock_wall_s()));
    }
}

static void write_keys(struct strbuf *out, struct arena *arena, const struct api_key *keys,
                       size_t count)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_open_array(&json);
    for (size_t i = 0; i < count; i++) {
        json_open_object(&json);
        api_key_write_all(&json, arena, &keys[i], clock_wall_s());
        json_close_object(&json);
    }
    json_close_array(&json);
    strbuf_add_char(out, '\n');
}

static int run_list(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct api_key *keys;
    size_t count;
    struct strbuf text;
    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err = api_keys_list(services.app->users, services.arena, &keys, &count, &error);
    int status;
    if (err != ERR_OK) {
        status = cli_fail_with(err, &error);
    } else {
        strbuf_init(&text, NULL, 4096);
        if (cli_flag(cli, "json"))
            write_keys(&text, services.arena, keys, count);
        else
            print_keys(&text, services.arena, keys, count);
        status = cli_print(&text);
    }
    cli_close(&services);
    return status;
}

/* ---- revoke ---- */

static int run_revoke(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    const char *name = cli_argument(cli, 0);
    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    enum err err = api_keys_revoke(services.app->users, str_from(name), clock_wall_s(), &error);
    if (err == ERR_NOT_FOUND)
        error_set(&error, err, "there is no API key \"%.64s\"; `cachewarden key list` has all",
                  name);
    (void)cli_audit(&services, "key.revoke", str_format(services.arena, "key:%.64s", name), err, -1,
                    false);
    int status = CLI_OK;
    if (err != ERR_OK)
        status = cli_fail_with(err, &error);
    else if (cli_flag(cli, "json"))
        printf("{\"revoked\":true}\n");
    else
        printf("API key %s revoked\n", name);
    cli_close(&services);
    return status;
}

/* ---- the table ---- */

static const struct cli_option json_only[] = {CLI_JSON, CLI_OPTIONS_END};
static const struct cli_option create_options[] = {
    {"scope", 0, "S", true, "of " API_KEY_SCOPES_TEXT},
    {"namespace", 0, "N", false, "the namespace of its entries: app:NAME, or NAME"},
    {"user", 0, "NAME", false, "the account it belongs to"},
    {"expires-days", 0, "D", false, "how long it is good; for ever without"},
    CLI_JSON,
    CLI_OPTIONS_END,
};

const struct cli_command cli_key = {
    .name = "key",
    .arguments = "create | list | revoke",
    .summary = "manages API keys",
    .subcommands =
        (const struct cli_command[]){
            {.name = "create",
             .arguments = "NAME [--scope S]... [--namespace N] [--user NAME] [--expires-days D]",
             .summary = "makes a key; its secret is printed once, alone on the last line",
             .options = create_options,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_create},
            {.name = "list",
             .arguments = "[--json]",
             .summary = "lists the keys, without their secrets",
             .options = json_only,
             .run = run_list},
            {.name = "revoke",
             .arguments = "NAME [--json]",
             .summary = "makes a key useless for ever",
             .options = json_only,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_revoke},
            {.name = NULL},
        },
};
