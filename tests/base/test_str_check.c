#include "cachewarden/str.h"

#include "noise.h"
#include "suite.h"

#include <inttypes.h>
#include <stdio.h>

START_TEST(integers_that_are_canonical)
{
    static const struct {
        struct str text;
        int64_t min, max, value;
    } cases[] = {
        {STR("0"), INT64_MIN, INT64_MAX, 0},
        {STR("1"), 1, INT64_MAX, 1},
        {STR("-1"), -1, 0, -1},
        {STR("10"), 0, 10, 10},
        {STR("9223372036854775807"), INT64_MIN, INT64_MAX, INT64_MAX},
        {STR("9223372036854775806"), 0, INT64_MAX, INT64_MAX - 1},
        {STR("-9223372036854775808"), INT64_MIN, INT64_MAX, INT64_MIN},
        {STR("-9223372036854775807"), INT64_MIN, INT64_MAX, -INT64_MAX},
        {STR("-9223372036854775808"), INT64_MIN, INT64_MIN, INT64_MIN},
        {STR("999999999999999999"), 0, INT64_MAX, INT64_C(999999999999999999)},
        {STR("1000000000000000000"), 0, INT64_MAX, INT64_C(1000000000000000000)},
        {STR("65535"), 1, 65535, 65535},
        {STR("-5"), -5, -5, -5},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 42;
        ck_assert_msg(str_to_int64(cases[i].text, cases[i].min, cases[i].max, &value), "case %zu",
                      i);
        ck_assert_msg(value == cases[i].value, "case %zu: %" PRId64, i, value);
    }
}
END_TEST

START_TEST(integers_that_are_not)
{
    static const struct {
        struct str text;
        int64_t min, max;
    } cases[] = {
        {STR_NONE, INT64_MIN, INT64_MAX},
        {STR(""), INT64_MIN, INT64_MAX},
        {STR("-"), INT64_MIN, INT64_MAX},
        {STR("--1"), INT64_MIN, INT64_MAX},
        {STR("+1"), INT64_MIN, INT64_MAX},
        {STR("-0"), INT64_MIN, INT64_MAX},
        {STR("00"), INT64_MIN, INT64_MAX},
        {STR("01"), INT64_MIN, INT64_MAX},
        {STR("-01"), INT64_MIN, INT64_MAX},
        {STR(" 1"), INT64_MIN, INT64_MAX},
        {STR("1 "), INT64_MIN, INT64_MAX},
        {STR("1\n"), INT64_MIN, INT64_MAX},
        {STR("1\0"), INT64_MIN, INT64_MAX},
        {STR("\0001"), INT64_MIN, INT64_MAX},
        {STR("1.0"), INT64_MIN, INT64_MAX},
        {STR("1e3"), INT64_MIN, INT64_MAX},
        {STR("0x1"), INT64_MIN, INT64_MAX},
        {STR("1_0"), INT64_MIN, INT64_MAX},
        {STR("1,0"), INT64_MIN, INT64_MAX},
        {STR("abc"), INT64_MIN, INT64_MAX},
        {STR("1a"), INT64_MIN, INT64_MAX},
        {STR("1/"), INT64_MIN, INT64_MAX},
        {STR("1:"), INT64_MIN, INT64_MAX},
        {STR("\xd9\xa1"), INT64_MIN, INT64_MAX}, /* U+0661, a digit elsewhere */
        {STR("9223372036854775808"), INT64_MIN, INT64_MAX},
        {STR("-9223372036854775809"), INT64_MIN, INT64_MAX},
        {STR("9999999999999999999"), INT64_MIN, INT64_MAX},
        {STR("18446744073709551615"), INT64_MIN, INT64_MAX},
        {STR("18446744073709551616"), INT64_MIN, INT64_MAX},
        {STR("18446744073709551617"), INT64_MIN, INT64_MAX},
        {STR("100000000000000000000000000000000000001"), INT64_MIN, INT64_MAX},
        {STR("0"), 1, INT64_MAX},
        {STR("11"), 0, 10},
        {STR("-1"), 0, 10},
        {STR("-2"), -1, 10},
        {STR("5"), 6, 4}, /* an empty range */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 42;
        ck_assert_msg(!str_to_int64(cases[i].text, cases[i].min, cases[i].max, &value),
                      "case %zu: %.*s", i, STR_ARG(cases[i].text));
        ck_assert_msg(value == 42, "case %zu wrote %" PRId64, i, value);
    }
}
END_TEST

START_TEST(integers_come_back_as_they_were_printed)
{
    struct noise noise = {2};

    for (int i = 0; i < 20000; i++) {
        char text[32];
        uint64_t bits = (uint64_t)noise_next(&noise) << 32 | noise_next(&noise);
        int64_t expected = (int64_t)(bits >> noise_below(&noise, 64)), value;
        if (noise_below(&noise, 2))
            expected = -(expected >> 1);
        snprintf(text, sizeof text, "%" PRId64, expected);
        ck_assert_msg(str_to_int64(str_from(text), INT64_MIN, INT64_MAX, &value), "%s", text);
        ck_assert_int_eq(value, expected);
        ck_assert(str_to_int64(str_from(text), expected, expected, &value));
        if (expected < INT64_MAX)
            ck_assert(!str_to_int64(str_from(text), expected + 1, INT64_MAX, &value));
        if (expected > INT64_MIN)
            ck_assert(!str_to_int64(str_from(text), INT64_MIN, expected - 1, &value));
    }
}
END_TEST

