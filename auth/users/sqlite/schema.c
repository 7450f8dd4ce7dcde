#include "users/sqlite/schema.h"

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
};

const int users_sqlite_version =
    (int)(sizeof users_sqlite_migrations / sizeof *users_sqlite_migrations);
