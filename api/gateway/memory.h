/*
 * What this node keeps of stored responses, by the digest of what they are answers to. It needs no telling when
 * something is cleared: whoever takes something from here has asked Redis first whether it is what lies there, by
 * its id, and good. So it may forget anything at any time.
 *
 * Bounded: what was not used for longest goes first. What somebody holds lives on outside until it is released. Any
 * thread.
 */
#ifndef API_GATEWAY_MEMORY_H
#define API_GATEWAY_MEMORY_H

#include "gateway/stored.h"

struct memory;

/* ERR_NO_MEMORY. 0 bytes: nothing is put in. */
CW_MUST_CHECK enum err memory_new(size_t bytes, struct memory **memory_out, struct error *error);
void memory_free(struct memory **memory);

/* Held for the caller, and used just now; NULL: there is nothing. */
struct stored_copy *memory_find(struct memory *memory, const struct gateway_digest *digest);
/* In the place of what was there; the caller's reference stays theirs. What is larger than an eighth of all is not
 * put in. */
void memory_put(struct memory *memory, const struct gateway_digest *digest,
                struct stored_copy *copy);
/* If it is still this one. */
void memory_forget(struct memory *memory, const struct gateway_digest *digest,
                   const struct stored_copy *copy);

struct memory_use {
    size_t bytes, count;
    uint64_t evicted; /* to make room */
};
void memory_read_use(struct memory *memory, struct memory_use *use_out);

#endif
