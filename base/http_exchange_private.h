/* What the files of an exchange share. */
#ifndef BASE_HTTP_EXCHANGE_PRIVATE_H
#define BASE_HTTP_EXCHANGE_PRIVATE_H

#include "http_exchange.h"

/* How often whoever waits is asked whether they still do. */
enum { EXCHANGE_ASK_MS = 500 };

/* A byte went or came: the server's silence begins anew. */
void exchange_touch(struct http_exchange *exchange);

/* The rest of the request goes nowhere, and nor does another one over this connection. */
void exchange_send_no_more(struct http_exchange *exchange);
/* Without waiting. What the server does not take any more is not sent; it may have answered before that. */
void exchange_send_some(struct http_exchange *exchange);

/* What was read and not used. */
static inline struct str exchange_waiting(const struct http_exchange *exchange)
{
    return (struct str){exchange->input + exchange->from, exchange->to - exchange->from};
}

/* At least one byte, or the end: 0. Sends meanwhile what is left of the request. */
CW_MUST_CHECK enum err exchange_receive(struct http_exchange *exchange, const struct work *work,
                                        char *buffer, size_t size, size_t *got_out);
/* The same, behind what waits; *is_end_out: there is no more. */
CW_MUST_CHECK enum err exchange_fill(struct http_exchange *exchange, const struct work *work,
                                     bool *is_end_out);
/* The failure of a response that is not whole. */
enum err exchange_cut(struct error *error);

#endif
