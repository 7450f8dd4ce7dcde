#include "cachewarden/log.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/json.h"
#include "cachewarden/lock.h"
#include "death.h"
#include "noise.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* The log writes into a pipe; the test reads from it. */
static int ends[2];
static struct arena *arena;

static void setup(void)
{
    ck_assert_int_eq(pipe(ends), 0);
    arena = arena_new(65536, 0);
    log_set_fd(ends[1]);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
}

static void teardown(void)
{
    close(ends[0]);
    close(ends[1]);
    arena_free(&arena);
}

/* What was written since the last call; there is less than a pipe holds. NUL-terminated. */
static struct str written(void)
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
static void check_line(struct str line)
{
    ck_assert_uint_gt(line.len, 0);
    ck_assert_uint_le(line.len, LOG_LINE_MAX);
    ck_assert_int_eq(line.ptr[line.len - 1], '\n');
    struct str inside = str_sub(line, 0, line.len - 1);
    ck_assert(!str_has_control(inside));
    ck_assert(str_is_utf8(inside));
}

/* The line behind its time and level. */
static struct str tail_of(struct str line)
{
    static const char head[] = "time=2026-01-31T12:00:00.123Z level=info ";

    check_line(line);
    return str_sub(line, sizeof head - 1, line.len - sizeof head);
}

static bool matches(struct str text, const char *pattern)
{
    regex_t regex;

    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    int result = regexec(&regex, text.ptr, 0, NULL, 0);
    regfree(&regex);
    return result == 0;
}

#define TIME "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z"

START_TEST(a_text_line)
{
    log_event(LOG_LEVEL_WARN, "redis.down", LOG_CSTR("address", "127.0.0.1:6379"),
              LOG_INT("wait_ms", 250), LOG_STR("state", STR("half open")));
    struct str line = written();
    ck_assert_msg(matches(line, "^time=" TIME " level=warn event=redis\\.down "
                                "address=127\\.0\\.0\\.1:6379 wait_ms=250 state=\"half open\"\n$"),
                  "%s", line.ptr);
}
END_TEST

START_TEST(a_json_line)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_event(LOG_LEVEL_ERROR, "redis.down", LOG_CSTR("address", "[::1]:6379"), LOG_INT("wait_ms", -1));
    struct str line = written();
    ck_assert_msg(matches(line, "^\\{\"time\":\"" TIME "\",\"level\":\"error\",\"event\":\"redis\\.down\","
                                "\"address\":\"\\[::1\\]:6379\",\"wait_ms\":-1\\}\n$"),
                  "%s", line.ptr);
}
END_TEST

START_TEST(no_fields_at_all)
{
    log_write(LOG_LEVEL_INFO, "server.ready", NULL, 0);
    ck_assert(str_eq(tail_of(written()), STR("event=server.ready")));
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, "server.ready", NULL, 0);
    ck_assert(str_ends(written(), STR("\"event\":\"server.ready\"}\n")));
}
END_TEST

static int evaluated;

static int64_t count_evaluation(void)
{
    return ++evaluated;
}

START_TEST(levels_below_are_left_out)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    for (int lowest = LOG_LEVEL_DEBUG; lowest <= LOG_LEVEL_ERROR; lowest++) {
        log_configure((enum log_level)lowest, LOG_FORMAT_TEXT);
        for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
            bool expected = level >= lowest;
            ck_assert_int_eq(log_enabled((enum log_level)level), expected);
            evaluated = 0;
            log_event((enum log_level)level, "e", LOG_INT("n", count_evaluation()));
            ck_assert_int_eq(evaluated, expected); /* fields of a silent line cost nothing */
            struct str line = written();
            ck_assert_int_eq(line.len > 0, expected);
            if (expected)
                ck_assert_ptr_nonnull(strstr(line.ptr, names[level]));
            /* The function alone keeps to the level, too. */
            log_write((enum log_level)level, "e", NULL, 0);
            ck_assert_int_eq(written().len > 0, expected);
        }
    }
}
END_TEST

