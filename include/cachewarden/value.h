/*
 * What a Redis command answered, without hiredis. A Redis error reply is a value of kind
 * VALUE_ERROR, never NULL and never a zero integer. Values live in the arena of the pipeline
 * that asked for them.
 */
#ifndef CACHEWARDEN_VALUE_H
#define CACHEWARDEN_VALUE_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdint.h>

enum value_kind {
    VALUE_MISSING,
    VALUE_NIL,
    VALUE_STRING,
    VALUE_STATUS,
    VALUE_INTEGER,
    VALUE_ARRAY,
    VALUE_ERROR
};

struct value {
    enum value_kind kind; /* VALUE_MISSING: no reply arrived */
    int64_t integer;      /* VALUE_INTEGER */
    struct str text;      /* VALUE_STRING, VALUE_STATUS, VALUE_ERROR; NUL-terminated */
    struct value *items;  /* VALUE_ARRAY */
    size_t count;
};

/* What a Redis error means to us; the first word decides (OOM, READONLY, …). */
enum redis_fault {
    REDIS_FAULT_NONE,
    REDIS_FAULT_OOM,
    REDIS_FAULT_READONLY,
    REDIS_FAULT_MISCONF,
    REDIS_FAULT_LOADING,
    REDIS_FAULT_BUSY,
    REDIS_FAULT_MASTERDOWN,
    REDIS_FAULT_AUTH, /* NOAUTH, WRONGPASS */
    REDIS_FAULT_NOPERM,
    REDIS_FAULT_WRONGTYPE,
    REDIS_FAULT_OVERFLOW,  /* "increment or decrement would overflow" and its like */
    REDIS_FAULT_CLIENTS,   /* max number of clients reached */
    REDIS_FAULT_TOO_LARGE, /* not of Redis: the reply came, and was larger than we keep */
    REDIS_FAULT_OTHER
};
enum redis_fault value_fault(const struct value *value);
const char *redis_fault_name(enum redis_fault fault); /* "oom", "readonly", … */
/* What a caller may be told of it. */
enum redis_error redis_fault_cause(enum redis_fault fault);

/* What Redis says all the time ("OK", "QUEUED") as a text that lasts for ever, or {NULL,0}. */
struct str value_fixed_status(struct str text);

/* The first word of a Redis error ("WRONGTYPE"): the rest may quote keys and values. Cut at 32. */
struct str value_error_word(const struct value *value);

/*
 * All of it, for people who look after Redis: a log, an operator, an admin; never another caller. On one line,
 * printable, cut at its size, without arguments (they may be a password), the user's name and addresses of a cluster.
 */
enum { VALUE_SENTENCE_SIZE = 144 };
void value_error_sentence(const struct value *value, char out[VALUE_SENTENCE_SIZE]);

#endif
