/* Whether something may be stored. */
#ifndef API_ENTRIES_ADMIT_H
#define API_ENTRIES_ADMIT_H

#include "cachewarden/entries.h"

/* About so much of Redis' memory an entry takes whose value has so many bytes. */
size_t entry_size(const struct entry_request *request, size_t bytes);
/*
 * So many bytes under the request's label. Sets no text: what stores nothing is not refused, and that is known later.
 * ERR_THROTTLED: the allowance is used up. ERR_UPSTREAM_REFUSED: there is no room left for entries (room.h).
 */
CW_MUST_CHECK enum err entry_admit(const struct entry_request *request, size_t bytes);
/* What entry_admit said, with its text. */
CW_MUST_CHECK enum err entry_refuse(const struct entry_request *request, enum err why);
/* They were stored. */
void entry_note_kept(const struct entry_request *request, size_t bytes);

#endif
