#include "cachewarden/str.h"

#include "cachewarden/arena.h"
#include "noise.h"
#include "suite.h"

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(4096, 0);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_free(&arena);
}

struct pair {
    struct str bytes, text;
};

START_TEST(base64url_known_pairs)
{
    static const struct pair pairs[] = {
        /* RFC 4648 section 10, without the padding. */
        {STR(""), STR("")},
        {STR("f"), STR("Zg")},
        {STR("fo"), STR("Zm8")},
        {STR("foo"), STR("Zm9v")},
        {STR("foob"), STR("Zm9vYg")},
        {STR("fooba"), STR("Zm9vYmE")},
        {STR("foobar"), STR("Zm9vYmFy")},
        /* RFC 7515 appendix C. */
        {STR("\x03\xec\xff\xe0\xc1"), STR("A-z_4ME")},
        {STR("\0\0\0"), STR("AAAA")},
        {STR("\xff\xff\xff"), STR("____")},
        {STR("\xfb\xef\xbe"), STR("----")},
        {STR("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), STR("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9")},
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct str text = base64url_encode(arena, pairs[i].bytes), bytes = STR_NONE;
        ck_assert_msg(str_eq(text, pairs[i].text), "case %zu: %s", i, text.ptr);
        ck_assert_int_eq(text.ptr[text.len], '\0');
        ck_assert(base64url_decode(arena, pairs[i].text, &bytes));
        ck_assert_msg(str_eq(bytes, pairs[i].bytes), "case %zu", i);
        ck_assert_int_eq(bytes.ptr[bytes.len], '\0');
    }
}
END_TEST

START_TEST(base64url_refuses)
{
    static const struct str
        texts
            [] =
                {
                    STR("A"),        STR("AAAAA"), /* 6 bits are no byte */
                    STR("Zg=="),     STR("Zm8="),
                    STR("="), /* padding */
                    STR("Zh"),       STR("Z_"),
                    STR("Zm9"), /* spare bits */
                    STR("Zm9vYg "),  STR(" Zm9v"),
                    STR("Zm9v\n"),   STR("Zm\n9v"),
                    STR("Zm9v\r\n"), STR("ab+/"),
                    STR("+A"),       STR("/A"), /* the other alphabet */
                    STR("A\0AA"),    STR("AA\xc3\xa9"),
                    STR("AA.A"),     STR("AA,A"),
                    STR("AA@A"),     STR("AA[A"),
                    STR("AA`A"),     STR("AA{A"),
                    STR("AA:A"), /* neighbours of the alphabet's ranges */
                };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct str bytes = STR("untouched");
        ck_assert_msg(!base64url_decode(arena, texts[i], &bytes), "case %zu", i);
        ck_assert(str_eq(bytes, STR("untouched")));
    }
}
END_TEST

/* Of the last digit's 64 values, only those with zero spare bits are good. */
START_TEST(base64url_has_one_text_for_each_value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t length = 2; length <= 3; length++) {
        int good = 0;
        for (size_t i = 0; i < 64; i++) {
            char text[3] = {'Q', 'Q', 'Q'};
            struct str bytes;
            text[length - 1] = digits[i];
            if (!base64url_decode(arena, (struct str){text, length}, &bytes))
                continue;
            good++;
            ck_assert(str_eq(base64url_encode(arena, bytes), (struct str){text, length}));
        }
        ck_assert_int_eq(good, length == 2 ? 4 : 16);
    }
}
END_TEST

START_TEST(noise_comes_back)
{
    struct noise noise = {3};
    char bytes[300];

    for (size_t round = 0; round < 2000; round++) {
        struct str original = {bytes, noise_below(&noise, sizeof bytes)}, back;
        noise_fill(&noise, bytes, original.len);
        ck_assert(base64url_decode(arena, base64url_encode(arena, original), &back));
        ck_assert(str_eq(back, original));
        ck_assert(hex_decode(arena, hex_encode(arena, original), &back));
        ck_assert(str_eq(back, original));
        arena_reset(arena);
    }
}
END_TEST

/* Whatever a decoder takes, it must be able to give back letter by letter. */
START_TEST(noise_is_refused_or_canonical)
{
    static const char alphabet[] = "AQgw09-_ab=+/ %\n";
    struct noise noise = {4};

    for (size_t round = 0; round < 50000; round++) {
        char text[12];
        struct str whole = {text, noise_below(&noise, sizeof text)}, bytes;
        for (size_t i = 0; i < whole.len; i++)
            text[i] = alphabet[noise_below(&noise, sizeof alphabet - 1)];
        if (base64url_decode(arena, whole, &bytes))
            ck_assert(str_eq(base64url_encode(arena, bytes), whole));
        arena_reset(arena);
    }
}
END_TEST

