/* Weak signing keys are told by their looks, good ones never are. */
#include "cachewarden/arena.h"
#include "cachewarden/random.h"
#include "cachewarden/token.h"
#include "suite.h"

#include <string.h>

START_TEST(weak_ones_are_told)
{
    static const char *const cases[][2] = {
        {"", "shorter"},
        {"f3J9sKq0vX7pLw2ZtB5nYc8RgHd4mUa", "shorter"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "repeats"},
        {"x9Kq2mPzx9Kq2mPzx9Kq2mPzx9Kq2mPz", "repeats"},
        {"abcdefghijklmnopqrstuvwxyz0123456789", "in order"},
        {"zyxwvutsrqponmlkjihgfedcba9876543210", "in order"},
        {"f3J9sKq0vX-ChangeMe-w2ZtB5nYc8RgHd4mUa", "word"},
        {"django-insecure-f3J9sKq0vXw2ZtB5nYc8RgHd", "word"},
        {"abcabdacbcabcbadcabdbacdbacdabcbadbca", "few"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = token_secret_weakness(str_from(cases[i][0]));
        ck_assert_msg(why && strstr(why, cases[i][1]), "%s: %s", cases[i][0], why ? why : "good");
    }
}
END_TEST

START_TEST(good_ones_are_not)
{
    struct arena *arena = arena_new(4096, 0);
    for (int i = 0; i < 2000; i++) {
        struct str secret = random_hex(arena, 32);
        const char *why = token_secret_weakness(secret);
        ck_assert_msg(!why, "%.*s: %s", STR_ARG(secret), why);
    }
    ck_assert_ptr_null(token_secret_weakness(STR("f3J9sKq0vX7pLw2ZtB5nYc8RgHd4mUaQ")));
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secret_strength");
    TCase *all = tcase_create("all");
    tcase_add_test(all, weak_ones_are_told);
    tcase_add_test(all, good_ones_are_not);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
