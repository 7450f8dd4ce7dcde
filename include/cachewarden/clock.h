/* Time: a monotonic clock for deadlines and durations, a wall clock for what people and tokens see. */
#ifndef CACHEWARDEN_CLOCK_H
#define CACHEWARDEN_CLOCK_H

#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

int64_t clock_mono_ns(void);
int64_t clock_wall_s(void);
int64_t clock_wall_ms(void);

/* A deadline is a point of clock_mono_ns(). */
static inline int64_t clock_deadline_ns(int64_t timeout_ms)
{
    return clock_mono_ns() + timeout_ms * NS_PER_MS;
}
/* Milliseconds left, rounded up, never negative: what poll(2) takes. */
int clock_left_ms(int64_t deadline_ns);

/* Both are four-digit years: times outside 0000 to 9999 show the nearest that can be written. */
#define CLOCK_RFC3339_SIZE 32
/* "2026-01-31T12:00:00.123Z" (RFC 3339, UTC) of clock_wall_ms time; NUL-terminated. */
struct str clock_rfc3339(int64_t wall_ms, char buffer[CLOCK_RFC3339_SIZE]);
/* "Sat, 31 Jan 2026 12:00:00 GMT" (RFC 9110 IMF-fixdate). */
struct str clock_http_date(int64_t wall_s, char buffer[CLOCK_RFC3339_SIZE]);
/*
 * When that was, of clock_wall_ms: an RFC 3339 time ("2026-01-31T12:00:00Z", "2026-01-31T13:00:00.5+01:00"),
 * or seconds since 1970 ("1769860800"). False: it is neither, no time that there is, or before 1970.
 */
bool clock_read(struct str text, int64_t *wall_ms_out);

#endif
