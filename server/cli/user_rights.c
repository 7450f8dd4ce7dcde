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

static enum err set_rights(struct cli_services *services, const struct cli *cli,
                           const struct user *user, bool granted, struct error *error)
{
    struct users *users = services->app->users;
    enum err err = ERR_OK;
    if (cli_flag(cli, "superuser"))
        err = users_set_superuser(users, user->id, granted, error);
    for (size_t i = 0; err == ERR_OK && cli_value_at(cli, "group", i); i++)
        err = users_set_group(users, user->id, str_from(cli_value_at(cli, "group", i)), granted,
                              error);
    return err;
}

static enum err grant(struct cli_services *services, struct cli *cli, const struct user *user,
                      struct error *error)
{
    return set_rights(services, cli, user, true, error);
}

static enum err revoke(struct cli_services *services, struct cli *cli, const struct user *user,
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
