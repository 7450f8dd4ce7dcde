/* What an account may do: superuser and groups; see users.h. */
#include "users/users_private.h"

enum err users_set_superuser(struct users *users, int64_t id, bool is_superuser,
                             struct error *error)
{
    return users_change(
        users, USERS_QUERY(ACCOUNT_SET_SUPERUSER, USERS_INT(id), USERS_INT(is_superuser)), error);
}

enum err users_set_group(struct users *users, int64_t id, struct str group, bool is_member,
                         struct error *error)
{
    const struct users_rights rights = {.groups = &group, .group_count = 1};

    return users_set_rights(users, id, &rights, is_member, error);
}

/* Makes sure that the account is there, and stays while the connection lasts. */
static enum err hold_account(struct users *users, struct users_connection *connection, int64_t id,
                             struct error *error)
{
    struct users_result result = {0};
    enum err err = users->driver->run(connection, USERS_QUERY(ACCOUNT_HOLD, USERS_INT(id)), NULL,
                                      &result, error);

    return !err && result.changed == 0 ? ERR_NOT_FOUND : err;
}

static enum err run_all(struct users *users, struct users_connection *connection, int64_t id,
                        const struct users_rights *rights, bool granted, struct error *error)
{
    struct users_result result;
    enum err err = hold_account(users, connection, id, error);

    if (!err && rights->superuser)
        err = users->driver->run(
            connection, USERS_QUERY(ACCOUNT_SET_SUPERUSER, USERS_INT(id), USERS_INT(granted)), NULL,
            &result, error);
    for (size_t i = 0; !err && i < rights->group_count; i++)
        err = users->driver->run(connection,
                                 USERS_QUERY(granted ? GROUP_ADD : GROUP_REMOVE, USERS_INT(id),
                                             USERS_STR(rights->groups[i])),
                                 NULL, &result, error);
    return err;
}

enum err users_set_rights(struct users *users, int64_t id, const struct users_rights *rights,
                          bool granted, struct error *error)
{
    struct users_connection *connection = NULL;
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < rights->group_count; i++)
        err = user_check_group(rights->groups[i], error);
    if (!err)
        err = users_begin(users, USERS_WRITE, &connection, error);
    if (err)
        return err;
    err = run_all(users, connection, id, rights, granted, error);
    return users_end(users, &connection, err, error);
}
