/* What the gateway counts of its own work, route by route, for GET /metrics. */
#ifndef API_GATEWAY_METRICS_H
#define API_GATEWAY_METRICS_H

#include "gateway/passage.h"

struct gateway_metrics;

/* ERR_NO_MEMORY. */
CW_MUST_CHECK enum err gateway_metrics_new(struct gateway_metrics **metrics_out);
void gateway_metrics_free(struct gateway_metrics **metrics);

/* A request was answered, with what its call's reply says, or failed with `err`. */
void gateway_metrics_note(const struct passage *passage, enum err err);
/* A request that waited without a thread (gateway_wait) got no answer of the upstream: its client went away, or it made
 * room for others. */
void gateway_metrics_note_paused(const struct gateway_route *route, bool is_left);

#endif
