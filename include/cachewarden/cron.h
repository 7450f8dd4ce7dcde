/*
 * When something is to be done again and again: a cron expression of five fields, and the times it means.
 *
 * A tick is a minute whose five numbers fit the expression in the wall clock of some place. When clocks are set
 * forward, the ticks that are left out come together, once, at the first moment after. When clocks are set back,
 * a minute that comes twice is a tick the first time only. Pure functions.
 */
#ifndef CACHEWARDEN_CRON_H
#define CACHEWARDEN_CRON_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdint.h>

enum cron_field { CRON_MINUTE, CRON_HOUR, CRON_DAY, CRON_MONTH, CRON_WEEKDAY, CRON_FIELDS };

struct cron {
    uint64_t allowed[CRON_FIELDS]; /* bit n: the number n; Sunday is 0 */
    /* Where one of the two begins with "*", a day has to fit both; else one is enough. */
    bool is_any_day, is_any_weekday;
};

/*
 * Minute, hour, day of the month, month, day of the week: numbers, names of months and days ("jan", "SUN"),
 * ranges, steps behind "*" or a range, lists; Sunday is 0 or 7; or @hourly, @daily, @midnight, @weekly, @monthly,
 * @yearly, @annually. ERR_BAD_INPUT: the caller's text says which field, what is wrong, and what to write.
 */
CW_MUST_CHECK enum err cron_parse(struct str text, struct cron *cron_out, struct error *error);

/* How far the wall clock is ahead of UTC at that moment, in seconds. */
typedef int64_t cron_offset(int64_t wall_s);

#define CRON_NEVER INT64_MAX /* past the year 9999 */
/* The first tick behind `after_s`. Seconds since 1970, as all moments here. */
int64_t cron_next(const struct cron *cron, cron_offset *offset, int64_t after_s);
/* The last one up to `at_s`; that itself, if it is one. */
int64_t cron_last(const struct cron *cron, cron_offset *offset, int64_t at_s);

#endif
