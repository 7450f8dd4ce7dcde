/* Several things about an account changed at once, or its end; see users.h. */
#include "users/users_private.h"

#include "cachewarden/clock.h"

/* What one amendment works with: a writing connection, and the account as it was. */
struct amending {
    struct users *users;
    struct users_connection *connection;
    struct arena *arena;
    int64_t id;
    const struct users_amendment *wanted;
    struct user before;
    struct error *error;
};

static enum err run(struct amending *amending, struct users_query query)
{
    struct users_result result = {0};

    return amending->users->driver->run(amending->connection, query, amending->arena, &result,
                                        amending->error);
}

/* ---- the guard ---- */

/*
 * Of two that each take one of the last two superusers, the second waits here for the first. A row that is there
 * in every database; whoever changes it otherwise does so when the program starts.
 */
static enum err take_turn(struct amending *amending)
{
    return run(amending, USERS_QUERY(FACT_HOLD, USERS_STR(STR("install_id"))));
}

static enum err read_account(struct amending *amending, struct user *user_out)
{
    struct users_result result = {0};
    struct user *found;
    size_t count = 0;
    enum err err = amending->users->driver->run(amending->connection,
                                                USERS_QUERY(ACCOUNT_BY_ID, USERS_INT(amending->id)),
                                                amending->arena, &result, amending->error);

    if (!err)
        err = users_read_accounts(amending->arena, &result, &found, &count);
    if (!err && count == 1)
        *user_out = found[0];
    return !err && count != 1 ? ERR_NOT_FOUND : err;
}

/* The account, which nobody else changes until the transaction ends. */
static enum err hold(struct amending *amending)
{
    struct users_result result = {0};
    enum err err = amending->users->driver->run(amending->connection,
                                                USERS_QUERY(ACCOUNT_HOLD, USERS_INT(amending->id)),
                                                NULL, &result, amending->error);

    if (!err && result.changed == 0)
        return ERR_NOT_FOUND;
    return err ? err : read_account(amending, &amending->before);
}

static enum err check_caller(const struct amending *amending)
{
    const struct users_amendment *wanted = amending->wanted;
    bool was = amending->before.is_superuser;

    if (!wanted->is_guarded || wanted->by_superuser)
        return ERR_OK;
    if (was)
        return error_set(amending->error, ERR_FORBIDDEN,
                         "Only a superuser changes the account of a superuser.");
    if (wanted->sets_superuser && wanted->is_superuser)
        return error_set(amending->error, ERR_FORBIDDEN,
                         "is_superuser: Only a superuser makes one.");
    return ERR_OK;
}

static enum err check_last(struct amending *amending)
{
    struct users_result result = {0};

    if (!amending->wanted->is_guarded || !amending->before.is_superuser ||
        !amending->before.is_active)
        return ERR_OK;
    enum err err =
        amending->users->driver->run(amending->connection, USERS_PLAIN(ACCOUNT_COUNT_SUPERUSERS),
                                     amending->arena, &result, amending->error);
    if (err || users_integer(&result, 0, 0) > 0)
        return err;
    return error_set(amending->error, ERR_CONFLICT,
                     "This is the last active superuser. Make another one first.");
}

/* ---- the change ---- */

static enum err set_email(struct amending *amending)
{
    struct str email = amending->wanted->email;
    struct str key = users_folded(amending->arena, email);

    if (!key.ptr)
        return ERR_NO_MEMORY;
    enum err err = run(amending, USERS_QUERY(ACCOUNT_SET_EMAIL, USERS_INT(amending->id),
                                             USERS_STR(email), USERS_STR(key)));
    return err == ERR_CONFLICT ? error_set(amending->error, err, USERS_EMAIL_TAKEN) : err;
}

static enum err set_groups(struct amending *amending)
{
    const struct users_amendment *wanted = amending->wanted;
    enum err err = run(amending, USERS_QUERY(GROUP_REMOVE_ALL, USERS_INT(amending->id)));

    for (size_t i = 0; !err && i < wanted->group_count; i++)
        err = run(amending,
                  USERS_QUERY(GROUP_ADD, USERS_INT(amending->id), USERS_STR(wanted->groups[i])));
    return err;
}

