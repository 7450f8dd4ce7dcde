#include "identity_fixture.h"

#include "suite.h"

#define PASSWORD STR("correct horse")
#define NO       "No active account found with the given credentials"

static struct user user;

static int64_t sign_up(const char *name)
{
    struct str email = str_format(arena, "%s@example.org", name);

    ck_assert_msg(identity_register(identity, (struct work){arena, soon(), &error}, str_from(name),
                                    email, PASSWORD, &user) == ERR_OK,
                  "%s", error.caller);
    return user.id;
}

static enum err sign_in(struct str name, struct str password)
{
    error_clear(&error);
    return identity_login(identity, (struct work){arena, soon(), &error}, name,
                          str_find(name, '@') >= 0, password, &user);
}

static void expect_no(struct str name, struct str password)
{
    ck_assert_int_eq(sign_in(name, password), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.caller, NO);
    ck_assert_uint_eq(user.username.len, 0);
    ck_assert_uint_eq(user.password_hash.len, 0);
}

START_TEST(up_and_in)
{
    int64_t id = sign_up("Alice");

    ck_assert_int_gt(id, 0);
    ck_assert(str_eq(user.username, STR("Alice")));
    ck_assert(str_eq(user.email, STR("Alice@example.org")));
    ck_assert(user.is_active && !user.is_superuser && !user.is_deleted);
    ck_assert_uint_eq(user.group_count, 0);
    ck_assert(str_starts(user.password_hash, STR("$argon2id$")));

    ck_assert_int_eq(sign_in(STR("alice"), PASSWORD), ERR_OK);
    ck_assert_int_eq(user.id, id);
    ck_assert_int_eq(sign_in(STR("ALICE@example.org"), PASSWORD), ERR_OK);
    ck_assert_int_eq(user.id, id);
}
END_TEST

