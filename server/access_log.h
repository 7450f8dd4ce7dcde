/* One line a request: event http.request, at level info; refused requests too. */
#ifndef SERVER_ACCESS_LOG_H
#define SERVER_ACCESS_LOG_H

#include "exchange.h"

/*
 * Never the query string (it may hold a token) nor a header's value. The log escapes values, so no
 * request can begin a line of its own. What went wrong is told in the words that are for us only
 * (error, detail). No lock may be held.
 */
void access_log_write(const struct exchange *exchange, size_t bytes_sent, int64_t duration_ns);

#endif