static enum err set_active(struct amending *amending)
{
    struct str incarnation = users_new_incarnation(amending->arena);

    if (!incarnation.ptr)
        return ERR_NO_MEMORY;
    if (amending->wanted->is_active)
        return run(amending,
                   USERS_QUERY(ACCOUNT_ACTIVATE, USERS_INT(amending->id), USERS_STR(incarnation)));
    return run(amending, USERS_QUERY(ACCOUNT_DEACTIVATE, USERS_INT(amending->id),
                                     USERS_INT(clock_wall_s() + 1), USERS_STR(incarnation)));
}

static enum err change(struct amending *amending)
{
    const struct users_amendment *wanted = amending->wanted;
    enum err err = ERR_OK;

    if (wanted->email.len > 0)
        err = set_email(amending);
    /* Dates of tokens are whole seconds: to end those of this very second the next one is named. */
    if (!err && wanted->password_hash.len > 0)
        err = run(amending,
                  USERS_QUERY(ACCOUNT_SET_PASSWORD, USERS_INT(amending->id),
                              USERS_INT(clock_wall_s() + 1), USERS_STR(wanted->password_hash)));
    if (!err && wanted->sets_superuser)
        err = run(amending, USERS_QUERY(ACCOUNT_SET_SUPERUSER, USERS_INT(amending->id),
                                        USERS_INT(wanted->is_superuser)));
    if (!err && wanted->sets_groups)
        err = set_groups(amending);
    if (!err && wanted->sets_active)
        err = set_active(amending);
    return err;
}

static enum err delete_account(struct amending *amending)
{
    int64_t now_s = clock_wall_s();
    enum err err =
        run(amending, USERS_QUERY(ACCOUNT_DELETE, USERS_INT(amending->id), USERS_INT(now_s)));

    if (!err)
        err = run(amending, USERS_QUERY(GROUP_REMOVE_ALL, USERS_INT(amending->id)));
    if (!err)
        err =
            run(amending, USERS_QUERY(KEY_REVOKE_OWNED, USERS_INT(amending->id), USERS_INT(now_s)));
    return err;
}

/* What became of it is read in the same transaction: a change that is made shall not look failed because it
 * cannot be shown. */
static enum err amend(struct amending *amending, struct user *after_out)
{
    enum err err = amending->wanted->is_guarded ? take_turn(amending) : ERR_OK;

    if (!err)
        err = hold(amending);
    if (!err)
        err = check_caller(amending);
    if (!err)
        err = amending->wanted->is_deletion ? delete_account(amending) : change(amending);
    if (!err)
        err = check_last(amending);
    *after_out = amending->before;
    return err || amending->wanted->is_deletion ? err : read_account(amending, after_out);
}

static enum err check_form(const struct users_amendment *wanted, struct error *error)
{
    enum err err = wanted->email.len > 0 ? user_check_email(wanted->email, error) : ERR_OK;

    for (size_t i = 0; !err && i < wanted->group_count; i++)
        err = user_check_group(wanted->groups[i], error);
    return err;
}

enum err users_amend(struct users *users, struct arena *arena, int64_t id,
                     const struct users_amendment *amendment, struct user *user_out,
                     struct error *error)
{
    struct arena *own = arena ? NULL : arena_new(2048, 0);
    struct amending amending = {.users = users,
                                .arena = arena ? arena : own,
                                .id = id,
                                .wanted = amendment,
                                .error = error};
    struct user after = {0};
    enum err err = amending.arena ? check_form(amendment, error) : ERR_NO_MEMORY;

    if (!err)
        err = users_begin(users, USERS_WRITE, &amending.connection, error);
    if (!err) {
        err = amend(&amending, &after);
        err = users_end(users, &amending.connection, err, error);
    }
    if (user_out)
        *user_out = err ? (struct user){0} : after;
    arena_free(&own);
    return err;
}

enum err users_delete(struct users *users, int64_t id, struct error *error)
{
    const struct users_amendment end = {.is_deletion = true};

    return users_amend(users, NULL, id, &end, NULL, error);
}
