/*
 * The OpenAPI 3.1 document: api/routes.def says what there is, api/examples.def what bodies look like,
 * and the bodies of errors come from status.c itself. Nothing is said twice, so nothing can disagree.
 *
 * Beyond the standard every example has an x-request: the request that gets this answer, as whom
 * (`as`: nobody, user, admin, key; in a browser on a page of this server: page, session, ended_session),
 * what else stands in its head (`header`), and what must be so (`given`: redis_down, limit_used_up,
 * entry_stored).
 */
#ifndef SERVER_REFERENCE_OPENAPI_H
#define SERVER_REFERENCE_OPENAPI_H

#include "cachewarden/arena.h"
#include "cachewarden/json.h"
#include "cachewarden/routes.h"

/* Appends the document. out->failed afterwards: memory was out. Takes some milliseconds. */
void openapi_write(struct strbuf *out);
/* The section a route stands in, told from the prefix of its name. NULL: its prefix has none yet. */
const char *openapi_tag(const struct route *route);

/* ---- reference/openapi_samples.c: requests and their answers ---- */

struct sample {
    const char *label, *summary;
    const char *as;           /* "nobody", "user", … */
    const char *given;        /* "redis_down", "limit_used_up", "entry_stored", or NULL */
    const char *header;       /* one more line of the head, or NULL */
    struct str target;        /* path and query */
    const char *body;         /* of the request; NULL: none */
    const char *content_type; /* of that */
    size_t body_size;         /* > 0: so many bytes of anything, in place of a body */
    int status;
    struct str media_type;
    struct str reply; /* empty: none */
};

/* All of a route, by rising status, in the arena. Count 0: memory was out (every route has one). */
size_t openapi_samples(const struct route *route, struct arena *arena, struct sample **samples_out);

/* ---- reference/openapi_shape.c: schemas, told from examples ---- */

/*
 * Writes a JSON Schema that all `values` fit: the types they have, of objects the members, required
 * where all have them. `closed`: other members are refused.
 */
void openapi_write_shape(struct json_writer *json, struct arena *arena,
                         const struct json *const *values, size_t count, bool closed);
/* Writes a value as it was read. */
void openapi_write_value(struct json_writer *json, const struct json *value);

#endif
