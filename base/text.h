/*
 * What the rest of base/ needs to know about characters: UTF-8 sequences, what may be shown
 * as it is, decimal digits. Pure functions; nothing here allocates or takes locks.
 */
#ifndef CACHEWARDEN_BASE_TEXT_H
#define CACHEWARDEN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length (1 to 4) of the well-formed UTF-8 sequence at `bytes` (RFC 3629), 0 when there is none. */
size_t text_utf8_length(const char *bytes, size_t available);

/* The character of a well-formed sequence of that length. */
uint32_t text_utf8_value(const char *bytes, size_t length);

/* The longest prefix, at most `limit` bytes, that does not end inside a UTF-8 sequence. */
size_t text_utf8_prefix(const char *bytes, size_t length, size_t limit);

/*
 * Whether a character could break a line or deceive a reader of one: C0, DEL and C1 controls,
 * line and paragraph separators, and the marks that turn the direction of writing.
 */
bool text_is_unsafe(uint32_t character);

/*
 * What stands in a JSON string for the first character of `bytes` (length > 0): an escape where
 * RFC 8259 wants one and for what is unsafe, U+FFFD for a byte that is no UTF-8, else the
 * character. Returns the length written, without a NUL; *taken_out is the length it stands for.
 */
#define TEXT_ESCAPE_SIZE 8
size_t text_json_escape(char out[TEXT_ESCAPE_SIZE], const char *bytes, size_t length,
                        size_t *taken_out);

/* Exactly `digits` decimal digits of `value`, with leading zeros, without a NUL. */
void text_put_digits(char *out, uint64_t value, int digits);

#endif
