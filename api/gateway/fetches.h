/*
 * Which fetches are under way on this node, so that many who miss one thing at once make one request to the upstream.
 * Whoever enters first leads: it fetches, stores and leaves. The others wait and look again. What could not be stored
 * is remembered for a while: those who want it do not wait for each other. Any thread.
 */
#ifndef API_GATEWAY_FETCHES_H
#define API_GATEWAY_FETCHES_H

#include "gateway/key.h"

struct fetches;

/* Up to `most` lead at once; half of them may sleep. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err fetches_new(int most, struct fetches **fetches_out, struct error *error);
/* Nobody is in it. Harmless for NULL. */
void fetches_free(struct fetches **fetches);

enum fetch_turn {
    FETCH_LEADS, /* fetches_leave, in any case */
    FETCH_WAITS, /* somebody else leads */
    FETCH_ALONE  /* nobody waits for another here */
};
enum fetch_turn fetches_enter(struct fetches *fetches, const struct gateway_digest *entry);
/* is_shared: what came is stored, so others have it. */
void fetches_leave(struct fetches *fetches, const struct gateway_digest *entry, bool is_shared);

bool fetches_is_under_way(struct fetches *fetches, const struct gateway_digest *entry);
/* Until nobody fetches it any more, or until_ns (clock_mono_ns). Not at all where too many sleep. */
void fetches_sleep(struct fetches *fetches, const struct gateway_digest *entry, int64_t until_ns);

#endif
