/* What the files behind identity.h share. */
#ifndef AUTH_IDENTITY_PRIVATE_H
#define AUTH_IDENTITY_PRIVATE_H

#include "account_cache.h"
#include "api_key.h"
#include "issuers.h"
#include "key_touch.h"

#include "cachewarden/identity.h"
#include "cachewarden/revocations.h"

/* Set at open; every part looks after its own threads. */
struct identity {
    struct users *users; /* borrowed */
    struct tokens *tokens;
    struct issuers *issuers; /* the others */
    struct account_cache *accounts;
    struct key_cache *keys;
    struct key_touch *touch;
    struct revocations *revocations;
};

#endif
