/* `user`: accounts. */
#include "cli/user.h"

#include "cachewarden/clock.h"
#include "cachewarden/limits.h"

#include <stdio.h>

/* Nobody else is hashing in this process: this is for a machine that is very slow. */
#define CLI_HASH_MS 30000

#define PASSWORD_OPTION                                                  \
    {                                                                    \
        "password-file", 0, "FILE", false,                               \
            "read the password from FILE, or with - from standard input" \
    }

/* ---- what the commands share ---- */

static enum err find(struct cli_services *services, const char *name, struct user *user_out,
                     struct error *error)
{
    enum err err =
        users_find_by_name(services->app->users, services->arena, str_from(name), user_out, error);
    if (err == ERR_NOT_FOUND)
        return error_set(error, err, "there is no user \"%.64s\"; `cachewarden user list` has all",
                         name);
    return err;
}

static struct str target_of(struct cli_services *services, int64_t id)
{
    return str_format(services->arena, "user:%lld", (long long)id);
}

int cli_change_user(struct cli *cli, const char *route,
                    enum err (*change)(struct cli_services *services, struct cli *cli,
                                       struct user *user, struct error *error))
{
    struct cli_services services;
    struct user user;
    struct error error = {0};
    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    const char *name = cli_argument(cli, 0);
    enum err err = find(&services, name, &user, &error);
    bool was_admin = err == ERR_OK && cli_user_is_admin(&services, &user);
    if (err == ERR_OK) {
        err = change(&services, cli, &user, &error);
        (void)cli_audit(&services, route, target_of(&services, user.id), err, -1, false);
    }
    int status =
        err == ERR_OK ? cli_show_changed(cli, &services, &user) : cli_fail_with(err, &error);
    if (err == ERR_OK && was_admin && !cli_user_is_admin(&services, &user))
        cli_warn_without_admin(&services);
    cli_close(&services);
    return status;
}

static struct work hashing(struct cli_services *services, struct error *error)
{
    return (struct work){services->arena, clock_deadline_ns(CLI_HASH_MS), error};
}

/* Who has a shell may do everything: the guard of users_amend is for who asks a server. */
static enum err amend(struct cli_services *services, const struct user *user,
                      const struct users_amendment *amendment, struct str password,
                      struct error *error)
{
    struct user after;
    return identity_amend_account(services->app->identity, hashing(services, error), user->id,
                                  amendment, password, &after);
}

/* ---- add ---- */

/* Before anybody is asked for a password. */
static bool check(const struct user *user)
{
    struct error error = {0};
    enum err err = user_check_username(user->username, &error);
    if (err == ERR_OK)
        err = user_check_email(user->email, &error);
    for (size_t i = 0; err == ERR_OK && i < user->group_count; i++)
        err = user_check_group(user->groups[i], &error);
    return err == ERR_OK || cli_fail_with(err, &error) == CLI_OK;
}

static enum err add(struct cli_services *services, struct str password, struct user *user,
                    struct error *error)
{
    enum err err =
        identity_add_account(services->app->identity, hashing(services, error), user, password);
    (void)cli_audit(services, "user.add",
                    user->id > 0 ? target_of(services, user->id) : user->username, err, -1, false);
    return err;
}

