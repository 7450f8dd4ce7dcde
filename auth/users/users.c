#include "cachewarden/users.h"

#include "users/users_private.h"

#include "cachewarden/clock.h"

#include <stdlib.h>

static const struct users_driver *const drivers[] = {
    &users_sqlite_driver,
    &users_postgresql_driver,
    &users_postgres_driver,
};

static const struct users_driver *find_driver(struct str url, struct str *location_out)
{
    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        struct str prefix = str_from(drivers[i]->prefix);
        if (str_starts(url, prefix)) {
            *location_out = str_sub(url, prefix.len, url.len);
            return drivers[i];
        }
    }
    return NULL;
}

enum err users_check_url(struct str url, struct error *error)
{
    struct str location;
    const struct users_driver *driver = find_driver(url, &location);

    if (driver)
        return driver->check_location(location, error);
    /* The URL itself stays out of the text: it may hold a password. */
    return error_set(error, ERR_BAD_INPUT,
                     "users.database: not a kind of database this program knows, write "
                     "sqlite:PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE");
}

enum err users_open(struct str url, struct users **users_out, struct error *error)
{
    struct str location;

    *users_out = NULL;
    enum err err = users_check_url(url, error);
    if (err)
        return err;
    struct users *users = calloc(1, sizeof *users);
    if (!users)
        return ERR_NO_MEMORY;
    users->driver = find_driver(url, &location);
    err = users->driver->open(location, &users->db, error);
    if (err)
        free(users);
    else
        *users_out = users;
    return err;
}

enum err users_set_first_id(struct users *users, int64_t first_id, struct error *error)
{
    struct users_connection *connection = NULL;

    if (first_id <= 1)
        return ERR_OK;
    enum err err = users->driver->begin(users->db, USERS_WRITE, &connection, error);
    if (err)
        return err;
    err = users->driver->skip_ids(connection, first_id - 1, error);
    return users->driver->end(&connection, err, error);
}

enum err users_look(struct str url, struct users_sight *sight_out, struct error *error)
{
    struct str location;

    *sight_out = (struct users_sight){0};
    enum err err = users_check_url(url, error);
    if (err)
        return err;
    const struct users_driver *driver = find_driver(url, &location);
    sight_out->driver = driver->name;
    return driver->look(location, sight_out, error);
}

pid_t users_other_process(struct str url)
{
    struct str location;
    const struct users_driver *driver = find_driver(url, &location);

    return driver && driver->other_process ? driver->other_process(location) : 0;
}

enum err users_renew_login(struct users *users, struct str url, bool *changed_out,
                           struct error *error)
{
    struct str location;
    enum err err = users_check_url(url, error);

    *changed_out = false;
    if (err)
        return err;
    const struct users_driver *driver = find_driver(url, &location);
    if (strcmp(driver->name, users->driver->name) != 0)
        return error_set(error, ERR_BAD_INPUT, "users.database: it is of another kind");
    return users->driver->renew_login
               ? users->driver->renew_login(users->db, location, changed_out, error)
               : ERR_OK;
}

void users_close(struct users **users)
{
    if (!*users)
        return;
    (*users)->driver->close(&(*users)->db);
    free(*users);
    *users = NULL;
}

const char *users_driver_name(const struct users *users)
{
    return users->driver->name;
}

/* What else went wrong says nothing of the database. */
static enum err note(struct users *users, enum err err)
{
    bool was_away = users_is_away(users);

    if (err == ERR_UPSTREAM_DOWN && !was_away)
        atomic_store_explicit(&users->away_since_ns, clock_mono_ns(), memory_order_relaxed);
    else if (err == ERR_OK && was_away)
        atomic_store_explicit(&users->away_since_ns, 0, memory_order_relaxed);
    return err;
}

bool users_is_away(const struct users *users)
{
    return atomic_load_explicit(&users->away_since_ns, memory_order_relaxed) != 0;
}

int64_t users_away_since_ns(const struct users *users)
{
    return atomic_load_explicit(&users->away_since_ns, memory_order_relaxed);
}

enum err users_ping(struct users *users, struct error *error)
{
    return note(users, users->driver->check(users->db, error));
}

enum err users_begin(struct users *users, enum users_mode mode,
                     struct users_connection **connection_out, struct error *error)
{
    enum err err = users->driver->begin(users->db, mode, connection_out, error);

    return err == ERR_OK ? err : note(users, err);
}

enum err users_end(struct users *users, struct users_connection **connection, enum err outcome,
                   struct error *error)
{
    return note(users, users->driver->end(connection, outcome, error));
}

enum err users_run(struct users *users, enum users_mode mode, struct users_query query,
                   struct arena *arena, struct users_result *result_out, struct error *error)
{
    struct users_result ignored;
    struct users_connection *connection = NULL;

    enum err err = users_begin(users, mode, &connection, error);
    if (err)
        return err;
    err = users->driver->run(connection, query, arena, result_out ? result_out : &ignored, error);
    return users_end(users, &connection, err, error);
}

enum err users_change(struct users *users, struct users_query query, struct error *error)
{
    struct users_result result = {0};

    enum err err = users_run(users, USERS_WRITE, query, NULL, &result, error);
    if (!err && result.changed == 0)
        return ERR_NOT_FOUND;
    return err;
}

int64_t users_integer(const struct users_result *result, size_t row, size_t column)
{
    const struct users_value *value = &result->values[row * result->column_count + column];

    return value->kind == USERS_INTEGER ? value->integer : 0;
}

struct str users_bytes(const struct users_result *result, size_t row, size_t column)
{
    const struct users_value *value = &result->values[row * result->column_count + column];

    return value->kind == USERS_TEXT || value->kind == USERS_BYTES ? value->bytes : STR_NONE;
}
