/*
 * The body of an answer that comes from a source, from the head to its end: framing, length, and the line in the
 * access log, which is written when the body has ended. It outlives the exchange, and belongs to whoever
 * sends the answer; one thread at a time.
 */
#ifndef SERVER_HTTP_BODY_SENDER_H
#define SERVER_HTTP_BODY_SENDER_H

#include "http/exchange.h"

enum { BODY_SENDER_END = 0, BODY_SENDER_FAILED = -1 };

struct body_sender;

/* Takes the source over from the reply. NULL: no memory, and the source is the reply's still. */
struct body_sender *body_sender_new(struct exchange *exchange);
/* The first piece need not be waited for. */
bool body_sender_is_at_hand(const struct body_sender *sender);
/* The head is out, or goes with the first piece, of so many bytes: from here on the answer is the sender's to log. */
void body_sender_begin(struct body_sender *sender, size_t head_bytes);
/* The next bytes as they are sent, 1 to `size` (64 or more): how many, or one of the above. `watch` knows whether the
 * client waits for them still. */
int body_sender_next(struct body_sender *sender, const struct body_watch *watch,
                     const struct work *work, char *buffer, size_t size);
/* Closes the source. is_whole: the client has all of it. */
void body_sender_close(struct body_sender **sender, bool is_whole);

#endif
