/*
 * Chunks of a body (RFC 9112, section 7.1), decoded as they come and where they lie. CivetWeb is included
 * with this file by our patch; tests include it directly.
 *
 * Strict, for a front proxy that reads a chunk another way than we do can be made to pass one request
 * inside another: a size is 1 to 15 hexadecimal digits and CR LF, so that it fits an int64_t, and
 * extensions are refused.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { CHUNK_DIGITS_MAX = 15 };

enum chunks_state {
	CHUNKS_SIZE = 0,
	CHUNKS_SIZE_LF,
	CHUNKS_DATA,
	CHUNKS_DATA_CR,
	CHUNKS_DATA_LF,
	CHUNKS_END_CR,
	CHUNKS_END_LF,
};

struct chunks {
	enum chunks_state state;
	int digits;   /* of the size, so far */
	int64_t left; /* of the chunk */
};

enum chunks_result {
	CHUNKS_MORE,    /* are to come */
	CHUNKS_WHOLE,   /* that was the last one, and the end */
	CHUNKS_TRAILER, /* that was the last one; fields follow it, which nobody reads */
	CHUNKS_BROKEN
};


static int
chunk_digit(char c)
{
	if ((c >= '0') && (c <= '9')) {
		return c - '0';
	}
	c |= 0x20;
	return ((c >= 'a') && (c <= 'f')) ? c - 'a' + 10 : -1;
}


/* One byte of the framing. */
static enum chunks_result
chunks_step(struct chunks *chunks, char c)
{
	switch (chunks->state) {
	case CHUNKS_SIZE:
		if ((c == '\r') && (chunks->digits > 0)) {
			chunks->state = CHUNKS_SIZE_LF;
			return CHUNKS_MORE;
		}
		if ((chunk_digit(c) < 0) || (chunks->digits == CHUNK_DIGITS_MAX)) {
			return CHUNKS_BROKEN;
		}
		chunks->left = chunks->left * 16 + chunk_digit(c);
		chunks->digits++;
		return CHUNKS_MORE;
	case CHUNKS_SIZE_LF:
		chunks->state = (chunks->left > 0) ? CHUNKS_DATA : CHUNKS_END_CR;
		return (c == '\n') ? CHUNKS_MORE : CHUNKS_BROKEN;
	case CHUNKS_DATA_CR:
		chunks->state = CHUNKS_DATA_LF;
		return (c == '\r') ? CHUNKS_MORE : CHUNKS_BROKEN;
	case CHUNKS_DATA_LF:
		chunks->state = CHUNKS_SIZE;
		chunks->digits = 0;
		return (c == '\n') ? CHUNKS_MORE : CHUNKS_BROKEN;
	case CHUNKS_END_CR:
		chunks->state = CHUNKS_END_LF;
		return (c == '\r') ? CHUNKS_MORE : CHUNKS_TRAILER;
	case CHUNKS_END_LF:
		return (c == '\n') ? CHUNKS_WHOLE : CHUNKS_TRAILER;
	case CHUNKS_DATA:
	default:
		return CHUNKS_BROKEN;
	}
}


/*
 * Decodes bytes[*from, len) to bytes + *to, which is not behind *from, and moves both on: *to behind what
 * is decoded, *from behind what is used. CHUNKS_MORE: all were used.
 */
static enum chunks_result
chunks_decode(struct chunks *chunks, char *bytes, size_t len, size_t *from, size_t *to)
{
	enum chunks_result result = CHUNKS_MORE;

	while ((result == CHUNKS_MORE) && (*from < len)) {
		if (chunks->state == CHUNKS_DATA) {
			const size_t there = len - *from;
			const size_t part =
			    ((int64_t)there < chunks->left) ? there : (size_t)chunks->left;

			memmove(bytes + *to, bytes + *from, part);
			*from += part;
			*to += part;
			chunks->left -= (int64_t)part;
			if (chunks->left == 0) {
				chunks->state = CHUNKS_DATA_CR;
			}
		} else {
			result = chunks_step(chunks, bytes[*from]);
			*from += 1;
		}
	}
	return result;
}
