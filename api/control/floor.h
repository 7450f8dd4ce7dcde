/*
 * The floor: a number in the users database that no version ever shown has passed. It is raised in
 * steps, ahead of what is shown, so a request pays nothing for it. When the control data in Redis
 * turns out to be gone or to have gone back, a new era begins: whoever begins it moves era and floor
 * on in one step that only one node can take, and versions go on above the old floor. Versions of
 * different eras can therefore not be the same, even while a node still shows those of the old one.
 */
#ifndef API_CONTROL_FLOOR_H
#define API_CONTROL_FLOOR_H

#include "cachewarden/arena.h"
#include "cachewarden/users.h"

/* Versions a node may show before the database is written again. */
#define FLOOR_STEP 1000
/* Only somebody's hand can bring a version above this; such a one is shown and not kept. */
#define FLOOR_MAX (INT64_MAX / 2)

struct floor_state {
    int64_t era;     /* 0: nothing was ever kept */
    int64_t height;  /* no version shown so far is higher */
    struct str text; /* as the database holds it; for floor_move */
};

/* Into the arena. Errors of users_fact_get but ERR_NOT_FOUND, which is era 0; ERR_INTERNAL: not
 * a floor. */
CW_MUST_CHECK enum err floor_read(struct users *users, struct arena *arena,
                                  struct floor_state *state_out, struct error *error);
/* From what floor_read said to this. ERR_CONFLICT: another node was faster, read again. */
CW_MUST_CHECK enum err floor_move(struct users *users, struct arena *arena,
                                  const struct floor_state *from, int64_t era, int64_t height,
                                  struct error *error);

#endif
