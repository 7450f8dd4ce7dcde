#include "cachewarden/principal.h"

#include "cachewarden/arena.h"
#include "suite.h"

START_TEST(credential_names)
{
    ck_assert_str_eq(credential_name(CREDENTIAL_NONE), "none");
    ck_assert_str_eq(credential_name(CREDENTIAL_BEARER), "bearer");
    ck_assert_str_eq(credential_name(CREDENTIAL_API_KEY), "api_key");
    ck_assert_str_eq(credential_name(CREDENTIAL_SESSION), "session");
    ck_assert_str_eq(credential_name(CREDENTIAL_OPERATOR), "operator");
    ck_assert_str_eq(credential_name((enum credential_kind)99), "unknown");
}
END_TEST

START_TEST(scopes_by_name)
{
    ck_assert_uint_eq(scope_from_name(STR("flush")), SCOPE_FLUSH);
    ck_assert_uint_eq(scope_from_name(STR("entries")), SCOPE_ENTRIES);
    ck_assert_uint_eq(scope_from_name(STR("admin")), SCOPE_ADMIN);
    ck_assert_uint_eq(scope_from_name(STR("user")), SCOPE_USER);
    ck_assert_uint_eq(scope_from_name(STR("Flush")), 0);
    ck_assert_uint_eq(scope_from_name(STR("flus")), 0);
    ck_assert_uint_eq(scope_from_name(STR("flush ")), 0);
    ck_assert_uint_eq(scope_from_name(STR_NONE), 0);
}
END_TEST

static void expect_names(struct arena *arena, unsigned scopes, const char *wanted)
{
    struct str names = scope_names(arena, scopes);

    ck_assert_msg(str_eq(names, str_from(wanted)), "%.*s, not %s", STR_ARG(names), wanted);
}

START_TEST(names_of_scopes)
{
    struct arena *arena = arena_new(1024, 0);

    expect_names(arena, 0, "");
    expect_names(arena, SCOPE_FLUSH, "flush");
    expect_names(arena, SCOPE_USER | SCOPE_FLUSH, "flush,user");
    expect_names(arena, SCOPE_FLUSH | SCOPE_ENTRIES | SCOPE_ADMIN | SCOPE_USER,
                 "flush,entries,admin,user");
    expect_names(arena, 1U << 30, "");
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/principal");
    TCase *tcase = tcase_create("principal");

    tcase_add_test(tcase, credential_names);
    tcase_add_test(tcase, scopes_by_name);
    tcase_add_test(tcase, names_of_scopes);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
