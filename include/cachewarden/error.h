/*
 * The closed list of ways a call can fail, and the two texts that go with a failure.
 *
 * `enum err` is what functions return; `struct error` travels beside it when a failure
 * deserves words. A struct error belongs to one thread and owns no memory but its own.
 */
#ifndef CACHEWARDEN_ERROR_H
#define CACHEWARDEN_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define CW_MUST_CHECK                      __attribute__((warn_unused_result))
#define CW_PRINTF(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))
#else
#define CW_MUST_CHECK
#define CW_PRINTF(format_index, first_arg)
#endif

/* ERR_OK is the only success. The order is part of nothing; names are printed by err_name(). */
enum err {
    ERR_OK = 0,
    ERR_BAD_INPUT, /* the caller's fault; error text says which field, and how to correct it */
    ERR_UNAUTHENTICATED, /* no credential, or one that is not good */
    ERR_FORBIDDEN,       /* known who, but not allowed */
    ERR_NOT_FOUND,
    ERR_CONFLICT,     /* exists already, or changed meanwhile */
    ERR_PRECONDITION, /* what the caller made a condition is not so; nothing was changed */
    ERR_TOO_LARGE,
    ERR_UNSUPPORTED_TYPE, /* a media type this route does not take (HTTP 415) */
    ERR_UNPROCESSABLE, /* it is there, but not fit for this: an archive that is damaged (HTTP 422) */
    ERR_THROTTLED,     /* a limit of ours; comes with a number of seconds */
    ERR_BUSY,          /* no room within the bounded wait; nothing was sent */
    ERR_TIMEOUT,       /* nothing that changes state was sent, or it was a read */
    ERR_UPSTREAM_DOWN,    /* could not connect, or lost before anything was sent, or a read */
    ERR_UPSTREAM_REFUSED, /* Redis answered with an error, or with a value of the wrong kind */
    /* a write was sent and no answer came: it may have happened; never retried silently */
    ERR_UNCERTAIN,
    ERR_NO_MEMORY,
    ERR_INTERNAL, /* our own mistake */
    ERR_COUNT
};

/* Lower-case name for logs, e.g. "upstream_down". Never NULL. */
const char *err_name(enum err err);

/* Why Redis kept a call from succeeding; each has one text (redis_error.h). */
enum redis_error {
    REDIS_ERROR_NONE = 0, /* the failure is not one of Redis */
    REDIS_ERROR_UNAVAILABLE,
    REDIS_ERROR_TIMEOUT,
    REDIS_ERROR_BUSY,
    REDIS_ERROR_REFUSED,
    REDIS_ERROR_OUT_OF_MEMORY,
    REDIS_ERROR_READ_ONLY,
    REDIS_ERROR_LOADING,
    REDIS_ERROR_AUTHENTICATION,
    REDIS_ERROR_NO_ROOM,  /* entries have their share of its memory; it takes all else */
    REDIS_ERROR_UNCERTAIN /* a write was sent, and nobody knows whether it happened */
};

/*
 * Words for a failure. `caller` is short and without secrets or raw text of Redis or the database:
 * what a person at the command line is told, and over HTTP why a request was refused; what failed
 * inside is not told there (server/http/status.c). `detail` is for the log only. Both are cut at their size.
 */
struct error {
    enum err code;
    enum redis_error redis; /* set by redis_error_set alone */
    char caller[192];
    char detail[256];
};

/* Empties it: code ERR_OK, no cause, both texts "". */
void error_clear(struct error *error);

/* Sets code and the caller's text; the log text becomes the same, and there is no cause of Redis.
 * Returns `code`, so that
 * `return error_set(error, ERR_BAD_INPUT, "…")` reads well. `error` may be NULL. */
enum err error_set(struct error *error, enum err code, const char *format, ...) CW_PRINTF(3, 4);

/* Sets code and the log's text only; the caller's text stays empty (a fixed text is chosen by code). */
enum err error_set_detail(struct error *error, enum err code, const char *format, ...)
    CW_PRINTF(3, 4);

#ifdef __clang_analyzer__
/* The analyzer reads one file at a time and would think that a failure may be ERR_OK. */
#define error_set(error, code, ...)        (error_set(error, code, __VA_ARGS__), (code))
#define error_set_detail(error, code, ...) (error_set_detail(error, code, __VA_ARGS__), (code))
#endif

#endif
