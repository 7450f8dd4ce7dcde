/* How long tokens live that were signed under other settings. */
#include "token_case.h"

/* Settings of today hold for what is out, and those of tomorrow may be longer again. */
START_TEST(shorter_lifetimes)
{
    struct token_claims access = {.user_id = 42, .incarnation = STR("i")},
                        refresh = {.use = TOKEN_REFRESH, .user_id = 42, .incarnation = STR("i")};
    struct token_options options = default_options();
    struct str access_text, refresh_text;

    ck_assert_int_eq(token_issue(tokens, arena, NOW, &access, &access_text), ERR_OK);
    ck_assert_int_eq(token_issue(tokens, arena, NOW, &refresh, &refresh_text), ERR_OK);
    options.access_ttl_s = 60;
    options.refresh_ttl_s = 600;
    options.longest_ttl_s = 604800;
    struct tokens *today = new_tokens(&options);
    const struct {
        struct str text;
        enum token_use use;
        int64_t ttl_s, first_ttl_s;
    } cases[] = {{access_text, TOKEN_ACCESS, 60, 900}, {refresh_text, TOKEN_REFRESH, 600, 604800}};
    for (size_t i = 0; i < 2; i++) {
        int64_t last_s = NOW + cases[i].ttl_s + 29;
        ck_assert_int_eq(token_verify(today, lent(), cases[i].text, cases[i].use, last_s, &claims),
                         ERR_OK);
        /* What is recorded of it has to last as long as it may. */
        ck_assert_int_eq(claims.expires_at_s, NOW + cases[i].first_ttl_s);
        ck_assert_int_eq(
            token_verify(today, lent(), cases[i].text, cases[i].use, last_s + 1, &claims),
            ERR_UNAUTHENTICATED);
        ck_assert_str_eq(error.detail, "token: it has lasted as long as tokens do today");
        /* Longer ones do not lengthen it. */
        ck_assert_int_eq(token_verify(tokens, lent(), cases[i].text, cases[i].use,
                                      NOW + cases[i].first_ttl_s + 30, &claims),
                         ERR_UNAUTHENTICATED);
    }
    ck_assert_int_eq(token_longest_ttl_s(today), 604800);
    tokens_free(&today);
    /* Others decide for themselves how long theirs live. */
    char line[MINT_SIZE];
    mint_bearer(line, SECRET, "{\"user_id\":1,\"iat\":1600000000,\"exp\":1700000010}");
    ck_assert_int_eq(
        token_verify(tokens, lent(), str_from(mint_token(line)), TOKEN_ACCESS, NOW, &claims),
        ERR_OK);
}
END_TEST

START_TEST(shorter_idle_time)
{
    struct token_options options = default_options();
    struct token_claims issued = {
        .user_id = 42, .family = STR("f"), .incarnation = STR("i"), .issued_at_s = NOW};
    struct str compact;

    ck_assert_int_eq(token_issue_session(tokens, arena, NOW + 1000, &issued, &compact), ERR_OK);
    options.session_idle_s = 300;
    struct tokens *today = new_tokens(&options);
    ck_assert_int_eq(token_verify(today, lent(), compact, TOKEN_SESSION, NOW + 1299, &claims),
                     ERR_OK);
    ck_assert_int_eq(claims.expires_at_s, NOW + 1300);
    /* So it is renewed in time. */
    ck_assert(token_session_is_stale(today, NOW, claims.expires_at_s, NOW + 1030));
    ck_assert_int_eq(token_verify(today, lent(), compact, TOKEN_SESSION, NOW + 1300, &claims),
                     ERR_UNAUTHENTICATED);
    tokens_free(&today);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/token_lifetimes");
    TCase *tcase = tcase_create("token_lifetimes");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, shorter_lifetimes);
    tcase_add_test(tcase, shorter_idle_time);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
