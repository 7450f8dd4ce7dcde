#include "cachewarden/json.h"

#include "cachewarden/arena.h"
#include "noise.h"
#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena *arena;
static struct strbuf buf;
static struct json_writer writer;

static void setup(void)
{
    arena = arena_new(4096, 0);
    ck_assert_ptr_nonnull(arena);
    strbuf_init(&buf, arena, 0);
    json_writer_init(&writer, &buf);
}

static void teardown(void)
{
    arena_free(&arena);
}

static void check_written(const char *expected)
{
    ck_assert(!buf.failed);
    ck_assert_msg(str_eq(strbuf_str(&buf), str_from(expected)), "%.*s, not %s",
                  STR_ARG(strbuf_str(&buf)), expected);
    buf.len = 0;
    json_writer_init(&writer, &buf);
}

START_TEST(members_stand_in_the_order_they_are_written)
{
    json_open_object(&writer);
    json_add_bool(&writer, "enabled", true);
    json_add_integer(&writer, "version", 5);
    json_add_string(&writer, "message", STR("Cache is enabled"));
    json_close_object(&writer);
    check_written("{\"enabled\":true,\"version\":5,\"message\":\"Cache is enabled\"}");
}
END_TEST

START_TEST(commas_in_every_nesting)
{
    json_open_object(&writer);
    json_name(&writer, "empty");
    json_open_object(&writer);
    json_close_object(&writer);
    json_name(&writer, "list");
    json_open_array(&writer);
    json_open_array(&writer);
    json_close_array(&writer);
    json_write_null(&writer);
    json_open_object(&writer);
    json_add_bool(&writer, "a", false);
    json_name(&writer, "b");
    json_write_null(&writer);
    json_close_object(&writer);
    json_write_string(&writer, STR(""));
    json_write_string(&writer, STR_NONE);
    json_write_integer(&writer, -1);
    json_close_array(&writer);
    json_name(&writer, "real");
    json_write_real(&writer, 0.42, 2);
    json_close_object(&writer);
    check_written(
        "{\"empty\":{},\"list\":[[],null,{\"a\":false,\"b\":null},\"\",\"\",-1],\"real\":0.42}");
}
END_TEST

START_TEST(a_lone_value)
{
    json_write_string(&writer, STR("x"));
    check_written("\"x\"");
    json_write_integer(&writer, INT64_MIN);
    check_written("-9223372036854775808");
    json_open_array(&writer);
    json_close_array(&writer);
    check_written("[]");
}
END_TEST

