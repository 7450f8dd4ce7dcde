#include "identity_fixture.h"

#include "suite.h"

#define OLD STR("correct horse")
#define NEW STR("battery staple")

static struct user user;

static int64_t sign_up(void)
{
    ck_assert_msg(identity_register(identity, arena, STR("alice"), STR("alice@example.org"), OLD,
                                    soon(), &user, &error) == ERR_OK,
                  "%s", error.caller);
    return user.id;
}

static enum err change(int64_t id, struct str old_password, struct str new_password,
                       struct str kept)
{
    error_clear(&error);
    return identity_change_password(identity, arena, id, old_password, new_password, kept, soon(),
                                    &error);
}

static enum err sign_in(struct str password)
{
    return identity_login(identity, arena, STR("alice"), false, password, soon(), &user, &error);
}

START_TEST(changed)
{
    int64_t id = sign_up();
    ck_assert_int_eq(change(id, OLD, NEW, STR("family")), ERR_OK);
    ck_assert_int_eq(sign_in(OLD), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(sign_in(NEW), ERR_OK);
    ck_assert(str_eq(user.tokens_kept_family, STR("family")));
    /* A name that cannot be one of ours is not kept, rather than breaking the account. */
    ck_assert_int_eq(change(id, NEW, OLD, STR("0123456789abcdef0123456789abcdef0")), ERR_OK);
    ck_assert_int_eq(sign_in(OLD), ERR_OK);
    ck_assert_uint_eq(user.tokens_kept_family.len, 0);
}
END_TEST

START_TEST(refused)
{
    int64_t id = sign_up();
    ck_assert_int_eq(change(id, STR("wrong horse"), NEW, STR_NONE), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.caller, "");
    ck_assert_int_eq(change(id, STR("wrong horse"), STR("short"), STR_NONE), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.caller, "");
    ck_assert_int_eq(change(id, OLD, STR("short"), STR_NONE), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "new_password: it must have at least 8 characters.");
    ck_assert_int_eq(change(id, OLD, STR("alice@example.org"), STR_NONE), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "new_password: it must differ from the username and the email.");
    ck_assert_int_eq(sign_in(OLD), ERR_OK);
    ck_assert_int_eq(user.tokens_not_before_s, 0);
}
END_TEST

START_TEST(no_password_to_change)
{
    int64_t id = sign_up();
    ck_assert_int_eq(change(4711, OLD, NEW, STR_NONE), ERR_FORBIDDEN);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    ck_assert_int_eq(change(id, OLD, NEW, STR_NONE), ERR_FORBIDDEN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/identity_password");
    TCase *tcase = tcase_create("identity_password");
    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_add_test(tcase, changed);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, no_password_to_change);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
