#include "identity/session.h"

#include "identity_case.h"
#include "suite.h"

#include "cachewarden/session.h"
#include "cachewarden/xsrf.h"

#define LOGIN(more) "{\"username\":\"alice\",\"password\":\"" LOOPBACK_PASSWORD "\"" more "}"

static int64_t alice;

static void set_up(void)
{
    open_all();
    alice = make_account("alice");
}

static struct loopback_answer *log_in(const char *session_cookie)
{
    return PUBLIC("auth.login", .body = LOGIN(",\"session\":true"), .is_same_origin = true,
                  .session_cookie = session_cookie);
}

static struct token_claims claims_of(const struct loopback_answer *answer, struct str token,
                                     enum token_use use)
{
    struct token_claims claims;
    struct error error = {0};
    ck_assert_msg(token_verify(identity_tokens(loopback.app->identity),
                               (struct work){.arena = answer->arena, .error = &error}, token, use,
                               clock_wall_s(), &claims) == ERR_OK,
                  "%s", error.detail);
    return claims;
}

/* Whom the server takes the cookie for; the texts live with the answer. */
static enum err ask(const struct loopback_answer *answer, struct principal *principal)
{
    const struct credentials credentials = {
        .has_session = true, .session = answer->reply.session.token, .is_safe = true};
    struct error error = {0};
    return identity_authenticate(loopback.app->identity,
                                 (struct work){.arena = answer->arena, .error = &error},
                                 &credentials, clock_wall_s(), principal);
}

START_TEST(of_the_family_of_its_tokens)
{
    struct loopback_answer *answer = log_in(NULL);
    ck_assert_int_eq(answer->err, ERR_OK);
    const struct reply_session *begun = &answer->reply.session;
    ck_assert_int_eq(begun->change, SESSION_BEGUN);
    struct token_claims session = claims_of(answer, begun->token, TOKEN_SESSION);
    struct token_claims access = claims_of(
        answer, json_string(json_get(loopback_json(answer), "access_token")), TOKEN_ACCESS);
    ck_assert(str_eq(session.family, access.family));
    ck_assert(!str_eq(session.id, access.id));
    ck_assert_int_eq(session.user_id, alice);
    ck_assert_int_eq(session.issued_at_s, access.issued_at_s);
    struct str xsrf;
    ck_assert_int_eq(xsrf_of_session(answer->arena, session.id, &xsrf), ERR_OK);
    ck_assert(str_eq(begun->xsrf, xsrf));
    loopback_free(&answer);
}
END_TEST

START_TEST(only_when_asked_for)
{
    struct loopback_answer *answer =
        PUBLIC("auth.login", .body = LOGIN(""), .is_same_origin = true);
    ck_assert_int_eq(answer->err, ERR_OK);
    ck_assert_int_eq(answer->reply.session.change, SESSION_UNCHANGED);
    loopback_free(&answer);
    answer = PUBLIC("auth.login", .body = LOGIN(",\"session\":true"));
    ck_assert_int_eq(answer->err, ERR_FORBIDDEN);
    ck_assert_str_eq(answer->error.caller, "CSRF Failed");
    ck_assert_int_eq(answer->reply.session.change, SESSION_UNCHANGED);
    loopback_free(&answer);
}
END_TEST

