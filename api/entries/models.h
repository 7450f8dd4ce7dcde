/*
 * Models: names by which many entries are dropped at once. A namespace has one hash of how often each was cleared;
 * an entry is good only while each of its models has the count it had when the fill began.
 *
 *     base         a number drawn when the hash is made: a hash that went and came again is another one
 *     any          how often any model was cleared
 *     m:<model>    how often this one was; absent: never
 *
 * What the gateway keeps has more names in its hash: "/" stands for all of it, and "/<model>" for what becomes stale
 * instead (gateway/tags.h). No caller can name a model with a slash.
 */
#ifndef API_ENTRIES_MODELS_H
#define API_ENTRIES_MODELS_H

#include "cachewarden/entries.h"
#include "cachewarden/pipeline.h"

#define MODELS_EVERYTHING STR("/")
/* "/<model>", in the arena; {NULL,0}: memory is out. */
struct str models_soft_name(struct arena *arena, struct str model);

/* Some models of a namespace, and what the hash says of them. */
struct model_set {
    size_t count;
    struct str names[ENTRY_MODELS_MAX];
    int64_t counts[ENTRY_MODELS_MAX];
    int64_t base; /* 0: there is no hash: no model was cleared, or filled, for a month */
    int64_t any;
    bool
        is_damaged; /* somebody wrote there what is no number: all are 0, as if there were no hash */
};

/*
 * How long the hash lives after the last fill or clear that names a model. Longer than any entry that names one, and
 * any lease: what it forgets is no longer of interest to anybody.
 */
#define MODELS_LIFE_S (31 * 86400)
/* More models than this a namespace may not have: the hash begins anew, and every entry with a model is dropped. */
#define MODELS_MAX 1000

/* Adds the one command that reads the numbers of these; `keeps`: and before it two that see to it that there is a
 * hash, and that it lives on. */
void models_ask(struct pipeline *pipeline, const struct namespace *space,
                const struct model_set *models, bool keeps);
/* Their replies, from `first` on. Errors of redis_run. */
CW_MUST_CHECK enum err models_take(const struct pipeline *pipeline, size_t first, bool keeps,
                                   struct model_set *models, struct error *error);

/*
 * Makes another hash in the place of what is there, whatever that is, at once: every entry that names a model is
 * dropped, and every lease is void for models. `cleared`: a model that is; empty: none. The numbers of `models` are
 * those of the new one then. Errors of redis_run; nothing has changed, unless ERR_UNCERTAIN.
 */
CW_MUST_CHECK enum err models_begin_anew(const struct entry_request *request, struct str cleared,
                                         struct model_set *models);

/* Where the model is among them, or -1. */
int models_find(const struct model_set *models, struct str name);
/* What the counts of now say of an entry. */
enum models_verdict {
    MODELS_MOVED,   /* one of its models was cleared since */
    MODELS_UNKNOWN, /* none that is among `now`, but not all are */
    MODELS_CURRENT
};
enum models_verdict models_judge(const struct model_set *entry, const struct model_set *now);

/*
 * Raises the counts of one or more models: one round trip, whatever it drops, and a second one when there are too many
 * models, or what is there is no number.
 * *count_out: how often the first was cleared. Errors of redis_run; ERR_UNCERTAIN: they may have been.
 */
CW_MUST_CHECK enum err models_clear(const struct entry_request *request, const struct str *names,
                                    size_t count, int64_t *count_out);

#endif
