/* What the command line and the routes of API keys share: how a new one is asked for, how one is shown. Pure. */
#ifndef CACHEWARDEN_API_KEYS_H
#define CACHEWARDEN_API_KEYS_H

#include "cachewarden/json.h"
#include "cachewarden/users.h"

/* For people. */
#define API_KEY_SCOPES_TEXT "flush, entries, admin, user and metrics"

/* The longest a key may be good that does not stay good for ever: a hundred years or so. */
#define API_KEY_DAYS_MAX 36500

/*
 * The namespace of its entries: NAME, or app:NAME as the routes call it. *name_out is a part of the text. False: it is
 * empty, or an account's. Whether the name is a good one identity_create_key says.
 */
bool api_key_take_space(struct str text, struct str *name_out);

/* When a key ends that is good for so many days from now on, as seconds since 1970. False: not 1 to
 * API_KEY_DAYS_MAX. */
bool api_key_take_days(int64_t days, int64_t now_s, int64_t *expires_at_s_out);

/* Its entries would have to lie somewhere: an admin names a namespace with each request, who acts as a user has that
 * one, this key has none. */
bool api_key_lacks_space(const struct api_key *key);

/* "good", "expired" or "revoked". */
const char *api_key_state(const struct api_key *key, int64_t now_s);

/* The members that a new key has, without the braces; never the secret or its digest. */
void api_key_write(struct json_writer *json, struct arena *arena, const struct api_key *key);
/* Those, and what became of it: its last use, its revocation, its state. */
void api_key_write_all(struct json_writer *json, struct arena *arena, const struct api_key *key,
                       int64_t now_s);

#endif
