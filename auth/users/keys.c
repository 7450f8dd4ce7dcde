/* API keys and facts of the users database. */
#include "users/users_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/work.h"

enum {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_DIGEST,
    COLUMN_SCOPES,
    COLUMN_SPACE,
    COLUMN_OWNER,
    COLUMN_CREATED,
    COLUMN_EXPIRES,
    COLUMN_REVOKED,
    COLUMN_LAST_USED
};

enum err api_keys_add(struct users *users, const struct api_key *key, struct error *error)
{
    int64_t created_at_s = key->created_at_s > 0 ? key->created_at_s : clock_wall_s();
    enum err err = users_change(
        users,
        USERS_QUERY(KEY_ADD, USERS_STR(key->id), USERS_STR(key->name),
                    USERS_BLOB(key->secret_digest), USERS_INT(key->scopes), USERS_STR(key->space),
                    key->owner_id > 0 ? USERS_INT(key->owner_id) : USERS_NONE,
                    USERS_INT(created_at_s), USERS_INT(key->expires_at_s)),
        error);

    /* Ids are random; where the driver cannot tell, it was the name. */
    if (err == ERR_CONFLICT && error && error->caller[0] == '\0')
        return error_set(error, ERR_CONFLICT, USERS_KEY_NAME_TAKEN);
    return err;
}

static struct api_key read_key(const struct users_result *result, size_t row)
{
    return (struct api_key){
        .id = users_bytes(result, row, COLUMN_ID),
        .name = users_bytes(result, row, COLUMN_NAME),
        .secret_digest = users_bytes(result, row, COLUMN_DIGEST),
        .scopes = (unsigned)users_integer(result, row, COLUMN_SCOPES),
        .space = users_bytes(result, row, COLUMN_SPACE),
        .owner_id = users_integer(result, row, COLUMN_OWNER),
        .created_at_s = users_integer(result, row, COLUMN_CREATED),
        .expires_at_s = users_integer(result, row, COLUMN_EXPIRES),
        .revoked_at_s = users_integer(result, row, COLUMN_REVOKED),
        .last_used_at_s = users_integer(result, row, COLUMN_LAST_USED),
    };
}

enum err api_keys_find(struct users *users, struct arena *arena, struct str id,
                       struct api_key *key_out, struct error *error)
{
    struct users_result result = {0};

    *key_out = (struct api_key){0};
    enum err err =
        users_run(users, USERS_READ, USERS_QUERY(KEY_BY_ID, USERS_STR(id)), arena, &result, error);
    if (err)
        return err;
    if (result.row_count == 0)
        return ERR_NOT_FOUND;
    *key_out = read_key(&result, 0);
    return ERR_OK;
}

/* All rows of a query, and room for one item each. */
static enum err read_all(struct users *users, struct users_query query, struct work work,
                         size_t item_size, struct users_result *result_out, void **items_out)
{
    *result_out = (struct users_result){0};
    *items_out = NULL;
    enum err err = users_run(users, USERS_READ, query, work.arena, result_out, work.error);
    if (err)
        return err;
    *items_out = arena_calloc(work.arena, result_out->row_count, item_size);
    return *items_out ? ERR_OK : ERR_NO_MEMORY;
}

enum err api_keys_ids(struct users *users, struct arena *arena, struct str **ids_out,
                      size_t *count_out, struct error *error)
{
    struct users_result result;
    void *items;
    enum err err =
        read_all(users, USERS_PLAIN(KEY_IDS), (struct work){.arena = arena, .error = error},
                 sizeof **ids_out, &result, &items);
    struct str *ids = items;

    *ids_out = ids;
    *count_out = ids ? result.row_count : 0;
    for (size_t row = 0; row < *count_out; row++)
        ids[row] = users_bytes(&result, row, COLUMN_ID);
    return err;
}

static enum err read_keys(struct users *users, struct users_query query, struct work work,
                          struct api_key **keys_out, size_t *count_out)
{
    struct users_result result;
    void *items;
    enum err err = read_all(users, query, work, sizeof **keys_out, &result, &items);
    struct api_key *keys = items;

    *keys_out = keys;
    *count_out = keys ? result.row_count : 0;
    for (size_t row = 0; row < *count_out; row++)
        keys[row] = read_key(&result, row);
    return err;
}

enum err api_keys_list(struct users *users, struct arena *arena, struct api_key **keys_out,
                       size_t *count_out, struct error *error)
{
    return read_keys(users, USERS_PLAIN(KEY_LIST), (struct work){.arena = arena, .error = error},
                     keys_out, count_out);
}

enum err api_keys_page(struct users *users, struct work work, struct str after, size_t limit,
                       struct api_key **keys_out, size_t *count_out)
{
    struct str from = after.ptr ? after : STR("");

    return read_keys(users, USERS_QUERY(KEY_PAGE, USERS_STR(from), USERS_INT(limit)), work,
                     keys_out, count_out);
}

enum err api_keys_revoke(struct users *users, struct str name, int64_t now_s, struct error *error)
{
    return users_change(users, USERS_QUERY(KEY_REVOKE, USERS_STR(name), USERS_INT(now_s)), error);
}

enum err api_keys_revoke_id(struct users *users, struct str id, int64_t now_s, struct error *error)
{
    return users_change(users, USERS_QUERY(KEY_REVOKE_ID, USERS_STR(id), USERS_INT(now_s)), error);
}

enum err api_keys_touch(struct users *users, struct str id, int64_t now_s, struct error *error)
{
    return users_run(users, USERS_WRITE, USERS_QUERY(KEY_TOUCH, USERS_STR(id), USERS_INT(now_s)),
                     NULL, NULL, error);
}

enum err users_fact_get(struct users *users, struct arena *arena, struct str name,
                        struct str *value_out, struct error *error)
{
    struct users_result result = {0};

    *value_out = STR_NONE;
    enum err err =
        users_run(users, USERS_READ, USERS_QUERY(FACT_GET, USERS_STR(name)), arena, &result, error);
    if (err)
        return err;
    if (result.row_count == 0)
        return ERR_NOT_FOUND;
    *value_out = users_bytes(&result, 0, 0);
    return ERR_OK;
}

enum err users_fact_set(struct users *users, struct str name, struct str value, struct error *error)
{
    return users_run(users, USERS_WRITE, USERS_QUERY(FACT_SET, USERS_STR(name), USERS_STR(value)),
                     NULL, NULL, error);
}