static const struct {
    struct str value;
    const char *text, *json;
} values[] = {
    {STR("plain"), "plain", "\"plain\""},
    {STR("/a?b:c,d;[e]{f}'g"), "/a?b:c,d;[e]{f}'g", "\"/a?b:c,d;[e]{f}'g\""},
    {STR(""), "\"\"", "\"\""},
    {STR_NONE, "\"\"", "\"\""},
    {STR(" "), "\" \"", "\" \""},
    {STR("a b"), "\"a b\"", "\"a b\""},
    {STR("a=b"), "\"a=b\"", "\"a=b\""},
    {STR("\""), "\"\\\"\"", "\"\\\"\""},
    {STR("\\"), "\"\\\\\"", "\"\\\\\""},
    {STR("x\nlevel=error event=fake"), "\"x\\nlevel=error event=fake\"",
     "\"x\\nlevel=error event=fake\""},
    {STR("\r\n\t"), "\"\\r\\n\\t\"", "\"\\r\\n\\t\""},
    {STR("\x1b[31mred"), "\"\\u001b[31mred\"", "\"\\u001b[31mred\""},
    {STR("a\0b"), "\"a\\u0000b\"", "\"a\\u0000b\""},
    {STR("\x7f"), "\"\\u007f\"", "\"\\u007f\""},
    {STR("Jörg"), "\"Jörg\"", "\"Jörg\""},
    {STR("😀"), "\"😀\"", "\"😀\""},
    {STR("\xc2\x9b"), "\"\\u009b\"", "\"\\u009b\""},
    {STR("a\xe2\x80\xa8z"), "\"a\\u2028z\"", "\"a\\u2028z\""},
    {STR("\xe2\x80\xae.txt"), "\"\\u202e.txt\"", "\"\\u202e.txt\""},
    {STR("\xff"), "\"\\xff\"", "\"\xef\xbf\xbd\""},
    {STR("\x80z"), "\"\\x80z\"", "\"\xef\xbf\xbdz\""},
    {STR("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {STR("\xe2\x82"), "\"\\xe2\\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
};

START_TEST(values_in_text)
{
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        log_event(LOG_LEVEL_INFO, "e", LOG_STR("v", values[i].value), LOG_INT("z", 0));
        struct str tail = tail_of(written());
        struct str expected = str_format(arena, "event=e v=%s z=0", values[i].text);
        ck_assert_msg(str_eq(tail, expected), "%.*s, not %s", STR_ARG(tail), expected.ptr);
    }
}
END_TEST

START_TEST(values_in_json)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        log_event(LOG_LEVEL_INFO, "e", LOG_STR("v", values[i].value), LOG_INT("z", 0));
        struct str line = written();
        struct str expected = str_format(arena, "\"event\":\"e\",\"v\":%s,\"z\":0}\n", values[i].json);
        check_line(line);
        ck_assert_msg(str_ends(line, expected), "%s, not %s", line.ptr, expected.ptr);
    }
}
END_TEST

START_TEST(integers_at_the_edges)
{
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("a", INT64_MIN), LOG_INT("b", INT64_MAX), LOG_INT("c", 0));
    ck_assert(str_eq(tail_of(written()),
                     STR("event=e a=-9223372036854775808 b=9223372036854775807 c=0")));
}
END_TEST

START_TEST(the_time_is_now)
{
    log_write(LOG_LEVEL_INFO, "first", NULL, 0);
    written();
    /* Over a full second, so that the kept text of the second has to change. */
    int64_t end_ms = clock_wall_ms() + 1100;
    while (clock_wall_ms() < end_ms) {
        char before[CLOCK_RFC3339_SIZE], after[CLOCK_RFC3339_SIZE];
        clock_rfc3339(clock_wall_ms(), before);
        log_write(LOG_LEVEL_INFO, "e", NULL, 0);
        clock_rfc3339(clock_wall_ms(), after);
        struct str time = str_sub(written(), strlen("time="), strlen(before));
        ck_assert_int_ge(memcmp(time.ptr, before, time.len), 0);
        ck_assert_int_le(memcmp(time.ptr, after, time.len), 0);
    }
}
END_TEST

