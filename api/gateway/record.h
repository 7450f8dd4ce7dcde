/*
 * What Redis holds for the gateway under one key: a hash.
 *
 *     drop       8 bytes: the stamp of the last drop; absent: none. Only under a path
 *     start      what it is, see below; absent: nothing but that it was dropped
 *     head       of a response: status, times, Vary, tags with their counts, fields
 *     body       of a response, if it has RECORD_BODY_SHORT bytes at most
 *     long_body  else
 *
 * What was stored before a drop is not good behind it: the stamp in its start is not the one that lies beside it. No
 * store can take that away, for it is a field of its own; and the two expire together, as one key.
 *
 * The start. Numbers have a fixed width, the highest byte first.
 *
 *     format     1 byte
 *     kind       1 byte: a response, or a list of variants
 *     digest     16 bytes: under which key it was stored; under another one it is nothing
 *     drop       8 bytes: the stamp of the drop that its fill has seen; all zero: there was none
 *     stamp      8 bytes
 *
 * Of a response:
 *     version, base, any      8 bytes each: the numbers of its fill (stored.h)
 *     id                      16 bytes
 *     length of the head      4 bytes; of the body: 8
 *
 * So the start tells whether it is what a node has in memory, and whether it is good.
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

enum record_kind { RECORD_RESPONSE = 1, RECORD_VARIANTS };

#define RECORD_FIELD_DROP      STR("drop")
#define RECORD_FIELD_START     STR("start")
#define RECORD_FIELD_HEAD      STR("head")
#define RECORD_FIELD_BODY      STR("body")
#define RECORD_FIELD_LONG_BODY STR("long_body")

enum {
    RECORD_LIST_SIZE_MIN = 1 + 1 + KEY_DIGEST_SIZE + 2 * STORED_STAMP_SIZE,
    RECORD_RESPONSE_SIZE = RECORD_LIST_SIZE_MIN + 3 * 8 + STORED_ID_SIZE + 4 + 8, /* its start */
    /* A body that comes with what tells of it. */
    RECORD_BODY_SHORT = 16 * 1024,
    /* A head that is longer is not stored. */
    RECORD_HEAD_SIZE_MAX = 256 * 1024,
    RECORD_FIELDS_MAX = 512,
};

/* What a start tells. */
struct record {
    enum record_kind kind;
    struct gateway_digest digest;
    unsigned char drop[STORED_STAMP_SIZE], stamp[STORED_STAMP_SIZE];
    struct str names; /* RECORD_VARIANTS: as vary_of gives them */
    /* RECORD_RESPONSE: */
    int64_t version, base, any;
    unsigned char id[STORED_ID_SIZE];
    size_t head_length;
    uint64_t body_length;
};

/* Of a start. Texts stay in it. */
bool record_decode(struct str start, struct record *record_out);

/*
 * The head of a response, of which `record` is decoded already. Arrays lie in the arena, texts in `head`; its body is
 * left empty. False: it is no head, or memory is out.
 */
bool record_decode_head(struct str head, const struct record *record, struct arena *arena,
                        struct stored_response *response_out, struct stored_numbers *numbers_out);

/* In the arena; {NULL,0}: memory is out, or it is larger than a record may be. */
struct str record_encode_head(struct arena *arena, const struct stored_response *response,
                              const struct stored_numbers *numbers);
struct str record_encode_response(struct arena *arena, const struct gateway_digest *digest,
                                  const struct stored_response *response,
                                  const struct stored_numbers *numbers, size_t head_length);
struct str record_encode_variants(struct arena *arena, const struct gateway_digest *digest,
                                  const struct stored_numbers *numbers, struct str names);

#endif
