/*
 * Why Redis kept a call from succeeding: the closed list is `enum redis_error` (error.h), and each
 * has one text. The text may be told to a caller; raw text of Redis never is.
 */
#ifndef CACHEWARDEN_REDIS_ERROR_H
#define CACHEWARDEN_REDIS_ERROR_H

#include "cachewarden/error.h"

/* "redis unavailable" and so on; "" for REDIS_ERROR_NONE. */
const char *redis_error_text(enum redis_error cause);

/* Sets code, cause, the cause's text for the caller and a text for the log; returns `code`. `error`
 * may be NULL. */
enum err redis_error_set(struct error *error, enum err code, enum redis_error cause,
                         const char *format, ...) CW_PRINTF(4, 5);

#endif
