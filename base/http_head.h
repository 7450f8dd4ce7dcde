/* The head of an HTTP/1 response, read strictly (RFC 9112): what two readers could understand differently is refused.
 * Pure. */
#ifndef BASE_HTTP_HEAD_H
#define BASE_HTTP_HEAD_H

#include "cachewarden/arena.h"
#include "cachewarden/http_client.h"

struct http_head {
    int status, minor_version;
    struct http_field *fields;
    size_t field_count;
    int64_t length;  /* of Content-Length; BODY_LENGTH_UNKNOWN: none */
    bool is_chunked; /* then there is no length */
    bool keeps;      /* the connection may be used again once the body is read */
};

/*
 * How many bytes the head has with which `bytes` begin; 0: its end is not there yet. `from`: where the last look for
 * it ended. False: no head of HTTP/1 begins like that.
 */
bool http_head_find_end(struct str bytes, size_t from, size_t *size_out);

/* A whole head, up to its empty line; it is copied. ERR_UPSTREAM_DOWN: it breaks HTTP; ERR_NO_MEMORY. */
CW_MUST_CHECK enum err http_head_parse(struct arena *arena, struct str text,
                                       struct http_head *head_out, struct error *error);

/* What may stand in a field's value: no control characters but the tab. */
bool http_is_field_value(struct str value);

#endif
