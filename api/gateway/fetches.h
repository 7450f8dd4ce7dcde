/*
 * Which fetches are under way on this node, so that many who miss one thing at once make one request to the upstream.
 * Whoever enters first leads: it fetches, stores and leaves. The others wait and look again. A fetch has a name of its
 * own, by the numbers that it began under: who has to respect a later clear does not meet it. What could not be shared
 * is remembered of the thing for a while: those who want it do not wait for each other. Any thread.
 */
#ifndef API_GATEWAY_FETCHES_H
#define API_GATEWAY_FETCHES_H

#include "gateway/key.h"

struct fetches;

struct fetch_name {
    struct gateway_digest entry; /* the thing */
    struct gateway_digest begun; /* this fetch of it (gateway_look_begun) */
};

/* Up to `most` lead at once; half of them may sleep. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err fetches_new(int most, struct fetches **fetches_out, struct error *error);
/* Nobody is in it. Harmless for NULL. */
void fetches_free(struct fetches **fetches);

enum fetch_turn {
    FETCH_LEADS, /* fetches_leave or fetches_rest, in any case */
    FETCH_WAITS, /* somebody else leads, or it rests */
    FETCH_ALONE, /* nobody waits for another here: what came was not for all */
    FETCH_BESIDE /* nor here: what would have been for all failed, or as many lead as may */
};
/* has_turn: it comes for its turn, for which it rests. */
enum fetch_turn fetches_enter(struct fetches *fetches, const struct fetch_name *name,
                              bool has_turn);

enum fetch_end {
    FETCH_SHARED, /* what came is stored, so others have it */
    FETCH_LEFT, /* nobody knows what would have come, or it was not true any more: the next one leads */
    FETCH_UNSHARED, /* what came is not for all */
    FETCH_FAILED
};
void fetches_leave(struct fetches *fetches, const struct fetch_name *name, enum fetch_end how);
/* Leaves it, too; until then (clock_mono_ns) nobody leads, and whoever comes waits: another node fetches it, or
 * somebody comes back for its turn. */
void fetches_rest(struct fetches *fetches, const struct gateway_digest *begun, int64_t until_ns);

/* Nobody comes back for it: who waits need not wait until then. */
void fetches_end_rest(struct fetches *fetches, const struct gateway_digest *begun);

/* Or it rests. */
bool fetches_is_under_way(struct fetches *fetches, const struct gateway_digest *begun);
/* Until that is over, or until_ns (clock_mono_ns). Not at all where too many sleep. */
void fetches_sleep(struct fetches *fetches, const struct gateway_digest *begun, int64_t until_ns);

#endif
