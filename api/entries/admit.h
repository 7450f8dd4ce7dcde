/* Whether something may be stored at all, before anything is done. */
#ifndef API_ENTRIES_ADMIT_H
#define API_ENTRIES_ADMIT_H

#include "cachewarden/call.h"
#include "cachewarden/entries.h"

/*
 * So many bytes under the request's label. ERR_THROTTLED: the user has stored enough for now (limits.h).
 * ERR_UPSTREAM_REFUSED, as a full Redis says: there is no room left for entries (room.h).
 */
CW_MUST_CHECK enum err entry_admit(struct call *call, const struct entry_request *request,
                                   size_t bytes, int64_t ttl_s);

#endif
