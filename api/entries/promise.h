/*
 * A promise to fill a label: one reader of many has it, for a while. The fill ends it, and so does its time, when the
 * reader never comes back. Nothing depends on it but how many go to the source.
 */
#ifndef API_ENTRIES_PROMISE_H
#define API_ENTRIES_PROMISE_H

#include "entries/look.h"

/* Of who missed. Who fills more slowly has a second one beside it. */
#define PROMISE_MS 5000

/* *is_ours_out: nobody had it. *is_good_out: and by now something good is there, as far as the look can tell.
 * Errors of redis_run; ERR_UPSTREAM_REFUSED where entries have no room, either. */
CW_MUST_CHECK enum err promise_take(struct entry_look *look, int64_t life_ms, bool *is_ours_out,
                                    bool *is_good_out);
/* One that is ours and not needed. */
CW_MUST_CHECK enum err promise_end(const struct entry_request *request);
/* Adds the command that ends it. */
void promise_add_end(struct pipeline *pipeline, const struct entry_request *request);

#endif