/* A long value of one character, in both formats: cut, marked, and the next field is there. */
static void check_cut(const char *character)
{
    struct strbuf value;

    strbuf_init(&value, arena, 0);
    while (value.len < 3000)
        strbuf_add(&value, str_from(character));
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        log_configure(LOG_LEVEL_INFO, (enum log_format)format);
        log_event(LOG_LEVEL_INFO, "e", LOG_STR("long", strbuf_str(&value)), LOG_INT("next", 7));
        struct str line = written();
        check_line(line);
        ck_assert_uint_gt(line.len, LOG_VALUE_MAX);
        ck_assert_uint_lt(line.len, LOG_VALUE_MAX + 120);
        ck_assert_msg(str_ends(line, format == LOG_FORMAT_JSON ? STR("...(cut)\",\"next\":7}\n")
                                                               : STR("...(cut)\" next=7\n")),
                      "%s", line.ptr);
    }
}

START_TEST(long_values_are_cut_and_marked)
{
    static const char *const characters[] = {"a", " ", "\"", "\n", "\x1b", "é", "€", "😀", "\xff",
                                             "ab\n", "a😀"};

    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        check_cut(characters[i]);
}
END_TEST

START_TEST(a_value_of_the_limit_is_whole)
{
    char bytes[LOG_VALUE_MAX + 1];

    memset(bytes, 'a', sizeof bytes);
    log_event(LOG_LEVEL_INFO, "e", LOG_STR("v", ((struct str){bytes, LOG_VALUE_MAX})));
    ck_assert(!strstr(written().ptr, "cut"));
    log_event(LOG_LEVEL_INFO, "e", LOG_STR("v", ((struct str){bytes, LOG_VALUE_MAX + 1})));
    ck_assert_ptr_nonnull(strstr(written().ptr, "a...(cut)\"\n"));
    bytes[0] = ' ';
    log_event(LOG_LEVEL_INFO, "e", LOG_STR("v", ((struct str){bytes, LOG_VALUE_MAX})));
    ck_assert(!strstr(written().ptr, "cut"));
}
END_TEST

START_TEST(a_full_line_is_marked)
{
    char bytes[LOG_VALUE_MAX];
    static struct log_field fields[700]; /* of at least 8 bytes each */

    memset(bytes, 'a', sizeof bytes);
    /* Every length of value, so that the end of the line is met in every way. */
    for (size_t len = 1; len < LOG_VALUE_MAX; len += 7) {
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            fields[i] = LOG_STR("field", ((struct str){bytes, len}));
        for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
            log_configure(LOG_LEVEL_INFO, (enum log_format)format);
            log_write(LOG_LEVEL_INFO, "e", fields, sizeof fields / sizeof *fields);
            struct str line = written();
            check_line(line);
            ck_assert(str_ends(line, format == LOG_FORMAT_JSON ? STR(",\"cut\":true}\n")
                                                               : STR(" cut=true\n")));
            ck_assert_uint_gt(line.len, LOG_LINE_MAX - 150);
        }
    }
}
END_TEST

START_TEST(names_and_events_of_any_length_keep_the_limit)
{
    static char name[2 * LOG_LINE_MAX];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    log_event(LOG_LEVEL_INFO, "e", LOG_INT(name, 1), LOG_INT("b", 2));
    ck_assert(str_eq(tail_of(written()), STR("event=e cut=true")));
    log_write(LOG_LEVEL_INFO, name, NULL, 0);
    check_line(written());
}
END_TEST

/* A line read back as JSON has the fields that were logged. */
static void check_json_line(struct str line, const struct log_field *fields, size_t count)
{
    const struct json *root;
    struct error error;

    check_line(line);
    ck_assert_msg(json_parse(arena, line, &root, &error) == ERR_OK, "%.*s: %s", STR_ARG(line),
                  error.caller);
    for (size_t i = 0; i < count; i++) {
        const struct json *value = json_get(root, fields[i].name);
        if (!value) {
            ck_assert(json_bool(json_get(root, "cut")));
            return;
        }
        if (fields[i].kind == LOG_FIELD_INT)
            ck_assert_int_eq(json_integer(value), fields[i].integer);
        else if (str_is_utf8(fields[i].text) && fields[i].text.len < LOG_VALUE_MAX / 6)
            ck_assert(str_eq(json_string(value), fields[i].text));
    }
}

