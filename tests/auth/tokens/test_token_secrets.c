/* Secrets are replaced while tokens of before are about. */
#include "token_case.h"

#define OTHER "another secret of more than 32 bytes"
#define THIRD "a third secret, which has 32 bytes, too"

static struct str issue(struct tokens *by)
{
    struct token_claims of = {.user_id = 7,
                              .subject = STR("alice"),
                              .incarnation = STR("0123456789abcdef"),
                              .use = TOKEN_ACCESS};
    struct str compact;

    ck_assert_int_eq(token_issue(by, arena, NOW, &of, &compact), ERR_OK);
    return compact;
}

static bool is_good(const struct tokens *judge, struct str compact)
{
    error_clear(&error);
    enum err err = token_verify(judge, lent(), compact, TOKEN_ACCESS, NOW, &claims);

    ck_assert(err == ERR_OK || err == ERR_UNAUTHENTICATED);
    if (err != ERR_OK)
        ck_assert_str_eq(error.detail, "token: the signature is not the key's");
    else
        ck_assert_str_eq(error.detail, "");
    return err == ERR_OK;
}

static void set_secrets(struct str current, struct str previous)
{
    const struct secrets secrets = {
        .current = current, .previous = {previous}, .previous_count = previous.len > 0};
    bool changed;

    ck_assert_int_eq(tokens_set_secrets(tokens, &secrets, &changed, &error), ERR_OK);
    ck_assert(changed);
}

START_TEST(one_of_before_proves_and_signs_nothing)
{
    struct token_options of_other = default_options(), of_both = default_options();

    of_other.secret = STR(OTHER);
    of_both.previous_secrets[0] = STR(THIRD);
    of_both.previous_secrets[1] = STR(OTHER);
    of_both.previous_secret_count = 2;
    struct tokens *other = new_tokens(&of_other), *both = new_tokens(&of_both);
    ck_assert(is_good(both, issue(other)));
    ck_assert(is_good(both, issue(tokens)));
    ck_assert(is_good(tokens, issue(both)));
    ck_assert(!is_good(other, issue(both)));
    ck_assert(!is_good(tokens, issue(other)));
    tokens_free(&other);
    tokens_free(&both);
}
END_TEST

/* As it is done on every node: first the new one proves, then it signs, at last the old one goes. */
START_TEST(a_secret_is_replaced_in_three_steps)
{
    struct token_options next = default_options();

    next.secret = STR(OTHER);
    struct tokens *other = new_tokens(&next);
    struct str old = issue(tokens), new = issue(other);
    ck_assert(is_good(tokens, old));
    ck_assert(!is_good(tokens, new));
    set_secrets(STR(SECRET), STR(OTHER));
    ck_assert(is_good(tokens, old) && is_good(tokens, new));
    ck_assert(!is_good(other, issue(tokens)));
    set_secrets(STR(OTHER), STR(SECRET));
    ck_assert(is_good(tokens, old) && is_good(tokens, new));
    ck_assert(is_good(other, issue(tokens)));
    set_secrets(STR(OTHER), STR_NONE);
    /* It was proven a moment ago, which counts no more. */
    ck_assert(!is_good(tokens, old) && is_good(tokens, new));
    tokens_free(&other);
}
END_TEST

START_TEST(one_that_is_too_short_changes_nothing)
{
    const struct secrets shorter = {.current = STR("short")},
                         previous = {.current = STR(OTHER),
                                     .previous = {STR("0123456789abcdef0123456789abcde")},
                                     .previous_count = 1};
    struct token_options options = default_options();
    struct str old = issue(tokens);
    struct tokens *none;
    bool changed;

    ck_assert_int_eq(tokens_set_secrets(tokens, &shorter, &changed, &error), ERR_BAD_INPUT);
    ck_assert_int_eq(tokens_set_secrets(tokens, &previous, &changed, &error), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "one of auth.previous_secrets has 31 bytes, but HS256 needs at "
                                   "least 32: make one with `openssl rand -hex 32`");
    error_clear(&error);
    ck_assert(is_good(tokens, old));
    options.previous_secrets[0] = STR("short");
    options.previous_secret_count = 1;
    ck_assert_int_eq(tokens_new(&options, &none, &error), ERR_BAD_INPUT);
    options.previous_secret_count = SECRETS_PREVIOUS_MAX + 1;
    ck_assert_int_eq(tokens_new(&options, &none, &error), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "auth.previous_secrets has more than 3 of them");
}
END_TEST

START_TEST(digests_of_names_are_of_the_current_one)
{
    struct str before = token_name_digest(tokens, arena, STR("alice"));

    set_secrets(STR(OTHER), STR(SECRET));
    ck_assert(!str_eq(token_name_digest(tokens, arena, STR("alice")), before));
    set_secrets(STR(SECRET), STR(OTHER));
    ck_assert(str_eq(token_name_digest(tokens, arena, STR("alice")), before));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/token_secrets");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_add_test(all, one_of_before_proves_and_signs_nothing);
    tcase_add_test(all, a_secret_is_replaced_in_three_steps);
    tcase_add_test(all, one_that_is_too_short_changes_nothing);
    tcase_add_test(all, digests_of_names_are_of_the_current_one);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
