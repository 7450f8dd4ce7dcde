#include "identity_case.h"

#include "suite.h"

START_TEST(whom_they_are_here)
{
    struct error error = {0};
    int64_t id = 0;
    char expected[64];

    ck_assert_int_eq(users_provision(loopback.app->users, STR("https://id.example"),
                                     STR("auth0|7 \xc3\xa9"), &id, &error),
                     ERR_OK);
    snprintf(expected, sizeof expected, "{\"user_id\":%lld}", (long long)id);
    loopback_expect(LOOPBACK(&loopback, "subjects.find", loopback_admin(),
                             .query = "issuer=https://id.example&subject=auth0%7C7%20%C3%A9"),
                    expected);
    loopback_expect(LOOPBACK(&loopback, "subjects.find", loopback_admin(),
                             .query = "subject=auth0|7%20%C3%A9&issuer=https%3A%2F%2Fid.example"),
                    expected);
}
END_TEST

START_TEST(who_was_not_here)
{
    static const char *const queries[] = {"issuer=i&subject=s", "issuer=i&subject=1",
                                          "issuer=cachewarden&subject=admin"};

    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        loopback_expect_error(
            LOOPBACK(&loopback, "subjects.find", loopback_admin(), .query = queries[i]),
            ERR_NOT_FOUND, "Nobody of that name came here from this issuer yet.");
}
END_TEST

START_TEST(questions_without_sense)
{
    static const struct {
        const char *query, *why;
    } rows[] = {
        {"issuer=i", "subject: This parameter is required."},
        {"subject=s", "issuer: This parameter is required."},
        {"", "issuer: This parameter is required."},
        {"issuer=&subject=s",
         "issuer: Must be 1 to 255 bytes of UTF-8 without control characters."},
        {"issuer=i&subject",
         "subject: Must be 1 to 255 bytes of UTF-8 without control characters."},
        {"issuer=i&subject=%ff",
         "subject: Must be 1 to 255 bytes of UTF-8 without control characters."},
        {"issuer=i&subject=a%0Ab",
         "subject: Must be 1 to 255 bytes of UTF-8 without control characters."},
        {"issuer=i&subject=s&subject=t", "subject: Given more than once."},
        {"issuer=i&subject=s&x=1", "x: Unknown parameter. This route takes issuer, subject."},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        loopback_expect_error(
            LOOPBACK(&loopback, "subjects.find", loopback_admin(), .query = rows[i].query),
            ERR_BAD_INPUT, rows[i].why);
}
END_TEST

START_TEST(for_admins)
{
    loopback_expect_error(
        LOOPBACK(&loopback, "subjects.find", loopback_user(5), .query = "issuer=i&subject=s"),
        ERR_FORBIDDEN, NULL);
    loopback_expect_error(
        LOOPBACK(&loopback, "subjects.find", loopback_nobody(), .query = "issuer=i&subject=s"),
        ERR_UNAUTHENTICATED, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subjects");
    TCase *tcase = tcase_create("subjects");

    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, whom_they_are_here);
    tcase_add_test(tcase, who_was_not_here);
    tcase_add_test(tcase, questions_without_sense);
    tcase_add_test(tcase, for_admins);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
