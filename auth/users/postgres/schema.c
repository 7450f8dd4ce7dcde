#include "users/postgres/schema.h"

#include "cachewarden/clock.h"

#include <stdio.h>
#include <stdlib.h>

/* Making tables waits for another node that does so, and for nobody else. */
enum { MIGRATE_MS = 60000 };

/* Poolers refuse options, which would be a session's. */
#define NAME_IT(connection)                                             \
    ((connection)->is_pooled ? "ALTER ROLE USER SET search_path = NAME" \
                             : "?options=-csearch_path%3DNAME")

/* "CWus" twice: what nodes that migrate take turns by, among all that lock things in the database. */
#define MIGRATION_LOCK "4851302937286178163"

/*
 * The columns are SQLite's (users/sqlite/schema.c says what they mean), so that the statements are.
 * Ids come from a sequence, which never goes back; one that somebody makes up is refused, because
 * the sequence would not know of it. COLLATE "C": sorted and compared byte by byte, as there.
 * Constraints have names: users_postgres_conflict knows them.
 */
const char *const users_postgres_migrations[] = {
    "CREATE TABLE cachewarden_schema ("
    "  version integer PRIMARY KEY,"
    "  applied_at_s bigint NOT NULL"
    ");"
    "CREATE TABLE facts ("
    "  name text COLLATE \"C\" PRIMARY KEY,"
    "  value text NOT NULL"
    ");"
    "CREATE TABLE accounts ("
    "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    "  username text,"
    "  username_key text COLLATE \"C\" CONSTRAINT accounts_username_key UNIQUE,"
    "  email text,"
    "  email_key text COLLATE \"C\" CONSTRAINT accounts_email_key UNIQUE,"
    "  password_hash text NOT NULL,"
    "  is_superuser smallint NOT NULL DEFAULT 0,"
    "  is_active smallint NOT NULL DEFAULT 1,"
    "  created_at_s bigint NOT NULL,"
    "  deleted_at_s bigint NOT NULL DEFAULT 0,"
    "  tokens_not_before_s bigint NOT NULL DEFAULT 0,"
    "  CHECK ((deleted_at_s = 0) = (username_key IS NOT NULL)),"
    "  CHECK ((deleted_at_s = 0) = (email_key IS NOT NULL))"
    ");"
    "CREATE TABLE account_groups ("
    "  account_id bigint NOT NULL REFERENCES accounts (id),"
    "  name text COLLATE \"C\" NOT NULL,"
    "  PRIMARY KEY (account_id, name)"
    ");"
    "CREATE TABLE api_keys ("
    "  id text COLLATE \"C\" CONSTRAINT api_keys_id PRIMARY KEY,"
    "  name text COLLATE \"C\" NOT NULL CONSTRAINT api_keys_name UNIQUE,"
    "  secret_digest bytea NOT NULL CHECK (length(secret_digest) = 32),"
    "  scopes bigint NOT NULL,"
    "  space text NOT NULL DEFAULT '',"
    "  owner_id bigint REFERENCES accounts (id),"
    "  created_at_s bigint NOT NULL,"
    "  expires_at_s bigint NOT NULL DEFAULT 0,"
    "  revoked_at_s bigint NOT NULL DEFAULT 0,"
    "  last_used_at_s bigint NOT NULL DEFAULT 0"
    ");"
    "CREATE INDEX api_keys_owner ON api_keys (owner_id);"
    /* Names this installation; from the server's cryptographic generator. */
    "INSERT INTO facts (name, value)"
    "  VALUES ('install_id', replace(gen_random_uuid()::text, '-', ''));",
    "ALTER TABLE accounts ADD COLUMN tokens_kept_family text NOT NULL DEFAULT '';",
    "CREATE TABLE subjects ("
    "  issuer text COLLATE \"C\" NOT NULL,"
    "  subject text COLLATE \"C\" NOT NULL,"
    "  account_id bigint NOT NULL UNIQUE REFERENCES accounts (id),"
    "  PRIMARY KEY (issuer, subject)"
    ");",
    "CREATE TABLE switches ("
    "  user_id bigint PRIMARY KEY,"
    "  is_off smallint NOT NULL"
    ");",
    "ALTER TABLE accounts ADD COLUMN incarnation text NOT NULL DEFAULT '';"
    "UPDATE accounts SET incarnation = left(replace(gen_random_uuid()::text, '-', ''), 16);"
    "CREATE INDEX accounts_not_before ON accounts (tokens_not_before_s);",
    ("DELETE FROM switches WHERE is_off = 0;"
     "ALTER TABLE switches DROP COLUMN is_off;"),
    "ALTER TABLE accounts ADD COLUMN last_login_at_s bigint NOT NULL DEFAULT 0;",
};

