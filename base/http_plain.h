/* Bytes of a connection without TLS, by its socket: one call of the system waits for them and takes them. */
#ifndef BASE_HTTP_PLAIN_H
#define BASE_HTTP_PLAIN_H

#include "http_connection.h"

/* A read that waits does so for less than that. */
enum { HTTP_PLAIN_WAIT_MS = 120 };

/* From here on the functions below are for it, and no others. False: they cannot be. */
bool http_plain_begin(int fd);

/* Does not wait. ERR_UPSTREAM_DOWN. */
CW_MUST_CHECK enum err http_plain_send(int fd, const char *bytes, size_t size, size_t *sent_out,
                                       struct error *error);
/* Neither bytes nor an end: none came, at once or in the time that it waits. ERR_UPSTREAM_DOWN. */
CW_MUST_CHECK enum err http_plain_receive(int fd, bool waits, struct http_arrival *arrival,
                                          struct error *error);

#endif
