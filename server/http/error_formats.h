/* What status.c and error_formats.c share: answers that are errors, and the shapes of their bodies. */
#ifndef SERVER_HTTP_ERROR_FORMATS_H
#define SERVER_HTTP_ERROR_FORMATS_H

#include "http/exchange.h"

/* ---- status.c ---- */

/* Not the caller's fault: what the older formats fold into their one 500. */
bool status_is_failure(enum err err);
/* Begins the response anew, with what the reply asks for on every status. */
void status_begin(struct exchange *exchange, int status);
/* The reply's body becomes the response's; a fixed 500 when memory was out. */
void status_use_body(struct exchange *exchange, struct str media_type);

/* ---- error_formats.c ---- */

/* That of the row. Before there is one, an error is put as on the older routes. */
enum error_format error_format_of(const struct exchange *exchange);
/* The body of an error that has no shape of its own in that format. */
void error_format_write(struct exchange *exchange, enum error_format format, struct str detail);
/* A body of one member: {"detail":…} and {"error":…}. */
void error_format_write_member(struct exchange *exchange, const char *name, struct str value);
/* True when the row's format has a shape of its own for this error, which then is written. */
bool error_format_write_own(struct exchange *exchange, enum err err);

#endif
