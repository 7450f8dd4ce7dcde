/*
 * Remembers when API keys were last used and accounts last signed in, coarsely and aside: a request only
 * drops a note, a thread of its own writes it to the users database. Notes may be lost; a request is never
 * slowed or failed for them. Thread-safe.
 */
#ifndef AUTH_LAST_USE_H
#define AUTH_LAST_USE_H

#include "cachewarden/users.h"

#define LAST_USE_INTERVAL_S 60 /* at most one write a minute a key, or an account */

struct last_use;

/* `users` is borrowed. The thread starts with the first note. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err last_use_new(struct users *users, struct last_use **usage_out);
/* Writes what is still noted, unless the database is out of reach. */
void last_use_free(struct last_use **usage);

/* The key was used at now_s; `last_used_at_s` is what its record says. */
void last_use_note_key(struct last_use *usage, struct str id, int64_t last_used_at_s,
                       int64_t now_s);
/* The account signed in with its password at now_s; `last_login_at_s` is what its record says. */
void last_use_note_login(struct last_use *usage, int64_t account_id, int64_t last_login_at_s,
                         int64_t now_s);

#endif
