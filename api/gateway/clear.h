/*
 * Clears of what the gateway has stored, for all users at once: one round trip, whatever they drop. They hold on
 * every node as soon as they are acknowledged.
 */
#ifndef API_GATEWAY_CLEAR_H
#define API_GATEWAY_CLEAR_H

#include "cachewarden/app.h"

/*
 * Drops every response that has this tag. is_soft: they become stale instead. *generation_out: a number that the next
 * clear of it raises. Errors of redis_run; ERR_UNCERTAIN: it may have been cleared.
 */
CW_MUST_CHECK enum err gateway_clear_model(struct app *app, struct str model, bool is_soft,
                                           struct work work, int64_t *generation_out);
/* Drops every response that has one of these, in one round trip. */
CW_MUST_CHECK enum err gateway_clear_models(struct app *app, const struct str *models, size_t count,
                                            struct work work);
/* Drops everything that the gateway has stored. */
CW_MUST_CHECK enum err gateway_clear_all(struct app *app, struct work work,
                                         int64_t *generation_out);

#endif
