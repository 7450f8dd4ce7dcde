#include "cachewarden/permit.h"

#include "suite.h"

enum { ME = 7, SOMEBODY_ELSE = 8 };

static const struct permit_policy admins_flush = {.flush_for_authenticated = false};
static const struct permit_policy users_flush = {.flush_for_authenticated = true};

static struct principal user(bool is_admin)
{
    return (struct principal){.kind = PRINCIPAL_USER, .user_id = ME, .is_admin = is_admin};
}

static struct principal key(unsigned scopes, int64_t owner)
{
    return (struct principal){.kind = PRINCIPAL_API_KEY,
                              .user_id = (scopes & SCOPE_USER) != 0 ? owner : 0,
                              .is_admin = (scopes & SCOPE_ADMIN) != 0,
                              .scopes = scopes};
}

static struct permit_target mine_or(int64_t user_id)
{
    return (struct permit_target){.user_id = user_id};
}

static struct principal of_shop(struct principal principal)
{
    principal.space = STR("shop");
    return principal;
}

/* In the order of enum permit: Y yes, N no, ? no credential. */
static void expect(const char *who, struct principal principal, const struct permit_policy *policy,
                   int64_t target, const char *wanted)
{
    static const enum permit permits[] = {
        PERMIT_DENY,        PERMIT_PUBLIC,  PERMIT_USER,           PERMIT_ADMIN,
        PERMIT_SCOPE_FLUSH, PERMIT_ENTRIES, PERMIT_FLUSH_MESSAGES,
    };
    char got[sizeof permits / sizeof *permits + 1] = "";

    for (size_t i = 0; i < sizeof permits / sizeof *permits; i++) {
        enum permit_answer answer = permit_decide(permits[i], policy, &principal, mine_or(target));
        got[i] = answer == PERMIT_YES ? 'Y' : answer == PERMIT_NO ? 'N' : '?';
    }
    ck_assert_msg(strcmp(got, wanted) == 0, "%s, target %d: %s, not %s", who, (int)target, got,
                  wanted);
}

START_TEST(every_caller_and_every_permission)
{
    /*                                                      deny public user admin flush entries messages */
    expect("nobody", (struct principal){0}, &admins_flush, 0, "NY?????");
    expect("nobody", (struct principal){0}, &users_flush, 0, "NY?????");
    expect("nobody", (struct principal){0}, &users_flush, ME, "NY?????");
    expect("user", user(false), &admins_flush, 0, "NYYNNYN");
    expect("user", user(false), &users_flush, 0, "NYYNNYY");
    expect("admin", user(true), &admins_flush, 0, "NYYYYYY");
    expect("key", key(0, 0), &users_flush, 0, "NYNNNNN");
    expect("key of an owner", key(0, ME), &users_flush, 0, "NYNNNNN");
    expect("flush key", key(SCOPE_FLUSH, 0), &admins_flush, 0, "NYNNYNY");
    expect("entries key, no namespace", key(SCOPE_ENTRIES, 0), &admins_flush, 0, "NYNNNNN");
    expect("entries key", of_shop(key(SCOPE_ENTRIES, 0)), &admins_flush, 0, "NYNNNYN");
    expect("key of shop", of_shop(key(0, 0)), &admins_flush, 0, "NYNNNNN");
    expect("admin key", key(SCOPE_ADMIN, 0), &admins_flush, 0, "NYNYYYY");
    expect("user key", key(SCOPE_USER, ME), &users_flush, 0, "NYYNNYN");
    expect("user key, no owner", key(SCOPE_USER, 0), &users_flush, 0, "NYNNNNN");
    expect("all scopes", key(SCOPE_FLUSH | SCOPE_ENTRIES | SCOPE_ADMIN | SCOPE_USER, ME),
           &admins_flush, 0, "NYYYYYY");
}
END_TEST

