/* GET and HEAD through the cache. */
#ifndef API_GATEWAY_CACHED_H
#define API_GATEWAY_CACHED_H

#include "gateway/passage.h"

/* Answers from what is stored, or from the upstream, whose response is stored where it may be. Errors as
 * gateway_serve. */
CW_MUST_CHECK enum err cached_serve(struct passage *passage);

/* For struct refresher: what is stale is fetched anew and stored, and the reply is nobody's. */
CW_MUST_CHECK enum err cached_refresh(struct passage *passage);

#endif
