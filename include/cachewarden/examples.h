/*
 * Requests and the answers they get, made from api/examples.def: at least one a route. From them come
 * the bodies and examples of the OpenAPI document, and a test plays each against a running server.
 */
#ifndef CACHEWARDEN_EXAMPLES_H
#define CACHEWARDEN_EXAMPLES_H

#include <stddef.h>

/* Whose request it is. */
enum example_caller {
    AS_NOBODY = 0,
    AS_USER,   /* signed in, no rights */
    AS_ADMIN,  /* a superuser */
    AS_KEY,    /* an API key with the scope flush, of no account */
    AS_PAGE,   /* nobody, in a browser on a page of this server */
    AS_SESSION /* signed in, in such a browser */
};

/* What must be so for this answer. */
enum example_given {
    GIVEN_NOTHING = 0,
    GIVEN_REDIS_DOWN,
    GIVEN_ENTRY,   /* the caller has stored {"name":"Lamp"} as JSON where the target's path leads */
    GIVEN_JOB,     /* a job that the same request started is at work */
    GIVEN_BACKUP,  /* a backup is being made */
    GIVEN_STARTING /* the node has not read yet what is revoked */
};

struct route_example {
    const char *route;   /* its name: "cache.status" */
    const char *label;   /* one word, its key in the document; with the status no other has it */
    const char *summary; /* what it shows */
    enum example_caller caller;
    enum example_given given;
    const char *header; /* one more line of the request's head, or NULL */
    const char *target; /* as sent; NULL: the row's path */
    const char
        *body; /* JSON, or NULL. <access_token> and <refresh_token> stand for the caller's own */
    int status;
    const char
        *media_type;   /* of the reply; NULL: told from its text. What was stored is of any type */
    const char *reply; /* JSON or text; NULL: none, or for an error what its error format says */
};

/* The whole table; the count through *count_out. Read-only. */
const struct route_example *routes_examples(size_t *count_out);

#endif
