/* The fixed causes a caller may learn (error.caller). Raw text of Redis never leaves this way. */
#ifndef POOL_PROTOCOL_CAUSE_H
#define POOL_PROTOCOL_CAUSE_H

#include "cachewarden/value.h"

#define CAUSE_UNAVAILABLE "redis unavailable"
#define CAUSE_TIMEOUT     "redis timeout"
#define CAUSE_BUSY        "redis busy"
#define CAUSE_REFUSED     "redis refused the command"
#define CAUSE_OOM         "redis out of memory"
#define CAUSE_READONLY    "redis is read-only"
#define CAUSE_LOADING     "redis is loading"
#define CAUSE_AUTH        "redis authentication failed"
#define CAUSE_UNCERTAIN   "outcome unknown"

/* Code, caller's cause and a text for the log in one go; returns code. error may be NULL. */
enum err cause_set(struct error *error, enum err code, const char *cause, const char *format, ...)
    CW_PRINTF(4, 5);

/* The same cause as one of the constants above, which outlive everything. */
const char *cause_static(const char *cause);
const char *cause_of_fault(enum redis_fault fault);
/* The first word of a Redis error ("WRONGTYPE"): the rest may quote keys and values. Cut at 32. */
struct str cause_first_word(const struct value *value);

#endif
