#include "gateway/rules/structured_field.h"

#include "fields_of.h"
#include "suite.h"

/* Members as "key=5", "key=?1", "key="text"", "key=…" joined with blanks; NULL: it is no dictionary. */
static void expect(const char *value, const char *wanted)
{
    struct http_field field = {STR("D"), str_from(value)};
    const struct http_fields fields = {&field, 1};
    struct sf_dictionary dictionary;
    struct strbuf text;

    if (wanted == NULL) {
        ck_assert_msg(!sf_dictionary_parse(&fields, STR("d"), &dictionary), "%s", value);
        return;
    }
    ck_assert_msg(sf_dictionary_parse(&fields, STR("d"), &dictionary), "%s", value);
    strbuf_init(&text, NULL, 64);
    for (size_t i = 0; i < dictionary.count; i++) {
        const struct sf_member *member = &dictionary.members[i];

        strbuf_addf(&text, "%.*s=", STR_ARG(member->key));
        if (member->kind == SF_STRING)
            strbuf_addf(&text, "\"%.*s\" ", STR_ARG(member->text));
        else if (member->kind == SF_OTHER)
            strbuf_add(&text, STR("other "));
        else
            strbuf_addf(&text, "%s%lld ", member->kind == SF_BOOLEAN ? "?" : "",
                        (long long)member->integer);
    }
    ck_assert_msg(str_eq(strbuf_str(&text), str_from(wanted)), "%s: %.*s", value,
                  STR_ARG(strbuf_str(&text)));
    strbuf_fini(&text);
}

START_TEST(members)
{
    expect("", "");
    expect("a", "a=?1 ");
    expect("a=?0,b=?1", "a=?0 b=?1 ");
    expect("max-age=60 \t,  no-store", "max-age=60 no-store=?1 ");
    expect("a=-5, b=999999999999999", "a=-5 b=999999999999999 ");
    expect("a=\"x\\\"y, z\"", "a=\"x\\\"y, z\" ");
    expect("a=1.5, b=tok/en:x, c=:YWJj:, d=(1 2 \"x\";p), e=*t",
           "a=other b=other c=other d=other e=other ");
    expect("a=1;p;q=2; r=\"x\", b;c", "a=1 b=?1 ");
    expect("a=1, b=2, a=3", "a=3 b=2 ");
    expect("*k.1_-=1", "*k.1_-=1 ");
    expect("a=()", "a=other ");
}
END_TEST

START_TEST(one_fault_spoils_all)
{
    static const char *const faults[] = {
        "max-age=10000, &&&&&",
        "A=1",
        "a =1",
        "a= 1",
        "a=1,",
        ",a=1",
        "a=1,,b",
        "a=1 b",
        "a=",
        "a=--1",
        "a=1.",
        "a=.5",
        "a=1.2345",
        "a=1234567890123.1",
        "a=1234567890123456",
        "a=\"x",
        "a=\"\\x\"",
        "a=\"\t\"",
        "a=\"é\"",
        "a=?2",
        "a=?",
        "a=:x",
        "a=:*:",
        "a=(1",
        "a=(1,2)",
        "a=(1;)",
        "a=1;",
        "a=1;P=1",
        "1a=1",
        "a=1;b=",
        "a=(1\"x\")",
        "=1",
        "a=(;a)",
        "a=\"x\\",
        "-",
        "a=-",
    };

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        expect(faults[i], NULL);
}
END_TEST

START_TEST(lines_are_one_dictionary)
{
    struct http_fields fields = fields_of("D: a=1\nE: x\nd: b, a=2");
    struct sf_dictionary dictionary;

    ck_assert(sf_dictionary_parse(&fields, STR("d"), &dictionary));
    ck_assert_uint_eq(dictionary.count, 2);
    ck_assert_int_eq(dictionary.members[0].integer, 2);
    fields = fields_of("D: a=1\nd: &");
    ck_assert(!sf_dictionary_parse(&fields, STR("d"), &dictionary));
}
END_TEST

START_TEST(more_than_fit_are_none)
{
    struct strbuf text;

    strbuf_init(&text, NULL, 1024);
    for (int i = 0; i < SF_MEMBERS_MAX + 1; i++)
        strbuf_addf(&text, "%sk%d", i > 0 ? "," : "", i);
    strbuf_add_char(&text, '\0');
    expect(text.ptr, NULL);
    strbuf_fini(&text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("structured_field");
    TCase *tests = tcase_create("structured_field");

    tcase_add_test(tests, members);
    tcase_add_test(tests, one_fault_spoils_all);
    tcase_add_test(tests, lines_are_one_dictionary);
    tcase_add_test(tests, more_than_fit_are_none);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
