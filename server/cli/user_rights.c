/* `user grant` and `user revoke`, and who may do what admins may. */
#include "cli/user.h"

#include <stdio.h>

bool cli_user_is_admin(const struct cli_services *services, const struct user *user)
{
    bool is_member = false;
    for (size_t i = 0; i < user->group_count; i++)
        is_member |= str_eq(user->groups[i], str_from(services->config->auth_admin_group));
    return user->is_active && (user->is_superuser || is_member);
}

void cli_warn_without_admin(struct cli_services *services)
{
    struct error error = {0};
    struct user *users;
    size_t count;
    if (users_list(services->app->users, services->arena, &users, &count, &error) != ERR_OK)
        return;
    for (size_t i = 0; i < count; i++)
        if (cli_user_is_admin(services, &users[i]))
            return;
    fprintf(stderr, "warning: no account may do what admins may any more; make one with: "
                    "cachewarden user grant NAME --superuser\n");
}

enum err cli_take_groups(const struct cli *cli, struct arena *arena, const struct str **groups_out,
                         size_t *count_out)
{
    size_t count = 0;
    while (cli_value_at(cli, "group", count))
        count++;
    struct str *groups = arena_calloc(arena, count, sizeof *groups);
    *groups_out = groups;
    *count_out = groups ? count : 0;
    for (size_t i = 0; i < *count_out; i++)
        groups[i] = str_from(cli_value_at(cli, "group", i));
    return groups ? ERR_OK : ERR_NO_MEMORY;
}

static enum err set_rights(struct cli_services *services, const struct cli *cli,
                           const struct user *user, bool granted, struct error *error)
{
    struct users_rights rights = {.superuser = cli_flag(cli, "superuser")};
    enum err err = cli_take_groups(cli, services->arena, &rights.groups, &rights.group_count);
    return err == ERR_OK ? users_set_rights(services->app->users, user->id, &rights, granted, error)
                         : err;
}

static enum err grant(struct cli_services *services, struct cli *cli, struct user *user,
                      struct error *error)
{
    return set_rights(services, cli, user, true, error);
}

static enum err revoke(struct cli_services *services, struct cli *cli, struct user *user,
                       struct error *error)
{
    return set_rights(services, cli, user, false, error);
}

static int run_rights(struct cli *cli, bool granted)
{
    if (!cli_flag(cli, "superuser") && !cli_flag(cli, "group"))
        return cli_usage_error(cli, "needs --superuser or --group G");
    return granted ? cli_change_user(cli, "user.grant", grant)
                   : cli_change_user(cli, "user.revoke", revoke);
}

int cli_grant_user(struct cli *cli)
{
    return run_rights(cli, true);
}

int cli_revoke_user(struct cli *cli)
{
    return run_rights(cli, false);
}
