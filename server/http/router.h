/*
 * From method and raw path to a row of the route table. Segments are compared byte by byte:
 * nothing is decoded, collapsed or folded, so no two spellings reach one row but for the trailing
 * slash, where the row says so. What stands for a text (route_takes_text) is any segment, even an empty
 * one: params_read decodes it, and says what is wrong with it. A router is made once and read by all threads without
 * a lock.
 */
#ifndef SERVER_HTTP_ROUTER_H
#define SERVER_HTTP_ROUTER_H

#include "cachewarden/error.h"
#include "cachewarden/routes.h"

#define ROUTER_MAX_VALUES 4 /* {…} segments a path may have */

struct router;

enum router_answer {
    ROUTER_NO_PATH,   /* 404 */
    ROUTER_NO_METHOD, /* 405 with match.allow */
    ROUTER_OPTIONS,   /* 204 with match.allow */
    ROUTER_FOUND
};

struct router_match {
    const struct route *route;
    /* What stood for {…}, raw, in order; parts of the path given. */
    struct str values[ROUTER_MAX_VALUES];
    size_t value_count;
    struct str allow;               /* "GET, HEAD, OPTIONS": sorted, owned by the router */
    enum error_format error_format; /* of a row of that path: how a 405 is put */
};

/*
 * `routes` is borrowed for the router's life. ERR_INTERNAL says which row cannot be: two for one
 * method and path, a path without its first slash, more placeholders than fit, one pattern spelt
 * in two ways.
 */
CW_MUST_CHECK enum err router_new(const struct route *routes, size_t count,
                                  struct router **router_out, struct error *error);
void router_free(struct router **router);

/* HEAD finds GET's row where it has none of its own, and OPTIONS finds it if there is one. "*" with OPTIONS
 * means the whole server. */
enum router_answer router_find(const struct router *router, enum http_method method,
                               struct str path, struct router_match *match_out);

/* METHOD_OTHER for one we do not know; methods are case-sensitive (RFC 9110, section 9.1). */
enum http_method router_method(struct str name);

#endif
