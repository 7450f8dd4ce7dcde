/*
 * Assertions on replies. Each says where it was called and prints the whole reply when it fails.
 * Failing ends the test (check), so nothing is returned.
 */
#ifndef SUPPORT_EXPECT_H
#define SUPPORT_EXPECT_H

#include "http_client.h"

#define EXPECT_TEXT_(x) #x
#define EXPECT_LINE_(x) EXPECT_TEXT_(x)
#define EXPECT_HERE_    __FILE__ ":" EXPECT_LINE_(__LINE__)

/* The status, and nothing else. */
#define expect_status(reply, status) expect_status_at(EXPECT_HERE_, reply, status)
/* Status and body to the byte. */
#define expect_body(reply, status, body) expect_body_at(EXPECT_HERE_, reply, status, body)
/* expect_body, and what every answer of the API carries: application/json (unless there is no body),
 * Cache-Control: no-store, one X-Request-Id, one Date, one right Content-Length. */
#define expect_answer(reply, status, body) expect_answer_at(EXPECT_HERE_, reply, status, body)
/* The header is there once with this value; NULL: it is not there. */
#define expect_header(reply, name, value) expect_header_at(EXPECT_HERE_, reply, name, value)
/* The body of a status has this text somewhere. */
#define expect_body_has(reply, status, text) expect_body_has_at(EXPECT_HERE_, reply, status, text)

void expect_status_at(const char *where, const struct http_reply *reply, int status);
void expect_body_at(const char *where, const struct http_reply *reply, int status,
                    const char *body);
void expect_answer_at(const char *where, const struct http_reply *reply, int status,
                      const char *body);
void expect_header_at(const char *where, const struct http_reply *reply, const char *name,
                      const char *value);
void expect_body_has_at(const char *where, const struct http_reply *reply, int status,
                        const char *text);

/* What is said to whoever is not signed in, or not allowed. */
#define SAYS_401 "{\"detail\":\"Authentication credentials were not provided.\"}"
#define SAYS_403 "{\"detail\":\"You do not have permission to perform this action.\"}"

#endif
