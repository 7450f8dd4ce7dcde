/* Accounts: register, sign in, who am I. */
#include "identity_case.h"
#include "log_capture.h"
#include "patience.h"
#include "suite.h"

/* ---- register ---- */

START_TEST(a_new_account)
{
    struct loopback_answer *answer =
        PUBLIC("auth.register", .body = "{\"username\":\"alice\",\"email\":\"alice@example.org\","
                                        "\"password\":\"" LOOPBACK_PASSWORD "\"}");
    const struct json *root = loopback_json(answer);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_CREATED);
    char expected[4096];
    snprintf(expected, sizeof expected,
             "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"token_type\":\"bearer\","
             "\"expires_in\":900,"
             "\"user\":{\"id\":%lld,\"username\":\"alice\",\"email\":\"alice@example.org\",\"is_"
             "superuser\":false,\"groups\":[]}}",
             json_string(json_get(root, "access_token")).ptr,
             json_string(json_get(root, "refresh_token")).ptr,
             (long long)json_integer(json_get(json_get(root, "user"), "id")));
    ck_assert_str_eq(answer->body, expected);
    expect_pair(answer, "access_token", "refresh_token",
                json_integer(json_get(json_get(root, "user"), "id")));
    loopback_free(&answer);
    answer = PUBLIC("auth.login", .body = GOOD_LOGIN);
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
}
END_TEST

START_TEST(accounts_that_are_refused)
{
    static const struct {
        const char *body;
        enum err err;
        const char *says; /* a part of it */
    } cases[] = {
        {"{}", ERR_BAD_INPUT, "username"},
        {"{\"username\":\"bob\",\"password\":\"" LOOPBACK_PASSWORD "\"}", ERR_BAD_INPUT, "email"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\"}", ERR_BAD_INPUT, "password"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"short\"}",
         ERR_BAD_INPUT, "password"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"password123\"}",
         ERR_BAD_INPUT, "password"},
        {"{\"username\":\"b b\",\"email\":\"bob@example.org\",\"password\":\"" LOOPBACK_PASSWORD
         "\"}",
         ERR_BAD_INPUT, "username"},
        {"{\"username\":\"bob\",\"email\":\"bob\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
         ERR_BAD_INPUT, "email"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"" LOOPBACK_PASSWORD
         "\",\"is_superuser\":true}",
         ERR_BAD_INPUT, "is_superuser: Unknown field."},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"" LOOPBACK_PASSWORD
         "\",\"groups\":[\"Admin\"]}",
         ERR_BAD_INPUT, "groups: Unknown field."},
        {"{\"username\":\"alice\",\"email\":\"new@example.org\",\"password\":\"" LOOPBACK_PASSWORD
         "\"}",
         ERR_CONFLICT, "username"},
        {"{\"username\":\"ALICE\",\"email\":\"new@example.org\",\"password\":\"" LOOPBACK_PASSWORD
         "\"}",
         ERR_CONFLICT, "username"},
        {"{\"username\":\"bob\",\"email\":\"Alice@Example.org\",\"password\":\"" LOOPBACK_PASSWORD
         "\"}",
         ERR_CONFLICT, "email"},
    };
    make_account("alice");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct loopback_answer *answer = PUBLIC("auth.register", .body = cases[i].body);
        ck_assert_msg(answer->err == cases[i].err, "%s: %s %s", cases[i].body,
                      err_name(answer->err), answer->error.caller);
        ck_assert_msg(strstr(answer->error.caller, cases[i].says) != NULL, "%s: %s", cases[i].body,
                      answer->error.caller);
        loopback_free(&answer);
    }
}
END_TEST

START_TEST(registration_closed)
{
    atomic_store(&loopback.app->registration_open, false);
    loopback_expect_error(PUBLIC("auth.register", .body = "{\"username\":1}"), ERR_FORBIDDEN,
                          "Registration is closed.");
    loopback_expect_error(
        PUBLIC("auth.register", .body = "{\"username\":\"bob\",\"email\":\"bob@example.org\","
                                        "\"password\":\"" LOOPBACK_PASSWORD "\"}"),
        ERR_FORBIDDEN, "Registration is closed.");
    atomic_store(&loopback.app->registration_open, true);
    make_account("bob");
}
END_TEST

