/*
 * A counter: an entry that is a whole number, and can be raised. It lies under the same key as other entries, as a
 * hash, with three fields for each version of the namespace under which it was counted:
 *
 *     <version>     the number
 *     h<version>    the head of an envelope (envelope.h): when it was stored, and as what. Its entity tag is
 *                   random: so one that went and came again is another one
 *     t<version>    its time to live was set; not there while it lies in the hash of an earlier version
 *
 * Who raises it need not know the version for certain: what was counted under one that is over nobody reads, and is
 * counted again under the right one. Of one that is over anybody may remove the fields, at any time
 * (docs/design/counters.md).
 */
#ifndef API_ENTRIES_COUNTER_H
#define API_ENTRIES_COUNTER_H

#include "cachewarden/pipeline.h"
#include "entries/envelope.h"
#include "entries/look.h"
#include "keyspace.h"

/* The names of its fields. Not copied: they point into it. */
struct counter_fields {
    struct str number, head, life;
    char bytes[3][STR_INT64_SIZE + 1];
};
void counter_name_fields(struct counter_fields *fields_out, int64_t version);

/* Whether a value is kept as a counter: one canonical whole number, without models. */
bool counter_is_number(const struct envelope *envelope);
/* Gives the head of one that begins its tag. */
void counter_make_tag(struct envelope *envelope);

/* A field of what HGETALL answered; {NULL,0}: it is not there. */
struct str counter_find(const struct value *all, struct str field);
/* Whether HGETALL answered one that counts under this version. */
bool counter_counts(const struct value *all, int64_t version);
/* Whether somebody wrote into it by hand what is no number: then nobody can raise it. */
bool counter_is_damaged(const struct value *all, int64_t version);
/* Adds the command that removes what HGETALL answered, of versions before this one, and of this one what is left
 * without a number; its reply is not judged. False: there is nothing to remove. */
bool counter_add_drop(struct pipeline *pipeline, struct str key, const struct value *all,
                      int64_t version);

/* Adds the commands that put a counter in the place of whatever is there, or (only_if_absent) where nothing is, to a
 * transaction that has begun. `scratch` is a key_scratch. Returns where their replies begin. */
size_t counter_add_put(struct pipeline *pipeline, struct str key, struct str scratch,
                       const struct envelope *envelope, struct str head, bool only_if_absent);
/* Whether it was put, where only_if_absent was said. */
bool counter_was_put(const struct pipeline *pipeline, size_t first);

/* Reads the counter that a look found: a hit if it counts under the version seen. */
CW_MUST_CHECK enum err counter_read(const struct entry_look *look, const struct label_key *key,
                                    int64_t now_ms, struct entry_found *found_out);

#endif
