/*
 * The switches of caches: present in Redis while off, and kept in the users database for when Redis
 * loses them. One that is set is written there first; of two that set the same one at once the
 * database may keep one and Redis the other.
 */
#ifndef API_CONTROL_SWITCHES_H
#define API_CONTROL_SWITCHES_H

#include "cachewarden/pool.h"
#include "cachewarden/users.h"

/* Makes Redis hold what the users database says, for everybody who ever switched. */
CW_MUST_CHECK enum err switches_put_back(struct users *users, struct pool *control,
                                         int64_t deadline_ns, struct error *error);

#endif
