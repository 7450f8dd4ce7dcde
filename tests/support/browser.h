/*
 * As much of a browser as a session needs: it keeps the two cookies of an answer, sends them with
 * every request, says where it comes from, and copies XSRF-TOKEN as a page of ours would.
 */
#ifndef SUPPORT_BROWSER_H
#define SUPPORT_BROWSER_H

#include "http_client.h"

enum { BROWSER_SESSION_SIZE = 768, BROWSER_XSRF_SIZE = 64 };

struct browser {
    struct http_client *http; /* borrowed */
    char origin[128];         /* of the page it shows: "http://127.0.0.1:8000" */
    char session_name[64];    /* of the cookie whose name begins with __Host- */
    char session[BROWSER_SESSION_SIZE], xsrf[BROWSER_XSRF_SIZE]; /* empty: it has none */
};

/* A page of `origin`, no cookies yet. */
void browser_open(struct browser *browser, struct http_client *http, const char *origin);
/* Takes what Set-Cookie says. Ends the test at a cookie without the attributes it must have. */
void browser_take(struct browser *browser, const struct http_reply *reply);

/* Signs in with a session; ends the test when that fails. */
void browser_sign_in(struct browser *browser, const char *username, const char *password);
/* A request of the page, with everything a session needs; `json` NULL: no body. Takes the cookies. */
const struct http_reply *browser_send(struct browser *browser, const char *method,
                                      const char *target, const char *json);

/* The header lines of such a request, one after the other with '\n' between; `size` bytes. */
char *browser_lines(const struct browser *browser, char *out, size_t size);
/* Such lines as a list for http_send, and `another` (NULL: none) behind them; cuts `lines` at every '\n'. */
enum { BROWSER_HEADERS = 8 };
void browser_split(char *lines, const char *headers_out[BROWSER_HEADERS], const char *another);

#endif