static int add_with(struct cli *cli, struct user *user, struct str password)
{
    struct cli_services services;
    struct error error = {0};
    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    enum err err = add(&services, password, user, &error);
    int status =
        err == ERR_OK ? cli_show_changed(cli, &services, user) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int run_add(struct cli *cli)
{
    struct arena *arena = arena_new(1024, 0);
    int status = CLI_FAILED;
    char *password;
    struct user user = {
        .username = str_from(cli_argument(cli, 0)),
        .email = str_from(cli_value(cli, "email")),
        .is_superuser = cli_flag(cli, "superuser"),
    };
    if (!cli_flag(cli, "email"))
        status = cli_usage_error(cli, "needs --email E");
    else if (!arena || cli_take_groups(cli, arena, &user.groups, &user.group_count) != ERR_OK)
        status = cli_fail("out of memory");
    else if (check(&user) && cli_password_read(cli, &password)) {
        status = add_with(cli, &user, str_from(password));
        cli_password_fini(&password);
    }
    arena_free(&arena);
    return status;
}

/* ---- list, show ---- */

static int run_list(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct user *users;
    size_t count;
    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err = users_list(services.app->users, services.arena, &users, &count, &error);
    int status = err == ERR_OK ? cli_list_users(cli, users, count) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

static int run_show(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct user user;
    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err = find(&services, cli_argument(cli, 0), &user, &error);
    int status = err == ERR_OK ? cli_show_user(cli, &services, &user) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

/* ---- password ---- */

/* Whoever calls an operator was told 429 more often than not. The account is changed in any case. */
static void unlock(struct cli_services *services, const struct user *user)
{
    struct error error = {0};
    enum err err = limits_unlock(services->app, cli_work(services, &error), user);
    if (err != ERR_OK)
        fprintf(stderr,
                "warning: failed sign-ins were not forgotten (%s): who was locked out waits for up "
                "to 15 minutes\n",
                error.caller[0] ? error.caller : err_name(err));
}

static enum err set_password(struct cli_services *services, struct cli *cli, struct user *user,
                             struct error *error)
{
    char *password;
    if (!cli_password_read(cli, &password))
        return error_set(error, ERR_BAD_INPUT, "the password was not changed");
    enum err err = amend(services, user, &(struct users_amendment){0}, str_from(password), error);
    if (err == ERR_OK)
        unlock(services, user);
    cli_password_fini(&password);
    return err;
}

static int run_password(struct cli *cli)
{
    return cli_change_user(cli, "user.password", set_password);
}

/* ---- deactivate, activate, delete ---- */

static enum err deactivate(struct cli_services *services, struct cli *cli, struct user *user,
                           struct error *error)
{
    (void)cli;
    return amend(services, user, &(struct users_amendment){.sets_active = true}, STR_NONE, error);
}

static enum err activate(struct cli_services *services, struct cli *cli, struct user *user,
                         struct error *error)
{
    (void)cli;
    const struct users_amendment on = {.sets_active = true, .is_active = true};
    enum err err = amend(services, user, &on, STR_NONE, error);
    if (err == ERR_OK)
        unlock(services, user);
    return err;
}

static enum err delete (struct cli_services *services, struct cli *cli, struct user *user,
                        struct error *error) {
    enum err err = users_delete(services->app->users, user->id, error);
    if (err == ERR_OK && cli_flag(cli, "json"))
        printf("{\"id\":%lld,\"deleted\":true}\n", (long long)user->id);
    else if (err == ERR_OK)
        printf("user %.*s (id %lld) deleted\n", STR_ARG(user->username), (long long)user->id);
    if (err == ERR_OK) *user = (struct user){.id = user->id, .is_deleted = true};
    return err;
}

static int run_deactivate(struct cli *cli)
{
    return cli_change_user(cli, "user.deactivate", deactivate);
}

static int run_activate(struct cli *cli)
{
    return cli_change_user(cli, "user.activate", activate);
}

static int run_delete(struct cli *cli)
{
    return cli_change_user(cli, "user.delete", delete);
}

/* ---- the table ---- */

static const struct cli_option json_only[] = {CLI_JSON, CLI_OPTIONS_END};
static const struct cli_option password_options[] = {PASSWORD_OPTION, CLI_JSON, CLI_OPTIONS_END};
static const struct cli_option add_options[] = {
    {"email", 0, "E", false, "its email address"},
    {"superuser", 0, NULL, false, "make it a superuser"},
    {"group", 0, "G", true, "put it into group G"},
    PASSWORD_OPTION,
    CLI_JSON,
    CLI_OPTIONS_END,
};
static const struct cli_option rights_options[] = {
    {"superuser", 0, NULL, false, "the rights of a superuser"},
    {"group", 0, "G", true, "membership of group G"},
    CLI_JSON,
    CLI_OPTIONS_END,
};

static const struct cli_command commands[] = {
    {.name = "add",
     .arguments = "NAME --email E [--superuser] [--group G]... [--password-file FILE]",
     .summary = "adds an account; asks for the password unless it is in a file",
     .options = add_options,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = run_add},
    {.name = "list",
     .arguments = "[--json]",
     .summary = "lists the accounts",
     .options = json_only,
     .run = run_list},
    {.name = "show",
     .arguments = "NAME [--json]",
     .summary = "shows one account",
     .options = json_only,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = run_show},
    {.name = "password",
     .arguments = "NAME [--password-file FILE]",
     .summary = "sets a new password",
     .options = password_options,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = run_password},
    {.name = "grant",
     .arguments = "NAME --superuser | --group G",
     .summary = "gives rights",
     .options = rights_options,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = cli_grant_user},
    {.name = "revoke",
     .arguments = "NAME --superuser | --group G",
     .summary = "takes rights away",
     .options = rights_options,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = cli_revoke_user},
    {.name = "deactivate",
     .arguments = "NAME",
     .summary = "shuts an account out",
     .options = json_only,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = run_deactivate},
    {.name = "activate",
     .arguments = "NAME",
     .summary = "lets it in again",
     .options = json_only,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = run_activate},
    {.name = "delete",
     .arguments = "NAME",
     .summary = "deletes an account for ever; its id is not used again",
     .options = json_only,
     .min_arguments = 1,
     .max_arguments = 1,
     .run = run_delete},
    {.name = "migrate",
     .arguments = "--to URL | --to-file FILE",
     .summary =
         "moves all accounts and keys from SQLite into an empty PostgreSQL database, while the "
         "server is stopped",
     .options = cli_migrate_options,
     .run = cli_migrate_users},
    {.name = NULL},
};

const struct cli_command cli_user = {
    .name = "user",
    .arguments =
        "add | list | show | password | grant | revoke | deactivate | activate | delete | migrate",
    .summary = "manages accounts",
    .subcommands = commands,
};
