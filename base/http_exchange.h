/* One request and its response over one connection, which may be used for more of them. */
#ifndef BASE_HTTP_EXCHANGE_H
#define BASE_HTTP_EXCHANGE_H

#include "http_chunks.h"
#include "http_connection.h"
#include "http_head.h"

#include "cachewarden/http_client.h"

enum http_body_end {
    BODY_ENDS_AT_ONCE,
    BODY_ENDS_AFTER_LENGTH,
    BODY_ENDS_WITH_CHUNK,
    BODY_ENDS_WITH_CONNECTION
};

struct http_exchange {
    struct http_connection *connection;
    struct http_peer *peer;
    struct http_exchange *next; /* in the peer's list of those that are kept */
    int64_t last_used_ns;
    int timeout_ms;

    /* What was read and not used: input[from, to). */
    char *input;
    size_t from, to, capacity;

    /* What was made and not sent: unsent, in the request's arena or in output. */
    struct str unsent;
    char *output; /* a piece of the request's body with its framing; NULL: there was no body yet */
    struct body_source body; /* of the request; next NULL: it has ended, or nobody wants the rest */
    int64_t left_to_send;    /* BODY_LENGTH_UNKNOWN: chunks */

    int64_t silent_ns;   /* when the last byte went or came */
    int64_t deadline_ns; /* of all of it; 0: none */
    /* Who waits for it: for the head whoever sent the request, then whoever asks for a piece of the body. */
    struct body_watch watch;
    int64_t ask_ns; /* when they are asked next whether they still do */
    bool was_left;  /* the last piece was not waited for to the end: the server's silence goes on */
    bool has_sent, has_heard, has_failed;
    bool has_head;  /* of the response */
    bool must_wait; /* nothing can be there to read yet */
    bool keeps;     /* the response lets the connection live */

    enum http_body_end end;
    int64_t left; /* of a body with a length */
    struct http_chunks chunks;
};

/* ERR_NO_MEMORY. The connection is its own from then on. */
CW_MUST_CHECK enum err http_exchange_new(struct http_connection *connection, int timeout_ms,
                                         struct http_exchange **exchange_out);
void http_exchange_free(struct http_exchange **exchange);

/* Sends the request, of which `head` is the first part, and waits for the head of the response. */
CW_MUST_CHECK enum err http_exchange_run(struct http_exchange *exchange, struct str head,
                                         const struct http_peer_request *request,
                                         const struct work *work,
                                         struct http_peer_response *response_out);
/* The next bytes of its body; 0: the end. */
CW_MUST_CHECK enum err http_exchange_read(struct http_exchange *exchange, const struct work *work,
                                          char *buffer, size_t size, size_t *len_out);
/* Both messages went to their ends, and the connection may be used again. */
bool http_exchange_is_clean(const struct http_exchange *exchange);
/* It has been idle, and nothing came: neither bytes that nobody asked for nor its end. */
bool http_exchange_is_quiet(const struct http_exchange *exchange);

#endif
