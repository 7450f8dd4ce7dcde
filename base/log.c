#include "cachewarden/log.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/sink.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    /* Behind the last field there is always room for a cut value's mark and quote, the mark of
     * a cut line, the brace and the line feed. */
    TAIL = 32,
    ROOM = LOG_LINE_MAX - TAIL,
};
_Static_assert(LOG_LINE_MAX <= SINK_PIECE, "a line is never torn");

static const struct str cut_value = STR("...(cut)");

static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_int current_format = LOG_FORMAT_TEXT;
static struct sink sink = SINK_PLAIN(STDERR_FILENO);
static _Atomic uint64_t lost_and_reported; /* of sink_lost() */

struct line {
    size_t len;
    bool json;
    char bytes[LOG_LINE_MAX];
};

void log_configure(enum log_level level, enum log_format format)
{
    struct sigaction action;

    /* A log whose reader has gone must not take the server with it. */
    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
        action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        sigaction(SIGPIPE, &action, NULL);
    }
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
    atomic_store_explicit(&current_format, (int)format, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_set_fd(int fd)
{
    sink_close(&sink);
    sink_open(&sink, fd);
}

void log_start(void)
{
    log_set_fd(STDERR_FILENO);
    sink_start(&sink);
}

void log_stop(void)
{
    sink_close(&sink);
}

uint64_t log_lost(void)
{
    return sink_lost(&sink);
}

void log_say(const char *format, ...)
{
    int saved_errno = errno;
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    if (size > 0) {
        sink_write(&sink, (struct str){text, (size_t)size});
        free(text);
    }
    errno = saved_errno;
}

/* The caller has made sure that it fits: nothing but values is longer than a few bytes. */
static void put(struct line *line, struct str s)
{
    if (s.len > 0) /* of nothing, ptr may be NULL, which memcpy does not take */
        memcpy(line->bytes + line->len, s.ptr, s.len);
    line->len += s.len;
}

static void put_char(struct line *line, char c)
{
    line->bytes[line->len++] = c;
}

static void put_time(struct line *line)
{
    char now[CLOCK_RFC3339_SIZE];

    put(line, clock_rfc3339(clock_wall_ms(), now));
}

/* Characters that mean themselves in key=value text, and end no value. */
static bool is_bare(char c)
{
    /* All from '!' to '~' but '"', '=' and the backslash; most of a line's bytes are looked up here. */
    static const bool bare[256] = {
        ['!'] = true, ['#' ... '<'] = true, ['>' ... '['] = true, [']' ... '~'] = true};

    return bare[(unsigned char)c];
}

static bool is_plain(char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* A byte that is no UTF-8 is shown as what it is; JSON has no escape for a byte. */
static size_t escape_one(const struct line *line, char out[TEXT_ESCAPE_SIZE], struct str value,
                         size_t *taken_out)
{
    static const char hex[] = "0123456789abcdef";

    if (line->json || text_utf8_length(value.ptr, value.len) > 0)
        return text_json_escape(out, value.ptr, value.len, taken_out);
    unsigned char byte = (unsigned char)value.ptr[0];
    *taken_out = 1;
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex[byte >> 4];
    out[3] = hex[byte & 15];
    return 4;
}

/* The inside of a quoted value, as much as there is room for. */
static void put_escaped(struct line *line, struct str value)
{
    size_t limit = line->len + LOG_VALUE_MAX;
    if (limit > ROOM)
        limit = ROOM;

    while (value.len > 0) {
        char escape[TEXT_ESCAPE_SIZE];
        struct str piece = {value.ptr, 0};
        size_t taken;

        while (piece.len < value.len && piece.len < limit - line->len &&
               is_plain(value.ptr[piece.len]))
            piece.len++;
        taken = piece.len;
        if (taken == 0)
            piece = (struct str){escape, escape_one(line, escape, value, &taken)};
        if (piece.len > limit - line->len) {
            put(line, cut_value);
            return;
        }
        put(line, piece);
        value = str_sub(value, taken, value.len);
    }
}

static void put_quoted(struct line *line, struct str value)
{
    put_char(line, '"');
    put_escaped(line, value);
    put_char(line, '"');
}

static void put_text(struct line *line, struct str value)
{
    size_t bare = 0;

    while (!line->json && bare < value.len && is_bare(value.ptr[bare]))
        bare++;
    if (bare > 0 && bare == value.len && bare <= LOG_VALUE_MAX && bare <= ROOM - line->len)
        put(line, value);
    else
        put_quoted(line, value);
}

static void put_name(struct line *line, struct str name)
{
    if (line->json) {
        put(line, line->len == 0 ? STR("{\"") : STR(",\""));
        put(line, name);
        put(line, STR("\":"));
    } else {
        if (line->len > 0)
            put_char(line, ' ');
        put(line, name);
        put_char(line, '=');
    }
}

static void put_field(struct line *line, struct str name, const struct log_field *field)
{
    put_name(line, name);
    if (field->kind == LOG_FIELD_INT) {
        put(line, STR_INT64(field->integer));
    } else {
        put_text(line, field->text);
    }
}

/* Whether a name with its punctuation and an integer, or the start of a value, still fits. */
static bool has_room(const struct line *line, struct str name)
{
    size_t need = name.len + sizeof ",\"\":\"" + STR_INT64_SIZE;

    return need <= ROOM && line->len <= ROOM - need;
}

static void put_head(struct line *line, enum log_level level, const char *event)
{
    static const struct str names[] = {STR("debug"), STR("info"), STR("warn"), STR("error")};

    put_name(line, STR("time"));
    if (line->json)
        put_char(line, '"');
    put_time(line);
    if (line->json)
        put_char(line, '"');
    put_name(line, STR("level"));
    put_text(line, names[level]);
    put_name(line, STR("event"));
    put_text(line, str_from(event));
}

static void begin_line(struct line *line, enum log_level level, const char *event)
{
    line->len = 0;
    line->json = atomic_load_explicit(&current_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    put_head(line, level, event);
}

static struct str end_line(struct line *line)
{
    if (line->json)
        put_char(line, '}');
    put_char(line, '\n');
    return (struct str){line->bytes, line->len};
}

/* ---- lines that were lost ---- */

/* Whatever the level is: they were lines of a level that is written. */
static bool write_lost(uint64_t count)
{
    const struct log_field field = LOG_INT("lines", count);
    struct line line;

    begin_line(&line, LOG_LEVEL_WARN, "log.dropped");
    put_field(&line, STR("lines"), &field);
    return sink_try_write(&sink, end_line(&line));
}

/* False: nothing can be written now. */
static bool report_lost(void)
{
    uint64_t lost = sink_lost(&sink);
    uint64_t reported = atomic_load_explicit(&lost_and_reported, memory_order_relaxed);

    if (lost == reported || !atomic_compare_exchange_strong(&lost_and_reported, &reported, lost))
        return true; /* none, or another thread tells it */
    if (write_lost(lost - reported))
        return true;
    atomic_fetch_sub(&lost_and_reported, lost - reported);
    return false;
}

void log_report_lost(void)
{
    int saved_errno = errno;

    lock_assert_none_held("a log write");
    (void)report_lost();
    errno = saved_errno;
}

/* ---- */

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (!log_enabled(level))
        return;
    lock_assert_none_held("a log write");

    int saved_errno = errno; /* lines are written in the middle of handling an error */
    struct line line;

    begin_line(&line, level, event);
    for (size_t i = 0; i < count; i++) {
        struct str name = str_from(fields[i].name);
        if (!has_room(&line, name)) {
            put(&line, line.json ? STR(",\"cut\":true") : STR(" cut=true"));
            break;
        }
        put_field(&line, name, &fields[i]);
    }
    struct str text = end_line(&line);
    if (report_lost())
        sink_write(&sink, text);
    else
        sink_count_lost(&sink);
    errno = saved_errno;
}
