/*
 * The number in the users database that no version ever shown has passed, and the term it belongs to.
 * It is raised in steps, ahead of what is shown, so a request pays nothing for it. When the control
 * data in Redis turns out to be gone or to have gone back, a new term begins: whoever begins it moves
 * both on in one step that only one node can take, and versions go on above the reserved number.
 * Versions of different terms can therefore not be the same, even while a node still shows those of
 * the old one.
 */
#ifndef API_CONTROL_RESERVED_H
#define API_CONTROL_RESERVED_H

#include "cachewarden/arena.h"
#include "cachewarden/users.h"

/* Versions a node may show before the database is written again: so many, or more while there are many
 * clears (reconcile.c). */
#define RESERVED_STEP     1000
#define RESERVED_STEP_MAX (INT64_C(1) << 20)
/* No clears bring a version, nor restarts a term, further than this above what the users database
 * knows: who finds such a number in Redis has found a mistake, and does not follow it. */
#define RESERVED_JUMP_MAX (INT64_C(1) << 40)
#define TERM_JUMP_MAX     1000000
/* Clients keep versions in doubles (JavaScript), which are exact up to 2^53. */
#define VERSION_MAX (INT64_C(1) << 52)

struct reserved {
    int64_t term;    /* 0: nothing was ever kept */
    int64_t up_to;   /* no version shown so far is higher */
    struct str text; /* as the database holds it; for reserved_move */
};

#define RESERVED_FACT STR("versions_reserved")
/* What the fact holds, and back; false: it holds something else. In the arena; {NULL,0} when memory is out. */
bool reserved_parse(struct str text, struct reserved *reserved_out);
struct str reserved_text(struct arena *arena, int64_t term, int64_t up_to);

/* Into the arena. Errors of users_fact_get but ERR_NOT_FOUND, which is term 0; ERR_INTERNAL: it
 * holds something else. */
CW_MUST_CHECK enum err reserved_read(struct users *users, struct arena *arena,
                                     struct reserved *reserved_out, struct error *error);
/* From what reserved_read said to this. ERR_CONFLICT: another node was faster, read again. */
CW_MUST_CHECK enum err reserved_move(struct users *users, struct arena *arena,
                                     const struct reserved *from, int64_t term, int64_t up_to,
                                     struct error *error);

#endif
