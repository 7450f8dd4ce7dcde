/*
 * The strict reading of an HTTP/1 request head (RFC 9112), done before CivetWeb's own parser
 * sees it. CivetWeb is included with this file by our patch; tests include it directly.
 *
 * What is refused here is what parsers disagree about: a front proxy that reads such a message
 * another way than we do can be made to pass one request inside another.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* tchar of RFC 9110, section 5.6.2. */
static int
head_is_token_char(unsigned char c)
{
	return ((c >= '0') && (c <= '9')) || ((c >= 'A') && (c <= 'Z'))
	       || ((c >= 'a') && (c <= 'z'))
	       || ((c != 0) && (strchr("!#$%&'*+-.^_`|~", c) != NULL));
}


/* One empty line before the request line is allowed (RFC 9112, section 2.2). */
static size_t
head_skip_empty_line(const char *buf, size_t len)
{
	return ((len >= 2) && (buf[0] == '\r') && (buf[1] == '\n')) ? 2 : 0;
}


/* No control character but HTAB. Every byte of every request passes through here, so there is no
 * way out before the end: without one the compiler looks at many bytes at once. */
static int
head_is_text(const char *p, size_t len)
{
	unsigned char bad = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)p[i];

		bad |= (unsigned char)(((c < 32) & (c != '\t')) | (c == 127));
	}
	return !bad;
}


/* Length of the head at the start of buf, with its closing empty line.
 * 0: not all of it is there yet. -1: it can never become a head. */
static int
head_length(const char *buf, int buflen)
{
	const char *const end = buf + buflen;
	const char *line;

	if ((buflen == 1) && (buf[0] == '\r')) {
		return 0;
	}
	line = buf + head_skip_empty_line(buf, (size_t)buflen);
	if ((line < end) && !head_is_token_char((unsigned char)*line)) {
		return -1;
	}

	while (line < end) {
		const char *const lf = (const char *)memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((lf ? lf : end) - line);

		/* A CR ends its line, or the bytes so far: then its LF may be on the way. */
		if ((len > 0) && (line[len - 1] == '\r')) {
			len--;
		} else if (lf) {
			return -1;
		}
		if (!head_is_text(line, len)) {
			return -1;
		}
		if (!lf) {
			return 0;
		}
		line = lf + 1;
		if (len == 0) {
			return (int)(line - buf);
		}
	}
	return 0;
}


/* method SP request-target SP HTTP/d.d CRLF; returns where the next line begins, or NULL. */
static const char *
head_check_request_line(const char *p)
{
	const char *word = p;

	while (head_is_token_char((unsigned char)*p)) {
		p++;
	}
	if ((p == word) || (*p++ != ' ')) {
		return NULL;
	}
	word = p;
	while ((*p > 32) && (*p < 127)) {
		p++;
	}
	if ((p == word) || (*p++ != ' ')) {
		return NULL;
	}
	if ((strncmp(p, "HTTP/", 5) != 0) || (p[5] < '0') || (p[5] > '9')
	    || (p[6] != '.') || (p[7] < '0') || (p[7] > '9') || (p[8] != '\r')) {
		return NULL;
	}
	return p + 10;
}


/* The HTTP status a head is refused with: 0 (none), 400, or 431 for more than max_fields fields.
 * head_length(head, …) has found it whole: it ends with CR LF CR LF, and CR and LF come in pairs,
 * so that every scan below stops at a CR. */
static int
head_status(const char *head, int headlen, int max_fields)
{
	const char *p = head + head_skip_empty_line(head, (size_t)headlen);
	int fields = 0;

	p = head_check_request_line(p);
	if (p == NULL) {
		return 400;
	}
	while (*p != '\r') {
		const char *name = p;

		while (head_is_token_char((unsigned char)*p)) {
			p++;
		}
		/* An empty name, a space before the colon, a line without a colon, and a
		 * continuation line (obs-fold) all end here. */
		if ((p == name) || (*p != ':')) {
			return 400;
		}
		while (*p != '\r') {
			p++;
		}
		p += 2;
		fields++;
	}
	return (fields > max_fields) ? 431 : 0;
}


/* 1*DIGIT that fits an int64_t, else -1. */
static int64_t
head_content_length(const char *value)
{
	int64_t length = 0;

	if (*value == '\0') {
		return -1;
	}
	for (; *value != '\0'; value++) {
		const int digit = *value - '0';

		if ((digit < 0) || (digit > 9) || (length > (INT64_MAX - digit) / 10)) {
			return -1;
		}
		length = length * 10 + digit;
	}
	return length;
}
