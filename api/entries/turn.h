/*
 * Whose turn it is to replace what is out of date under a label: a key in Redis. Nothing is damaged by two at once, so
 * it need not be a perfect lock. Without it one could take away what another has just stored, to look at it.
 */
#ifndef API_ENTRIES_TURN_H
#define API_ENTRIES_TURN_H

#include "cachewarden/entries.h"

/* For as long as a request may last, and no longer: its node may die. */
CW_MUST_CHECK enum err turn_take(const struct entry_request *request, bool *is_ours_out);
/* What was done in it stands, whatever becomes of this: it ends by itself. */
void turn_end(const struct entry_request *request);

/* Waits until somebody fills the label at this node, or for a moment. False: no time is left for what is to be done in
 * the turn, or as many wait as may. */
bool turn_wait(const struct entry_request *request);

#endif
