/*
 * The cookies of a request that are ours, and those of an answer (RFC 6265). Whatever else a browser
 * keeps for this host is none of our business and may look as it likes. Pure.
 */
#ifndef SERVER_HTTP_COOKIES_H
#define SERVER_HTTP_COOKIES_H

#include "http/exchange.h"

#include "cachewarden/xsrf.h"

/* More no browser stores for one cookie (RFC 6265, section 6.1), and no token of ours is. */
#define COOKIE_MAX_SIZE 4096

struct cookies {
    bool has_session;
    /* Empty: given twice, too long, or with characters no token of ours has. Which of two is meant is
     * not guessed. */
    struct str session;
};

/* Looks at every Cookie field: a proxy may have split one. */
void cookies_read(const struct http_request *request, struct cookies *cookies_out);

/* Adds the Set-Cookie lines that the answer's session asks for, and Clear-Site-Data. */
void cookies_write(struct strbuf *head, const struct reply_session *session);

#endif
