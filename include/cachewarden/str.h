/*
 * Byte strings with a length, a growing buffer, and the strict small parsers everybody needs.
 * No function here looks at the locale. Nothing takes locks.
 */
#ifndef CACHEWARDEN_STR_H
#define CACHEWARDEN_STR_H

#include "cachewarden/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

/* Borrowed bytes: not NUL-terminated unless said so; may hold any byte. {NULL,0} is the empty string. */
struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
#define STR_NONE     ((struct str){NULL, 0})
/* For printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).len, ((s).ptr ? (s).ptr : "")

static inline struct str str_from(const char *c_string)
{
    return c_string ? (struct str){c_string, strlen(c_string)} : STR_NONE;
}

bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Same length and bytes, in time that depends on the lengths only (RFC 7515 section 10.6 comparisons). */
bool str_eq_secret(struct str a, struct str b);
/* Position of the first `c`, or -1. */
ptrdiff_t str_find(struct str s, char c);
struct str str_sub(struct str s, size_t from, size_t len); /* clamped to s */
/* SP and HTAB at both ends (RFC 9110 OWS) */
struct str str_trim(struct str s);
/* Takes the part before `separator` off *rest; false when *rest is used up, which is {NULL,0}.
 * "a,,b" gives "a","","b"; "a," gives "a",""; "" gives one empty part. */
bool str_split(struct str *rest, char separator, struct str *part_out);
/* Takes the first line off *rest, without its '\n'; false when there is none: "a\n\nb" gives "a","","b"; "a\n" gives
 * "a"; "" gives nothing. */
bool str_take_line(struct str *rest, struct str *line_out);

/*
 * One canonical decimal integer: digits only ('-' first where min < 0), no sign '+', no leading
 * zero, no blanks, inside [min,max]. false for anything else; *out is untouched then.
 */
bool str_to_int64(struct str s, int64_t min, int64_t max, int64_t *out);

bool str_is_utf8(struct str s);     /* RFC 3629: no surrogates, no overlong forms, NUL allowed */
bool str_has_control(struct str s); /* any byte < 0x20, or 0x7f, or a C1 control in UTF-8 */
bool str_is_token(struct str s);    /* RFC 9110 token, at least one character */

/* Copies into the arena with a NUL behind; NULL ptr when memory is out. */
struct str str_dup(struct arena *arena, struct str s);
/* printf into the arena, NUL-terminated; {NULL,0} when memory is out. */
struct str str_format(struct arena *arena, const char *format, ...) CW_PRINTF(2, 3);

/*
 * The codings. Results lie in the arena with a NUL behind. A decoder is false for bad text and when
 * memory is out, and leaves *bytes_out alone then; an encoder gives {NULL,0} when memory is out.
 */

/* Strict unpadded base64url (RFC 7515 section 2): no padding, no blanks, no non-zero spare bits. */
bool base64url_decode(struct arena *arena, struct str text, struct str *bytes_out);
struct str base64url_encode(struct arena *arena, struct str bytes);
struct str hex_encode(struct arena *arena, struct str bytes); /* lower case */
/* Either case. */
bool hex_decode(struct arena *arena, struct str text, struct str *bytes_out);

/* Strict percent-decoding of one segment: a bad escape or a NUL, decoded or not, is false. '+' stays '+'. */
bool percent_decode(struct arena *arena, struct str text, struct str *bytes_out);

/* Overwrites with zeros in a way the compiler may not drop. */
void secret_wipe(void *memory, size_t size);

/* A number as decimal digits: in a buffer, with a NUL behind; or for as long as the block lasts in which it stands. */
#define STR_INT64_SIZE 21
struct str str_of_int64(char buffer[STR_INT64_SIZE], int64_t value);
#define STR_INT64(value) str_of_int64((char[STR_INT64_SIZE]){0}, (value))
/* 16 hex digits, lower case, with a NUL behind. */
#define STR_HEX64_SIZE 17
void str_put_hex64(char out[STR_HEX64_SIZE], uint64_t value);

/*
 * A growing buffer, heap-backed or arena-backed. After a failed allocation it stays failed
 * (`failed` is set, appends do nothing), so callers check once at the end.
 */
struct strbuf {
    char *ptr;
    size_t len;
    size_t cap;
    struct arena *arena; /* NULL: malloc, freed by strbuf_fini */
    bool failed;
};

void strbuf_init(struct strbuf *buf, struct arena *arena, size_t reserve);
void strbuf_fini(struct strbuf *buf);              /* frees heap memory; harmless for an arena's */
void strbuf_add(struct strbuf *buf, struct str s); /* `s` must not lie in the buffer itself */
void strbuf_add_char(struct strbuf *buf, char c);
void strbuf_add_int64(struct strbuf *buf, int64_t value);
/* Room for `size` bytes behind what is there: write into it, then add what you used to buf->len.
 * NULL when memory is out. Good until the next append. */
char *strbuf_room(struct strbuf *buf, size_t size);
void strbuf_addf(struct strbuf *buf, const char *format, ...) CW_PRINTF(2, 3);
static inline struct str strbuf_str(const struct strbuf *buf)
{
    return (struct str){buf->ptr, buf->len};
}

#endif
