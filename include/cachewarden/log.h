/*
 * One line an event, to standard error, as key=value text or as JSON. A line is written by one
 * write(2), so lines of threads never mix; values are escaped, so no value can start a line
 * (threats 84). Fields never hold passwords, tokens or keys: that is the caller's duty.
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
/* Where lines go; standard error (2) unless a test says otherwise. */
void log_set_fd(int fd);

/* Lines that could not be written since the start, in whole or in part. A non-blocking descriptor is
 * waited for 100 ms at most, once a line; a blocking one for as long as its reader takes. */
uint64_t log_lost(void);

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
