#include "cachewarden/str.h"

#include "cachewarden/arena.h"
#include "suite.h"

START_TEST(equality)
{
    static const struct {
        struct str a, b;
        bool same, same_nocase;
    } cases[] = {
        {STR(""), STR(""), true, true},
        {STR(""), STR_NONE, true, true},
        {STR_NONE, STR_NONE, true, true},
        {STR("a"), STR_NONE, false, false},
        {STR("abc"), STR("abc"), true, true},
        {STR("abc"), STR("abd"), false, false},
        {STR("abc"), STR("ab"), false, false},
        {STR("abc"), STR("ABC"), false, true},
        {STR("Content-Length"), STR("content-length"), false, true},
        {STR("a\0b"), STR("a\0c"), false, false},
        {STR("a\0B"), STR("a\0b"), false, true},
        /* 0x20 apart, but no letters; letters only in ASCII. */
        {STR("@"), STR("`"), false, false},
        {STR("["), STR("{"), false, false},
        {STR("AZ"), STR("az"), false, true},
        {STR("É"), STR("é"), false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(str_eq(cases[i].a, cases[i].b) == cases[i].same, "case %zu", i);
        ck_assert_msg(str_eq(cases[i].b, cases[i].a) == cases[i].same, "case %zu", i);
        ck_assert_msg(str_eq_secret(cases[i].a, cases[i].b) == cases[i].same, "case %zu", i);
        ck_assert_msg(str_eq_nocase(cases[i].a, cases[i].b) == cases[i].same_nocase, "case %zu", i);
    }
}
END_TEST

START_TEST(every_flipped_bit_of_a_secret_is_seen)
{
    char a[33], b[33];

    memset(a, 0x5a, sizeof a);
    for (size_t i = 0; i < sizeof a * 8; i++) {
        memcpy(b, a, sizeof a);
        b[i / 8] = (char)(b[i / 8] ^ (1 << i % 8));
        ck_assert(!str_eq_secret((struct str){a, sizeof a}, (struct str){b, sizeof b}));
    }
}
END_TEST

START_TEST(starts_and_ends)
{
    static const struct {
        struct str s, part;
        bool starts, ends;
    } cases[] = {
        {STR(""), STR(""), true, true},          {STR_NONE, STR_NONE, true, true},
        {STR_NONE, STR("a"), false, false},      {STR("a"), STR_NONE, true, true},
        {STR("abcab"), STR("ab"), true, true},   {STR("abc"), STR("abc"), true, true},
        {STR("abc"), STR("abcd"), false, false}, {STR("abc"), STR("bc"), false, true},
        {STR("abc"), STR("ab"), true, false},    {STR("abc"), STR("B"), false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(str_starts(cases[i].s, cases[i].part) == cases[i].starts, "case %zu", i);
        ck_assert_msg(str_ends(cases[i].s, cases[i].part) == cases[i].ends, "case %zu", i);
    }
}
END_TEST

START_TEST(find_gives_the_first_or_minus_one)
{
    ck_assert_int_eq(str_find(STR("abcabc"), 'c'), 2);
    ck_assert_int_eq(str_find(STR("abc"), 'a'), 0);
    ck_assert_int_eq(str_find(STR("abc"), 'x'), -1);
    ck_assert_int_eq(str_find(STR("a\0b"), 'b'), 2);
    ck_assert_int_eq(str_find(STR("a\0b"), '\0'), 1);
    ck_assert_int_eq(str_find(STR("\xff"), '\xff'), 0);
    ck_assert_int_eq(str_find(STR(""), 'a'), -1);
    ck_assert_int_eq(str_find(STR_NONE, 'a'), -1);
    /* Nothing behind the length is looked at. */
    ck_assert_int_eq(str_find((struct str){"abc", 2}, 'c'), -1);
}
END_TEST

START_TEST(sub_is_clamped)
{
    struct str s = STR("0123456789");

    ck_assert(str_eq(str_sub(s, 0, 10), s));
    ck_assert(str_eq(str_sub(s, 2, 3), STR("234")));
    ck_assert(str_eq(str_sub(s, 8, 3), STR("89")));
    ck_assert(str_eq(str_sub(s, 8, SIZE_MAX), STR("89")));
    ck_assert(str_eq(str_sub(s, 10, 1), STR("")));
    ck_assert(str_eq(str_sub(s, SIZE_MAX, SIZE_MAX), STR("")));
    ck_assert_ptr_null(str_sub(STR_NONE, 0, 1).ptr);
    ck_assert_uint_eq(str_sub(STR_NONE, 3, 1).len, 0);
}
END_TEST

START_TEST(trim_takes_blanks_only)
{
    ck_assert(str_eq(str_trim(STR(" \t a b\t ")), STR("a b")));
    ck_assert(str_eq(str_trim(STR("a")), STR("a")));
    ck_assert(str_eq(str_trim(STR(" \t ")), STR("")));
    ck_assert(str_eq(str_trim(STR("")), STR("")));
    ck_assert(str_eq(str_trim(STR_NONE), STR("")));
    /* RFC 9110 OWS is SP and HTAB: a line break is no blank. */
    ck_assert(str_eq(str_trim(STR("\r\n a \v\f")), STR("\r\n a \v\f")));
}
END_TEST

START_TEST(split)
{
    static const struct {
        struct str whole;
        size_t count;
        struct str parts[4];
    } cases[] = {
        {STR("a,b"), 2, {STR("a"), STR("b")}},
        {STR("a,,b"), 3, {STR("a"), STR(""), STR("b")}},
        {STR("a,"), 2, {STR("a"), STR("")}},
        {STR(",a"), 2, {STR(""), STR("a")}},
        {STR(","), 2, {STR(""), STR("")}},
        {STR("abc"), 1, {STR("abc")}},
        {STR(""), 1, {STR("")}},
        {STR_NONE, 0, {STR_NONE}},
        {STR("a\0,b"), 2, {STR("a\0"), STR("b")}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str rest = cases[i].whole, part;
        size_t count = 0;
        while (str_split(&rest, ',', &part)) {
            ck_assert_msg(count < cases[i].count, "case %zu: too many parts", i);
            ck_assert_msg(str_eq(part, cases[i].parts[count]), "case %zu, part %zu", i, count);
            count++;
        }
        ck_assert_msg(count == cases[i].count, "case %zu: %zu parts", i, count);
        ck_assert(!str_split(&rest, ',', &part));
    }
}
END_TEST

START_TEST(lines)
{
    static const struct {
        struct str whole;
        size_t count;
        struct str lines[3];
    } cases[] = {
        {STR("a\nb\n"), 2, {STR("a"), STR("b")}},
        {STR("a\n\nb"), 3, {STR("a"), STR(""), STR("b")}},
        {STR("a\n"), 1, {STR("a")}},
        {STR("a"), 1, {STR("a")}},
        {STR("\n\n"), 2, {STR(""), STR("")}},
        {STR(""), 0, {STR_NONE}},
        {STR_NONE, 0, {STR_NONE}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str rest = cases[i].whole, line;
        size_t count = 0;
        while (str_take_line(&rest, &line)) {
            ck_assert_msg(count < cases[i].count, "case %zu: too many lines", i);
            ck_assert_msg(str_eq(line, cases[i].lines[count]), "case %zu, line %zu", i, count);
            count++;
        }
        ck_assert_msg(count == cases[i].count, "case %zu: %zu lines", i, count);
    }
}
END_TEST

START_TEST(from_a_c_string)
{
    ck_assert(str_eq(str_from("abc"), STR("abc")));
    ck_assert_uint_eq(str_from("").len, 0);
    ck_assert_ptr_null(str_from(NULL).ptr);
    ck_assert_uint_eq(str_from(NULL).len, 0);
}
END_TEST

START_TEST(dup_copies_and_terminates)
{
    struct arena *arena = arena_new(256, 512);
    char original[] = "a\0b";
    struct str copy = str_dup(arena, (struct str){original, 3});

    original[0] = 'X';
    ck_assert(str_eq(copy, STR("a\0b")));
    ck_assert_int_eq(copy.ptr[3], '\0');
    copy = str_dup(arena, STR_NONE);
    ck_assert_ptr_nonnull(copy.ptr);
    ck_assert_str_eq(copy.ptr, "");

    char large[1000] = {0};
    copy = str_dup(arena, (struct str){large, sizeof large});
    ck_assert_ptr_null(copy.ptr);
    ck_assert_uint_eq(copy.len, 0);
    arena_free(&arena);
}
END_TEST

START_TEST(format_is_exact_at_every_length)
{
    struct arena *arena = arena_new(1024, 0);
    char expected[1200];

    /* Around the size of the buffer it tries first, and everywhere else. */
    for (size_t len = 0; len < sizeof expected; len++) {
        memset(expected, 'a', len);
        expected[len] = '\0';
        struct str text = str_format(arena, "%s", expected);
        ck_assert_uint_eq(text.len, len);
        ck_assert_str_eq(text.ptr, expected);
        arena_reset(arena);
    }
    struct str text = str_format(arena, "%d:%.*s", -5, STR_ARG(STR("xyz")));
    ck_assert_str_eq(text.ptr, "-5:xyz");
    text = str_format(arena, "%.*s", STR_ARG(STR_NONE));
    ck_assert_str_eq(text.ptr, "");
    arena_free(&arena);
}
END_TEST

START_TEST(format_without_memory)
{
    struct arena *arena = arena_new(256, 256);
    char text[2000];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_ptr_null(str_format(arena, "%s", text).ptr);
    while (arena_alloc(arena, 1))
        ;
    ck_assert_ptr_null(str_format(arena, "%s", "a").ptr);
    ck_assert_uint_eq(str_format(arena, "%s", "a").len, 0);
    arena_free(&arena);
}
END_TEST

START_TEST(numbers)
{
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {7, "7"},
        {-7, "-7"},
        {10, "10"},
        {-100, "-100"},
        {INT64_MAX, "9223372036854775807"},
        {INT64_MIN, "-9223372036854775808"},
    };
    char out[STR_INT64_SIZE];
    char hex[STR_HEX64_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(str_eq(str_of_int64(out, cases[i].value), str_from(cases[i].text)));
        ck_assert_str_eq(out, cases[i].text);
        ck_assert(str_eq(STR_INT64(cases[i].value), str_from(cases[i].text)));
    }
    str_put_hex64(hex, UINT64_C(0x0123456789abcdef));
    ck_assert_str_eq(hex, "0123456789abcdef");
    str_put_hex64(hex, 0);
    ck_assert_str_eq(hex, "0000000000000000");
}
END_TEST

START_TEST(wipe_leaves_zeros_and_nothing_else)
{
    char memory[34];

    memset(memory, 'p', sizeof memory);
    secret_wipe(memory + 1, sizeof memory - 2);
    ck_assert_int_eq(memory[0], 'p');
    ck_assert_int_eq(memory[33], 'p');
    for (size_t i = 1; i < 33; i++)
        ck_assert_int_eq(memory[i], 0);
    secret_wipe(NULL, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/str");
    TCase *tcase = tcase_create("str");

    tcase_add_test(tcase, equality);
    tcase_add_test(tcase, every_flipped_bit_of_a_secret_is_seen);
    tcase_add_test(tcase, starts_and_ends);
    tcase_add_test(tcase, find_gives_the_first_or_minus_one);
    tcase_add_test(tcase, sub_is_clamped);
    tcase_add_test(tcase, trim_takes_blanks_only);
    tcase_add_test(tcase, split);
    tcase_add_test(tcase, lines);
    tcase_add_test(tcase, from_a_c_string);
    tcase_add_test(tcase, dup_copies_and_terminates);
    tcase_add_test(tcase, format_is_exact_at_every_length);
    tcase_add_test(tcase, format_without_memory);
    tcase_add_test(tcase, numbers);
    tcase_add_test(tcase, wipe_leaves_zeros_and_nothing_else);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