START_TEST(registering_is_recorded_and_failing_to_is_not)
{
    int64_t id = make_account("alice");
    loopback_expect_error(
        PUBLIC("auth.register", .body = "{\"username\":\"alice\",\"email\":\"x@example.org\","
                                        "\"password\":\"" LOOPBACK_PASSWORD "\"}"),
        ERR_CONFLICT, NULL);
    ck_assert_int_eq(audit_drain(loopback.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
    struct loopback_answer *answer = LOOPBACK(&loopback, "audit.list", loopback_admin());
    const struct json *records = json_get(loopback_json(answer), "records");
    char target[32];
    snprintf(target, sizeof target, "user:%lld", (long long)id);
    ck_assert_uint_eq(json_count(records), 1);
    ck_assert_str_eq(json_string(json_get(json_at(records, 0), "route")).ptr, "auth.register");
    ck_assert_str_eq(json_string(json_get(json_at(records, 0), "target")).ptr, target);
    loopback_free(&answer);
}
END_TEST

/* ---- sign in ---- */

START_TEST(by_name_or_by_email)
{
    int64_t id = make_account("alice");
    static const char *const bodies[][2] = {
        {"application/json", GOOD_LOGIN},
        {"application/json",
         "{\"email\":\"alice@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}"},
        {"application/json",
         "{\"email\":\"ALICE@EXAMPLE.ORG\",\"password\":\"" LOOPBACK_PASSWORD "\"}"},
        {"application/x-www-form-urlencoded", "username=alice&password=" LOOPBACK_PASSWORD},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct loopback_answer *answer =
            PUBLIC("auth.login", .type = bodies[i][0], .body = bodies[i][1]);
        ck_assert_int_eq(answer->reply.outcome, OUTCOME_OK);
        expect_pair(answer, "access_token", "refresh_token", id);
        ck_assert_ptr_nonnull(
            strstr(answer->body, "\"token_type\":\"bearer\",\"expires_in\":900,\"user\":{\"id\":"));
        loopback_free(&answer);
    }
}
END_TEST

START_TEST(groups_and_superusers_show)
{
    struct error error = {0};
    int64_t id = make_account("alice");
    ck_assert_int_eq(users_set_superuser(loopback.app->users, id, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(loopback.app->users, id, STR("Ops"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(loopback.app->users, id, STR("Admin"), true, &error), ERR_OK);
    char expected[256];
    snprintf(expected, sizeof expected,
             "{\"id\":%lld,\"username\":\"alice\",\"email\":\"alice@example.org\",\"is_superuser\":"
             "true,\"groups\":[\"Admin\",\"Ops\"]}",
             (long long)id);
    struct loopback_answer *answer = PUBLIC("auth.login", .body = GOOD_LOGIN);
    ck_assert_ptr_nonnull(strstr(answer->body, expected));
    loopback_free(&answer);
    struct principal alice = loopback_user(id);
    alice.is_superuser = true;
    loopback_expect(LOOPBACK(&loopback, "auth.me", alice), expected);
    /* What is in force, where claims say. */
    alice.is_superuser = false;
    alice.has_claimed_groups = true;
    snprintf(expected, sizeof expected,
             "{\"id\":%lld,\"username\":\"alice\",\"email\":\"alice@example.org\",\"is_superuser\":"
             "false,\"groups\":[]}",
             (long long)id);
    loopback_expect(LOOPBACK(&loopback, "auth.me", alice), expected);
}
END_TEST

START_TEST(bad_sign_ins)
{
    struct error error = {0};
    make_account("alice");
    int64_t gone = make_account("gone"), asleep = make_account("asleep");
    ck_assert_int_eq(users_delete(loopback.app->users, gone, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(loopback.app->users, asleep, false, &error), ERR_OK);
    static const char *const bodies[] = {
        "{\"username\":\"alice\",\"password\":\"wrong-horse-battery\"}",
        "{\"username\":\"nobody\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"username\":\"gone\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"username\":\"asleep\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"email\":\"alice\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"username\":\"alice@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"username\":\"alice \",\"password\":\"" LOOPBACK_PASSWORD "\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        loopback_expect_error(PUBLIC("auth.login", .body = bodies[i]), ERR_UNAUTHENTICATED,
                              BAD_LOGIN_SAYS);
    loopback_expect_error(PUBLIC("token.obtain", .body = bodies[0]), ERR_UNAUTHENTICATED,
                          BAD_LOGIN_SAYS);
    loopback_expect_error(PUBLIC("token.obtain", .body = bodies[1]), ERR_UNAUTHENTICATED,
                          BAD_LOGIN_SAYS);
}
END_TEST

START_TEST(sign_ins_without_sense)
{
    static const char *const cases[][3] = {
        {"auth.login", "{}", "username: This field is required (or email)."},
        {"auth.login", "{\"username\":\"alice\"}", "password: This field is required."},
        {"auth.login", "{\"username\":\"alice\",\"email\":\"a@b\",\"password\":\"x\"}",
         "username, email: Give one of them, not both."},
        {"auth.login", "{\"username\":\"alice\",\"password\":\"x\",\"user_id\":1}",
         "user_id: Unknown field. Leave it out."},
        {"auth.login", "{\"username\":[],\"password\":\"x\"}",
         "username: This field must be a string."},
        {"auth.login", "{\"username\":\"alice\",\"password\":1}",
         "password: This field must be a string."},
        {"token.obtain", "{}", "username: This field is required."},
        {"token.obtain", "{\"username\":\"alice\"}", "password: This field is required."},
        {"token.obtain", "{\"username\":\"alice\",\"password\":\"\"}",
         "password: This field may not be blank."},
        {"token.obtain", "{\"email\":\"alice\",\"password\":\"x\"}",
         "email: Unknown field. Leave it out."},
        {"auth.refresh", "{}", "refresh_token: This field is required."},
        {"auth.refresh", "{\"refresh\":\"x\"}", "refresh: Unknown field. Leave it out."},
        {"token.refresh", "{}", "refresh: This field is required."},
        {"token.refresh", "{\"refresh\":5}", "refresh: This field must be a string."},
        {"token.verify", "{}", "token: This field is required."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        loopback_expect_error(PUBLIC(cases[i][0], .body = cases[i][1]), ERR_BAD_INPUT, cases[i][2]);
    loopback_expect_error(PUBLIC("auth.login", .type = "text/plain", .body = GOOD_LOGIN),
                          ERR_UNSUPPORTED_TYPE, NULL);
}
END_TEST

/* ---- who am I ---- */

START_TEST(who_am_i)
{
    char expected[256];
    int64_t id = make_account("alice");
    snprintf(expected, sizeof expected,
             "{\"id\":%lld,\"username\":\"alice\",\"email\":\"alice@example.org\",\"is_superuser\":"
             "false,\"groups\":[]}",
             (long long)id);
    loopback_expect(LOOPBACK(&loopback, "auth.me", loopback_user(id)), expected);
    loopback_expect(LOOPBACK(&loopback, "auth.me", loopback_key(SCOPE_USER, id)), expected);
    loopback_expect_error(LOOPBACK(&loopback, "auth.me", loopback_nobody()), ERR_UNAUTHENTICATED,
                          NULL);
    loopback_expect_error(LOOPBACK(&loopback, "auth.me", loopback_key(SCOPE_ADMIN, 0)),
                          ERR_FORBIDDEN, NULL);
}
END_TEST

/* A key acts as its owner, and has none of the owner's rights. */
START_TEST(the_rights_of_a_key)
{
    struct error error = {0};
    struct users *users = loopback.app->users;
    int64_t id = make_account("alice");
    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, id, STR("Admin"), true, &error), ERR_OK);
    loopback_expect(LOOPBACK(&loopback, "auth.me", loopback_key(SCOPE_USER, id)),
                    "{\"id\":1,\"username\":\"alice\",\"email\":\"alice@example.org\","
                    "\"is_superuser\":false,\"groups\":[]}");
}
END_TEST

/* An id of another installation of simplejwt: known by its token alone. */
START_TEST(an_identity_that_lives_elsewhere)
{
    struct principal stranger = {.kind = PRINCIPAL_USER,
                                 .credential = CREDENTIAL_BEARER,
                                 .user_id = make_account("alice"),
                                 .is_stranger = true};
    char expected[128];
    static const char form[] =
        "{\"id\":%lld,\"username\":\"%s\",\"email\":\"\",\"is_superuser\":false,\"groups\":[]}";

    snprintf(expected, sizeof expected, form, (long long)stranger.user_id, "");
    loopback_expect(LOOPBACK(&loopback, "auth.me", stranger), expected);
    stranger.name = STR("carol (elsewhere)");
    stranger.subject = STR("carol");
    snprintf(expected, sizeof expected, form, (long long)stranger.user_id, "carol");
    loopback_expect(LOOPBACK(&loopback, "auth.me", stranger), expected);
}
END_TEST

/* ---- without Redis ---- */

START_TEST(signing_in_works_without_redis)
{
    log_capture_start();
    int64_t id = make_account("alice");
    struct loopback_answer *answer = PUBLIC("auth.login", .body = GOOD_LOGIN);
    expect_pair(answer, "access_token", "refresh_token", id);
    char *access = strdup(json_string(json_get(loopback_json(answer), "access_token")).ptr);
    char *token = take_member(answer, "refresh_token");
    char *log = log_capture_end();
    ck_assert_ptr_nonnull(
        strstr(log, "level=warn event=auth.token_unrecorded error=upstream_down"));
    ck_assert_ptr_null(strstr(log, access));
    ck_assert_ptr_null(strstr(log, token));
    ck_assert_ptr_null(strstr(log, LOOPBACK_PASSWORD));
    loopback_expect(verify(access), "{}");
    loopback_expect_error(refresh(token), ERR_UPSTREAM_DOWN, "redis unavailable");
    loopback_expect_error(verify(token), ERR_UPSTREAM_DOWN, "redis unavailable");
    free(log);
    free(access);
    free(token);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/ops");
    TCase *tcase = tcase_create("accounts");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_new_account);
    tcase_add_test(tcase, accounts_that_are_refused);
    tcase_add_test(tcase, registration_closed);
    tcase_add_test(tcase, registering_is_recorded_and_failing_to_is_not);
    tcase_add_test(tcase, by_name_or_by_email);
    tcase_add_test(tcase, groups_and_superusers_show);
    tcase_add_test(tcase, bad_sign_ins);
    tcase_add_test(tcase, sign_ins_without_sense);
    tcase_add_test(tcase, who_am_i);
    tcase_add_test(tcase, the_rights_of_a_key);
    tcase_add_test(tcase, an_identity_that_lives_elsewhere);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("without Redis");
    tcase_add_checked_fixture(tcase, open_without_redis, close_without_redis);
    tcase_add_test(tcase, signing_in_works_without_redis);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