START_TEST(utf8_tables)
{
    static const struct {
        struct str text;
        bool good;
    } cases[] = {
        {STR_NONE, true},
        {STR(""), true},
        {STR("\0"), true},
        {STR("plain ASCII, longer than a word"), true},
        {STR("\x7f"), true},
        {STR("\xc2\x80"), true},         /* first of two bytes: U+0080 */
        {STR("\xdf\xbf"), true},         /* last: U+07FF */
        {STR("\xe0\xa0\x80"), true},     /* first of three: U+0800 */
        {STR("\xed\x9f\xbf"), true},     /* last before the surrogates */
        {STR("\xee\x80\x80"), true},     /* first behind them */
        {STR("\xef\xbf\xbf"), true},     /* U+FFFF */
        {STR("\xf0\x90\x80\x80"), true}, /* first of four: U+10000 */
        {STR("\xf4\x8f\xbf\xbf"), true}, /* last of all: U+10FFFF */
        {STR("1234567\xf0\x9f\x98\x80 1234567"), true},
        {STR("\x80"), false},
        {STR("\xbf"), false},
        {STR("\xc0\x80"), false}, /* overlong NUL */
        {STR("\xc1\xbf"), false},
        {STR("\xe0\x9f\xbf"), false},     /* overlong U+07FF */
        {STR("\xed\xa0\x80"), false},     /* U+D800 */
        {STR("\xed\xbf\xbf"), false},     /* U+DFFF */
        {STR("\xf0\x8f\xbf\xbf"), false}, /* overlong U+FFFF */
        {STR("\xf4\x90\x80\x80"), false}, /* U+110000 */
        {STR("\xf5\x80\x80\x80"), false},
        {STR("\xf8\x88\x80\x80\x80"), false},
        {STR("\xfe"), false},
        {STR("\xff"), false},
        {STR("\xc2"), false},
        {STR("\xe2\x82"), false},
        {STR("\xf0\x9f\x98"), false},
        {STR("\xc2\x41"), false},
        {STR("\xe2\x82\x41"), false},
        {STR("\xe2\x41\x82"), false},
        {STR("\xf0\x9f\x98\x41"), false},
        {STR("\xe2\x82\xc0"), false},
        {STR("abcdefg\xff"), false},
        {STR("abcdefgh\xff"), false},
        {STR("abcdefgh\xe2\x82\xac\x80"), false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(str_is_utf8(cases[i].text) == cases[i].good, "case %zu", i);
}
END_TEST

/* RFC 3629 section 3 read forwards: the bytes a character has. */
static size_t encode(uint32_t character, char out[4])
{
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (char)(0xc0 | character >> 6);
        out[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (char)(0xe0 | character >> 12);
        out[1] = (char)(0x80 | (character >> 6 & 0x3f));
        out[2] = (char)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | character >> 18);
    out[1] = (char)(0x80 | (character >> 12 & 0x3f));
    out[2] = (char)(0x80 | (character >> 6 & 0x3f));
    out[3] = (char)(0x80 | (character & 0x3f));
    return 4;
}

START_TEST(utf8_of_every_character)
{
    for (uint32_t character = 0; character < 0x120000; character++) {
        char bytes[4];
        size_t length = encode(character, bytes);
        bool good = character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
        if (str_is_utf8((struct str){bytes, length}) != good)
            ck_abort_msg("U+%04X", (unsigned)character);
        /* And never a part of one. */
        for (size_t part = 1; part < length; part++) {
            if (str_is_utf8((struct str){bytes, part}))
                ck_abort_msg("%zu bytes of U+%04X", part, (unsigned)character);
        }
    }
}
END_TEST

START_TEST(controls)
{
    static const struct {
        struct str text;
        bool has;
    } cases[] = {
        {STR_NONE, false},
        {STR(""), false},
        {STR("plain ~ text"), false},
        {STR("\x1f"), true},
        {STR(" "), false},
        {STR("a\0b"), true},
        {STR("a\tb"), true},
        {STR("a\n"), true},
        {STR("\x1b[0m"), true},
        {STR("~\x7f"), true},
        {STR("\xc2\x80"), true},
        {STR("\xc2\x85"), true},
        {STR("\xc2\x9f"), true},
        {STR("\xc2\xa0"), false},
        {STR("\xc3\x80"), false},
        {STR("é😀"), false},
        {STR("\xe2\x82\x80"), false}, /* 82 80 inside a longer character is none */
        {STR("\xc2"), false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(str_has_control(cases[i].text) == cases[i].has, "case %zu", i);
    /* The byte behind the length does not count. */
    ck_assert(!str_has_control((struct str){"\xc2\x85", 1}));
}
END_TEST

START_TEST(tokens)
{
    /* RFC 9110 section 5.6.2, written out. */
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool expected = c != 0 && strchr(allowed, c) != NULL;
        ck_assert_msg(str_is_token((struct str){&byte, 1}) == expected, "byte %d", c);
        char in_word[] = {'a', byte, 'b'};
        ck_assert_msg(str_is_token((struct str){in_word, 3}) == expected, "byte %d", c);
    }
    ck_assert(!str_is_token(STR("")));
    ck_assert(!str_is_token(STR_NONE));
    ck_assert(str_is_token(STR("X-Request-Id")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/str_check");
    TCase *tcase = tcase_create("str_check");

    tcase_add_test(tcase, integers_that_are_canonical);
    tcase_add_test(tcase, integers_that_are_not);
    tcase_add_test(tcase, integers_come_back_as_they_were_printed);
    tcase_add_test(tcase, utf8_tables);
    tcase_add_test(tcase, utf8_of_every_character);
    tcase_add_test(tcase, controls);
    tcase_add_test(tcase, tokens);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
