/* The bytes of an answer: status line, header fields and body, in one piece unless the body is large, for one write. */
#ifndef SERVER_HTTP_RESPONSE_H
#define SERVER_HTTP_RESPONSE_H

#include "http/exchange.h"

/* "Date: Sat, 31 Jan 2026 12:00:00 GMT\r\n", written anew once a second. One a thread. */
struct response_date {
    int64_t wall_s;
    char line[48];
    size_t len;
};

/*
 * Sets the response's CORS members when the request comes from one of `origins` (exact match, as a
 * browser sends them). An origin that is not listed gets the plain answer, which its browser hides.
 */
void response_allow_origin(struct exchange *exchange, const char *const *origins, size_t count);

/*
 * Composes the message in the call's arena. HEAD, 204 and 304 get no body, nor is one that lasts or comes from
 * a source part of it; `keep` says what Connection promises. When memory is out it is a fixed 500 that closes;
 * response->status and close say so.
 */
struct str response_compose(struct exchange *exchange, struct response_date *date, int64_t wall_s,
                            bool keep);

/* What is to be sent behind the message that was composed: a body that is too large to be copied into it. Mostly
 * empty. */
struct str response_body_apart(const struct exchange *exchange);

#endif
