#include "config/suggest.h"

#include "suite.h"

START_TEST(distances)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } cases[] = {{"", "", 0},           {"a", "", 1},        {"", "abc", 3},
                 {"abc", "abc", 0},     {"abc", "abd", 1},   {"kitten", "sitting", 3},
                 {"flush", "flsuh", 1}, {"user", "users", 1}};
    ck_assert_uint_eq(suggest_distance(str_from(cases[_i].a), str_from(cases[_i].b)),
                      cases[_i].distance);
    ck_assert_uint_eq(suggest_distance(str_from(cases[_i].b), str_from(cases[_i].a)),
                      cases[_i].distance);
}
END_TEST

START_TEST(long_words_are_no_names)
{
    char word[80];
    memset(word, 'a', sizeof word);
    ck_assert_uint_eq(suggest_distance((struct str){word, sizeof word}, STR("a")), SIZE_MAX);
    ck_assert(!suggest_is_near(SIZE_MAX, (struct str){word, sizeof word}));
}
END_TEST

START_TEST(a_third_may_be_wrong)
{
    ck_assert(suggest_is_near(1, STR("key")));
    ck_assert(!suggest_is_near(2, STR("key")));
    ck_assert(suggest_is_near(3, STR("pool_size")));
    ck_assert(!suggest_is_near(4, STR("pool_size")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("suggest");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, distances, 0, 8);
    tcase_add_test(all, long_words_are_no_names);
    tcase_add_test(all, a_third_may_be_wrong);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
