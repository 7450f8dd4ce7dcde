/*
 * Clears that Redis did not do when a change asked for them. This node remembers them and makes up for them as soon as
 * it can; until then it uses the cache for nobody, for nobody knows what is true. Other nodes learn of it when it is
 * done. What does not fit is everything. Any thread.
 */
#ifndef API_GATEWAY_OWED_H
#define API_GATEWAY_OWED_H

#include "gateway/store.h"

struct owed;

/* `app` and `store` are borrowed. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err owed_new(struct app *app, struct gateway_store *store,
                                struct owed **owed_out, struct error *error);
/* Harmless for NULL. */
void owed_free(struct owed **owed);

void owed_add_models(struct owed *owed, const struct str *models, size_t count);
void owed_add_path(struct owed *owed, const struct gateway_key *key);

/* Whether nothing is owed. One of those who ask tries to make up for it, a few times a second. */
bool owed_settle(struct owed *owed, struct arena *arena);

#endif