/* It is told as it was stored, and not read back: it is made, whatever becomes of a look at it. */
START_TEST(a_new_account_is_not_read_back)
{
    struct user found;
    sqlite3 *raw;
    int64_t id = sign_up("alice");

    ck_assert_int_eq(users_find_by_id(users, arena, id, &found, &error), ERR_OK);
    ck_assert(str_eq(found.username, user.username) && str_eq(found.email, user.email));
    ck_assert(str_eq(found.incarnation, user.incarnation));
    ck_assert(str_eq(found.password_hash, user.password_hash));
    ck_assert_int_eq(found.created_at_s, user.created_at_s);
    ck_assert_int_eq(found.tokens_not_before_s, user.tokens_not_before_s);
    ck_assert_int_eq(sqlite3_open(users_backend_url + strlen("sqlite:"), &raw), SQLITE_OK);
    sqlite3_busy_timeout(raw, 5000); /* the sign-up is noted aside */
    ck_assert_int_eq(sqlite3_exec(raw,
                                  "CREATE TRIGGER vanish AFTER INSERT ON accounts"
                                  " BEGIN DELETE FROM accounts WHERE id = NEW.id; END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(raw);
    ck_assert_int_gt(sign_up("bob"), id);
}
END_TEST

START_TEST(who_may_not)
{
    int64_t id = sign_up("alice");
    static char long_password[2000];

    memset(long_password, 'x', sizeof long_password);
    expect_no(STR("alice"), STR("correct horsf"));
    expect_no(STR("alice"), STR_NONE);
    expect_no(STR("alice"), STR("correct horse\0"));
    expect_no(STR("alice"), (struct str){long_password, sizeof long_password});
    expect_no(STR("bob"), PASSWORD);
    expect_no(STR("alice "), PASSWORD);
    expect_no(STR("alice\0"), PASSWORD);
    expect_no(STR("' OR 1=1 --"), PASSWORD);
    expect_no(STR_NONE, PASSWORD);
    expect_no((struct str){long_password, sizeof long_password}, PASSWORD);
    expect_no(STR("bob@example.org"), PASSWORD);

    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    expect_no(STR("alice"), PASSWORD);
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(sign_in(STR("alice"), PASSWORD), ERR_OK);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    expect_no(STR("alice"), PASSWORD);
}
END_TEST

START_TEST(an_account_without_a_password)
{
    users_backend_add(users, "nologin", "");
    expect_no(STR("nologin"), STR_NONE);
    expect_no(STR("nologin"), PASSWORD);
}
END_TEST

START_TEST(a_hash_that_is_none)
{
    users_backend_add(users, "broken", "plain text");
    ck_assert_int_eq(sign_in(STR("broken"), STR("plain text")), ERR_INTERNAL);
    ck_assert_str_eq(error.caller, "");
    ck_assert_ptr_null(strstr(error.detail, "plain text"));
}
END_TEST

static void expect_not_registered(struct str name, struct str email, struct str password,
                                  enum err wanted, const char *text)
{
    error_clear(&error);
    enum err err = identity_register(identity, (struct work){arena, soon(), &error}, name, email,
                                     password, &user);
    ck_assert_msg(err == wanted, "%s: %s", err_name(err), error.caller);
    ck_assert_msg(strstr(error.caller, text) != NULL, "%s", error.caller);
    ck_assert_uint_eq(user.username.len, 0);
}

START_TEST(registrations_that_are_refused)
{
    struct user *list;
    size_t count;

    sign_up("alice");
    expect_not_registered(STR("al ice"), STR("b@example.org"), PASSWORD, ERR_BAD_INPUT,
                          "username: ");
    expect_not_registered(STR("bob"), STR("nonsense"), PASSWORD, ERR_BAD_INPUT, "email: ");
    expect_not_registered(STR("bob"), STR("b@example.org"), STR("short"), ERR_BAD_INPUT,
                          "password: ");
    expect_not_registered(STR("bob"), STR("b@example.org"), STR("password1"), ERR_BAD_INPUT,
                          "password: ");
    expect_not_registered(STR("bobby.tables"), STR("b@example.org"), STR("Bobby.Tables"),
                          ERR_BAD_INPUT, "password: ");
    expect_not_registered(STR("ALICE"), STR("b@example.org"), PASSWORD, ERR_CONFLICT,
                          "A user with that username already exists.");
    expect_not_registered(STR("bob"), STR("ALICE@example.org"), PASSWORD, ERR_CONFLICT,
                          "A user with that email already exists.");
    ck_assert_int_eq(users_list(users, arena, &list, &count, &error), ERR_OK);
    ck_assert_uint_eq(count, 1);
}
END_TEST

/* The next id may have been asked for before the account was there. */
START_TEST(a_new_account_is_known_at_once)
{
    struct token_claims claims = {.user_id = 1, .subject = STR("alice")};
    struct credentials credentials = {0};
    struct principal principal;
    struct str compact;

    ck_assert_int_eq(token_issue(identity_tokens(identity), arena, now_s, &claims, &compact),
                     ERR_OK);
    credentials.authorization = str_format(arena, "Bearer %.*s", STR_ARG(compact));
    ck_assert_int_eq(identity_authenticate(identity, (struct work){.arena = arena, .error = &error},
                                           &credentials, now_s, &principal),
                     ERR_OK);
    ck_assert_uint_eq(principal.email.len, 0);
    ck_assert_int_eq(sign_up("alice"), 1);
    claims.incarnation = incarnation_of(1);
    ck_assert_int_eq(token_issue(identity_tokens(identity), arena, now_s, &claims, &compact),
                     ERR_OK);
    credentials.authorization = str_format(arena, "Bearer %.*s", STR_ARG(compact));
    ck_assert_int_eq(identity_authenticate(identity, (struct work){.arena = arena, .error = &error},
                                           &credentials, now_s, &principal),
                     ERR_OK);
    ck_assert_uint_gt(principal.email.len, 0);
}
END_TEST

/* --- keys --- */

static enum err create(struct api_key key)
{
    struct str secret;

    error_clear(&error);
    enum err err = identity_create_key(identity, arena, &key, now_s, &secret, &error);
    ck_assert_int_eq(err == ERR_OK, secret.len > 0);
    return err;
}

START_TEST(making_keys)
{
    int64_t id = sign_up("alice");
    struct api_key key = {.name = STR("deploy"),
                          .scopes = SCOPE_FLUSH | SCOPE_USER,
                          .space = STR("shop"),
                          .owner_id = id,
                          .expires_at_s = now_s + 100,
                          .revoked_at_s = 5,
                          .last_used_at_s = 5},
                   stored;
    struct str secret;

    ck_assert_int_eq(identity_create_key(identity, arena, &key, now_s, &secret, &error), ERR_OK);
    ck_assert(str_eq(key.id, str_sub(secret, 4, 12)));
    ck_assert_int_eq(key.created_at_s, now_s);
    ck_assert_int_eq(api_keys_find(users, arena, key.id, &stored, &error), ERR_OK);
    ck_assert_int_eq(stored.revoked_at_s, 0);
    ck_assert_int_eq(stored.last_used_at_s, 0);
    ck_assert_int_eq(stored.expires_at_s, now_s + 100);
    /* The secret itself is nowhere. */
    ck_assert_ptr_null(
        memmem(stored.secret_digest.ptr, stored.secret_digest.len, secret.ptr + 17, 8));
    ck_assert_int_eq(create((struct api_key){.name = STR("deploy")}), ERR_CONFLICT);
    ck_assert_str_eq(error.caller, "An API key with that name already exists.");
}
END_TEST

START_TEST(keys_that_are_refused)
{
    int64_t id = sign_up("alice");

    ck_assert_int_eq(create((struct api_key){.name = STR("")}), ERR_BAD_INPUT);
    ck_assert_int_eq(create((struct api_key){.name = STR("a b")}), ERR_BAD_INPUT);
    ck_assert_int_eq(create((struct api_key){.name = STR("a"), .space = STR("a:b")}),
                     ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "namespace: "));
    ck_assert_int_eq(create((struct api_key){.name = STR("a"), .scopes = 1U << 9}), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "scope: "));
    ck_assert_int_eq(create((struct api_key){.name = STR("a"), .scopes = SCOPE_USER}),
                     ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "needs an owner"));
    ck_assert_int_eq(create((struct api_key){.name = STR("a"), .expires_at_s = now_s}),
                     ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "expires: "));
    ck_assert_int_eq(create((struct api_key){.name = STR("a"), .owner_id = 999}), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "user: "));
    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    ck_assert_int_eq(create((struct api_key){.name = STR("a"), .owner_id = id}), ERR_BAD_INPUT);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    ck_assert_int_eq(create((struct api_key){.name = STR("a"), .owner_id = id}), ERR_BAD_INPUT);
    ck_assert_int_eq(create((struct api_key){.name = STR("a")}), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/identity_sign_in");
    TCase *tcase = tcase_create("identity_sign_in");

    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_add_test(tcase, up_and_in);
    tcase_add_test(tcase, a_new_account_is_not_read_back);
    tcase_add_test(tcase, who_may_not);
    tcase_add_test(tcase, an_account_without_a_password);
    tcase_add_test(tcase, a_hash_that_is_none);
    tcase_add_test(tcase, registrations_that_are_refused);
    tcase_add_test(tcase, a_new_account_is_known_at_once);
    tcase_add_test(tcase, making_keys);
    tcase_add_test(tcase, keys_that_are_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
