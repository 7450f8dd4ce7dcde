/* Clearing for a call, with a record of it. */
#ifndef API_CONTROL_CLEAR_H
#define API_CONTROL_CLEAR_H

#include "cachewarden/call.h"
#include "cachewarden/control.h"

/* Clears one account's cache for a call and records that, however it went. */
CW_MUST_CHECK enum err control_clear_recorded(struct call *call, int64_t user_id,
                                              struct cache_state *state_out);

#endif
