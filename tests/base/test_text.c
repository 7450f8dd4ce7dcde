#include "text.h"

#include "cachewarden/str.h"
#include "suite.h"

#include <string.h>

/* str_is_utf8's own tests walk every sequence; here are the two it does not use. */
START_TEST(values_of_sequences)
{
    static const struct {
        const char *bytes;
        size_t length;
        uint32_t value;
    } cases[] = {
        {"\0", 1, 0},
        {"A", 1, 0x41},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xe2\x80\xa8", 3, 0x2028},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf0\x9f\x98\x80", 4, 0x1f600},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_uint_eq(text_utf8_length(cases[i].bytes, cases[i].length), cases[i].length);
        ck_assert_uint_eq(text_utf8_value(cases[i].bytes, cases[i].length), cases[i].value);
        for (size_t less = 0; less < cases[i].length; less++)
            ck_assert_uint_eq(text_utf8_length(cases[i].bytes, less), 0);
    }
}
END_TEST

START_TEST(prefixes_end_between_characters)
{
    static const struct {
        const char *text;
        size_t limit, expected;
    } cases[] = {
        {"", 0, 0},
        {"abc", 3, 3},
        {"abc", 9, 3},
        {"abc", 2, 2},
        {"abc", 0, 0},
        {"é", 1, 0},
        {"é", 2, 2},
        {"aé", 2, 1},
        {"a€b", 1, 1},
        {"a€b", 2, 1},
        {"a€b", 3, 1},
        {"a€b", 4, 4},
        {"😀😀", 4, 4},
        {"😀😀", 5, 4},
        {"😀😀", 7, 4},
        {"😀😀", 8, 8},
        /* No UTF-8 at all: there is no place that is better than the limit. */
        {"\x80\x80\x80\x80\x80\x80\x80\x80", 6, 6},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t got = text_utf8_prefix(cases[i].text, strlen(cases[i].text), cases[i].limit);
        ck_assert_msg(got == cases[i].expected, "case %zu: %zu", i, got);
    }
}
END_TEST

START_TEST(unsafe_characters)
{
    static const struct {
        uint32_t first, last;
        bool is_unsafe;
    } ranges[] = {
        {0x00, 0x1f, true},     {0x20, 0x7e, false},     {0x7f, 0x9f, true},
        {0xa0, 0x2027, false},  {0x2028, 0x202e, true},  {0x202f, 0x2065, false},
        {0x2066, 0x2069, true}, {0x206a, 0xd7ff, false}, {0xe000, 0x10ffff, false},
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        for (uint32_t c = ranges[i].first; c <= ranges[i].last; c++) {
            if (text_is_unsafe(c) != ranges[i].is_unsafe)
                ck_abort_msg("U+%04X", (unsigned)c);
        }
    }
}
END_TEST

START_TEST(json_escapes)
{
    static const struct {
        struct str in, out;
        size_t taken;
    } cases[] = {
        {STR("ab"), STR("a"), 1},
        {STR("\""), STR("\\\""), 1},
        {STR("\\"), STR("\\\\"), 1},
        {STR("/"), STR("/"), 1},
        {STR("\b"), STR("\\b"), 1},
        {STR("\f"), STR("\\f"), 1},
        {STR("\n"), STR("\\n"), 1},
        {STR("\r"), STR("\\r"), 1},
        {STR("\t"), STR("\\t"), 1},
        {STR("\0"), STR("\\u0000"), 1},
        {STR("\x1b"), STR("\\u001b"), 1},
        {STR("\x7f"), STR("\\u007f"), 1},
        {STR("\xc2\x9b"), STR("\\u009b"), 2},
        {STR("\xe2\x80\xa9x"), STR("\\u2029"), 3},
        {STR("\xe2\x80\xae"), STR("\\u202e"), 3},
        {STR("\xc3\xa9"), STR("\xc3\xa9"), 2},
        {STR("\xf0\x9f\x98\x80"), STR("\xf0\x9f\x98\x80"), 4},
        {STR("\xff"), STR("\xef\xbf\xbd"), 1},
        {STR("\xc3"), STR("\xef\xbf\xbd"), 1},
        {STR("\xed\xa0\x80"), STR("\xef\xbf\xbd"), 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[TEXT_ESCAPE_SIZE];
        size_t taken = 99;
        size_t length = text_json_escape(out, cases[i].in.ptr, cases[i].in.len, &taken);
        ck_assert_msg(str_eq((struct str){out, length}, cases[i].out), "case %zu: %.*s", i,
                      (int)length, out);
        ck_assert_msg(taken == cases[i].taken, "case %zu: %zu", i, taken);
    }
}
END_TEST

START_TEST(digits)
{
    char fixed[5] = "....";

    text_put_digits(fixed, 42, 3);
    ck_assert_str_eq(fixed, "042.");
    text_put_digits(fixed, 1234, 2);
    ck_assert_str_eq(fixed, "342.");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/text");
    TCase *tcase = tcase_create("text");

    tcase_add_test(tcase, values_of_sequences);
    tcase_add_test(tcase, prefixes_end_between_characters);
    tcase_add_test(tcase, unsafe_characters);
    tcase_add_test(tcase, json_escapes);
    tcase_add_test(tcase, digits);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
