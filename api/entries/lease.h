/*
 * A lease: what a miss hands out and a fill brings back. It says which numbers were current at the miss, so what is
 * filled with it is out of date as soon as one of them has moved, however late it arrives. The caller cannot read
 * or make one: it is signed for one label of one namespace. Its key is derived from auth.secret, so all nodes take
 * each other's.
 *
 *     format          1 byte
 *     issued at       milliseconds since 1970
 *     version         of the namespace
 *     base, any       of its models
 *     flags           1 byte; 1: the fill was promised to others, who wait for it
 *     models          1 byte: how many, and for each 8 bytes of a digest of its name, and its count
 *     signature       16 bytes of an HMAC-SHA-256
 *
 * Numbers as in an envelope; all of it as unpadded base64url.
 */
#ifndef API_ENTRIES_LEASE_H
#define API_ENTRIES_LEASE_H

#include "cachewarden/entries.h"
#include "cachewarden/key_ring.h"
#include "entries/models.h"

#define LEASE_MODEL_SIZE 8

struct lease {
    int64_t issued_at_ms;
    int64_t version;
    int64_t base, any;
    bool is_promised;
    size_t model_count;
    unsigned char models[ENTRY_MODELS_MAX][LEASE_MODEL_SIZE];
    int64_t counts[ENTRY_MODELS_MAX];
};

/* The keys of this purpose, derived from the secrets. Errors of mac_key_new and mac_compute. */
CW_MUST_CHECK enum err lease_keys_new(const struct secrets *secrets, struct key_ring **keys_out,
                                      struct error *error);

/* The numbers of now, with the counts of these models. ERR_INTERNAL: there is no digest. */
CW_MUST_CHECK enum err lease_fill_in(struct lease *lease, int64_t now_ms, int64_t version,
                                     const struct model_set *models);
/* What a lease is signed with, and where alone it holds. */
struct lease_scope {
    const struct key_ring *keys; /* lease_keys_new */
    const struct namespace *space;
    struct str label;
};

/* The text in the arena. */
CW_MUST_CHECK enum err lease_seal(const struct lease_scope *scope, struct arena *arena,
                                  const struct lease *lease, struct str *text_out);
/* ERR_BAD_INPUT, with the text for the caller: it was not made here, or for another label or namespace, or it is
 * older than LEASE_LIFE_S. */
CW_MUST_CHECK enum err lease_open(const struct lease_scope *scope, struct work work,
                                  struct str text, int64_t now_ms, struct lease *lease_out);

/* The counts it has of these models into models->counts, and the base. False: it does not name them all, or there
 * was no hash of models when it was made. */
bool lease_has_models(const struct lease *lease, struct model_set *models);

#endif
