#include "users/sqlite/schema.h"

#include "cachewarden/clock.h"

#include <stdio.h>

/*
 * username_key and email_key are the lower-case forms: uniqueness ignores case. They are NULL, and
 * so free again, once an account is deleted; its row and id stay for ever. Times are seconds since
 * 1970; 0 stands for "never" or "not yet".
 */
const char *const users_sqlite_migrations[] = {
    "CREATE TABLE migrations ("
    "  version INTEGER PRIMARY KEY,"
    "  applied_at_s INTEGER NOT NULL"
    ");"
    "CREATE TABLE facts ("
    "  name TEXT NOT NULL PRIMARY KEY,"
    "  value TEXT NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE TABLE accounts ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  username TEXT,"
    "  username_key TEXT UNIQUE,"
    "  email TEXT,"
    "  email_key TEXT UNIQUE,"
    "  password_hash TEXT NOT NULL,"
    "  is_superuser INTEGER NOT NULL DEFAULT 0,"
    "  is_active INTEGER NOT NULL DEFAULT 1,"
    "  created_at_s INTEGER NOT NULL,"
    "  deleted_at_s INTEGER NOT NULL DEFAULT 0,"
    "  tokens_not_before_s INTEGER NOT NULL DEFAULT 0,"
    "  CHECK ((deleted_at_s = 0) = (username_key IS NOT NULL)),"
    "  CHECK ((deleted_at_s = 0) = (email_key IS NOT NULL))"
    ");"
    "CREATE TABLE account_groups ("
    "  account_id INTEGER NOT NULL REFERENCES accounts (id),"
    "  name TEXT NOT NULL,"
    "  PRIMARY KEY (account_id, name)"
    ") WITHOUT ROWID;"
    "CREATE TABLE api_keys ("
    "  id TEXT NOT NULL PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  secret_digest BLOB NOT NULL CHECK (length(secret_digest) = 32),"
    "  scopes INTEGER NOT NULL,"
    "  space TEXT NOT NULL DEFAULT '',"
    "  owner_id INTEGER REFERENCES accounts (id),"
    "  created_at_s INTEGER NOT NULL,"
    "  expires_at_s INTEGER NOT NULL DEFAULT 0,"
    "  revoked_at_s INTEGER NOT NULL DEFAULT 0,"
    "  last_used_at_s INTEGER NOT NULL DEFAULT 0"
    ") WITHOUT ROWID;"
    "CREATE INDEX api_keys_owner ON api_keys (owner_id);"
    /* Names this installation: later ties the control data in Redis to this database. */
    "INSERT INTO facts (name, value) VALUES ('install_id', lower(hex(randomblob(16))));",
    /* The one family of tokens that outlives tokens_not_before_s; empty: none. */
    "ALTER TABLE accounts ADD COLUMN tokens_kept_family TEXT NOT NULL DEFAULT '';",
    /* Whom another issuer's tokens name, by accounts of ours. Never removed, as accounts are not. */
    "CREATE TABLE subjects ("
    "  issuer TEXT NOT NULL,"
    "  subject TEXT NOT NULL,"
    "  account_id INTEGER NOT NULL UNIQUE REFERENCES accounts (id),"
    "  PRIMARY KEY (issuer, subject)"
    ") WITHOUT ROWID;",
    /* Of everybody who ever switched their cache; ids of people known elsewhere, too. */
    "CREATE TABLE switches ("
    "  user_id INTEGER PRIMARY KEY,"
    "  is_off INTEGER NOT NULL"
    ");",
    /* Whose account this is, where the number may have been another's (users.h). */
    "ALTER TABLE accounts ADD COLUMN incarnation TEXT NOT NULL DEFAULT '';"
    "UPDATE accounts SET incarnation = lower(hex(randomblob(8)));"
    "CREATE INDEX accounts_not_before ON accounts (tokens_not_before_s);",
    /* Only of those whose cache is off. */
    ("DELETE FROM switches WHERE is_off = 0;"
     "ALTER TABLE switches DROP COLUMN is_off;"),
    /* With a password, to the minute. */
    "ALTER TABLE accounts ADD COLUMN last_login_at_s INTEGER NOT NULL DEFAULT 0;",
};

const int users_sqlite_version =
    (int)(sizeof users_sqlite_migrations / sizeof *users_sqlite_migrations);

/* Nothing is written into a file that some other program made. */
static enum err check_owner(struct users_connection *connection, int64_t *version_out,
                            struct error *error)
{
    int64_t application_id, tables;
    enum err err;

    if ((err = users_sqlite_integer(connection, "PRAGMA application_id", &application_id, error)) !=
            ERR_OK ||
        (err = users_sqlite_integer(connection, "PRAGMA user_version", version_out, error)) !=
            ERR_OK ||
        (err = users_sqlite_integer(connection, "SELECT count(*) FROM sqlite_schema", &tables,
                                    error)) != ERR_OK)
        return err;
    bool is_ours = application_id == USERS_SQLITE_APPLICATION_ID;
    bool is_new = application_id == 0 && *version_out == 0 && tables == 0;
    if (!is_ours && !is_new)
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "users database: it belongs to another program: %s", connection->path);
    if (*version_out > users_sqlite_version)
        return error_set(error, ERR_CONFLICT,
                         "users database: its schema has version %d and this program knows %d, use "
                         "a newer one: %s",
                         (int)*version_out, users_sqlite_version, connection->path);
    return ERR_OK;
}

/* One transaction, so that all it looks at is of one moment: another process may be making the schema. */
enum err users_sqlite_check_owner(struct users_connection *connection, int64_t *version_out,
                                  struct error *error)
{
    enum err err = users_sqlite_exec(connection, "BEGIN", error);

    if (err)
        return err;
    err = check_owner(connection, version_out, error);
    enum err end = users_sqlite_exec(connection, "ROLLBACK", err ? NULL : error);
    return err ? err : end;
}

static enum err run_migration(struct users_connection *connection, int version, struct error *error)
{
    char mark[160];

    enum err err = users_sqlite_exec(connection, users_sqlite_migrations[version - 1], error);
    if (err)
        return err;
    /* PRAGMA takes no parameters; these are numbers of our own. */
    snprintf(mark, sizeof mark,
             "INSERT INTO migrations (version, applied_at_s) VALUES (%d, %lld); PRAGMA "
             "user_version = %d; PRAGMA application_id = %d",
             version, (long long)clock_wall_s(), version, USERS_SQLITE_APPLICATION_ID);
    return users_sqlite_exec(connection, mark, error);
}

/* Another process may be doing the same: the version is read again once the file is ours. */
static enum err migrate(struct users_connection *connection, struct error *error)
{
    int64_t version;
    enum err err = users_sqlite_exec(connection, "BEGIN IMMEDIATE", error);

    if (err)
        return err;
    err = check_owner(connection, &version, error);
    while (!err && version < users_sqlite_version)
        err = run_migration(connection, (int)++version, error);
    if (!err)
        err = users_sqlite_exec(connection, "COMMIT", error);
    if (users_sqlite_in_transaction(connection) &&
        users_sqlite_exec(connection, "ROLLBACK", NULL) != ERR_OK)
        connection->is_broken = true;
    return err;
}

enum err users_sqlite_migrate(struct users_connection *connection, struct error *error)
{
    int64_t version = 0;
    enum err err = users_sqlite_check_owner(connection, &version, error);

    if (!err)
        err = users_sqlite_use_log(connection, error);
    if (!err && version < users_sqlite_version)
        err = migrate(connection, error);
    return err;
}
