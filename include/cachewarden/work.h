/*
 * What a piece of work is lent by whoever began it, handed down as one: memory that is there until the
 * end, the moment at which it must have ended, and where to say why it failed. What needs no time or no
 * memory of its own leaves that part alone.
 */
#ifndef CACHEWARDEN_WORK_H
#define CACHEWARDEN_WORK_H

#include "cachewarden/arena.h"
#include "cachewarden/error.h"

#include <stdint.h>

struct work {
    struct arena *arena;
    int64_t deadline_ns; /* clock_mono_ns */
    struct error *error; /* NULL: nobody wants to know */
};

#endif