START_TEST(noise_never_breaks_a_line)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static const char *const pieces[] = {"plain text ", "\"", "\\", "\n", "\r\n", "\x1b[2J", "=", "é",
                                         "😀", "\xe2\x80\xa9", "\xff", "\xc3", "\x01", "\xf0\x9f"};
    struct noise noise = {10};

    for (int round = 0; round < 5000; round++) {
        struct log_field fields[8];
        size_t count = noise_below(&noise, 9);
        for (size_t i = 0; i < count; i++) {
            struct strbuf value;
            strbuf_init(&value, arena, 0);
            for (size_t n = noise_below(&noise, i == 3 ? 400 : 20); n > 0; n--)
                strbuf_add(&value, str_from(pieces[noise_below(&noise, 14)]));
            if (noise_below(&noise, 4) == 0)
                fields[i] = LOG_INT(names[i], noise_next(&noise));
            else
                fields[i] = LOG_STR(names[i], strbuf_str(&value));
        }
        log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
        log_write(LOG_LEVEL_INFO, "noise", fields, count);
        check_line(written());
        log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        log_write(LOG_LEVEL_INFO, "noise", fields, count);
        check_json_line(written(), fields, count);
        arena_reset(arena);
    }
}
END_TEST

START_TEST(errno_is_left_alone)
{
    errno = ERANGE;
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_int_eq(errno, ERANGE);
    log_set_fd(-1);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_int_eq(errno, ERANGE);
}
END_TEST

START_TEST(lines_that_cannot_be_written_are_counted)
{
    uint64_t lost = log_lost();

    log_set_fd(-1);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_uint_eq(log_lost(), lost + 1);

    int full = open("/dev/full", O_WRONLY);
    ck_assert_int_ge(full, 0);
    log_set_fd(full);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_uint_eq(log_lost(), lost + 2);
    close(full);

    log_set_fd(ends[1]);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_uint_eq(log_lost(), lost + 2);
    ck_assert_uint_gt(written().len, 0);
}
END_TEST

START_TEST(a_reader_that_has_gone_kills_nobody)
{
    uint64_t lost = log_lost();

    close(ends[0]);
    for (int i = 0; i < 3; i++)
        log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", i));
    ck_assert_uint_eq(log_lost(), lost + 3);
    ends[0] = dup(ends[1]); /* for teardown */
}
END_TEST

static void on_sigpipe(int number)
{
    (void)number;
}

START_TEST(a_sigpipe_handler_of_the_program_stays)
{
    struct sigaction action = {.sa_handler = on_sigpipe}, now;

    ck_assert_int_eq(sigaction(SIGPIPE, &action, NULL), 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    ck_assert_int_eq(sigaction(SIGPIPE, NULL, &now), 0);
    ck_assert(now.sa_handler == on_sigpipe);
}
END_TEST

/* Fills the pipe until not even one more byte fits. */
static size_t fill_pipe(void)
{
    static const char bytes[4096];
    size_t total = 0;

    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    for (size_t size = sizeof bytes; size > 0; size = size == 1 ? 0 : 1) {
        ssize_t sent;
        while ((sent = write(ends[1], bytes, size)) > 0)
            total += (size_t)sent;
    }
    return total;
}

static void drain(size_t total)
{
    char bytes[4096];

    while (total > 0) {
        ssize_t got = read(ends[0], bytes, total < sizeof bytes ? total : sizeof bytes);
        ck_assert_int_gt(got, 0);
        total -= (size_t)got;
    }
}

START_TEST(a_reader_that_sleeps_holds_nobody_up_for_long)
{
    uint64_t lost = log_lost();

    /* The pipe is full and non-blocking, and nobody reads. */
    fill_pipe();
    int64_t before_ns = clock_mono_ns();
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    ck_assert_int_lt(clock_mono_ns() - before_ns, 30 * NS_PER_S);
    ck_assert_uint_eq(log_lost(), lost + 1);
}
END_TEST

static atomic_int signals_seen;
static atomic_bool writer_started;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals_seen, 1);
}

static void *write_one_line(void *arg)
{
    (void)arg;
    atomic_store(&writer_started, true);
    log_event(LOG_LEVEL_INFO, "interrupted", LOG_CSTR("value", "whole"));
    return NULL;
}

