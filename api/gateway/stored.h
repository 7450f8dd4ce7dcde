/*
 * A response that is stored: its head, its body, and with which numbers it was filled. It never changes under its
 * id, so threads may share it; whoever holds one counts. Or a note in the place of one: what is known of a path
 * whose answers lie elsewhere.
 */
#ifndef API_GATEWAY_STORED_H
#define API_GATEWAY_STORED_H

#include "gateway/key.h"
#include "gateway/rules/freshness.h"

#include <stdatomic.h>

#define STORED_ID_SIZE    16
#define STORED_STAMP_SIZE 8

/* Of a route's models and an upstream's tags together. More are not stored: a clear of one would not be noticed. */
enum { STORED_TAGS_MAX = 64 };

/* What everybody may know of it. All of it lies in one piece of memory. */
struct stored_response {
    unsigned char id[STORED_ID_SIZE]; /* random: the same id is the same head and body */
    int status;
    struct http_fields fields; /* those that are stored (rules/passing.h) */
    int64_t request_time_ms, response_time_ms;
    struct str vary; /* the names, as vary_of gives them; empty: none */
    const struct str *tags;
    size_t tag_count;
    struct str body;
};

/* The numbers that were current before the upstream was asked. */
struct stored_numbers {
    int64_t version;
    int64_t base, any;
    /* Of each name that its tags stand for (tags.h), as many as gateway_names_count. */
    const int64_t *counts;
    /* It is good while the last drop of its path is the one of this stamp; all zero: there was none. */
    unsigned char drop[STORED_STAMP_SIZE];
    /* A variant is good while the path has this stamp; all zero: it is the path's only answer. */
    unsigned char stamp[STORED_STAMP_SIZE];
};

struct stored_copy {
    struct stored_response response;
    struct stored_numbers numbers;
    bool is_note; /* .vary and .tags are those of its path, and it is no response */
    bool has_body;
    uint64_t body_length;        /* also where has_body is false */
    struct stored_copy *body_of; /* whose memory the body lies in; NULL: its own */
    size_t size;                 /* of its memory, the body included */
    _Atomic unsigned refs;
    /* When its tags were looked at last: `any` twice, and 1 more where one was cleared softly. -1: never. */
    _Atomic int64_t verified;
    /* Of stored_copy_terms. */
    _Atomic unsigned char terms_state;
    struct cache_policy policy;
    struct cache_terms terms;
    /* For memory.c, under the lock of its shard. */
    struct gateway_digest digest;
    struct stored_copy *next_in_bucket, *newer, *older;
};

/*
 * A copy of all of it with one reference. `body_of`, if not NULL, is where the body lies already: it is held and not
 * copied. has_body false: response->body is not looked at. NULL: memory is out.
 */
struct stored_copy *stored_copy_new(const struct stored_response *response,
                                    const struct stored_numbers *numbers, bool has_body,
                                    uint64_t body_length, struct stored_copy *body_of);
/* What a path's answers have in Vary, and its tags. */
struct stored_copy *stored_copy_new_note(struct str vary, const struct str *tags, size_t tag_count);

/* As cache_terms_of its response, which is worked out once: of one copy all ask with the policy of its route. Any
 * thread. */
void stored_copy_terms(struct stored_copy *copy, const struct cache_policy *policy,
                       struct cache_terms *terms_out);

struct stored_copy *stored_copy_hold(struct stored_copy *copy);
/* NULL is let be. */
void stored_copy_release(struct stored_copy **copy);

#endif
