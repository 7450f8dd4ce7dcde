/*
 * The circuit breaker of one endpoint. It is closed while Redis can be reached. When Redis could not
 * be reached it is open: one caller a second may try (the probe), all others fail at once. Pure state:
 * the caller passes the time, and guards it with its lock.
 */
#ifndef POOL_BREAKER_H
#define POOL_BREAKER_H

#include "cachewarden/error.h"

#include <stdint.h>

#define BREAKER_PROBE_INTERVAL_NS INT64_C(1000000000)

enum breaker_answer { BREAKER_PASS, BREAKER_PROBE, BREAKER_REFUSE };

struct breaker {
    bool is_open;
    bool is_probing; /* a caller that got BREAKER_PROBE has not reported yet */
    int64_t next_probe_ns;
    enum redis_error cause; /* why it is open */
};

/* May the caller go on? Who gets BREAKER_PROBE must report _failed, _succeeded or _unknown. */
enum breaker_answer breaker_ask(struct breaker *breaker, int64_t now_ns);

/* Redis could not be reached, or a probe failed. True when this opened the breaker. */
bool breaker_failed(struct breaker *breaker, enum redis_error cause, int64_t now_ns);
/* Redis took a command and did not answer in time: it may stand still, or that command was slow.
 * Opens too, but the next caller may probe at once. True when this opened the breaker. */
bool breaker_suspect(struct breaker *breaker, enum redis_error cause, int64_t now_ns);
/* Redis has answered. True when this closed the breaker. */
bool breaker_succeeded(struct breaker *breaker);
/* The probe ended without learning anything (its own deadline was too short). The next may try a
 * second after this one began. */
void breaker_unknown(struct breaker *breaker);

#endif
