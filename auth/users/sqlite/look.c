/* A short look at a database that nobody here has open: doctor's, and that of a command. */
#include "users/sqlite/schema.h"
#include "users/sqlite/sqlite.h"

#define FACT_QUERY(name) \
    "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM facts WHERE name = '" name "'), 0)"

#define TEXT_FACT_QUERY(name) \
    "SELECT coalesce((SELECT value FROM facts WHERE name = '" name "'), '')"

static enum err look_at_facts(struct users_connection *connection, struct users_sight *sight,
                              struct error *error)
{
    const struct {
        const char *query;
        int64_t *out;
    } numbers[] = {{FACT_QUERY(USERS_FACT_STRANGER), &sight->stranger},
                   {FACT_QUERY(USERS_FACT_STRANGER_SEEN), &sight->stranger_seen_s},
                   {FACT_QUERY(USERS_FACT_BACKUP_SINCE), &sight->backup_since_s}};
    const struct {
        const char *query;
        char *out;
        size_t size;
    } texts[] = {
        {TEXT_FACT_QUERY(USERS_FACT_BACKUP_LAST), sight->backup_last, sizeof sight->backup_last},
        {TEXT_FACT_QUERY(USERS_FACT_BACKUP_GOOD), sight->backup_good, sizeof sight->backup_good},
        {TEXT_FACT_QUERY("install_id"), sight->install, sizeof sight->install}};
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < sizeof numbers / sizeof *numbers; i++)
        err = users_sqlite_integer(connection, numbers[i].query, numbers[i].out, error);
    for (size_t i = 0; !err && i < sizeof texts / sizeof *texts; i++)
        err = users_sqlite_text(connection, texts[i].query, texts[i].out, texts[i].size, error);
    return err;
}

enum err users_sqlite_look(const char *path, struct users_sight *sight, struct error *error)
{
    struct users_connection *connection;
    int64_t version = 0;
    enum err err = users_sqlite_open_to_look(path, &connection, error);

    if (err)
        return err;
    err = users_sqlite_check_owner(connection, &version, error);
    sight->version = (int)version;
    if (!err && sight->version == sight->known)
        err = look_at_facts(connection, sight, error);
    users_sqlite_close(&connection);
    return err;
}
