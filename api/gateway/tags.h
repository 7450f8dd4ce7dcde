/*
 * Tags: the models of a route, and those that the upstream names for a response. They are models of the gateway's
 * namespace (entries/models.h). A response is good while none of its tags was cleared since its fill began, and stale
 * once one was cleared softly. Each tag stands for two names in the hash of models, and one more stands for all
 * responses:
 *
 *     /        everything that the gateway keeps
 *     TAG      what is dropped with it
 *     /TAG     what becomes stale with it
 *
 * No model that somebody may name has a slash.
 */
#ifndef API_GATEWAY_TAGS_H
#define API_GATEWAY_TAGS_H

#include "entries/models.h"
#include "gateway/stored.h"

/* How many names stand for so many tags: "/", then each of them, then each with a slash. */
static inline size_t gateway_names_count(size_t tag_count)
{
    return 1 + 2 * tag_count;
}

/*
 * The tags of both lists, each once, in the arena. What no model can be called is left out: nobody can clear it.
 * ERR_TOO_LARGE: there are more than STORED_TAGS_MAX. ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err tags_join(struct arena *arena, const struct str *models, size_t model_count,
                                 const struct str *tags, size_t tag_count,
                                 const struct str **joined_out, size_t *joined_count_out);

/* A question to the hash of models, and its answer. */
struct tag_look {
    const struct str *tags; /* those asked for */
    size_t tag_count;
    bool is_short; /* they were not: only how often anything was cleared */
    /* The answer. */
    int64_t base, any;
    bool is_damaged; /* as model_set */
    int64_t *counts; /* gateway_names_count(tag_count); NULL: is_short */
    struct model_set *sets;
    size_t *replies; /* of each set, the first */
    size_t set_count;
};

/* In the arena. is_short: no tag is asked for. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err tag_look_new(struct arena *arena, const struct str *tags, size_t tag_count,
                                    bool is_short, struct tag_look *look_out);
/* `keeps` as models_ask. It may be asked again, in another pipeline. */
void tag_look_ask(struct tag_look *look, struct pipeline *pipeline, bool keeps);
/* Errors of redis_run. */
CW_MUST_CHECK enum err tag_look_take(struct tag_look *look, const struct pipeline *pipeline,
                                     bool keeps, struct error *error);

enum tags_verdict {
    TAGS_MOVED,    /* something that stands for it was cleared */
    TAGS_UNKNOWN,  /* something was cleared, and not all that stands for it was asked for */
    TAGS_OUTDATED, /* one was cleared softly */
    TAGS_CURRENT
};
enum tags_verdict tags_judge(const struct stored_response *response,
                             const struct stored_numbers *numbers, const struct tag_look *now);

/* The counts of these tags as the look saw them, in the arena. *counts_out NULL: it did not ask for all of them. */
CW_MUST_CHECK enum err tag_look_counts(const struct tag_look *look, struct arena *arena,
                                       const struct str *tags, size_t tag_count,
                                       int64_t **counts_out);

#endif
