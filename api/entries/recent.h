/*
 * What this node saw last of each namespace and its models, so that a fill need not ask before it writes: it writes
 * with these numbers and reads those of now in the same round trip. A guess that was wrong costs another one, and
 * nothing else: numbers only rise, so what was written with older ones is never served. Bounded; a namespace may be
 * forgotten at any time. Any thread.
 */
#ifndef API_ENTRIES_RECENT_H
#define API_ENTRIES_RECENT_H

#include "cachewarden/error.h"
#include "cachewarden/namespace.h"
#include "entries/models.h"

struct recent;

struct recent_state {
    int64_t version;
    bool is_enabled;
};

CW_MUST_CHECK enum err recent_new(struct recent **recent_out, struct error *error);
void recent_free(struct recent **recent);

/* False: nothing is known of it. */
bool recent_find(struct recent *recent, const struct namespace *space,
                 struct recent_state *state_out);
/* A version that the version guard trusted. One that is higher already stays. */
void recent_note(struct recent *recent, const struct namespace *space,
                 const struct recent_state *state);

/* The same of models: base and counts of all of them, or false. */
bool recent_find_models(struct recent *recent, const struct namespace *space,
                        struct model_set *models);
/* Without a base there is nothing to remember. */
void recent_note_models(struct recent *recent, const struct namespace *space,
                        const struct model_set *models);

#endif
