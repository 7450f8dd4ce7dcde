#include "cachewarden/password.h"

#include "suite.h"

static struct error error;

static enum err check(struct str password)
{
    error_clear(&error);
    return password_check_strength(password, STR("marigold"), STR("marigold.smith@example.org"),
                                   &error);
}

static void refuse(struct str password, const char *why)
{
    ck_assert_msg(check(password) == ERR_BAD_INPUT, "taken: %.*s", STR_ARG(password));
    ck_assert_msg(strncmp(error.caller, "password: ", 10) == 0, "%s", error.caller);
    ck_assert_msg(strstr(error.caller, why) != NULL, "%.*s: %s", STR_ARG(password), error.caller);
    /* The text never shows it, unless it is the word it has anyway. */
    if (password.len >= PASSWORD_MIN_SIZE && !str_eq_nocase(password, STR("password")))
        ck_assert_ptr_null(memmem(error.caller, strlen(error.caller), password.ptr, password.len));
}

START_TEST(length)
{
    static char text[PASSWORD_MAX_SIZE + 1];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    refuse(STR_NONE, "at least 8");
    refuse(STR("a1b2c3d"), "at least 8");
    ck_assert_int_eq(check(STR("x7Kq!d2p")), ERR_OK);
    ck_assert_int_eq(check((struct str){text, PASSWORD_MAX_SIZE}), ERR_OK);
    refuse((struct str){text, PASSWORD_MAX_SIZE + 1}, "at most 256");
}
END_TEST

START_TEST(bytes)
{
    refuse(STR("correct\0horse"), "NUL");
    refuse(STR("correct\xffhorse"), "UTF-8");
    refuse(STR("correct\xed\xa0\x80horse"), "UTF-8");
    ck_assert_int_eq(check(STR("пароль здесь")), ERR_OK);
    ck_assert_int_eq(check(STR("correct horse battery staple")), ERR_OK);
    ck_assert_int_eq(check(STR("with\ttab and 'quotes'")), ERR_OK);
}
END_TEST

START_TEST(common_ones)
{
    refuse(STR("password"), "too common");
    refuse(STR("PassWord"), "too common");
    refuse(STR("12345678"), "too common");
    refuse(STR("abcdefgh"), "too common");
    refuse(STR("iloveyou"), "too common");
    refuse(STR("Qwerty123"), "too common");
    refuse(STR("aaaaaaaaaaaaaaaa"), "too common");
    ck_assert_int_eq(check(STR("password, but longer")), ERR_OK);
}
END_TEST

START_TEST(ones_own_name)
{
    refuse(STR("marigold"), "username and the email");
    refuse(STR("MARIGOLD"), "username and the email");
    refuse(STR("marigold.smith@example.org"), "username and the email");
    refuse(STR("Marigold.Smith"), "username and the email");
    ck_assert_int_eq(check(STR("marigold in spring")), ERR_OK);
    ck_assert_int_eq(password_check_strength(STR("x7Kq!d2p"), STR_NONE, STR_NONE, &error), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/passwords/strength");
    TCase *tcase = tcase_create("password_strength");

    tcase_add_test(tcase, length);
    tcase_add_test(tcase, bytes);
    tcase_add_test(tcase, common_ones);
    tcase_add_test(tcase, ones_own_name);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
