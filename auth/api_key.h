/*
 * API keys: cwk_<id>_<secret>, where the id is 12 and the secret 64 lower-case hex digits. The id
 * finds the record; of the secret only its SHA-256 is kept. (It is random, so a slow hash would
 * protect nothing more.)
 */
#ifndef AUTH_API_KEY_H
#define AUTH_API_KEY_H

#include "cachewarden/digest.h"

#include "cachewarden/users.h"

#define API_KEY_ID_SIZE       12
#define API_KEY_NAME_MAX_SIZE 64

/* A key's record as it is needed on every request. */
struct key_record {
    unsigned char digest[DIGEST_SHA256_SIZE];
    unsigned scopes;
    int64_t owner_id;
    int64_t expires_at_s;
    int64_t revoked_at_s;
    int64_t last_used_at_s;
    unsigned char name_len, space_len;
    char name[API_KEY_NAME_MAX_SIZE];
    char space[API_KEY_NAME_MAX_SIZE];
};

/* A fresh id and secret: *whole_out is what the owner gets; all in the arena. ERR_NO_MEMORY,
 * ERR_INTERNAL. */
CW_MUST_CHECK enum err api_key_make(struct arena *arena, struct str *id_out, struct str *whole_out,
                                    struct str *digest_out);

/* Takes it apart; false when it cannot be a key. */
bool api_key_split(struct str whole, struct str *id_out, struct str *secret_out);

/*
 * The key that the value of an Authorization header holds: as a Bearer token, or as the password of
 * Basic (RFC 7617), whatever the name. False: it holds something else, which may be a token, or a
 * password for somebody else.
 */
bool api_key_of_authorization(struct arena *arena, struct str authorization, struct str *whole_out);

/* Names and namespaces: 1 to 64 of A-Z a-z 0-9 . _ - ; ERR_BAD_INPUT names `field`. */
CW_MUST_CHECK enum err api_key_check_name(const char *field, struct str name, struct error *error);

/* The records, remembered for a second (ttl_cache.h). Thread-safe; `users` is borrowed. */
struct key_cache;
CW_MUST_CHECK enum err key_cache_new(struct users *users, struct key_cache **cache_out);
void key_cache_free(struct key_cache **cache);
/* One of them, or all. */
void key_cache_forget(struct key_cache *cache, struct str id);
void key_cache_forget_all(struct key_cache *cache);

struct key_times {
    int64_t now_s;
    int64_t now_ns;   /* the same moment by clock_mono_ns */
    int64_t stale_ns; /* what was read so long ago will do while the database is away */
};
/*
 * ERR_OK: a key we gave out, whole, neither revoked nor expired. ERR_UNAUTHENTICATED with the
 * reason in error->detail; takes as long for an id nobody has. Errors of users.h; while the database is
 * away, what it said up to times.stale_ns ago will do (TTL_CACHE_STALE_NS, or what the caller can allow). Whether
 * the owner is still there is for the caller to check.
 */
CW_MUST_CHECK enum err api_key_verify(struct key_cache *cache, struct str whole,
                                      struct key_times times, struct str *id_out,
                                      struct key_record *record_out, struct error *error);

#endif
