/* The life of the audit, and what GET /metrics asks of it. */
#ifndef API_AUDIT_SERVICE_H
#define API_AUDIT_SERVICE_H

#include "cachewarden/app.h"

/* Starts the thread that writes records through `control` (borrowed; closed after audit_close). Of
 * options: node_name, audit_keep. */
CW_MUST_CHECK enum err audit_open(struct redis *control, const struct app_options *options,
                                  int64_t budget_ms, struct audit **audit_out, struct error *error);
/* Waits until all is written, at most until deadline_ns; what is left then goes to the log. */
void audit_close(struct audit **audit, int64_t deadline_ns);

/* For GET /metrics: records since the start. */
struct audit_stats {
    uint64_t waiting;       /* on their way to Redis */
    uint64_t saved, logged; /* in the stream; in the log, in its place */
};
void audit_stats_read(struct audit *audit, struct audit_stats *stats_out);

#endif
