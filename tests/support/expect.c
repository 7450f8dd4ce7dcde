#include "expect.h"

#include <check.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the test unless `good`. */
static void require(bool good, const char *where, const struct http_reply *reply,
                    const char *wanted)
{
    ck_assert_msg(good, "%s: wanted %s, but got %s\n%s%s", where, wanted,
                  !reply               ? "a closed connection"
                  : reply->status == 0 ? reply->failure
                                       : "this:",
                  reply && reply->head ? reply->head : "", reply && reply->body ? reply->body : "");
}

void expect_status_at(const char *where, const struct http_reply *reply, int status)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "status %d", status);
    require(reply && reply->status == status, where, reply, wanted);
}

void expect_body_at(const char *where, const struct http_reply *reply, int status, const char *body)
{
    expect_status_at(where, reply, status);
    require(reply->body_size == strlen(body) && memcmp(reply->body, body, reply->body_size) == 0,
            where, reply, body);
}

void expect_header_at(const char *where, const struct http_reply *reply, const char *name,
                      const char *value)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted, value ? "one header %s: %s" : "no header %s", name, value);
    require(reply && reply->head && http_header_count(reply, name) == (value ? 1 : 0), where, reply,
            wanted);
    require(!value || strcmp(http_header(reply, name), value) == 0, where, reply, wanted);
}

void expect_body_has_at(const char *where, const struct http_reply *reply, int status,
                        const char *text)
{
    expect_status_at(where, reply, status);
    require(strstr(reply->body, text) != NULL, where, reply, text);
}

void expect_answer_at(const char *where, const struct http_reply *reply, int status,
                      const char *body)
{
    char length[32];
    snprintf(length, sizeof length, "%zu", strlen(body));
    expect_body_at(where, reply, status, body);
    expect_header_at(where, reply, "Content-Type", status == 204 ? NULL : "application/json");
    expect_header_at(where, reply, "Content-Length", status == 204 ? NULL : length);
    expect_header_at(where, reply, "Cache-Control", "no-store");
    require(http_header_count(reply, "X-Request-Id") == 1, where, reply, "one X-Request-Id");
    require(http_header_count(reply, "Date") == 1, where, reply, "one Date");
    expect_header_at(where, reply, "WWW-Authenticate", status == 401 ? "Bearer" : NULL);
}