START_TEST(user_routes_act_on_oneself_alone)
{
    expect("user", user(false), &admins_flush, ME, "NYYNNYN");
    expect("user", user(false), &admins_flush, SOMEBODY_ELSE, "NYNNNNN");
    /* Admins too: they have their own route. */
    expect("admin", user(true), &admins_flush, SOMEBODY_ELSE, "NYNYYYY");
    expect("user key", key(SCOPE_USER, ME), &admins_flush, ME, "NYYNNYN");
    expect("user key", key(SCOPE_USER, ME), &admins_flush, SOMEBODY_ELSE, "NYNNNNN");
    expect("admin key", key(SCOPE_ADMIN, 0), &admins_flush, SOMEBODY_ELSE, "NYNYYYY");
}
END_TEST

static void expect_entries(const char *who, struct principal principal, struct permit_target target,
                           enum permit_answer wanted)
{
    enum permit_answer answer = permit_decide(PERMIT_ENTRIES, &users_flush, &principal, target);

    ck_assert_msg(answer == wanted, "%s in user:%d app:%.*s: %d", who, (int)target.user_id,
                  STR_ARG(target.app), answer);
}

/* Everybody in their own namespace, and nobody but an admin in another; keys of applications in the gateway's. */
START_TEST(entries_are_in_ones_own_namespace)
{
    const struct permit_target none = {0}, mine = {.user_id = ME},
                               other = {.user_id = SOMEBODY_ELSE}, wrong = {.user_id = -1},
                               shop = {.app = STR("shop")}, shops = {.app = STR("shops")},
                               gateway = {.is_gateway = true};
    const struct {
        const char *who;
        struct principal principal;
        enum permit_answer none, mine, other, wrong, shop, shops, gateway;
    } rows[] = {
        {"nobody", {0}, 1, 1, 1, 1, 1, 1, 1},
        {"user", user(false), 2, 2, 0, 0, 0, 0, 0},
        {"user with a space", of_shop(user(false)), 2, 2, 0, 0, 0, 0, 0},
        {"admin", user(true), 2, 2, 2, 2, 2, 2, 2},
        {"admin key", key(SCOPE_ADMIN, 0), 2, 2, 2, 2, 2, 2, 2},
        {"entries key", of_shop(key(SCOPE_ENTRIES, 0)), 2, 0, 0, 0, 2, 0, 2},
        {"entries key of an owner", of_shop(key(SCOPE_ENTRIES, ME)), 2, 0, 0, 0, 2, 0, 2},
        {"entries key, no namespace", key(SCOPE_ENTRIES, 0), 0, 0, 0, 0, 0, 0, 2},
        {"user key", key(SCOPE_USER, ME), 2, 2, 0, 0, 0, 0, 0},
        {"user key of a namespace", of_shop(key(SCOPE_USER, ME)), 2, 2, 0, 0, 0, 0, 0},
        {"both", of_shop(key(SCOPE_USER | SCOPE_ENTRIES, ME)), 2, 2, 0, 0, 2, 0, 2},
        {"flush key", of_shop(key(SCOPE_FLUSH, 0)), 0, 0, 0, 0, 0, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_entries(rows[i].who, rows[i].principal, none, rows[i].none);
        expect_entries(rows[i].who, rows[i].principal, mine, rows[i].mine);
        expect_entries(rows[i].who, rows[i].principal, other, rows[i].other);
        expect_entries(rows[i].who, rows[i].principal, wrong, rows[i].wrong);
        expect_entries(rows[i].who, rows[i].principal, shop, rows[i].shop);
        expect_entries(rows[i].who, rows[i].principal, shops, rows[i].shops);
        expect_entries(rows[i].who, rows[i].principal, gateway, rows[i].gateway);
    }
}
END_TEST

/* A namespace is no account: a user route never acts in one. */
START_TEST(user_routes_know_no_namespace)
{
    struct principal me = user(false), key_of_shop = of_shop(key(SCOPE_USER | SCOPE_ENTRIES, ME));
    const struct permit_target shop = {.app = STR("shop")}, gateway = {.is_gateway = true};

    ck_assert_int_eq(permit_decide(PERMIT_USER, NULL, &me, shop), PERMIT_NO);
    ck_assert_int_eq(permit_decide(PERMIT_USER, NULL, &key_of_shop, shop), PERMIT_NO);
    ck_assert_int_eq(permit_decide(PERMIT_USER, NULL, &me, gateway), PERMIT_NO);
    ck_assert_int_eq(permit_decide(PERMIT_USER, NULL, &key_of_shop, gateway), PERMIT_NO);
}
END_TEST

START_TEST(without_a_policy_users_do_not_flush)
{
    expect("user", user(false), NULL, 0, "NYYNNYN");
}
END_TEST

/* Half-made principals have no rights: flags without the kind or the scope they belong to. */
START_TEST(flags_alone_give_nothing)
{
    struct principal nobody = {
        .is_admin = true, .is_superuser = true, .scopes = ~0U, .user_id = ME};
    struct principal no_id = {.kind = PRINCIPAL_USER, .is_admin = true};
    struct principal no_scope = {.kind = PRINCIPAL_API_KEY, .is_admin = true, .is_superuser = true};
    struct principal scoped_user = user(false);
    struct principal unknown = {.kind = (enum principal_kind)42, .is_admin = true, .user_id = ME};

    scoped_user.scopes = ~0U;
    expect("nobody with flags", nobody, &users_flush, 0, "NY?????");
    expect("user without id", no_id, &users_flush, 0, "NYNNNNN");
    expect("key without scope", no_scope, &users_flush, 0, "NYNNNNN");
    expect("user with scopes", scoped_user, &admins_flush, 0, "NYYNNYN");
    expect("unknown kind", unknown, &users_flush, 0, "NYNNNNN");
}
END_TEST

START_TEST(an_unknown_permission_denies)
{
    struct principal admin = user(true), nobody = {0};

    ck_assert_int_ne(permit_decide((enum permit)99, &users_flush, &admin, mine_or(0)), PERMIT_YES);
    ck_assert_int_ne(permit_decide((enum permit)99, &users_flush, &nobody, mine_or(0)), PERMIT_YES);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(permit_name(PERMIT_DENY), "deny");
    ck_assert_str_eq(permit_name(PERMIT_PUBLIC), "public");
    ck_assert_str_eq(permit_name(PERMIT_USER), "user");
    ck_assert_str_eq(permit_name(PERMIT_ADMIN), "admin");
    ck_assert_str_eq(permit_name(PERMIT_SCOPE_FLUSH), "scope:flush");
    ck_assert_str_eq(permit_name(PERMIT_ENTRIES), "user or scope:entries");
    ck_assert_str_eq(permit_name(PERMIT_FLUSH_MESSAGES), "scope:flush or policy");
    ck_assert_str_eq(permit_name((enum permit)99), "unknown");
}
END_TEST

/* Any who may start one; whether it is theirs, the operation asks. */
START_TEST(jobs_are_of_who_may_start_them)
{
    static const unsigned scopes[] = {SCOPE_FLUSH, SCOPE_ENTRIES, SCOPE_ADMIN, SCOPE_METRICS, 0};
    static const enum permit_answer answers[] = {PERMIT_YES, PERMIT_YES, PERMIT_YES, PERMIT_NO,
                                                 PERMIT_NO};
    const struct principal nobody = {0}, someone = user(false);
    const struct permit_target mine = {0};
    ck_assert_int_eq(permit_decide(PERMIT_STARTER, &admins_flush, &nobody, mine),
                     PERMIT_NO_CREDENTIAL);
    ck_assert_int_eq(permit_decide(PERMIT_STARTER, &admins_flush, &someone, mine), PERMIT_YES);
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        const struct principal key = {.kind = PRINCIPAL_API_KEY, .scopes = scopes[i]};
        ck_assert_int_eq(permit_decide(PERMIT_STARTER, &admins_flush, &key, mine), answers[i]);
    }
    ck_assert_str_eq(permit_name(PERMIT_STARTER), "starter");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/permit");
    TCase *tcase = tcase_create("permit");

    tcase_add_test(tcase, every_caller_and_every_permission);
    tcase_add_test(tcase, jobs_are_of_who_may_start_them);
    tcase_add_test(tcase, user_routes_act_on_oneself_alone);
    tcase_add_test(tcase, entries_are_in_ones_own_namespace);
    tcase_add_test(tcase, user_routes_know_no_namespace);
    tcase_add_test(tcase, without_a_policy_users_do_not_flush);
    tcase_add_test(tcase, flags_alone_give_nothing);
    tcase_add_test(tcase, an_unknown_permission_denies);
    tcase_add_test(tcase, names);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
