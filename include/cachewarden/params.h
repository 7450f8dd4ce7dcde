/* From the raw query and path to the typed values a route's row asks for. Pure. */
#ifndef CACHEWARDEN_PARAMS_H
#define CACHEWARDEN_PARAMS_H

#include "cachewarden/routes.h"

/* The query as it stood in the request line, undecoded; `present` tells "/x?" from "/x". */
struct query {
    struct str raw;
    bool present;
};

/*
 * Whose things the query asks to act on (PARAM_OWN_ID, PARAM_NAMESPACE), before permission is decided: an
 * account, or the namespace of an application. user_id is -1 when it names something else, or more than one.
 */
struct permit_target params_target(const struct route *route, struct arena *arena,
                                   struct query query);

/*
 * Fills call->params from the query and from path_values (the segments that stood for {…}, raw, in
 * order). ERR_BAD_INPUT names the parameter and how to correct it: unknown (but see route_ignores_query), repeated,
 * badly encoded, out of range. In a query '+' is a blank to the kinds whose values also stand in paths
 * (PARAM_LABEL, PARAM_MODEL), as forms and most libraries write it: else one thing would have two names.
 * ERR_NOT_FOUND: a path segment that cannot be what it stands for; of text (route_takes_text) that is
 * ERR_BAD_INPUT. ERR_FORBIDDEN: PARAM_OWN_ID of
 * somebody else (dispatch has asked permit_decide by then; this is the second lock on that door).
 */
CW_MUST_CHECK enum err params_read(struct call *call, struct query query,
                                   const struct str *path_values, size_t path_count);

/*
 * BODY_FIELDS: call->body as an object (call->fields), from application/json or
 * application/x-www-form-urlencoded; an empty body is an empty object. ERR_UNSUPPORTED_TYPE, ERR_BAD_INPUT.
 * BODY_EMPTY: ERR_BAD_INPUT for any that is not empty or {}.
 * BODY_NO_PARAMS: ERR_BAD_INPUT when the body mentions one of the row's query parameters, whatever its
 * media type, encoding or spelling (userId, user-id): a clear meant for one account must never become
 * everybody's. ERR_UNSUPPORTED_TYPE when it is no text in which that could be seen.
 * BODY_RAW and BODY_STREAM: call->content_type, which is empty or a media type of at most 255 bytes, so that it can
 * be sent back as it is; ERR_BAD_INPUT. Others: nothing.
 */
CW_MUST_CHECK enum err params_read_body(struct call *call, struct str content_type);

#endif
