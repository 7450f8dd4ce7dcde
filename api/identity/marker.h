/*
 * Which control data is in Redis: `cw:marker` holds a random id, made by the first node that finds
 * none there. So a node knows an empty Redis from the one it knew, and a refresh token that could
 * not be recorded can name the control data its record is missing in.
 *
 * The value says what its maker knew: "<id>:<the id before>:<when that was last seen, seconds>:
 * <install id of the users database it belongs to>:<origin of the Redis it was written to>:<era>:
 * <floor>". A token issued while Redis was out of reach is good once Redis is back, even if it came
 * back empty: nobody can have spent or revoked it in between. One from before that moment may have
 * been. What the last four are for is in control/keeper.h, which alone writes markers.
 *
 * The id a node knew last is kept in the users database, so that one started while Redis is down
 * goes on with it. Any thread.
 */
#ifndef API_IDENTITY_MARKER_H
#define API_IDENTITY_MARKER_H

#include "cachewarden/arena.h"
#include "cachewarden/users.h"
#include "cachewarden/value.h"

#define MARKER_ID_SIZE 32 /* hex digits of 128 bits; install ids have as many */

struct marker;

/* `users` is borrowed. A users database out of reach is no error: then the id is a fresh one. */
CW_MUST_CHECK enum err marker_new(struct users *users, struct marker **marker_out);
void marker_free(struct marker **marker);

/* The id of the control data this node saw last, in the arena; {NULL,0} when memory is out. */
struct str marker_id(struct marker *marker, struct arena *arena);

/*
 * Tells what a GET of key_marker answered just now; *is_new_out: it is not what was seen before.
 * ERR_NOT_FOUND: there is none. ERR_UPSTREAM_REFUSED: not a marker.
 */
CW_MUST_CHECK enum err marker_see(struct marker *marker, const struct value *value, int64_t now_s,
                                  bool *is_new_out, struct error *error);

/* Whether a token without a record, issued for control data `id`, may be good under this marker. */
bool marker_allows(struct str marker_value, struct str id, int64_t issued_at_s);

/* What a marker says. Strings point into the value. */
struct marker_facts {
    struct str id, before;
    int64_t seen_at_s;
    struct str install;
    uint64_t origin;
    int64_t era, floor;
};
bool marker_parse(struct str value, struct marker_facts *facts_out);

/*
 * The value of a marker to write: install, origin, era and floor are the caller's. With an id of
 * the caller's it is the same control data, and `before` and `seen_at_s` are, too; without one
 * ({NULL,0}) a new id follows the one this node knew. In the arena; {NULL,0} when memory is out.
 */
struct str marker_write(struct marker *marker, struct arena *arena,
                        const struct marker_facts *facts);

#endif
