/*
 * What Redis holds under a label: a head of some 24 bytes, more where models are named, that says what the value was
 * filled with, and then the value itself, as it came.
 *
 *     format          1 byte
 *     version         of the namespace, when the fill began
 *     stored at       milliseconds since 1970
 *     life            seconds
 *     fill time       milliseconds from the lease to the fill; 0: not known
 *     entity tag      9 bytes
 *     content type    1 byte: a common one by its number, or how many bytes follow with its name
 *     models          1 byte: how many; if any are named, the base, and for each its length, name and count
 *     body            the rest
 *
 * Numbers are LEB128: seven bits a byte, the lowest first, in as few bytes as they take. Decoding is total: bytes
 * that are not a whole envelope, whoever put them there, are false, and nothing is believed of a size in them.
 * Pure.
 */
#ifndef API_ENTRIES_ENVELOPE_H
#define API_ENTRIES_ENVELOPE_H

#include "cachewarden/arena.h"
#include "cachewarden/entries.h"
#include "entries/models.h"

#include <stdbool.h>
#include <stdint.h>

#define ENVELOPE_TAG_SIZE 9

struct envelope {
    int64_t version;
    int64_t stored_at_ms;
    int64_t life_ms; /* whole seconds, from 1000 on */
    int64_t fill_ms;
    unsigned char tag[ENVELOPE_TAG_SIZE];
    struct str content_type; /* empty: none was told */
    struct model_set models; /* with the counts they had */
    struct str body;
};

/* The longest head there can be: of a type and models that are as long as they may be. */
#define ENVELOPE_HEAD_MAX                                           \
    (1 + 4 * 10 + ENVELOPE_TAG_SIZE + 1 + ENTRY_TYPE_MAX + 1 + 10 + \
     ENTRY_MODELS_MAX * (2 + ENTRY_MODEL_MAX + 10))

/* Of type and body: 9 bytes of a digest of both. ERR_INTERNAL: there is no digest. */
CW_MUST_CHECK enum err envelope_make_tag(struct str content_type, struct str body,
                                         unsigned char tag_out[ENVELOPE_TAG_SIZE]);

/* All of it in the arena; {NULL,0} when memory is out. */
struct str envelope_encode(struct arena *arena, const struct envelope *envelope);
/* Without the body. */
struct str envelope_encode_head(struct arena *arena, const struct envelope *envelope);

/* Texts stay in `bytes`, or are constants. */
bool envelope_decode(struct str bytes, struct envelope *envelope_out);

#endif
