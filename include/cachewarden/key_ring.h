/*
 * Keys that are made of secrets: the first makes signatures, and all prove them. So a secret is replaced while
 * what the one before it has signed is still about, and no request fails.
 */
#ifndef CACHEWARDEN_KEY_RING_H
#define CACHEWARDEN_KEY_RING_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRETS_PREVIOUS_MAX = 3, KEY_SET_MAX = 1 + SECRETS_PREVIOUS_MAX };

/* All borrowed. */
struct secrets {
    struct str current;
    struct str previous[SECRETS_PREVIOUS_MAX]; /* they prove, and sign nothing */
    size_t previous_count;
};

/* How a key is made of a secret: for one purpose, so that what is signed for it proves nothing elsewhere. */
struct key_kind {
    enum err (*make)(struct str secret, void **key_out, struct error *error);
    void (*free)(void *key);
};

/* Read-only. Good until the ring is freed, even after another has taken its place. */
struct key_set {
    uint64_t number;               /* rises with every set of the ring; from 1 up */
    const void *keys[KEY_SET_MAX]; /* [0] signs */
    size_t count;
};

struct key_ring;

/* Errors of `make`; ERR_NO_MEMORY. The secrets are copied, and wiped at the end. */
CW_MUST_CHECK enum err key_ring_new(const struct key_kind *kind, const struct secrets *secrets,
                                    struct key_ring **ring_out, struct error *error);
void key_ring_free(struct key_ring **ring);

/*
 * Other secrets from here on; the same ones change nothing (*changed_out). One thread at a time, while others use the
 * keys. Errors as above: then all is as it was. What was in use is kept until the ring is freed, for somebody
 * may still use it: secrets change seldom.
 */
CW_MUST_CHECK enum err key_ring_set(struct key_ring *ring, const struct secrets *secrets,
                                    bool *changed_out, struct error *error);

/* Those of now. A caller takes them once, and uses them to its end. Any thread; takes no lock. */
const struct key_set *key_ring_keys(const struct key_ring *ring);

#endif
