/* Where rows of a copy wait until they take the place of those that are here: a database of one connection. */
#include "users/sqlite/sqlite.h"

/*
 * Its file has no name, and is gone with the connection, however that ends. It is in SQLite's folder for such files
 * (SQLITE_TMPDIR, TMPDIR, /var/tmp, /tmp). The columns are those of schema.c. What rows have to be beside each other is
 * seen when they take their place; here they are only found by their keys.
 */
static const char tables[] =
    "CREATE TABLE IF NOT EXISTS staged.copy_accounts ("
    "  id INTEGER PRIMARY KEY,"
    "  username TEXT,"
    "  username_key TEXT,"
    "  email TEXT,"
    "  email_key TEXT,"
    "  password_hash TEXT NOT NULL,"
    "  is_superuser INTEGER NOT NULL,"
    "  is_active INTEGER NOT NULL,"
    "  created_at_s INTEGER NOT NULL,"
    "  deleted_at_s INTEGER NOT NULL,"
    "  tokens_not_before_s INTEGER NOT NULL,"
    "  tokens_kept_family TEXT NOT NULL,"
    "  incarnation TEXT NOT NULL"
    ");"
    "CREATE TABLE IF NOT EXISTS staged.copy_groups ("
    "  account_id INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  PRIMARY KEY (account_id, name)"
    ") WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS staged.copy_subjects ("
    "  issuer TEXT NOT NULL,"
    "  subject TEXT NOT NULL,"
    "  account_id INTEGER NOT NULL,"
    "  PRIMARY KEY (issuer, subject)"
    ") WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS staged.copy_keys ("
    "  id TEXT NOT NULL PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  secret_digest BLOB NOT NULL,"
    "  scopes INTEGER NOT NULL,"
    "  space TEXT NOT NULL,"
    "  owner_id INTEGER,"
    "  created_at_s INTEGER NOT NULL,"
    "  expires_at_s INTEGER NOT NULL,"
    "  revoked_at_s INTEGER NOT NULL,"
    "  last_used_at_s INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS staged.copy_switches (user_id INTEGER PRIMARY KEY);";

enum err users_sqlite_stage(struct users_connection *connection, struct error *error)
{
    static const char *const steps[] = {
        "PRAGMA temp_store = FILE",
        "ATTACH '' AS staged",
        /* Nobody needs it after a crash. */
        ("PRAGMA staged.journal_mode = OFF; PRAGMA staged.synchronous = OFF;"
         "PRAGMA staged.secure_delete = OFF; PRAGMA staged.cache_size = -8192"),
        tables,
        /* Of the file beside alone, until something of the users database is read. */
        "BEGIN",
    };
    enum err err = ERR_OK;

    for (size_t i = 0; !err && i < sizeof steps / sizeof *steps; i++)
        err = users_sqlite_exec(connection, steps[i], error);
    return err;
}
