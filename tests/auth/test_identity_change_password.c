#include "identity_fixture.h"

#include "suite.h"

#include <pthread.h>

#define OLD STR("correct horse")
#define NEW STR("battery staple")

static struct user user;

static int64_t sign_up(void)
{
    ck_assert_msg(identity_register(identity, (struct work){arena, soon(), &error}, STR("alice"),
                                    STR("alice@example.org"), OLD, &user) == ERR_OK,
                  "%s", error.caller);
    return user.id;
}

static enum err change(int64_t id, struct str old_password, struct str new_password,
                       struct str kept)
{
    error_clear(&error);
    return identity_change_password(identity, (struct work){arena, soon(), &error}, id,
                                    old_password, new_password, kept);
}

static enum err sign_in(struct str password)
{
    return identity_login(identity, (struct work){arena, soon(), &error}, STR("alice"), false,
                          password, &user);
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

enum { AT_ONCE = 3 };

struct change {
    pthread_t thread;
    int64_t id;
    char password[32];
    enum err err;
};

static void *change_it(void *arg)
{
    struct change *change = arg;
    struct arena *own = arena_new(4096, 0);
    struct error ignored = {0};

    change->err = identity_change_password(identity, (struct work){own, soon(), &ignored},
                                           change->id, OLD, str_from(change->password), STR_NONE);
    arena_free(&own);
    return NULL;
}

/* All have read the old hash before the first has changed it: a hash takes far longer than that. */
START_TEST(changed_by_several_at_once)
{
    struct change changes[AT_ONCE];
    int64_t id = sign_up();
    int won = -1;

    for (int i = 0; i < AT_ONCE; i++) {
        changes[i].id = id;
        snprintf(changes[i].password, sizeof changes[i].password, "battery staple %d", i);
        ck_assert_int_eq(pthread_create(&changes[i].thread, NULL, change_it, &changes[i]), 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(changes[i].thread, NULL);
        ck_assert_msg(changes[i].err == ERR_UNAUTHENTICATED || won < 0, "%d: %s, after %d", i,
                      err_name(changes[i].err), won);
        if (changes[i].err == ERR_OK)
            won = i;
    }
    ck_assert_int_ge(won, 0);
    ck_assert_int_eq(sign_in(str_from(changes[won].password)), ERR_OK);
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
    Suite *suite = suite_create("auth/identity_change_password");
    TCase *tcase = tcase_create("identity_password");
    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_add_test(tcase, changed);
    tcase_add_test(tcase, changed_by_several_at_once);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, no_password_to_change);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
