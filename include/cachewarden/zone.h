/* The time zone of schedules, by its IANA name ("Europe/Berlin"), as the system's tzdata knows it. */
#ifndef CACHEWARDEN_ZONE_H
#define CACHEWARDEN_ZONE_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdint.h>

/* Whether the system knows it; "UTC" is always known. ERR_BAD_INPUT: the caller's text says why not. */
CW_MUST_CHECK enum err zone_check(struct str name, struct error *error);

/* From now on it is the zone of this process: before there are other threads. Errors as zone_check. */
CW_MUST_CHECK enum err zone_use(struct str name, struct error *error);

/* How far that zone is ahead of UTC at the moment `wall_s`, in seconds. 0 before zone_use. A cron_offset. */
int64_t zone_offset_s(int64_t wall_s);

#endif
