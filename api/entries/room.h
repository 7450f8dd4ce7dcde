/*
 * How much more entries may take where they live beside the control data. A full Redis refuses clears, sign-outs and
 * sign-ins, so entries get a share of its maxmemory and no more: the rest is for what must always be possible.
 *
 * The janitor asks Redis how much is in use, while there are fills; between two looks this node lets in no more than
 * was left at the last one. The first fill or promise after a quiet time looks itself, and so does the one behind which
 * an eighth of what was left has been let in. So what this node does not know of, which is what other nodes let in and
 * what Redis needs beside what was counted, is off by little: entries may be over their share by an eighth of what was
 * left a moment ago for each other node that fills, and by the fills that are under way.
 */
#ifndef API_ENTRIES_ROOM_H
#define API_ENTRIES_ROOM_H

#include "cachewarden/redis.h"

#include <stdatomic.h>

#define ROOM_PERCENT 80 /* of maxmemory, where the settings say nothing */

struct room {
    int percent;
    _Atomic int64_t left;      /* bytes; INT64_MAX: as many as one likes, or nobody looks */
    _Atomic int64_t seen;      /* what was left after the last look */
    _Atomic int64_t let_in;    /* bytes, since that began */
    _Atomic int64_t looked_ns; /* when it was asked for last; 0: never, nobody looks */
    atomic_flag is_looking;
    bool is_short; /* for whose turn it is to look */
};

void room_init(struct room *room, int percent);
/* Takes so many of them. False: there are fewer. */
bool room_take(struct room *room, size_t bytes);
/* Whether there are so many, and takes none. */
bool room_has(const struct room *room, size_t bytes);
/* Looks again, if anybody asked for room since, or there is none. A Redis that does not tell: as it was. */
void room_look(struct room *room, struct redis *redis, int64_t deadline_ns);
/* Before room is taken: looks again, if nobody has for a while, or much was let in since. Of many at once one does. */
void room_refresh(struct room *room, struct redis *redis, int64_t deadline_ns);

/* What INFO says of memory. INT64_MAX: there is no maxmemory; below 0: more is in use than the share. False: it says
 * neither. */
bool room_read(struct str info, int percent, int64_t *left_out);

#endif
