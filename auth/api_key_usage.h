/*
 * Remembers when API keys were last used, coarsely and aside: a request only drops a note, a thread
 * of its own writes it to the users database. Notes may be lost; a request is never slowed or
 * failed for them. Thread-safe.
 */
#ifndef AUTH_API_KEY_USAGE_H
#define AUTH_API_KEY_USAGE_H

#include "cachewarden/users.h"

#define API_KEY_USAGE_INTERVAL_S 60 /* at most one write a minute a key */

struct api_key_usage;

/* `users` is borrowed. The thread starts with the first note. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err api_key_usage_new(struct users *users, struct api_key_usage **usage_out);
/* Writes what is still noted, unless the database is out of reach. */
void api_key_usage_free(struct api_key_usage **usage);

/* The key was used at now_s; `last_used_at_s` is what its record says. */
void api_key_usage_note(struct api_key_usage *usage, struct str id, int64_t last_used_at_s,
                        int64_t now_s);

#endif
