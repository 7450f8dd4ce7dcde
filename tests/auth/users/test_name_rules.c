#include "cachewarden/users.h"

#include "suite.h"

static struct error error;

#define A10  "aaaaaaaaaa"
#define A50  A10 A10 A10 A10 A10
#define A60  A50 A10
#define A150 A50 A50 A50

START_TEST(usernames)
{
    static const struct str good[] = {
        STR("a"), STR("alice"), STR("Alice.B+c-d_e@f"), STR("123"), STR("."), STR("-"), STR(A150)};
    static const struct str bad[] = {
        STR(""),          STR(A150 "a"),   STR("admin "), STR(" admin"),    STR("ad min"),
        STR("admin\n"),   STR("admin\0"),  STR("\0"),     STR("adm\0in"),   STR("аdmin"),
        STR("ad\xffmin"), STR("ad/min"),   STR("a:b"),    STR("a*"),        STR("a{b}"),
        STR("a,b"),       STR("a'b"),      STR("a\"b"),   STR("a;b"),       STR("a%b"),
        STR("a\x7f"),     STR("ｆｕｌｌ"), STR("ﬁ"),      STR("a\xc2\xa0"), STR("a#b")};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(user_check_username(good[i], &error) == ERR_OK, "%.*s", STR_ARG(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(user_check_username(bad[i], &error) == ERR_BAD_INPUT, "taken: %zu", i);
        ck_assert_ptr_nonnull(strstr(error.caller, "username: "));
    }
    ck_assert_int_eq(user_check_username(STR_NONE, &error), ERR_BAD_INPUT);
}
END_TEST

START_TEST(emails)
{
    static const struct str good[] = {
        STR("a@b"),
        STR("alice@example.org"),
        STR("Alice.B+tag@sub.example.org"),
        STR("o'brien_{x}@example.org"),
        STR("a@xn--bcher-kva.example"),
        STR(A60 "aaaa@example.org"),
        STR("a@" A60 "aaa." A60 "aaa." A60 "aaa." A60),
    };
    static const struct str bad[] = {
        STR(""),
        STR("a"),
        STR("@"),
        STR("a@"),
        STR("@b"),
        STR("a@@b"),
        STR("a@b@c"),
        STR("a b@c"),
        STR("a@b c"),
        STR(" a@b"),
        STR("a@b "),
        STR("a@b\n"),
        STR("a@b\r\nBcc: x@y"),
        STR("a\0@b"),
        STR("a@b\0"),
        STR("ä@b"),
        STR("a@bücher.example"),
        STR("a@b\xff"),
        STR(".a@b"),
        STR("a.@b"),
        STR("a..b@c"),
        STR("a@.b"),
        STR("a@b."),
        STR("a@b..c"),
        STR("a@-b"),
        STR("a@b-"),
        STR("a@b_c"),
        STR("\"a b\"@c"),
        STR("a@[127.0.0.1]"),
        STR("a,b@c"),
        STR("<a@b>"),
        STR(A60 "aaaaa@example.org"),
        STR("a@" A60 "aaaa.org"),
        STR("a@" A60 "aaa." A60 "aaa." A60 "aaa." A60 "a"),
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(user_check_email(good[i], &error) == ERR_OK, "%.*s", STR_ARG(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(user_check_email(bad[i], &error) == ERR_BAD_INPUT, "taken: %zu", i);
        ck_assert_ptr_nonnull(strstr(error.caller, "email: "));
    }
    ck_assert_int_eq(user_check_email(STR_NONE, &error), ERR_BAD_INPUT);
    /* 254 bytes are the most. */
    ck_assert_uint_eq(good[6].len, 254);
}
END_TEST

START_TEST(groups)
{
    static const struct str good[] = {STR("Admin"), STR("Cache Admins"), STR("Größe"), STR(A150)};
    static const struct str bad[] = {STR(""),     STR(" a"),   STR("a "),    STR("a,b"),
                                     STR("a\nb"), STR("a\0b"), STR("a\xff"), STR(A150 "a"),
                                     STR("\t"),   STR("\x7f")};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(user_check_group(good[i], &error) == ERR_OK, "%.*s", STR_ARG(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(user_check_group(bad[i], &error) == ERR_BAD_INPUT, "taken: %zu", i);
        ck_assert_ptr_nonnull(strstr(error.caller, "group: "));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/users/name_rules");
    TCase *tcase = tcase_create("users_check");

    tcase_add_test(tcase, usernames);
    tcase_add_test(tcase, emails);
    tcase_add_test(tcase, groups);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
