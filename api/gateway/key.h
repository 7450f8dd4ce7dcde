/*
 * What a stored answer is an answer to. Two requests have the same key only if they may have the same answer: the
 * same route, verified user, host, path and query, and the same values of the fields that Vary names. Nothing else
 * of a request is in it, so nothing else may reach the upstream that could change the answer (rules/passing.h).
 *
 * A digest is taken over the parts, each behind its length: no two keys are the same that differ by where one part
 * ends. The method is always GET. Pure.
 */
#ifndef API_GATEWAY_KEY_H
#define API_GATEWAY_KEY_H

#include "cachewarden/namespace.h"
#include "gateway/rules/fields.h"
#include "keyspace.h"

struct gateway_key {
    int64_t user_id;  /* whose answers they are, verified; 0: everybody's */
    struct str route; /* one route has nothing of what another has stored */
    struct str host;  /* in any case */
    struct str path;
    struct str query; /* as it was sent; ptr NULL: there is none, which is not an empty one */
    const struct str *models; /* of the route: every answer has them for tags */
    size_t model_count;
    struct http_fields request; /* as the upstream is sent them: it chose by these */
};

struct gateway_digest {
    unsigned char bytes[KEY_DIGEST_SIZE];
};

static inline bool gateway_digest_eq(const struct gateway_digest *a, const struct gateway_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* A path of one user, or of everybody: what is dropped at once, with all its variants. */
struct gateway_path {
    int64_t user_id;
    struct gateway_digest digest;
};

static inline bool gateway_path_eq(const struct gateway_path *a, const struct gateway_path *b)
{
    return a->user_id == b->user_id && gateway_digest_eq(&a->digest, &b->digest);
}

/* Where its answers lie: with the user's, or with the gateway's own. */
struct namespace gateway_key_space(const struct gateway_key *key);

/* Of all but the fields that Vary names. ERR_NO_MEMORY; ERR_INTERNAL: there is no digest. */
CW_MUST_CHECK enum err gateway_key_path(const struct gateway_key *key, struct arena *arena,
                                        struct gateway_digest *digest_out);
/* Of `path` and the request's values under these names (rules/vary.h). The same errors. */
CW_MUST_CHECK enum err gateway_key_variant(const struct gateway_key *key, struct arena *arena,
                                           const struct gateway_digest *path, struct str names,
                                           struct gateway_digest *digest_out);

#endif
