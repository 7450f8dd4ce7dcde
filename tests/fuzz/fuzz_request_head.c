/*
 * Request heads, as they come from the network. A head that is accepted must be what RFC 9112 says
 * in the plainest words: lines that end in CR LF, each with a colon right behind a name.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include "request_head.inl"
#pragma GCC diagnostic pop

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int is_true)
{
    if (!is_true)
        abort();
}

static void expect_field(const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);

    expect(colon != NULL && colon > line);
    for (const char *c = line; c < colon; c++)
        expect(*c > ' ' && *c < 127);
    for (const char *c = colon; c < line + size; c++)
        expect(*c != '\n' && *c != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    int length = head_length(text, (int)size);
    int status;

    expect(length >= -1 && length <= (int)size);
    if (length <= 0)
        return 0;
    /* A shorter piece is not a head, and says so in the same way. */
    expect(head_length(text, length - 1) == 0);

    status = head_status(text, length, 64);
    expect(status == 0 || status == 400 || status == 431);
    if (status != 0)
        return 0;
    const char *end = text + length - 2; /* the closing empty line */
    const char *line = memchr(text + head_skip_empty_line(text, size), '\n', size);
    expect(line != NULL);
    for (line++; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));

        expect(next != NULL && next[-1] == '\r');
        expect_field(line, (size_t)(next - 1 - line));
        line = next + 1;
    }
    expect(line == end);
    return 0;
}