START_TEST(the_former_one_ends)
{
    struct principal principal;
    struct loopback_answer *first = log_in(NULL), *second = log_in("not a session");
    ck_assert_int_eq(ask(first, &principal), ERR_OK);
    char *cookie = strndup(first->reply.session.token.ptr, first->reply.session.token.len);
    struct loopback_answer *third = log_in(cookie);
    ck_assert_int_eq(ask(first, &principal), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(ask(second, &principal), ERR_OK);
    ck_assert_int_eq(ask(third, &principal), ERR_OK);
    free(cookie);
    loopback_free(&first);
    loopback_free(&second);
    loopback_free(&third);
}
END_TEST

START_TEST(a_new_cookie_now_and_then)
{
    struct loopback_answer *answer = log_in(NULL);
    struct call call;
    call_init(&call, loopback.app, NULL, answer->arena);
    ck_assert_int_eq(ask(answer, &call.principal), ERR_OK);
    call.now_s = clock_wall_s();
    session_keep(&call);
    ck_assert_int_eq(call.reply.session.change, SESSION_UNCHANGED);
    call.now_s += 200;
    session_keep(&call);
    ck_assert_int_eq(call.reply.session.change, SESSION_RENEWED);
    struct token_claims first = claims_of(answer, answer->reply.session.token, TOKEN_SESSION),
                        next = claims_of(answer, call.reply.session.token, TOKEN_SESSION);
    ck_assert(str_eq(first.id, next.id) && str_eq(first.family, next.family));
    ck_assert(str_eq(next.subject, STR("alice")));
    ck_assert_int_eq(first.issued_at_s, next.issued_at_s);
    ck_assert_int_eq(next.expires_at_s, call.now_s + 1800);
    /* Not for a token that is sent on purpose. */
    call.reply.session.change = SESSION_UNCHANGED;
    call.principal.credential = CREDENTIAL_BEARER;
    session_keep(&call);
    ck_assert_int_eq(call.reply.session.change, SESSION_UNCHANGED);
    loopback_free(&answer);
}
END_TEST

/* A page that changes the password by its token has a cookie, too, and both are of one family. */
START_TEST(a_new_password_by_token)
{
    struct principal principal;
    struct loopback_answer *session = log_in(NULL);
    char *cookie = strndup(session->reply.session.token.ptr, session->reply.session.token.len);
    struct token_claims old = claims_of(session, session->reply.session.token, TOKEN_SESSION);
    struct principal bearer = loopback_user(alice);
    bearer.family = old.family;
    struct loopback_answer *answer =
        LOOPBACK(&loopback, "auth.password", bearer, .session_cookie = cookie,
                 .body = "{\"old_password\":\"" LOOPBACK_PASSWORD
                         "\",\"new_password\":\"battery-staple-horse\"}");
    ck_assert_int_eq(answer->err, ERR_OK);
    ck_assert_int_eq(answer->reply.session.change, SESSION_BEGUN);
    ck_assert_int_eq(ask(session, &principal), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(ask(answer, &principal), ERR_OK);
    ck_assert(!str_eq(principal.family, old.family));
    free(cookie);
    loopback_free(&answer);
    loopback_free(&session);
}
END_TEST

/* A session alone is one token; the account has a refresh token and an access token from its registration. */
START_TEST(logging_out_of_one_alone)
{
    static const char *const queries[] = {NULL, "all=true"};
    static const int counts[] = {1, 3};
    for (size_t i = 0; i < 2; i++) {
        struct principal principal;
        char body[64];
        struct loopback_answer *session =
            PUBLIC("auth.login", .body = LOGIN(",\"session\":\"only\""), .is_same_origin = true);
        ck_assert_int_eq(ask(session, &principal), ERR_OK);
        struct loopback_answer *answer =
            LOOPBACK(&loopback, "auth.logout", principal, .query = queries[i], .body = "{}");
        snprintf(body, sizeof body, "{\"message\":\"Logged out\",\"tokens_revoked\":%d}",
                 counts[i]);
        ck_assert_str_eq(answer->body, body);
        loopback_free(&answer);
        loopback_free(&session);
    }
}
END_TEST

START_TEST(logging_out_beside_a_token)
{
    struct principal principal;
    struct loopback_answer *session = log_in(NULL);
    char *cookie = strndup(session->reply.session.token.ptr, session->reply.session.token.len);
    struct principal bearer = loopback_user(alice);
    bearer.token_id = STR("t1");
    bearer.family = STR("f1");
    bearer.expires_at_s = clock_wall_s() + 900;
    struct loopback_answer *answer =
        LOOPBACK(&loopback, "auth.logout", bearer, .body = "{}", .session_cookie = cookie);
    ck_assert_str_eq(answer->body, "{\"message\":\"Logged out\",\"tokens_revoked\":4}");
    ck_assert_int_eq(answer->reply.session.change, SESSION_LEFT);
    ck_assert_int_eq(ask(session, &principal), ERR_UNAUTHENTICATED);
    free(cookie);
    loopback_free(&answer);
    loopback_free(&session);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tcase = tcase_create("session");
    tcase_add_checked_fixture(tcase, set_up, close_all);
    tcase_add_test(tcase, of_the_family_of_its_tokens);
    tcase_add_test(tcase, only_when_asked_for);
    tcase_add_test(tcase, the_former_one_ends);
    tcase_add_test(tcase, a_new_cookie_now_and_then);
    tcase_add_test(tcase, a_new_password_by_token);
    tcase_add_test(tcase, logging_out_of_one_alone);
    tcase_add_test(tcase, logging_out_beside_a_token);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
