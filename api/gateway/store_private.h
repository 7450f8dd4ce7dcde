/* What the files of the store share. */
#ifndef API_GATEWAY_STORE_PRIVATE_H
#define API_GATEWAY_STORE_PRIVATE_H

#include "gateway/store.h"

struct gateway_store {
    struct app *app;
    struct memory *memory;
};

/* How long what was dropped is remembered, so that an answer of before does not take its place. A look that is older
 * than half of it is good for no store. */
#define STORE_DROPPED_MS INT64_C(600000)

struct entry_request;

/* The gateway's own namespace, for what is about models. */
struct entry_request store_models_request(const struct gateway_store *store, struct work work);

#endif
