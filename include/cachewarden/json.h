/*
 * JSON in and out. Reading is jansson behind our strictness (RFC 8259: duplicate members, NUL,
 * invalid UTF-8, lone surrogates, trailing bytes and deep nesting are refused); jansson.h is
 * included by base/json.c alone. Writing is one small escaping writer into a strbuf.
 */
#ifndef CACHEWARDEN_JSON_H
#define CACHEWARDEN_JSON_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

struct json; /* a borrowed value inside a parsed document */

enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER,
    JSON_REAL,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* jansson exports these three names, and its own calls would end up in ours: see them renamed. */
#define json_integer cw_json_integer
#define json_real    cw_json_real
#define json_string  cw_json_string

#define JSON_MAX_DEPTH 32
/* Values in one document, as brackets and commas tell. None takes more than about 200 bytes beside
 * its text, so the largest document is 6 MiB in memory; without a limit 1 MiB of "{},{}," were 80. */
#define JSON_MAX_VALUES 32768

/*
 * Parses one whole document; it lies in the arena and lives until its reset. Any top-level value is taken.
 * ERR_BAD_INPUT with a text naming line and column and never quoting the document (it may hold a
 * password); ERR_NO_MEMORY. An integer outside int64 is bad input, 1.0 is a real. `error` may be NULL.
 */
CW_MUST_CHECK enum err json_parse(struct arena *arena, struct str text,
                                  const struct json **root_out, struct error *error);

/* The same, but \u0000 in a value is taken (not in a name), for callers that refuse it themselves and
 * can say which member has it. */
CW_MUST_CHECK enum err json_parse_nul(struct arena *arena, struct str text,
                                      const struct json **root_out, struct error *error);

/* Every reader takes NULL, what json_get gives for a member that is not there. */
enum json_kind json_kind(const struct json *value); /* JSON_NULL for NULL */
bool json_bool(const struct json *value);           /* false unless it is true */
int64_t json_integer(const struct json *value);     /* 0 unless JSON_INTEGER */
double json_real(const struct json *value);         /* integer or real, else 0 */
/* STR_NONE unless JSON_STRING; NUL-terminated, lives with the document */
struct str json_string(const struct json *value);

/* NULL when `object` is NULL, not an object, or has no such member: a member that is null is not NULL. */
const struct json *json_get(const struct json *object, const char *name);
size_t json_count(const struct json *array_or_object);              /* 0 for anything else */
const struct json *json_at(const struct json *array, size_t index); /* NULL behind the end */
/* Calls fn for each member, in the order of the text, until it returns false. */
void json_each(const struct json *object,
               bool (*fn)(struct str name, const struct json *value, void *arg), void *arg);

/*
 * The writer. Commas and quotes are its business: open, members in the order they should stand,
 * close. Errors stick in the strbuf (`failed`). Strings that are not UTF-8 get U+FFFD.
 */
struct json_writer {
    struct strbuf *out;
    bool need_comma;
};

void json_writer_init(struct json_writer *writer, struct strbuf *out);
void json_open_object(struct json_writer *writer);
void json_close_object(struct json_writer *writer);
void json_open_array(struct json_writer *writer);
void json_close_array(struct json_writer *writer);
void json_name(struct json_writer *writer, const char *name); /* then exactly one value */
void json_write_string(struct json_writer *writer, struct str value);
void json_write_integer(struct json_writer *writer, int64_t value);
/* A point and that many decimals, rounded, in any locale; none from 9e6 up, where only the whole
 * number is written. What is no number is null. */
#define JSON_MAX_DECIMALS 9
void json_write_real(struct json_writer *writer, double value, int decimals);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);

/* Name and value in one. */
void json_add_string(struct json_writer *writer, const char *name, struct str value);
void json_add_integer(struct json_writer *writer, const char *name, int64_t value);
void json_add_bool(struct json_writer *writer, const char *name, bool value);

/*
 * The bytes between the quotes of a JSON string. Escaped is what RFC 8259 asks for, and what could
 * break or turn a line where the text is shown (DEL, C1, line separators, direction marks).
 */
void json_escape(struct strbuf *out, struct str value);

#endif
