/*
 * A look at a namespace and at one of its entries: in one round trip, or in one to each Redis where entries have their
 * own. What every operation on entries is made of.
 */
#ifndef API_ENTRIES_LOOK_H
#define API_ENTRIES_LOOK_H

#include "entries/entries_private.h"
#include "entries/envelope.h"
#include "entries/lease.h"
#include "entries/models.h"

struct entry_look {
    const struct entry_request *request;
    /* What is asked of the entry. A look that is repeated, because control data was lost, asks again; but what writes
     * is sent once, and its replies stay. */
    void (*add)(void *with, struct pipeline *pipeline);
    void *with;
    bool writes;
    /* `add` is one step, and where entries share the Redis of control data one step with the numbers: what it changes
     * counts by the numbers of that moment. Elsewhere the numbers are read later. */
    bool is_one_step;
    bool keeps_models; /* the hash of models is made, or lives on */
    /* Names of models, and then their numbers. */
    struct model_set models;
    /* What came of it. */
    const struct pipeline *pipeline; /* with the replies to `add` */
    size_t first;                    /* of them */
    bool is_repeated;
    int64_t version;
    bool is_enabled;
    size_t models_at; /* their reply, for the look itself */
};

/* Errors of control_look. ERR_UNCERTAIN: what `add` wrote may have been written. */
CW_MUST_CHECK enum err entry_look(struct entry_look *look);
/* The reply to a command of `add` (0: the first). */
const struct value *entry_reply(const struct entry_look *look, size_t index);
/* The models of a request, without numbers. */
struct model_set models_of(const struct entry_request *request);
/* For leases of its label; it holds on to the request. */
struct lease_scope entry_lease_scope(const struct entry_request *request);
/* Commands on the entry alone. */
struct pipeline *entry_pipeline(const struct entry_request *request, enum pipeline_effect effect);
CW_MUST_CHECK enum err entry_run(const struct entry_request *request, struct pipeline *pipeline);

/*
 * Whether an entry may be served by what the look saw. Models of it that were not asked for are asked for now, in
 * another look.
 */
CW_MUST_CHECK enum err entry_judge(struct entry_look *look, const struct envelope *envelope,
                                   int64_t now_ms, bool *is_good_out);

/* Makes a hit of it, which has left_ms to live. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err entry_give_hit(struct arena *arena, const struct envelope *envelope,
                                      int64_t now_ms, int64_t left_ms,
                                      struct entry_found *found_out);

/* The same of a text as Redis gave it, or its head; whatever is no text, or no entry, is not good. */
CW_MUST_CHECK enum err entry_judge_text(struct entry_look *look, const struct value *text,
                                        int64_t now_ms, bool *is_good_out);

/*
 * Whether a text that was found, or its head, is out of date for good, by numbers that are read now: later than it
 * was. Numbers from before say nothing of what was stored since, and a cache that is off may be on again.
 */
CW_MUST_CHECK enum err entry_judge_anew(const struct entry_request *request,
                                        const struct value *text, int64_t now_ms,
                                        bool *is_over_out);

/* Two commands that tell what is there before it is changed: the head of a text, or the fields of a counter. */
void entry_ask_head(struct pipeline *pipeline, struct str key);
/* What they told. */
CW_MUST_CHECK enum err entry_judge_head(struct entry_look *look, const struct pipeline *pipeline,
                                        size_t first, int64_t now_ms, bool *is_good_out);

/* Whether a reply says that the key holds another type; of other errors *err_out is what they mean. */
bool entry_is_other_type(const struct value *reply, struct error *error, enum err *err_out);

#endif
