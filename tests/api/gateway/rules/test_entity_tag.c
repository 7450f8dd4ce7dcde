#include "gateway/rules/entity_tag.h"

#include "fields_of.h"
#include "suite.h"

#include <stdio.h>

static void expect_listed(const char *lines, const char *tag, bool wanted)
{
    const struct http_fields fields = fields_of(lines);

    ck_assert_msg(entity_tag_is_listed(&fields, STR("if-none-match"), str_from(tag)) == wanted,
                  "%s with %s", lines, tag);
}

START_TEST(strong_and_weak)
{
    ck_assert(entity_tag_is_strong(STR("\"a\"")));
    ck_assert(!entity_tag_is_strong(STR("W/\"a\"")));
    ck_assert(!entity_tag_is_strong(STR("a")));
    ck_assert(!entity_tag_is_strong(STR_NONE));
    ck_assert(entity_tags_match_weakly(STR("W/\"a\""), STR("\"a\"")));
    ck_assert(!entity_tags_match_weakly(STR("\"a\""), STR("\"b\"")));
    ck_assert(!entity_tags_match_weakly(STR("\"a\""), STR("\"A\"")));
    ck_assert(!entity_tags_match_weakly(STR_NONE, STR_NONE));
    ck_assert(entity_tags_match_strongly(STR("\"a\""), STR("\"a\"")));
    ck_assert(!entity_tags_match_strongly(STR("W/\"a\""), STR("W/\"a\"")));
    ck_assert(!entity_tags_match_strongly(STR("a"), STR("a")));
}
END_TEST

START_TEST(lists)
{
    expect_listed("If-None-Match: \"a\"", "\"a\"", true);
    expect_listed("If-None-Match: \"1\", W/\"a\" ,\"2\"", "\"a\"", true);
    expect_listed("If-None-Match: \"1\"\nIf-None-Match: \"a\"", "W/\"a\"", true);
    expect_listed("If-None-Match: ,, \"a\",", "\"a\"", true);
    expect_listed("If-None-Match: \"1\",\"2\"", "\"a\"", false);
    expect_listed("If-None-Match: *", "", true);
    expect_listed("If-None-Match: \"*\"", "\"a\"", false);
    expect_listed("If-None-Match: ", "\"a\"", false);
    expect_listed("X: \"a\"", "\"a\"", false);
    /* A comma in a tag parts nothing, and a backslash is no escape. */
    expect_listed("If-None-Match: \"a,b\", \"c\"", "\"b\"", false);
    expect_listed("If-None-Match: \"a\\\", \"c\"", "\"c\"", true);
    expect_listed("If-None-Match: \"é\"", "\"é\"", true);
}
END_TEST

START_TEST(malformed_ones_are_what_is_written)
{
    static const char *const tags[] = {"abc", "w/\"abc\"", "W\\\"abc\"", "W\"abc\"", "\"abc"};
    char line[64];

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        snprintf(line, sizeof line, "If-None-Match: %s", tags[i]);
        expect_listed(line, tags[i], true);
        expect_listed(line, "\"abc\"", false);
        ck_assert(!entity_tags_match_strongly(str_from(tags[i]), str_from(tags[i])));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("entity_tag");
    TCase *tests = tcase_create("entity_tag");

    tcase_add_test(tests, strong_and_weak);
    tcase_add_test(tests, lists);
    tcase_add_test(tests, malformed_ones_are_what_is_written);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
