/*
 * From what happened to a status code and a body: the only place that knows both `enum err` and
 * HTTP. The shape of an error body is the row's error format.
 * Every function here fills exchange->response and exchange->result and takes memory from the
 * call's arena; when there is none left the answer is a fixed 500.
 */
#ifndef SERVER_HTTP_STATUS_H
#define SERVER_HTTP_STATUS_H

#include "http/exchange.h"

/* "Not Found". Never NULL. */
const char *status_phrase(int status);
/* The statuses we answer with, numbered; STATUS_COUNT for any other. Cheap for 200. */
enum { STATUS_COUNT = 26 };
size_t status_index(int status);
/* The other way round; index < STATUS_COUNT. */
int status_at(size_t index);

/* The operation (or its parameters) returned `err`. ERR_OK: its reply is the answer. */
void status_render(struct exchange *exchange, enum err err);

/*
 * The caller could not be told: ERR_UNAUTHENTICATED (401), ERR_BAD_INPUT (two credentials that
 * disagree), or the users database is out of reach (503). The reason is never given away.
 */
void status_identity_failed(struct exchange *exchange, enum err err);

/* permit_decide() did not say yes. */
void status_denied(struct exchange *exchange, enum permit_answer answer);

/*
 * A request that was to be passed on to another server was not, or had no answer: ERR_BUSY (503), ERR_UPSTREAM_DOWN
 * (502), ERR_TIMEOUT (504); else as status_render.
 */
void status_gateway_failed(struct exchange *exchange, enum err err);

void status_not_found(struct exchange *exchange); /* 404 */
/* 405; `error_format` is that of the path's rows. */
void status_not_allowed(struct exchange *exchange, enum error_format error_format,
                        struct str allow);
void status_options(struct exchange *exchange, struct str allow); /* 204 with Allow */

/* A refusal of the framing or the body. The connection closes after it. */
void status_refused(struct exchange *exchange, int status, struct str detail);
/* 415 for a body that came compressed, or coded another way. The connection closes after it. */
void status_coding_refused(struct exchange *exchange);
/* Why a request that had not come as a whole was given up, for the log. */
#define STATUS_MADE_ROOM "too many connections, or bytes of requests, wait: it made room for others"

/* The fixed sentence for a body that could not be read (exchange->read_body). BODY_STOPPED: 503. */
void status_body_refused(struct exchange *exchange, int status);

#endif
