#include "gateway/rules/fields.h"

#include "fields_of.h"
#include "suite.h"

START_TEST(names_have_no_case)
{
    const struct http_fields fields = fields_of("Age: 1\naGe:  2 \nEmpty: \nX: y");

    ck_assert(str_eq(fields_value(&fields, STR("AGE")), STR("1")));
    ck_assert_uint_eq(fields_count(&fields, STR("age")), 2);
    ck_assert_ptr_eq(fields_find(&fields, STR("ag")), NULL);
    ck_assert_ptr_eq(fields_value(&fields, STR("none")).ptr, NULL);
    ck_assert_ptr_ne(fields_value(&fields, STR("empty")).ptr, NULL);
    ck_assert_uint_eq(fields_value(&fields, STR("empty")).len, 0);
}
END_TEST

/* Elements joined with '|'. */
static void expect_list(const char *lines, const char *wanted)
{
    const struct http_fields fields = fields_of(lines);
    struct field_list list = field_list_of(&fields, STR("l"));
    struct strbuf found;
    struct str element;

    strbuf_init(&found, NULL, 64);
    while (field_list_next(&list, &element)) {
        strbuf_add(&found, element);
        strbuf_add_char(&found, '|');
    }
    ck_assert_msg(str_eq(strbuf_str(&found), str_from(wanted)), "%s: %.*s, not %s", lines,
                  STR_ARG(strbuf_str(&found)), wanted);
    strbuf_fini(&found);
}

START_TEST(lists_run_through_all_lines)
{
    expect_list("L: a", "a|");
    expect_list("L: a,b , \tc", "a|b|c|");
    expect_list("L: a\nM: x\nl: b", "a|b|");
    expect_list("L: ,, a ,\nL: \nL: ,b", "a|b|");
    expect_list("L: ", "");
    expect_list("M: a", "");
}
END_TEST

START_TEST(commas_in_quotes_part_nothing)
{
    expect_list("L: a=\"b,c\",d", "a=\"b,c\"|d|");
    expect_list("L: \"a\\\",b\",c", "\"a\\\",b\"|c|");
    /* One that is not closed ends with its line. */
    expect_list("L: a,\"b,c\nL: d,e", "a|\"b,c|d|e|");
    expect_list("L: \"a\\", "\"a\\|");
    expect_list("L: \"\\\"", "\"\\\"|");
}
END_TEST

START_TEST(quoted_strings_have_a_length)
{
    ck_assert_uint_eq(quoted_string_length(STR("\"\"")), 2);
    ck_assert_uint_eq(quoted_string_length(STR("\"a\\\"b\"c")), 6);
    ck_assert_uint_eq(quoted_string_length(STR("\"a\\\"")), 0);
    ck_assert_uint_eq(quoted_string_length(STR("\"")), 0);
    ck_assert_uint_eq(quoted_string_length(STR("a\"\"")), 0);
    ck_assert_uint_eq(quoted_string_length(STR_NONE), 0);
}
END_TEST

START_TEST(an_element_is_found)
{
    const struct http_fields fields = fields_of("Pragma: a\nPragma: b, No-Cache");

    ck_assert(field_list_has(&fields, STR("pragma"), STR("no-cache")));
    ck_assert(!field_list_has(&fields, STR("pragma"), STR("no")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fields");
    TCase *tests = tcase_create("fields");

    tcase_add_test(tests, names_have_no_case);
    tcase_add_test(tests, lists_run_through_all_lines);
    tcase_add_test(tests, commas_in_quotes_part_nothing);
    tcase_add_test(tests, quoted_strings_have_a_length);
    tcase_add_test(tests, an_element_is_found);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
