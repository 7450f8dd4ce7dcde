/*
 * Trying Redis for real, with what status, switch and clear ask of it (control_try_write). One thread at a time asks,
 * some fifty times a second at most, so that a public route cannot be used to load Redis; who comes meanwhile, and
 * whoever asks within a second after Redis was out of reach, is told the last report.
 */
#ifndef API_HEALTH_PROBE_H
#define API_HEALTH_PROBE_H

#include "cachewarden/app.h"

struct health_report {
    bool connected;  /* Redis answered */
    bool read_write; /* and the key came back as it was written */
    /* "reads and writes work", what control_try_write tells a caller, or whose control data it is */
    char message[192];
    char sentence[256]; /* what Redis said, for people who look after it; or empty */
};

/* Never fails: a Redis that is out of reach is a report too. */
void health_probe(struct app *app, struct arena *arena, int64_t deadline_ns,
                  struct health_report *report_out);

/* The Redis of entries.redis_url; NULL: entries live beside the control data. */
struct redis *health_entries_redis(const struct app *app);
/* The same of that one. False: there is none. */
bool health_probe_entries(struct app *app, struct arena *arena, int64_t deadline_ns,
                          struct health_report *report_out);

/* The five tests of /api/redis-test; each stands alone. Before them comes what a clear needs. Beside another
 * installation's control data nothing is tried, and all of them are false. */
struct health_tests {
    bool basic_set_get, token_storage, token_revocation, increment, pipeline;
    double latency_ms; /* of one PING, with the wait for a connection; negative: no answer */
    char message[512]; /* where one failed: why, with Redis's own sentence, for admins */
};
void health_test(struct app *app, struct arena *arena, int64_t deadline_ns,
                 struct health_tests *tests_out);

CW_MUST_CHECK enum err health_open(struct health **health_out, struct error *error);
void health_close(struct health **health);

#endif
