/* What the files of limits share. */
#ifndef API_LIMITS_LIMITS_PRIVATE_H
#define API_LIMITS_LIMITS_PRIVATE_H

#include "limits/local_counters.h"

#include "cachewarden/limits.h"
#include "cachewarden/routes.h"

#include <stdatomic.h>

struct limits {
    _Atomic bool enabled;
    _Atomic int64_t max[LIMIT_COUNT]; /* by enum limit; of LIMIT_NONE unused */
    _Atomic int64_t login_failures, fill_bytes;
    struct local_counters *local;
};

/* False while limits are off, and for an app that was opened without them. */
bool limits_are_on(const struct limits *limits);
int64_t limits_max(const struct limits *limits, enum limit limit);
/* Whom a call of the row is counted for: its user, or its address. */
struct key limits_key(const struct call *call);

#endif
