/*
 * Redis cannot replace a value on the condition that it is out of date. So it is moved aside, in one step, and looked
 * at there: what is good after all is put back.
 */
#ifndef API_ENTRIES_ASIDE_H
#define API_ENTRIES_ASIDE_H

#include "entries/look.h"
#include "keyspace.h"

struct aside {
    struct key key;
    bool is_good;
    struct str life;   /* what is left of it, as a number */
    struct str number; /* of a counter of this version */
};

/* Moves what is under the key aside, and judges it by what was seen. Nothing there: it is not good. */
CW_MUST_CHECK enum err aside_take(struct entry_look *look, const struct label_key *key,
                                  int64_t now_ms, struct aside *aside_out);
/* Who stored something meanwhile comes after it; who raised a counter meanwhile raised this one. */
CW_MUST_CHECK enum err aside_put_back(const struct entry_look *look, const struct label_key *key,
                                      const struct aside *aside);

#endif
