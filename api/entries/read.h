/* One reading of an entry: a hit or a miss, as it is now. What comes of either is for get.c. */
#ifndef API_ENTRIES_READ_H
#define API_ENTRIES_READ_H

#include "entries/look.h"
#include "keyspace.h"

struct reading {
    struct entry_look look; /* .request is given; the rest is what was seen */
    struct label_key key;
    int64_t now_ms;
    /* Of a hit: how long its fill took (0: not known), and how long it has to live. */
    int64_t fill_ms, left_ms;
};

/* Errors of entry_look. */
CW_MUST_CHECK enum err entry_read(struct reading *reading, struct entry_found *found_out);
/* Adds the lease of what was seen; none while the cache is off. is_promised: others wait for this fill. */
CW_MUST_CHECK enum err entry_give_lease(const struct reading *reading, bool is_promised,
                                        struct entry_found *found_out);

#endif
