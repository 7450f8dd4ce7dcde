#include "cachewarden/error.h"

#include "suite.h"

#include <string.h>

START_TEST(names_are_there_and_differ)
{
    for (int i = 0; i < ERR_COUNT; i++) {
        const char *name = err_name((enum err)i);
        ck_assert_ptr_nonnull(name);
        ck_assert_uint_gt(strlen(name), 0);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(name, err_name((enum err)j));
    }
    ck_assert_str_eq(err_name(ERR_OK), "ok");
    ck_assert_str_eq(err_name(ERR_UPSTREAM_DOWN), "upstream_down");
}
END_TEST

START_TEST(a_number_that_is_no_error_has_a_name_too)
{
    int wrong[] = {-1, ERR_COUNT, 1000};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_str_eq(err_name((enum err)wrong[i]), "unknown");
}
END_TEST

START_TEST(set_fills_both_texts_and_returns_the_code)
{
    struct error error;

    error_clear(&error);
    ck_assert_int_eq(error.code, ERR_OK);
    ck_assert_str_eq(error.caller, "");
    ck_assert_str_eq(error.detail, "");

    ck_assert_int_eq(error_set(&error, ERR_BAD_INPUT, "%s: not in %d..%d", "port", 1, 65535),
                     ERR_BAD_INPUT);
    ck_assert_int_eq(error.code, ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "port: not in 1..65535");
    ck_assert_str_eq(error.detail, error.caller);
}
END_TEST

START_TEST(set_detail_keeps_the_caller_in_the_dark)
{
    struct error error;

    error_set(&error, ERR_BAD_INPUT, "an earlier text");
    ck_assert_int_eq(
        error_set_detail(&error, ERR_UPSTREAM_DOWN, "connect to %s: errno %d", "h", 111),
        ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(error.code, ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, "");
    ck_assert_str_eq(error.detail, "connect to h: errno 111");
}
END_TEST

START_TEST(no_error_to_fill_is_fine)
{
    ck_assert_int_eq(error_set(NULL, ERR_BUSY, "%s", "x"), ERR_BUSY);
    ck_assert_int_eq(error_set_detail(NULL, ERR_TIMEOUT, "%s", "x"), ERR_TIMEOUT);
}
END_TEST

START_TEST(long_texts_are_cut_at_their_sizes)
{
    struct error error;
    char text[1000];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&error, ERR_INTERNAL, "%s", text);
    ck_assert_uint_eq(strlen(error.caller), sizeof error.caller - 1);
    ck_assert_uint_eq(strlen(error.detail), sizeof error.detail - 1);
    error_set_detail(&error, ERR_INTERNAL, "%s", text);
    ck_assert_uint_eq(strlen(error.detail), sizeof error.detail - 1);
}
END_TEST

START_TEST(a_cut_never_splits_a_character)
{
    static const char *const characters[] = {"é", "€", "😀"};

    /* Every shift of the character against the cut. */
    for (size_t c = 0; c < sizeof characters / sizeof *characters; c++) {
        size_t width = strlen(characters[c]);
        for (size_t shift = 0; shift < width; shift++) {
            struct error error;
            char text[600];
            size_t len = shift;
            memset(text, 'x', shift);
            for (; len + width < sizeof text; len += width)
                memcpy(text + len, characters[c], width);
            text[len] = '\0';
            error_set(&error, ERR_BAD_INPUT, "%s", text);
            ck_assert_uint_eq((strlen(error.caller) - shift) % width, 0);
            ck_assert_uint_eq((strlen(error.detail) - shift) % width, 0);
            ck_assert_uint_gt(strlen(error.caller), sizeof error.caller - 1 - width);
            ck_assert_uint_gt(strlen(error.detail), sizeof error.detail - 1 - width);
        }
    }
}
END_TEST

START_TEST(an_error_may_be_wrapped_in_itself)
{
    struct error error;

    error_set(&error, ERR_BAD_INPUT, "no such file");
    error_set(&error, ERR_BAD_INPUT, "key_file: %s (%s)", error.caller, error.detail);
    ck_assert_str_eq(error.caller, "key_file: no such file (no such file)");
    error_set_detail(&error, ERR_BAD_INPUT, "start: %s", error.detail);
    ck_assert_str_eq(error.detail, "start: key_file: no such file (no such file)");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/error");
    TCase *tcase = tcase_create("error");

    tcase_add_test(tcase, names_are_there_and_differ);
    tcase_add_test(tcase, a_number_that_is_no_error_has_a_name_too);
    tcase_add_test(tcase, set_fills_both_texts_and_returns_the_code);
    tcase_add_test(tcase, set_detail_keeps_the_caller_in_the_dark);
    tcase_add_test(tcase, no_error_to_fill_is_fine);
    tcase_add_test(tcase, long_texts_are_cut_at_their_sizes);
    tcase_add_test(tcase, a_cut_never_splits_a_character);
    tcase_add_test(tcase, an_error_may_be_wrapped_in_itself);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
