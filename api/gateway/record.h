/*
 * What Redis holds for the gateway, as one string. Numbers have a fixed width, the highest byte first.
 *
 *     format     1 byte
 *     kind       1 byte: a response, a list of variants, or that it was dropped
 *     digest     16 bytes: under which key it was stored; under another one it is nothing
 *     stamp      8 bytes
 *
 * Of a response:
 *     version, base, any      8 bytes each: the numbers of its fill (stored.h)
 *     id                      16 bytes
 *     length of the head      4 bytes; of the body: 8
 *     head                    status, times, Vary, tags with their counts, fields
 *     body                    the rest
 *
 * So its first RECORD_PREFIX_SIZE bytes tell whether it is what a node has in memory, and whether it is good.
 *
 * A list of variants stands where the answer to a path would, if Vary names anything: the names. Each variant has a
 * key of its own, and the stamp of the list. With the list all of them are gone.
 *
 * Decoding is total: bytes that are not a whole record, whoever put them there, are false, and nothing is believed
 * of a size in them. Pure.
 */
#ifndef API_GATEWAY_RECORD_H
#define API_GATEWAY_RECORD_H

#include "gateway/rules/vary.h"
#include "gateway/stored.h"

enum record_kind { RECORD_RESPONSE = 1, RECORD_VARIANTS, RECORD_DROPPED };

enum {
    RECORD_START_SIZE = 1 + 1 + KEY_DIGEST_SIZE + STORED_STAMP_SIZE,
    RECORD_PREFIX_SIZE = RECORD_START_SIZE + 3 * 8 + STORED_ID_SIZE + 4 + 8,
    RECORD_VARIANTS_SIZE_MAX = RECORD_START_SIZE + VARY_NAMES_MAX * (VARY_NAME_SIZE_MAX + 1),
    /* A head that is longer is not stored. */
    RECORD_HEAD_SIZE_MAX = 256 * 1024,
    RECORD_FIELDS_MAX = 512,
};

/* What a prefix tells. */
struct record {
    enum record_kind kind;
    struct gateway_digest digest;
    unsigned char stamp[STORED_STAMP_SIZE];
    struct str names; /* RECORD_VARIANTS: as vary_of gives them */
    /* RECORD_RESPONSE: */
    int64_t version, base, any;
    unsigned char id[STORED_ID_SIZE];
    size_t head_length;
    uint64_t body_length;
};

/* Of the first RECORD_PREFIX_SIZE bytes of a response, or of all of what is shorter. Texts stay in `bytes`. */
bool record_decode(struct str bytes, struct record *record_out);

/* Whether it says that something was dropped, and by which drop: each has a stamp of its own. */
bool record_is_dropped(struct str bytes, unsigned char stamp_out[STORED_STAMP_SIZE]);

/*
 * Head and body of a response, of which `record` is decoded already: `bytes` has its head; *has_body_out: and its
 * body. Arrays lie in the arena, texts in `bytes`. False: it is no head, or memory is out.
 */
bool record_decode_response(struct str bytes, const struct record *record, struct arena *arena,
                            struct stored_response *response_out,
                            struct stored_numbers *numbers_out, bool *has_body_out);

/* In the arena; {NULL,0}: memory is out, or it is larger than a record may be. */
struct str record_encode(struct arena *arena, const struct gateway_digest *digest,
                         const struct stored_response *response,
                         const struct stored_numbers *numbers);
struct str record_encode_variants(struct arena *arena, const struct gateway_digest *digest,
                                  const unsigned char stamp[STORED_STAMP_SIZE], struct str names);
struct str record_encode_dropped(struct arena *arena, const struct gateway_digest *digest,
                                 const unsigned char stamp[STORED_STAMP_SIZE]);

#endif
