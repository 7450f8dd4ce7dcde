/* A log that writes into a pipe, and the test that reads from it. */
#ifndef CACHEWARDEN_TESTS_LOG_PIPE_H
#define CACHEWARDEN_TESTS_LOG_PIPE_H

#include "cachewarden/arena.h"
#include "cachewarden/log.h"
#include "suite.h"

#include <fcntl.h>
#include <unistd.h>

static int ends[2];
static struct arena *arena;

static inline void setup(void)
{
    ck_assert_int_eq(pipe(ends), 0);
    arena = arena_new(65536, 0);
    log_set_fd(ends[1]);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
}

static inline void teardown(void)
{
    close(ends[0]);
    close(ends[1]);
    arena_free(&arena);
}

/* What was written since the last call; there is less than a pipe holds. NUL-terminated. */
static inline struct str written(void)
{
    static char bytes[65536];
    size_t len = 0;
    ssize_t got;

    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while ((got = read(ends[0], bytes + len, sizeof bytes - 1 - len)) > 0)
        len += (size_t)got;
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, 0), 0);
    bytes[len] = '\0';
    return (struct str){bytes, len};
}

/* What every line has to be, whatever was logged. */
static inline void check_line(struct str line)
{
    ck_assert_uint_gt(line.len, 0);
    ck_assert_uint_le(line.len, LOG_LINE_MAX);
    ck_assert_int_eq(line.ptr[line.len - 1], '\n');
    struct str inside = str_sub(line, 0, line.len - 1);
    ck_assert(!str_has_control(inside));
    ck_assert(str_is_utf8(inside));
}

/* The line behind its time and level. */
static inline struct str tail_of(struct str line)
{
    static const char head[] = "time=2026-01-31T12:00:00.123Z level=info ";

    check_line(line);
    return str_sub(line, sizeof head - 1, line.len - sizeof head);
}

#endif
