#include "gateway/rules/vary.h"

#include "fields_of.h"
#include "suite.h"

#include <stdio.h>

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(4096, 0);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static void expect(const char *lines, enum vary wanted, const char *wanted_names)
{
    const struct http_fields fields = fields_of(lines);
    enum vary vary;
    struct str names;

    ck_assert_int_eq(vary_of(arena, &fields, &vary, &names), ERR_OK);
    ck_assert_msg(vary == wanted && str_eq(names, str_from(wanted_names)), "%s: %d %.*s", lines,
                  vary, STR_ARG(names));
}

START_TEST(names_are_a_set)
{
    expect("X: y", VARY_NOTHING, "");
    expect("Vary: ", VARY_NOTHING, "");
    expect("Vary: Foo", VARY_NAMES, "foo");
    expect("Vary: Foo, Bar\nVary: baz,,FOO", VARY_NAMES, "bar,baz,foo");
}
END_TEST

START_TEST(a_star_is_everything)
{
    expect("Vary: *", VARY_ANYTHING, "");
    expect("Vary: *, *", VARY_ANYTHING, "");
    expect("Vary: *\nVary: *", VARY_ANYTHING, "");
    expect("Vary: , *", VARY_ANYTHING, "");
    expect("Vary: \nVary: *", VARY_ANYTHING, "");
    expect("Vary: *, Foo", VARY_ANYTHING, "");
    expect("Vary: Foo, *", VARY_ANYTHING, "");
    /* and so is what cannot be followed */
    expect("Vary: a b", VARY_ANYTHING, "");
    expect("Vary: \"a\"", VARY_ANYTHING, "");
    expect("Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", VARY_NAMES, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p");
    expect("Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", VARY_ANYTHING, "");
    expect("Vary: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", VARY_ANYTHING,
           "");
}
END_TEST

static struct str key_of(const char *names, const char *lines)
{
    const struct http_fields fields = fields_of(lines);
    struct str key;

    ck_assert_int_eq(vary_key(arena, str_from(names), &fields, &key), ERR_OK);
    return key;
}

static void expect_same(const char *names, const char *a, const char *b, bool same)
{
    ck_assert_msg(str_eq(key_of(names, a), key_of(names, b)) == same, "%s: %s | %s", names, a, b);
}

START_TEST(values_tell_apart)
{
    expect_same("foo", "Foo: 1", "fOO: 1\nOther: 2", true);
    expect_same("foo", "Foo: 1", "Foo: 2", false);
    expect_same("foo", "Foo: a", "Foo: A", false);
    expect_same("foo", "Foo: 1", "X: y", false);
    expect_same("foo", "Foo: ", "X: y", false);
    expect_same("foo", "X: y", "Z: y", true);
    expect_same("bar,baz,foo", "Foo: 1\nBar: abc\nBaz: 789", "Baz: 789\nBar: abc\nFoo: 1", true);
    expect_same("bar,baz,foo", "Foo: 1\nBar: abc\nBaz: 789", "Foo: 1\nBaz: 789\nBar: abcde", false);
    expect_same("bar,foo", "Foo: 1", "Foo: 1", true);
    expect_same("bar,foo", "Bar: 1", "Foo: 1", false);
}
END_TEST

START_TEST(lines_and_blanks_of_lists_mean_nothing)
{
    expect_same("foo", "Foo: 1, 2", "Foo: 1\nFoo: 2", true);
    expect_same("foo", "Foo: 1,2", "Foo:  1 \t, 2 ", true);
    expect_same("foo", "Foo: a b", "Foo: a  b", false);
    expect_same("foo", "Foo: ab", "Foo: a b", false);
    expect_same("foo", "Foo: \"a, b\"", "Foo: \"a,b\"", false);
    expect_same("foo", "Foo: 1, 2", "Foo: 2, 1", false);
    /* An upstream may tell these apart, and one may not answer the other. */
    expect_same("foo", "Foo: 1", "Foo: 1,", false);
    expect_same("foo", "Foo: 1", "Foo: ,1", false);
    expect_same("foo", "Foo: \"a, b", "Foo: \"a,b", false);
    expect_same("cookie", "Cookie: a=1, b", "Cookie: a=1,b", false);
    expect_same("user-agent", "User-Agent: a, b", "User-Agent: a,b", false);
}
END_TEST

START_TEST(preferences_have_no_order_but_their_weight)
{
    const char *names = "accept-language";

    expect_same(names, "Accept-Language: en, de", "Accept-Language: de, en", true);
    expect_same(names, "Accept-Language: en, de", "Accept-Language: eN, De", true);
    expect_same(names, "Accept-Language: en, de", "Accept-Language:  en ,   de", true);
    expect_same(names, "Accept-Language: en, de", "Accept-Language: en\nAccept-Language: de;q=1.0",
                true);
    expect_same(names, "Accept-Language: en;q=0.5, de", "Accept-Language: de, en ; Q=0.50", true);
    expect_same(names, "Accept-Language: en;q=0.5, de", "Accept-Language: de;q=0.5, en", false);
    expect_same(names, "Accept-Language: en", "Accept-Language: en, de", false);
    expect_same(names, "Accept-Language: en;q=0", "Accept-Language: en", false);
    expect_same(names, "Accept-Language: ", "X: y", false);
    /* What is none is compared as it is. */
    expect_same(names, "Accept-Language: en;q=2", "Accept-Language: EN;q=2", false);
    expect_same(names, "Accept-Language: en;q=0.5555", "Accept-Language: en;q=0.555", false);
    expect_same(names, "Accept-Language: en;a=1", "Accept-Language: en;a=2", false);
    expect_same("accept-encoding", "Accept-Encoding: gzip, BR", "Accept-Encoding: br,gzip", true);
    expect_same("accept", "Accept: a/b, c/d", "Accept: c/d, a/b", false);
}
END_TEST

/* No value passes for another value and a name. */
START_TEST(nothing_slips_in)
{
    expect_same("a,b", "A: x\nB: y", "A: x1:b2:=y", false);
    ck_assert(str_eq(key_of("a,b", "A: x\nB: y"), STR("1:a2:=x1:b2:=y")));
    ck_assert(str_eq(key_of("a,b", "A: "), STR("1:a1:=1:b1:-")));
    ck_assert_uint_eq(key_of("", "A: x").len, 0);
}
END_TEST

START_TEST(long_lists_of_preferences_are_compared_as_they_are)
{
    char lines[2][512] = {"Accept-Encoding: x", "Accept-Encoding: "};

    for (int i = 0; i < 40; i++) {
        snprintf(lines[0] + strlen(lines[0]), 8, ",c%d", i);
        snprintf(lines[1] + strlen(lines[1]), 8, "c%d,", i);
    }
    snprintf(lines[1] + strlen(lines[1]), 8, "x");
    expect_same("accept-encoding", lines[0], lines[0], true);
    expect_same("accept-encoding", lines[0], lines[1], false);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vary");
    TCase *tests = tcase_create("vary");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, names_are_a_set);
    tcase_add_test(tests, a_star_is_everything);
    tcase_add_test(tests, values_tell_apart);
    tcase_add_test(tests, lines_and_blanks_of_lists_mean_nothing);
    tcase_add_test(tests, preferences_have_no_order_but_their_weight);
    tcase_add_test(tests, nothing_slips_in);
    tcase_add_test(tests, long_lists_of_preferences_are_compared_as_they_are);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
