/*
 * The tick that is worked on, or was last: a fact in the users database, so that all nodes agree about it and none
 * needs Redis. Whoever may replace the fact has the tick.
 */
#ifndef API_BACKUP_TICK_H
#define API_BACKUP_TICK_H

#include "cachewarden/users.h"

enum tick_state {
    TICK_IDLE = 0, /* nothing is to be done for it: the schedule began here */
    TICK_RUNNING,
    TICK_LEFT, /* its node was stopped meanwhile */
    TICK_FAILED,
    TICK_DONE
};

enum { TICK_NODE_SIZE = 17, TICK_SCHEDULE_SIZE = 256, TICK_TEXT_SIZE = 384 };

struct tick {
    int64_t at_s;
    enum tick_state state;
    int64_t attempt; /* 1: the first */
    int64_t beat;    /* rises while it runs: its node is alive */
    char node[TICK_NODE_SIZE];
    char schedule[TICK_SCHEDULE_SIZE]; /* the expression and the zone; cut */
};

/* In the buffer, NUL-terminated. */
struct str tick_write(const struct tick *tick, char out[TICK_TEXT_SIZE]);
bool tick_read(struct str text, struct tick *tick_out);

/* ERR_NOT_FOUND: there is none. ERR_CONFLICT: something else stands there, *tick_out is empty. */
CW_MUST_CHECK enum err tick_find(struct users *users, struct arena *arena, struct str *text_out,
                                 struct tick *tick_out, struct error *error);
/* Only if `old` ({NULL,0}: nothing) stands there; else ERR_CONFLICT. */
CW_MUST_CHECK enum err tick_replace(struct users *users, struct str old, const struct tick *tick,
                                    struct error *error);

#endif
