/*
 * Remembers when API keys were last used, coarsely and aside: a request only drops a note, a thread
 * of its own writes it to the users database. Notes may be lost; a request is never slowed or
 * failed for them. Thread-safe.
 */
#ifndef AUTH_KEY_TOUCH_H
#define AUTH_KEY_TOUCH_H

#include "cachewarden/users.h"

#define KEY_TOUCH_INTERVAL_S 60 /* at most one write a minute a key */

struct key_touch;

/* `users` is borrowed. The thread starts with the first note. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err key_touch_new(struct users *users, struct key_touch **touch_out);
/* Writes what is still noted, unless the database is out of reach. */
void key_touch_free(struct key_touch **touch);

/* The key was used at now_s; `last_used_at_s` is what its record says. */
void key_touch_note(struct key_touch *touch, struct str id, int64_t last_used_at_s, int64_t now_s);

#endif
