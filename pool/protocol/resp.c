#include "protocol/resp.h"

/* A kind, a number and CR LF; how many bytes. */
#define HEADER_SIZE (STR_INT64_SIZE + 3)
static size_t put_header(char *to, char kind, size_t number)
{
    size_t len = 0;
    to[len++] = kind;
    /* Almost all are the lengths of short words. */
    if (number < 100) {
        if (number >= 10)
            to[len++] = (char)('0' + number / 10);
        to[len++] = (char)('0' + number % 10);
    } else {
        len += str_of_int64(to + len, (int64_t)number).len;
    }
    to[len++] = '\r';
    to[len++] = '\n';
    return len;
}

/* Behind a large value stand short commands: without room for them all of it would be copied, and take twice as
 * much. */
enum { LARGE = 64 * 1024, ROOM_BEHIND_LARGE = 8 * 1024 };

/* Composed in one piece: this is done three times for the cheapest of requests. */
void resp_add_command(struct strbuf *out, size_t argc, const struct str *argv)
{
    size_t size = HEADER_SIZE;
    for (size_t i = 0; i < argc; i++)
        size += HEADER_SIZE + argv[i].len + 2;
    char *start = strbuf_room(out, size + (size > LARGE ? ROOM_BEHIND_LARGE : 0));
    if (!start)
        return;
    char *to = start + put_header(start, '*', argc);
    for (size_t i = 0; i < argc; i++) {
        to += put_header(to, '$', argv[i].len);
        if (argv[i].len > 0)
            memcpy(to, argv[i].ptr, argv[i].len);
        to += argv[i].len;
        *to++ = '\r';
        *to++ = '\n';
    }
    out->len += (size_t)(to - start);
}

/* The number in a header, and what follows it. */
static size_t take_header(struct str *bytes)
{
    struct str line = STR_NONE;
    int64_t number = 0;

    (void)str_split(bytes, '\n', &line);
    (void)str_to_int64(str_sub(line, 1, line.len - 2), 0, INT64_MAX, &number);
    return (size_t)number;
}

struct str resp_take_command(struct str *commands, size_t index)
{
    struct str found = STR_NONE;
    size_t argc = take_header(commands);

    for (size_t i = 0; i < argc; i++) {
        size_t size = take_header(commands);
        if (i == index)
            found = str_sub(*commands, 0, size);
        *commands = str_sub(*commands, size + 2, commands->len);
    }
    return found;
}
