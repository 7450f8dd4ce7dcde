/*
 * The keys of an issuer as they were at one moment: a key set or a secret. Read-only, shared by
 * counting; a request uses the ones it found even while newer ones take their place.
 */
#ifndef AUTH_ISSUERS_ISSUER_KEYS_H
#define AUTH_ISSUERS_ISSUER_KEYS_H

#include "tokens/jws.h"

#include "cachewarden/issuer.h"

#include <stdatomic.h>

#define ISSUER_SECRET_MAX_SIZE 4096

struct issuer_keys;
struct key_file_stamp;

/*
 * Reads what a file or a server holds. ERR_BAD_INPUT, ERR_TOO_LARGE: these are no keys for the
 * issuer's algorithms; the caller's text says why. ERR_NO_MEMORY, ERR_INTERNAL. The spec has been
 * found good by issuer_check; nothing of it is kept.
 */
CW_MUST_CHECK enum err issuer_keys_new(const struct issuer_spec *spec, struct str text,
                                       struct issuer_keys **keys_out, struct error *error);
/* The same from jwks_file or secret_file. Also ERR_UPSTREAM_DOWN: it cannot be read. The stamp as in key_file_read. */
CW_MUST_CHECK enum err issuer_keys_load(const struct issuer_spec *spec,
                                        struct key_file_stamp *stamp_out,
                                        struct issuer_keys **keys_out, struct error *error);

/* The same from jwks_url, in timeout_ms: texts end with a NUL. Errors of jwks_fetch as well. `stops` as there. */
CW_MUST_CHECK enum err issuer_keys_fetch(const struct issuer_spec *spec, const atomic_bool *stops,
                                         int timeout_ms, struct issuer_keys **keys_out,
                                         struct error *error);

/* One more owner; NULL stays NULL. */
struct issuer_keys *issuer_keys_hold(struct issuer_keys *keys);
/* The last one frees them. */
void issuer_keys_release(struct issuer_keys **keys);

/* Made of the same text. */
bool issuer_keys_same(const struct issuer_keys *a, const struct issuer_keys *b);
size_t issuer_keys_count(const struct issuer_keys *keys);

/* The key a token means (jwks_find), or NULL with the reason in *why_out. A secret has no `kid`, so
 * no token may name one. */
const struct jws_key *issuer_keys_find(const struct issuer_keys *keys, const struct jws *jws,
                                       const char **why_out);

#endif
