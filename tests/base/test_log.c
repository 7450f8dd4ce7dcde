#include "cachewarden/log.h"

#include "cachewarden/clock.h"
#include "cachewarden/json.h"
#include "log_pipe.h"
#include "noise.h"

#include <regex.h>

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
    log_event(LOG_LEVEL_ERROR, "redis.down", LOG_CSTR("address", "[::1]:6379"),
              LOG_INT("wait_ms", -1));
    struct str line = written();
    ck_assert_msg(matches(line, "^\\{\"time\":\"" TIME
                                "\",\"level\":\"error\",\"event\":\"redis\\.down\","
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
        struct str expected =
            str_format(arena, "\"event\":\"e\",\"v\":%s,\"z\":0}\n", values[i].json);
        check_line(line);
        ck_assert_msg(str_ends(line, expected), "%s, not %s", line.ptr, expected.ptr);
    }
}
END_TEST

START_TEST(integers_at_the_edges)
{
    log_event(LOG_LEVEL_INFO, "e", LOG_INT("a", INT64_MIN), LOG_INT("b", INT64_MAX),
              LOG_INT("c", 0));
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
    static const char *const characters[] = {"a", " ", "\"",   "\n",   "\x1b", "é",
                                             "€", "😀", "\xff", "ab\n", "a😀"};

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
    static const char *const pieces[] = {"plain text ", "\"",   "\\",   "\n",      "\r\n",
                                         "\x1b[2J",     "=",    "é",    "😀",       "\xe2\x80\xa9",
                                         "\xff",        "\xc3", "\x01", "\xf0\x9f"};
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
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
