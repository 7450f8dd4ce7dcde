#include "etag.h"

#include "suite.h"

static void expect(const char *field, const char *etag, enum etag_answer wanted)
{
    enum etag_answer answer = etag_compare(str_from(field), str_from(etag));

    ck_assert_msg(answer == wanted, "If-None-Match: %s with %s is %d, not %d", field, etag, answer,
                  wanted);
}

START_TEST(nothing_asked)
{
    expect(NULL, "a", ETAG_NOT_ASKED);
    expect("", "a", ETAG_NOT_ASKED);
    expect(" \t", "", ETAG_NOT_ASKED);
}
END_TEST

START_TEST(anything)
{
    expect("*", "a", ETAG_ANY);
    expect(" * ", "", ETAG_ANY);
    expect("\"*\"", "a", ETAG_DIFFERS);
    expect("\"*\"", "*", ETAG_MATCHES);
}
END_TEST

START_TEST(strong_and_weak_are_one)
{
    expect("\"a\"", "a", ETAG_MATCHES);
    expect("W/\"a\"", "a", ETAG_MATCHES);
    expect("\"b\"", "a", ETAG_DIFFERS);
    expect("\"A\"", "a", ETAG_DIFFERS);
    expect("\"\"", "a", ETAG_DIFFERS);
    expect("\"a\"", "aa", ETAG_DIFFERS);
    expect("\"aa\"", "a", ETAG_DIFFERS);
}
END_TEST

START_TEST(lists)
{
    expect("\"x\", \"a\"", "a", ETAG_MATCHES);
    expect("\"a\",\"x\"", "a", ETAG_MATCHES);
    expect("\"x\" , W/\"y\"\t,W/\"a\" , \"z\"", "a", ETAG_MATCHES);
    expect("\"x\",\"y\"", "a", ETAG_DIFFERS);
    /* RFC 9110, section 5.6.1: empty parts are no error. */
    expect(",\"a\",", "a", ETAG_MATCHES);
    expect(", ,\"x\" ,,", "a", ETAG_DIFFERS);
    expect(",", "a", ETAG_DIFFERS);
}
END_TEST

/* A comma in a tag is no end of it. */
START_TEST(commas_in_tags)
{
    expect("\"a,b\"", "a,b", ETAG_MATCHES);
    expect("\"a,b\"", "b", ETAG_DIFFERS);
    expect("\"x\",\"a,b\"", "a,b", ETAG_MATCHES);
    expect("\"a,\",\"b\"", "b", ETAG_MATCHES);
}
END_TEST

/* Where nothing is there is no tag, so not even an empty one is it. */
START_TEST(nothing_is_there)
{
    expect("\"\"", "", ETAG_DIFFERS);
    expect("\"a\"", "", ETAG_DIFFERS);
}
END_TEST

START_TEST(what_is_no_list_of_tags)
{
    static const char *const fields[] = {
        "a",        "\"a",        "a\"",      "\"a\" \"b\"", "\"a\"b",     "w/\"a\"",
        "W/",       "W/a",        "W/ \"a\"", "*, \"a\"",    "\"a\", *",   "**",
        "\"a b\"",  "\"a\tb\"",   "'a'",      "\"a\";q=1",   "\"a\"\"b\"", "\"",
        "\"a\", b", "\"a\" , \"", "/\"a\"",   "W\"a\"",      "\"a\x7f\"",  "\"a\", W/",
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        expect(fields[i], "a", ETAG_MALFORMED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/etag");
    TCase *tcase = tcase_create("etag");

    tcase_add_test(tcase, nothing_asked);
    tcase_add_test(tcase, anything);
    tcase_add_test(tcase, strong_and_weak_are_one);
    tcase_add_test(tcase, lists);
    tcase_add_test(tcase, commas_in_tags);
    tcase_add_test(tcase, nothing_is_there);
    tcase_add_test(tcase, what_is_no_list_of_tags);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
