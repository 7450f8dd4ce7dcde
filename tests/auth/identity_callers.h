/* What the tests of identity_authenticate share: callers, and how they are refused. */
#ifndef TESTS_IDENTITY_CALLERS_H
#define TESTS_IDENTITY_CALLERS_H

#include "identity_fixture.h"
#include "mint.h"

static struct principal principal;

static inline enum err authenticate(struct str authorization, struct str api_key)
{
    struct credentials credentials = {.authorization = authorization, .api_key = api_key};

    error_clear(&error);
    memset(&principal, 0x55, sizeof principal);
    return identity_authenticate(identity, (struct work){.arena = arena, .error = &error},
                                 &credentials, now_s, &principal);
}

/* The value of the Authorization header for a token with these claims, signed with our secret. */
static inline struct str bearer(const char *claims)
{
    char line[MINT_SIZE];

    mint_bearer(line, FIXTURE_SECRET, "%s", claims);
    return str_dup(arena, str_from(line + strlen("Authorization: ")));
}

/* Minted elsewhere with our secret, with a username as `sub` and further members ("" or ",…"). */
static inline struct str bearer_of_name(const char *name, const char *more)
{
    return bearer(str_format(arena, "{\"exp\":%lld,\"iat\":%lld,\"sub\":\"%s\"%s}",
                             (long long)now_s + 60, (long long)now_s, name, more)
                      .ptr);
}

/* As simplejwt mints them. */
static inline struct str bearer_of_id(int64_t id)
{
    return bearer(
        str_format(
            arena,
            "{\"token_type\":\"access\",\"exp\":%lld,\"iat\":%lld,\"jti\":\"j\",\"user_id\":%lld}",
            (long long)now_s + 60, (long long)now_s, (long long)id)
            .ptr);
}

/* One of our own. */
static inline struct str own_bearer(int64_t id, const char *name, int64_t issued_at_s)
{
    struct token_claims claims = {.user_id = id,
                                  .subject = str_from(name),
                                  .family = STR("fam"),
                                  .incarnation = incarnation_of(id)};
    struct str compact;

    ck_assert_int_eq(token_issue(identity_tokens(identity), arena, issued_at_s, &claims, &compact),
                     ERR_OK);
    return str_format(arena, "Bearer %.*s", STR_ARG(compact));
}

static inline void expect_refused(struct str authorization, struct str api_key, const char *why)
{
    enum err err = authenticate(authorization, api_key);

    ck_assert_msg(err == ERR_UNAUTHENTICATED, "%s, not refused because %s", err_name(err), why);
    ck_assert_msg(strstr(error.detail, why) != NULL, "%s, not %s", error.detail, why);
    ck_assert_str_eq(error.caller, "");
    ck_assert_int_eq(principal.kind, PRINCIPAL_ANONYMOUS);
    ck_assert_int_eq(principal.user_id, 0);
    ck_assert(!principal.is_admin && !principal.is_superuser);
}

#endif