const int users_postgres_version =
    (int)(sizeof users_postgres_migrations / sizeof *users_postgres_migrations);

enum err users_postgres_choose_schema(struct users_connection *connection, char **schema_out,
                                      struct error *error)
{
    char name[128];

    *schema_out = NULL;
    enum err err = users_postgres_text(connection, "SELECT current_schema()",
                                       USERS_POSTGRES_ANSWER_MS, name, sizeof name, error);
    if (!err && name[0] == '\0')
        err = error_set(error, ERR_UPSTREAM_DOWN,
                        "users database: no schema of the search path is there, or open to this "
                        "user; make one, or name it: %s",
                        NAME_IT(connection));
    if (!err)
        err = users_postgres_quote(connection, name, schema_out, error);
    return err ? err : users_postgres_use_schema(connection, *schema_out, error);
}

/* In one statement, so that all it looks at is of one moment: another node may be making the
 * tables. 0: there are none. */
static enum err look_at_tables(struct users_connection *connection, bool *are_ours_out,
                               struct error *error)
{
    static const char query[] =
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = current_schema() AND relname IN ('cachewarden_schema', 'facts', "
        "'accounts', 'account_groups', 'api_keys', 'subjects', 'switches')"
        " ORDER BY relname <> 'cachewarden_schema', relname LIMIT 1";
    char found[128];

    *are_ours_out = false;
    enum err err = users_postgres_text(connection, query, USERS_POSTGRES_ANSWER_MS, found,
                                       sizeof found, error);
    if (err)
        return err;
    *are_ours_out = strcmp(found, "cachewarden_schema") == 0;
    if (found[0] != '\0' && !*are_ours_out)
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "users database: the schema has another program's table \"%s\"; make a "
                         "schema of its own and name it: %s",
                         found, NAME_IT(connection));
    return ERR_OK;
}

enum err users_postgres_look_at_version(struct users_connection *connection, int64_t *version_out,
                                        struct error *error)
{
    char text[32];
    bool are_ours;

    *version_out = 0;
    enum err err = look_at_tables(connection, &are_ours, error);
    if (!err && are_ours)
        err = users_postgres_text(connection, "SELECT max(version) FROM cachewarden_schema",
                                  USERS_POSTGRES_ANSWER_MS, text, sizeof text, error);
    if (err || !are_ours)
        return err;
    if (!str_to_int64(str_from(text), 1, INT32_MAX, version_out))
        return error_set(error, ERR_UPSTREAM_DOWN,
                         "users database: the table cachewarden_schema does not tell a version");
    if (*version_out > users_postgres_version)
        return error_set(error, ERR_CONFLICT,
                         "users database: its schema has version %d and this program knows %d, use "
                         "a newer one",
                         (int)*version_out, users_postgres_version);
    return ERR_OK;
}

static enum err run_migration(struct users_connection *connection, int version, struct error *error)
{
    char mark[128];

    enum err err =
        users_postgres_exec(connection, users_postgres_migrations[version - 1], MIGRATE_MS, error);
    if (err)
        return err;
    snprintf(mark, sizeof mark,
             "INSERT INTO cachewarden_schema (version, applied_at_s) VALUES (%d, %lld)", version,
             (long long)clock_wall_s());
    return users_postgres_exec(connection, mark, MIGRATE_MS, error);
}

/* Another node may have done the same: the version is read again once it is our turn. */
static enum err take_turn(struct users_connection *connection, int64_t *version_out,
                          struct error *error)
{
    char lock[128];

    /* Of the two limits the server's comes first: it says what it was waiting for. */
    snprintf(lock, sizeof lock,
             "SET LOCAL statement_timeout = %d; SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ")",
             MIGRATE_MS - 500);
    enum err err = users_postgres_begin(connection, "ISOLATION LEVEL READ COMMITTED READ WRITE",
                                        lock, MIGRATE_MS, error);
    return err ? err : users_postgres_look_at_version(connection, version_out, error);
}

enum err users_postgres_migrate(struct users_connection *connection, struct error *error)
{
    int64_t version;
    enum err err = users_postgres_look_at_version(connection, &version, error);

    if (err || version == users_postgres_version)
        return err;
    err = take_turn(connection, &version, error);
    while (!err && version < users_postgres_version)
        err = run_migration(connection, (int)++version, error);
    if (!err)
        err = users_postgres_commit(connection, error);
    if (connection->state == USERS_POSTGRES_GOOD && !users_postgres_is_idle(connection) &&
        users_postgres_exec(connection, "ROLLBACK", USERS_POSTGRES_ANSWER_MS, NULL) != ERR_OK)
        connection->state = USERS_POSTGRES_SPENT;
    return err;
}
