/* What a sign-in does with hashes as they are: slow, and some of them old. */
#include "identity_fixture.h"

#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>

#define PASSWORD STR("correct horse")

static struct user user;

static enum err sign_in(struct str password)
{
    error_clear(&error);
    return identity_login(identity, (struct work){arena, soon(), &error}, STR("alice"), false,
                          password, &user);
}

START_TEST(old_hashes_are_renewed)
{
    /* "password", with more memory than today's parameters. */
    static const char old[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
                              "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    int64_t id = users_backend_add(users, "alice", old);

    ck_assert_int_eq(sign_in(STR("passwort")), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    ck_assert(str_eq(user.password_hash, str_from(old)));
    ck_assert_int_eq(sign_in(STR("password")), ERR_OK);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    ck_assert(str_starts(user.password_hash, STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    /* The password is the same, so tokens stay good. */
    ck_assert_int_eq(user.tokens_not_before_s, 0);
    ck_assert_int_eq(sign_in(STR("password")), ERR_OK);
}
END_TEST

static atomic_int signed_in, turned_away;

static void *sign_in_without_waiting(void *arg)
{
    struct arena *own = arena_new(4096, 0);
    struct user who;
    struct error why;
    (void)arg;

    error_clear(&why);
    enum err err =
        identity_login(identity, (struct work){own, 0, &why}, STR("alice"), false, PASSWORD, &who);
    if (err == ERR_OK) {
        atomic_fetch_add(&signed_in, 1);
    } else {
        ck_assert_int_eq(err, ERR_BUSY);
        ck_assert_str_eq(why.caller, "Too many sign-ins at once, try again in a moment.");
        atomic_fetch_add(&turned_away, 1);
    }
    arena_free(&own);
    return NULL;
}

/* No place to hash at is no wrong password: it is said, and nothing else. */
START_TEST(too_many_at_once)
{
    int64_t deadline_ns = soon();

    ck_assert_int_eq(identity_register(identity, (struct work){arena, soon(), &error}, STR("alice"),
                                       STR("alice@example.org"), PASSWORD, &user),
                     ERR_OK);
    while (turned_away == 0) {
        pthread_t threads[32];
        ck_assert_int_lt(clock_mono_ns(), deadline_ns);
        for (size_t i = 0; i < 32; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, sign_in_without_waiting, NULL), 0);
        for (size_t i = 0; i < 32; i++)
            ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_gt(signed_in, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/identity_hashes");
    TCase *tcase = tcase_create("identity_hashes");

    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_add_test(tcase, old_hashes_are_renewed);
    tcase_add_test(tcase, too_many_at_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