START_TEST(hex)
{
    static const struct str bad[] = {STR("0"),  STR("abc"), STR("0g"),  STR("g0"), STR("0x"),
                                     STR(" 0"), STR("0 "),  STR("0\0"), STR("/0"), STR(":0"),
                                     STR("@0"), STR("G0"),  STR("`0"),  STR("-1"), STR("\xff\xff")};
    struct str bytes;

    ck_assert(str_eq(hex_encode(arena, STR("\0\x01\x9a\xff")), STR("00019aff")));
    ck_assert(str_eq(hex_encode(arena, STR_NONE), STR("")));
    ck_assert(hex_decode(arena, STR("00019aFf"), &bytes));
    ck_assert(str_eq(bytes, STR("\0\x01\x9a\xff")));
    ck_assert(hex_decode(arena, STR_NONE, &bytes));
    ck_assert_uint_eq(bytes.len, 0);
    /* The digit behind the end is not read. */
    ck_assert(!hex_decode(arena, (struct str){"616263", 5}, &bytes));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bytes = STR("untouched");
        ck_assert_msg(!hex_decode(arena, bad[i], &bytes), "case %zu", i);
        ck_assert(str_eq(bytes, STR("untouched")));
    }
}
END_TEST

START_TEST(percent)
{
    static const struct pair good[] = {
        {STR(""), STR("")},
        {STR("abc"), STR("abc")},
        {STR("a b"), STR("a%20b")},
        {STR("a/b"), STR("a%2Fb")},
        {STR("a/b"), STR("a%2fb")},
        {STR("+"), STR("+")},
        {STR("%"), STR("%25")},
        {STR("%41"), STR("%2541")}, /* decoded once, not twice */
        {STR("\xc3\xa9"), STR("%C3%a9")},
        {STR("\xff\x01"), STR("%ff%01")},
        {STR("A"), STR("%41")},
    };
    static const struct str bad[] = {
        STR("%"),   STR("a%"),    STR("%4"),   STR("a%4"),  STR("%%41"), STR("%4g"),
        STR("%g4"), STR("% 1"),   STR("%+1"),  STR("%-1"),  STR("%0x"),  STR("%u0041"),
        STR("%00"), STR("a%00b"), STR("a\0b"), STR("%4\0"),
    };
    struct str bytes;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(percent_decode(arena, good[i].text, &bytes), "case %zu", i);
        ck_assert_msg(str_eq(bytes, good[i].bytes), "case %zu: %s", i, bytes.ptr);
        ck_assert_int_eq(bytes.ptr[bytes.len], '\0');
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bytes = STR("untouched");
        ck_assert_msg(!percent_decode(arena, bad[i], &bytes), "case %zu", i);
        ck_assert(str_eq(bytes, STR("untouched")));
    }
    /* Digits behind the end are not read. */
    ck_assert(!percent_decode(arena, (struct str){"%41", 2}, &bytes));
    ck_assert(!percent_decode(arena, (struct str){"%41", 1}, &bytes));
}
END_TEST

START_TEST(without_memory_they_say_so)
{
    struct arena *tiny = arena_new(256, 256);
    struct str bytes = STR("untouched");

    while (arena_alloc(tiny, 1))
        ;
    ck_assert_ptr_null(base64url_encode(tiny, STR("abc")).ptr);
    ck_assert_ptr_null(hex_encode(tiny, STR("abc")).ptr);
    ck_assert(!base64url_decode(tiny, STR("YWJj"), &bytes));
    ck_assert(!hex_decode(tiny, STR("6162"), &bytes));
    ck_assert(!percent_decode(tiny, STR("abc"), &bytes));
    ck_assert(str_eq(bytes, STR("untouched")));
    arena_free(&tiny);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/encode");
    TCase *tcase = tcase_create("encode");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, base64url_known_pairs);
    tcase_add_test(tcase, base64url_refuses);
    tcase_add_test(tcase, base64url_has_one_text_for_each_value);
    tcase_add_test(tcase, noise_comes_back);
    tcase_add_test(tcase, noise_is_refused_or_canonical);
    tcase_add_test(tcase, hex);
    tcase_add_test(tcase, percent);
    tcase_add_test(tcase, without_memory_they_say_so);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
