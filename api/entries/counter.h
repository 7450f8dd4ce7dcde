/*
 * A counter: an entry that is a whole number, and can be raised. It lies under the same key as other entries, as a
 * hash:
 *
 *     <version>    the number, as it was counted under this version of the namespace
 *     h            the head of an envelope (envelope.h): when it was stored, for how long, as what
 *     o            the head it had under an earlier version, if it goes on in the place of an old one
 *
 * Who raises it need not know the version for certain: what was counted under one that is over is in a field nobody
 * reads, and is counted again under the right one.
 */
#ifndef API_ENTRIES_COUNTER_H
#define API_ENTRIES_COUNTER_H

#include "entries/envelope.h"
#include "entries/look.h"
#include "keyspace.h"

#define COUNTER_HEAD     STR("h")
#define COUNTER_OLD_HEAD STR("o")
/* The field of a counter under this version. */
struct str counter_field(char buffer[STR_INT64_SIZE], int64_t version);

/* Whether a value is kept as a counter: one canonical whole number, without models. */
bool counter_is_number(const struct envelope *envelope);

/* Whether the head of a counter, as Redis gave it, is of this version. */
bool counter_is_of(const struct value *head, int64_t version);

/* Adds the commands that put a counter in the place of whatever is there, or (only_if_absent) where nothing is.
 * The last one's reply: OK; or 1 if it was put, else 0. `scratch` is a key_scratch. */
void counter_add_put(struct pipeline *pipeline, struct str key, struct str scratch,
                     const struct envelope *envelope, struct str head, bool only_if_absent);

/* Reads the counter that a look found: a hit if it counts under the version seen. */
CW_MUST_CHECK enum err counter_read(const struct entry_look *look, const struct label_key *key,
                                    int64_t now_ms, struct entry_found *found_out);

#endif
