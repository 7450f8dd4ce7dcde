/* What lies here for the control data in Redis: facts that are replaced, and the switches of caches. */
#include "users/users_private.h"

enum err users_fact_replace(struct users *users, struct str name, struct str old, struct str value,
                            struct error *error)
{
    struct users_result result = {0};
    enum err err;

    if (old.ptr)
        err =
            users_run(users, USERS_WRITE,
                      USERS_QUERY(FACT_REPLACE, USERS_STR(name), USERS_STR(old), USERS_STR(value)),
                      NULL, &result, error);
    else
        err =
            users_run(users, USERS_WRITE, USERS_QUERY(FACT_ADD, USERS_STR(name), USERS_STR(value)),
                      NULL, &result, error);
    if (!err && result.changed == 0)
        return error_set_detail(error, ERR_CONFLICT, "users database: a fact has changed");
    return err;
}

enum err users_switch_set(struct users *users, int64_t user_id, bool is_off, struct error *error)
{
    return users_run(users, USERS_WRITE,
                     USERS_QUERY(is_off ? SWITCH_OFF : SWITCH_ON, USERS_INT(user_id)), NULL, NULL,
                     error);
}

static enum err list(struct users *users, struct arena *arena, int64_t after, size_t limit,
                     struct users_result *result, struct error *error)
{
    *result = (struct users_result){0};
    return users_run(users, USERS_READ,
                     USERS_QUERY(SWITCHES_OFF, USERS_INT(after), USERS_INT(limit)), arena, result,
                     error);
}

enum err users_switch_is_off(struct users *users, int64_t user_id, bool *is_off_out,
                             struct error *error)
{
    struct arena *arena = arena_new(512, 0);
    struct users_result result;
    enum err err = arena ? list(users, arena, user_id - 1, 1, &result, error) : ERR_NO_MEMORY;

    *is_off_out = err == ERR_OK && result.row_count == 1 && users_integer(&result, 0, 0) == user_id;
    arena_free(&arena);
    return err;
}

enum err users_switches_off(struct users *users, struct arena *arena, int64_t after, size_t limit,
                            struct users_ids *off_out, struct error *error)
{
    struct users_result result;

    *off_out = (struct users_ids){0};
    enum err err = list(users, arena, after, limit, &result, error);
    if (err || result.row_count == 0)
        return err;
    off_out->ids = arena_calloc(arena, result.row_count, sizeof *off_out->ids);
    if (!off_out->ids)
        return ERR_NO_MEMORY;
    for (size_t row = 0; row < result.row_count; row++)
        off_out->ids[row] = users_integer(&result, row, 0);
    off_out->count = result.row_count;
    return ERR_OK;
}