START_TEST(signals_in_the_middle_of_a_write_lose_nothing)
{
    struct sigaction action = {.sa_handler = count_signal}; /* no SA_RESTART: write gives EINTR */
    uint64_t lost = log_lost();
    pthread_t writer;

    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    size_t total = fill_pipe();
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    atomic_store(&signals_seen, 0);
    atomic_store(&writer_started, false);
    ck_assert_int_eq(pthread_create(&writer, NULL, write_one_line, NULL), 0);
    while (!atomic_load(&writer_started))
        sched_yield();
    /* The writer is stuck until the pipe is drained, so most of these find it in write(2). Their
     * handlers may run only after it: ThreadSanitizer keeps them back. */
    for (int i = 0; i < 500; i++) {
        ck_assert_int_eq(pthread_kill(writer, SIGUSR1), 0);
        sched_yield();
    }
    drain(total);
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert_int_gt(atomic_load(&signals_seen), 0);
    ck_assert(str_eq(tail_of(written()), STR("event=interrupted value=whole")));
    ck_assert_uint_eq(log_lost(), lost);
}
END_TEST

enum { THREADS = 4, LINES = 1500 };

static void *write_many_lines(void *arg)
{
    char filler[200];
    int number = *(const int *)arg;

    memset(filler, 'a' + number, sizeof filler);
    for (int i = 0; i < LINES; i++)
        log_event(LOG_LEVEL_INFO, "many", LOG_INT("thread", number), LOG_INT("line", i),
                  LOG_STR("filler", ((struct str){filler, (size_t)(i % 200) + 1})));
    return NULL;
}

/* Checks one line of write_many_lines and counts it for its thread. */
static void check_whole(const char *line, int next[THREADS])
{
    int number, count;
    char filler[300];

    ck_assert_msg(sscanf(line, "time=%*s level=info event=many thread=%d line=%d filler=%299s", &number,
                         &count, filler) == 3, "%s", line);
    ck_assert_int_ge(number, 0);
    ck_assert_int_lt(number, THREADS);
    ck_assert_int_eq(count, next[number]++);
    ck_assert_uint_eq(strlen(filler), (size_t)(count % 200) + 1);
    for (const char *c = filler; *c; c++)
        ck_assert_int_eq(*c, 'a' + number);
}

START_TEST(lines_of_threads_do_not_mix)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], next[THREADS] = {0}, lines = 0;
    char line[LOG_LINE_MAX];
    FILE *reader = fdopen(dup(ends[0]), "r");

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many_lines, &numbers[i]), 0);
    }
    while (lines < THREADS * LINES) {
        ck_assert_ptr_nonnull(fgets(line, sizeof line, reader));
        check_whole(line, next);
        lines++;
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(written().len, 0);
    fclose(reader);
}
END_TEST

static void log_while_holding_a_lock(void)
{
    struct lock lock;

    /* Not into the test's stderr, where the abort's message is looked for. */
    log_set_fd(ends[1]);
    lock_init(&lock, LOCK_RANK_POOL, "pool");
    lock_take(&lock);
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("n", 1));
    lock_give(&lock);
    lock_fini(&lock);
}

START_TEST(no_lock_is_held_across_a_line)
{
    expect_debug_abort(log_while_holding_a_lock, "log write", "\"pool\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/log");
    TCase *tcase = tcase_create("log");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_text_line);
    tcase_add_test(tcase, a_json_line);
    tcase_add_test(tcase, no_fields_at_all);
    tcase_add_test(tcase, levels_below_are_left_out);
    tcase_add_test(tcase, values_in_text);
    tcase_add_test(tcase, values_in_json);
    tcase_add_test(tcase, integers_at_the_edges);
    tcase_add_test(tcase, the_time_is_now);
    tcase_add_test(tcase, long_values_are_cut_and_marked);
    tcase_add_test(tcase, a_value_of_the_limit_is_whole);
    tcase_add_test(tcase, a_full_line_is_marked);
    tcase_add_test(tcase, names_and_events_of_any_length_keep_the_limit);
    tcase_add_test(tcase, noise_never_breaks_a_line);
    tcase_add_test(tcase, errno_is_left_alone);
    tcase_add_test(tcase, lines_that_cannot_be_written_are_counted);
    tcase_add_test(tcase, a_reader_that_has_gone_kills_nobody);
    tcase_add_test(tcase, a_sigpipe_handler_of_the_program_stays);
    tcase_add_test(tcase, a_reader_that_sleeps_holds_nobody_up_for_long);
    tcase_add_test(tcase, signals_in_the_middle_of_a_write_lose_nothing);
    tcase_add_test(tcase, lines_of_threads_do_not_mix);
    tcase_add_test(tcase, no_lock_is_held_across_a_line);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
