/*
 * One line an event, to standard error, as key=value text or as JSON. A line is written by one
 * write(2), so lines of threads never mix; values are escaped, so no value can start a line. Fields never hold
 * passwords, tokens or keys: that is the caller's duty.
 * Thread-safe without a lock: level and format are atomics. Debug builds abort when a line is
 * written while a lock is held (lock.h). errno is left alone.
 */
#ifndef CACHEWARDEN_LOG_H
#define CACHEWARDEN_LOG_H

#include "cachewarden/str.h"

#include <stdint.h>

/* A line with its line feed: what a pipe takes in one piece (PIPE_BUF of Linux). */
#define LOG_LINE_MAX 4096
/* A value as written. A longer one ends in "...(cut)"; fields that find no room end in cut=true. */
#define LOG_VALUE_MAX 1024

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum log_field_kind { LOG_FIELD_STR, LOG_FIELD_INT };
struct log_field {
    const char *name; /* a plain identifier */
    enum log_field_kind kind;
    struct str text;
    int64_t integer;
};

#define LOG_STR(field_name, value) ((struct log_field){(field_name), LOG_FIELD_STR, (value), 0})
#define LOG_CSTR(field_name, value) \
    ((struct log_field){(field_name), LOG_FIELD_STR, str_from(value), 0})
#define LOG_INT(field_name, value) \
    ((struct log_field){(field_name), LOG_FIELD_INT, STR_NONE, (int64_t)(value)})

/* Until it is called: info, text. Ignores SIGPIPE for the process unless it is handled already: a
 * log whose reader has gone must not end the server. */
void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
/* Where lines go; standard error (2) unless a test says otherwise. No other thread may be writing. */
void log_set_fd(int fd);

/*
 * For a server, before it has other threads: from here on nobody is stopped by a reader of standard error
 * who has stopped. Lines that find no room are waited for together, 100 ms in all (sink.h), and
 * then lost; the next that gets through has event=log.dropped with their number in front of it. Without
 * it, as in commands, a line takes as long as its reader does.
 */
void log_start(void);
/* At the very end: lets what was written go on its way, for 100 ms at most. */
void log_stop(void);
/* Lines that were lost since the start, in whole or in part. */
uint64_t log_lost(void);
/* Says how many were lost since it was last said, if it can be said now. Every line does so first; this is for
 * when none comes. */
void log_report_lost(void);

/* Words for a person, as they are, to where the log goes; never waits longer than a line would. */
void log_say(const char *format, ...) CW_PRINTF(1, 2);

/* `event` is a fixed dotted name such as "redis.down". */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* log_event(LOG_LEVEL_WARN, "redis.down", LOG_CSTR("address", a), LOG_INT("wait_ms", n)); at least one field. */
#define log_event(level, event, ...)                                                            \
    do {                                                                                        \
        if (log_enabled(level)) {                                                               \
            const struct log_field log_fields_[] = {__VA_ARGS__};                               \
            log_write((level), (event), log_fields_, sizeof log_fields_ / sizeof *log_fields_); \
        }                                                                                       \
    } while (0)

#endif
