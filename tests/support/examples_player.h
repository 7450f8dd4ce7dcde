/*
 * Plays the examples of the OpenAPI document (api/examples.def, and those that follow from the rows): sends
 * the request of each to a stand, as whom it says, and hands the answer to the test.
 */
#ifndef SUPPORT_EXAMPLES_PLAYER_H
#define SUPPORT_EXAMPLES_PLAYER_H

#include "stand.h"

#include <jansson.h>

/* Limits that no example reaches, and registration open. */
extern const struct stand_options examples_stand;

struct examples {
    struct stand *stand;
    json_t *document; /* GET /api/schema */
    char flush_key[STAND_KEY_SIZE];
};

/* Gets the document, and makes who the examples speak of: a key of the scope flush, somebody of another
 * issuer. The stand is open. */
void examples_open(struct examples *examples, struct stand *stand);
void examples_close(struct examples *examples);

struct played {
    const char *operation, *label, *method;
    int status;
    const json_t *response; /* of the document */
    const json_t *request;
    const char *media_type;
    const json_t *content, *value; /* NULL: an answer without a body */
};

/* The user as whom examples of a used-up limit are sent; to be made before that of registrations is. */
void examples_prepare_limits(struct examples *examples);

/*
 * Sends those with this `given` ("" for none or an entry that is stored before, "redis_down", "limit_used_up"), the
 * last until the limit is used up. Returns how many.
 */
int examples_play(struct examples *examples, const char *given,
                  void (*judge)(const struct played *example, const struct http_reply *reply));

/* A string member, or NULL. */
const char *text_of(const json_t *object, const char *name);

#endif