START_TEST(strings_are_escaped)
{
    static const struct {
        struct str in;
        const char *out;
    } cases[] = {
        {STR("plain /~ text"), "\"plain /~ text\""},
        {STR("\"\\"), "\"\\\"\\\\\""},
        {STR("a\nb\r\t\b\f"), "\"a\\nb\\r\\t\\b\\f\""},
        {STR("a\0b\x1f"), "\"a\\u0000b\\u001f\""},
        {STR("\x7f\xc2\x85\xe2\x80\xa8"), "\"\\u007f\\u0085\\u2028\""},
        {STR("Jörg 😀"), "\"Jörg 😀\""},
        {STR("a\xff\xfe z"), "\"a\xef\xbf\xbd\xef\xbf\xbd z\""},
        {STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {STR("cut \xf0\x9f\x98"), "\"cut \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_write_string(&writer, cases[i].in);
        check_written(cases[i].out);
    }
    json_open_object(&writer);
    json_add_integer(&writer, "a\"b", 1);
    json_close_object(&writer);
    check_written("{\"a\\\"b\":1}");
}
END_TEST

/* A byte says the same wherever in a text it stands, and its neighbours stay what they are. */
START_TEST(every_byte_at_every_place)
{
    static const char around[] = "0 ~!]abcdefghijklmn";
    const size_t size = sizeof around - 1;

    for (int byte = 0; byte < 256; byte++) {
        char alone[32], text[sizeof around], expected[64];
        json_escape(&buf, (struct str){(char[]){(char)byte}, 1});
        int length = snprintf(alone, sizeof alone, "%.*s", STR_ARG(strbuf_str(&buf)));
        ck_assert_int_ge(length, 1);
        buf.len = 0;
        for (size_t at = 0; at < size; at++) {
            memcpy(text, around, sizeof around);
            text[at] = (char)byte;
            snprintf(expected, sizeof expected, "\"%.*s%s%s\"", (int)at, around, alone,
                     around + at + 1);
            json_write_string(&writer, (struct str){text, size});
            check_written(expected);
        }
    }
}
END_TEST

static const struct {
    double value;
    int decimals;
    const char *text;
} reals[] = {
    {0, 0, "0"},
    {0, 3, "0.000"},
    {-0.0, 1, "0.0"},
    {0.42, 2, "0.42"},
    {1.005, 1, "1.0"},
    {1.25, 2, "1.25"},
    {0.5, 0, "1"},
    {0.999, 2, "1.00"},
    {9.9996, 3, "10.000"},
    {-1.5, 1, "-1.5"},
    {-0.004, 2, "0.00"}, /* no negative zero */
    {-0.006, 2, "-0.01"},
    {0.000000001, 9, "0.000000001"},
    {0.123456789123, 20, "0.123456789"}, /* more decimals than it gives */
    {3.7, -4, "4"},
    {1234567.891, 3, "1234567.891"},
    {9e6, 1, "9000000.0"},
    {9000001, 3, "9000001"},
    {1e15, 2, "1000000000000000"},
    {-1e18, 2, "-1000000000000000000"},
    {(double)NAN, 2, "null"},
    {(double)INFINITY, 2, "null"},
    {-(double)INFINITY, 2, "null"},
};

START_TEST(reals_have_the_decimals_asked_for)
{
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        json_write_real(&writer, reals[i].value, reals[i].decimals);
        check_written(reals[i].text);
    }
    json_open_array(&writer);
    json_write_real(&writer, (double)NAN, 1);
    json_write_real(&writer, 1, 1);
    json_close_array(&writer);
    check_written("[null,1.0]");
}
END_TEST

START_TEST(reals_agree_with_printf)
{
    struct noise noise = {7};

    for (int i = 0; i < 20000; i++) {
        char expected[64];
        int decimals = (int)noise_below(&noise, 10);
        /* Steps of 1/256 have 8 decimals, so there is nothing to round at 9. */
        double value = ((double)noise_next(&noise) - 2147483648.0) / 256.0;
        snprintf(expected, sizeof expected, "%.9f", value);
        json_write_real(&writer, value, decimals);
        strbuf_add_char(&buf, '\0');
        /* strtod rounds, too. */
        ck_assert_double_le(fabs(strtod(buf.ptr, NULL) - value), 0.5 * pow(10, -decimals) + 2e-9);
        if (decimals == 9)
            ck_assert_str_eq(buf.ptr, expected);
        buf.len = 0;
        json_writer_init(&writer, &buf);
    }
}
END_TEST

static void write_noise(struct noise *noise, int depth)
{
    char bytes[40];
    struct str text = {bytes, noise_below(noise, sizeof bytes)};

    /* Any byte but NUL, which the reader refuses in every form. */
    noise_fill(noise, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = bytes[i] ? bytes[i] : 'z';
    size_t kind = noise_below(noise, depth > 0 ? 7 : 5);
    size_t count = noise_below(noise, 5);
    switch (kind) {
    case 0:
        json_write_null(&writer);
        return;
    case 1:
        json_write_bool(&writer, count & 1);
        return;
    case 2:
        json_write_integer(&writer, (int64_t)noise_next(noise) << 31);
        return;
    case 3:
        json_write_real(&writer, (double)noise_next(noise) / 7, (int)count);
        return;
    case 4:
        json_write_string(&writer, text);
        return;
    case 5:
        json_open_array(&writer);
        while (count-- > 0)
            write_noise(noise, depth - 1);
        json_close_array(&writer);
        return;
    default:
        json_open_object(&writer);
        for (size_t i = 0; i < count; i++) {
            char name[] = {(char)('a' + i), '"', (char)(1 + noise_below(noise, 126)), '\0'};
            json_name(&writer, name);
            write_noise(noise, depth - 1);
        }
        json_close_object(&writer);
        return;
    }
}

START_TEST(whatever_is_written_can_be_read)
{
    struct noise noise = {8};

    for (int round = 0; round < 3000; round++) {
        const struct json *root;
        struct error error;
        write_noise(&noise, 6);
        struct str text = strbuf_str(&buf);
        ck_assert(str_is_utf8(text));
        ck_assert(!str_has_control(text));
        ck_assert_msg(json_parse(arena, text, &root, &error) == ERR_OK, "%.*s: %s", STR_ARG(text),
                      error.caller);
        arena_reset(arena);
        strbuf_init(&buf, arena, 0);
        json_writer_init(&writer, &buf);
    }
}
END_TEST

START_TEST(strings_come_back)
{
    struct noise noise = {9};

    for (int round = 0; round < 5000; round++) {
        const struct json *root;
        struct strbuf original;
        strbuf_init(&original, arena, 0);
        for (size_t i = noise_below(&noise, 20); i > 0; i--) {
            static const char *const pieces[] = {"a",    "\"",   "\\",       "\n",
                                                 "\x1f", "\x7f", "é",        "\xe2\x80\xa8",
                                                 "😀",    "/",    "\xc2\x85", "\\u0041"};
            strbuf_add(&original, str_from(pieces[noise_below(&noise, 12)]));
        }
        json_write_string(&writer, strbuf_str(&original));
        ck_assert_int_eq(json_parse(arena, strbuf_str(&buf), &root, NULL), ERR_OK);
        ck_assert(str_eq(json_string(root), strbuf_str(&original)));
        arena_reset(arena);
        strbuf_init(&buf, arena, 0);
        json_writer_init(&writer, &buf);
    }
}
END_TEST

START_TEST(a_failed_buffer_stays_failed)
{
    struct arena *tiny = arena_new(256, 256);
    struct strbuf small;
    struct json_writer failing;

    strbuf_init(&small, tiny, 0);
    json_writer_init(&failing, &small);
    json_open_array(&failing);
    for (int i = 0; i < 1000; i++) {
        json_write_string(&failing, STR("a\nb"));
        json_write_real(&failing, 1.5, 3);
        json_write_integer(&failing, i);
    }
    json_close_array(&failing);
    ck_assert(small.failed);
    arena_free(&tiny);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/json_writer");
    TCase *tcase = tcase_create("json_writer");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, members_stand_in_the_order_they_are_written);
    tcase_add_test(tcase, commas_in_every_nesting);
    tcase_add_test(tcase, a_lone_value);
    tcase_add_test(tcase, strings_are_escaped);
    tcase_add_test(tcase, every_byte_at_every_place);
    tcase_add_test(tcase, reals_have_the_decimals_asked_for);
    tcase_add_test(tcase, reals_agree_with_printf);
    tcase_add_test(tcase, whatever_is_written_can_be_read);
    tcase_add_test(tcase, strings_come_back);
    tcase_add_test(tcase, a_failed_buffer_stays_failed);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
