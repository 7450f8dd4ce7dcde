/* What lies here for the control data in Redis: facts that are replaced, and the switches of caches. */
#include "users_private.h"

enum err users_fact_replace(struct users *users, struct str name, struct str old, struct str value,
                            struct error *error)
{
    struct users_result result = {0};
    enum err err;

    if (old.ptr)
        err = users_run(users, USERS_WRITE, FACT_REPLACE,
                        USERS_PARAMETERS(USERS_STR(name), USERS_STR(old), USERS_STR(value)), NULL,
                        &result, error);
    else
        err = users_run(users, USERS_WRITE, FACT_ADD,
                        USERS_PARAMETERS(USERS_STR(name), USERS_STR(value)), NULL, &result, error);
    if (!err && result.changed == 0)
        return error_set_detail(error, ERR_CONFLICT, "users database: a fact has changed");
    return err;
}

enum err users_switch_set(struct users *users, int64_t user_id, bool is_off, struct error *error)
{
    return users_run(users, USERS_WRITE, SWITCH_SET,
                     USERS_PARAMETERS(USERS_INT(user_id), USERS_INT(is_off)), NULL, NULL, error);
}

enum err users_switches_list(struct users *users, struct arena *arena, int64_t after, size_t limit,
                             struct user_switch **switches_out, size_t *count_out,
                             struct error *error)
{
    struct users_result result = {0};

    *switches_out = NULL;
    *count_out = 0;
    enum err err =
        users_run(users, USERS_READ, SWITCH_LIST,
                  USERS_PARAMETERS(USERS_INT(after), USERS_INT(limit)), arena, &result, error);
    if (err || result.row_count == 0)
        return err;
    struct user_switch *switches = arena_calloc(arena, result.row_count, sizeof *switches);
    if (!switches)
        return ERR_NO_MEMORY;
    for (size_t row = 0; row < result.row_count; row++)
        switches[row] = (struct user_switch){.user_id = users_integer(&result, row, 0),
                                             .is_off = users_integer(&result, row, 1) != 0};
    *switches_out = switches;
    *count_out = result.row_count;
    return ERR_OK;
}
