#include "identity_callers.h"
#include "patience.h"
#include "suite.h"

#include <pthread.h>

static struct str new_key(const char *name, unsigned scopes, int64_t owner_id)
{
    struct api_key key = {
        .name = str_from(name), .scopes = scopes, .owner_id = owner_id, .space = STR("shop")};
    struct str secret;

    ck_assert_msg(identity_create_key(identity, arena, &key, now_s, &secret, &error) == ERR_OK,
                  "%s", error.caller);
    return secret;
}

/* --- tokens --- */

START_TEST(no_credential)
{
    ck_assert_int_eq(authenticate(STR_NONE, STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_ANONYMOUS);
    ck_assert_int_eq(principal.credential, CREDENTIAL_NONE);
    ck_assert_int_eq(principal.user_id, 0);
    ck_assert_uint_eq(principal.scopes, 0);
}
END_TEST

START_TEST(one_of_our_own)
{
    int64_t id = users_backend_add(users, "Alice", "h");

    ck_assert_int_eq(authenticate(own_bearer(id, "Alice", now_s), STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_USER);
    ck_assert_int_eq(principal.credential, CREDENTIAL_BEARER);
    ck_assert_int_eq(principal.user_id, id);
    ck_assert(str_eq(principal.name, STR("Alice")));
    ck_assert(str_eq(principal.email, STR("Alice@example.org")));
    ck_assert(!principal.is_superuser && !principal.is_admin);
    ck_assert_uint_eq(principal.scopes, 0);
    ck_assert_uint_eq(principal.token_id.len, 32);
    ck_assert(str_eq(principal.family, STR("fam")));
    ck_assert_int_eq(principal.issued_at_s, now_s);
    ck_assert_int_eq(principal.expires_at_s, now_s + 900);
}
END_TEST

START_TEST(rights_come_from_the_database_alone)
{
    int64_t super = users_backend_add(users, "super", "h"),
            member = users_backend_add(users, "member", "h");

    users_backend_add(users, "plain", "h");

    ck_assert_int_eq(users_set_superuser(users, super, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(users, member, STR("Admin"), true, &error), ERR_OK);
    ck_assert_int_eq(authenticate(bearer_of_name("super", ""), STR_NONE), ERR_OK);
    ck_assert(principal.is_superuser && principal.is_admin);
    ck_assert_int_eq(authenticate(bearer_of_name("member", ""), STR_NONE), ERR_OK);
    ck_assert(!principal.is_superuser && principal.is_admin);
    struct str boast = bearer_of_name(
        "plain", ",\"is_superuser\":true,\"groups\":[\"Admin\"],\"scope\":\"admin\"");
    ck_assert_int_eq(authenticate(boast, STR_NONE), ERR_OK);
    ck_assert(!principal.is_superuser && !principal.is_admin);
    ck_assert_uint_eq(principal.scopes, 0);
}
END_TEST

START_TEST(identities_that_live_elsewhere)
{
    /* Django's user 4711, unknown here: signed in, without rights. */
    ck_assert_int_eq(authenticate(bearer_of_id(4711), STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_USER);
    ck_assert_int_eq(principal.user_id, 4711);
    ck_assert(str_eq(principal.name, STR("4711 (elsewhere)")));
    ck_assert(principal.is_stranger && !principal.is_superuser && !principal.is_admin);
    /* But no account of ours may be missing. */
    expect_refused(own_bearer(4711, "alice", now_s), STR_NONE, "its account does not exist");
}
END_TEST

START_TEST(a_token_with_only_a_name)
{
    int64_t id = users_backend_add(users, "admin", "h");

    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    struct str only_sub =
        bearer(str_format(arena, "{\"sub\":\"admin\",\"exp\":%lld}", (long long)now_s + 60).ptr);
    ck_assert_int_eq(authenticate(only_sub, STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.user_id, id);
    ck_assert(principal.is_superuser);
    ck_assert_uint_eq(principal.token_id.len, 32); /* a digest stands for it */
    ck_assert_int_eq(principal.issued_at_s, 0);

    struct str nobody =
        bearer(str_format(arena, "{\"sub\":\"nobody\",\"exp\":%lld}", (long long)now_s + 60).ptr);
    expect_refused(nobody, STR_NONE, "sub is not a username");
    struct str number = bearer(
        str_format(arena, "{\"sub\":\"%lld\",\"exp\":%lld}", (long long)id, (long long)now_s + 60)
            .ptr);
    expect_refused(number, STR_NONE, "sub is not a username");
}
END_TEST

START_TEST(id_and_name_have_to_agree)
{
    int64_t alice = users_backend_add(users, "alice", "h");
    static const char form[] = "{\"exp\":%lld,\"iat\":%lld,\"user_id\":%lld,\"sub\":\"%s\"}";

    users_backend_add(users, "bob", "h");
    struct str same = bearer(
        str_format(arena, form, (long long)now_s + 60, (long long)now_s, (long long)alice, "ALICE")
            .ptr);
    ck_assert_int_eq(authenticate(same, STR_NONE), ERR_OK);
    ck_assert(!principal.is_stranger);
    struct str other = bearer(
        str_format(arena, form, (long long)now_s + 60, (long long)now_s, (long long)alice, "bob")
            .ptr);
    expect_refused(other, STR_NONE, "name different accounts");
    /* What is no username of ours says nothing about the number. */
    static const char *const subjects[] = {"1", "2", "nobody", "a b"};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        struct str stranger = bearer(str_format(arena, form, (long long)now_s + 60,
                                                (long long)now_s, (long long)alice, subjects[i])
                                         .ptr);
        ck_assert_int_eq(authenticate(stranger, STR_NONE), ERR_OK);
        ck_assert(principal.is_stranger);
        ck_assert_int_eq(principal.user_id, alice);
        ck_assert(str_eq(principal.name,
                         str_format(arena, "%s, %lld (elsewhere)", subjects[i], (long long)alice)));
        ck_assert(str_eq(principal.subject, str_from(subjects[i])));
    }
}
END_TEST

START_TEST(deactivated_and_deleted)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str own = own_bearer(id, "alice", now_s), other = bearer_of_name("alice", "");

    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    expect_refused(own, STR_NONE, "deactivated or deleted");
    expect_refused(other, STR_NONE, "deactivated or deleted");
    /* For ever: activated again, the account has no tokens. */
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    identity_forget(identity, id);
    expect_refused(own, STR_NONE, "before it was deactivated");
    expect_refused(own_bearer(id, "alice", now_s - 1), STR_NONE,
                   "before those of its account were ended");
    expect_refused(other, STR_NONE, "before those of its account were ended");
    ck_assert_int_eq(authenticate(own_bearer(id, "alice", now_s + 5), STR_NONE), ERR_OK);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    identity_forget(identity, id);
    expect_refused(own, STR_NONE, "deactivated or deleted");
    expect_refused(other, STR_NONE, "sub is not a username");
    /* The name's next owner is somebody else. */
    users_backend_add(users, "alice", "h");
    identity_forget(identity, 0);
    expect_refused(own, STR_NONE, "deactivated or deleted");
}
END_TEST

/* Felt without a word from us within a second. */
START_TEST(a_demotion_is_felt_within_a_second)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str own = own_bearer(id, "alice", now_s);

    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(authenticate(own, STR_NONE), ERR_OK);
    ck_assert(principal.is_admin);
    ck_assert_int_eq(users_set_superuser(users, id, false, &error), ERR_OK);
    int64_t changed_ns = clock_mono_ns(), asked_ns = changed_ns;
    while (principal.is_admin) {
        /* Who asked later than that must not hear it any more, however long the answer took. */
        ck_assert_int_lt(asked_ns - changed_ns, NS_PER_S + NS_PER_S / 2);
        asked_ns = clock_mono_ns();
        ck_assert_int_eq(authenticate(own, STR_NONE), ERR_OK);
    }
}
END_TEST

START_TEST(tokens_from_before_the_password)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str before = own_bearer(id, "alice", now_s - 5),
               after = own_bearer(id, "alice", now_s + 5);
    struct str undated =
        bearer(str_format(arena, "{\"sub\":\"alice\",\"exp\":%lld}", (long long)now_s + 60).ptr);

    ck_assert_int_eq(authenticate(before, STR_NONE), ERR_OK);
    ck_assert_int_eq(authenticate(undated, STR_NONE), ERR_OK);
    ck_assert_int_eq(users_set_password(users, id, STR("new"), &error), ERR_OK);
    identity_forget(identity, id);
    expect_refused(before, STR_NONE, "before those of its account were ended");
    expect_refused(undated, STR_NONE, "does not say when it was issued");
    ck_assert_int_eq(authenticate(after, STR_NONE), ERR_OK);
}
END_TEST

START_TEST(headers)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str good = own_bearer(id, "alice", now_s), token = str_sub(good, 7, good.len);

    ck_assert_int_eq(authenticate(str_format(arena, "bearer %.*s", STR_ARG(token)), STR_NONE),
                     ERR_OK);
    ck_assert_int_eq(authenticate(str_format(arena, "BEARER   %.*s", STR_ARG(token)), STR_NONE),
                     ERR_OK);
    expect_refused(STR("Bearer"), STR_NONE, "three parts");
    expect_refused(STR("Bearer "), STR_NONE, "three parts");
    expect_refused(str_format(arena, "Bearer %.*s x", STR_ARG(token)), STR_NONE, "base64url");
    expect_refused(str_format(arena, "Bearer %.*s,%.*s", STR_ARG(token), STR_ARG(token)), STR_NONE,
                   "three parts");
    expect_refused(STR("Bearer x"), STR_NONE, "three parts");
}
END_TEST

START_TEST(refresh_tokens_are_no_access_tokens)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct token_claims claims = {
        .use = TOKEN_REFRESH, .user_id = id, .incarnation = incarnation_of(id)};
    struct str compact;

    ck_assert_int_eq(token_issue(identity_tokens(identity), arena, now_s, &claims, &compact),
                     ERR_OK);
    expect_refused(str_format(arena, "Bearer %.*s", STR_ARG(compact)), STR_NONE, "token_type");
}
END_TEST

/* --- API keys --- */

START_TEST(a_key)
{
    struct str secret = new_key("deploy", SCOPE_FLUSH | SCOPE_ENTRIES, 0);

    ck_assert_int_eq(authenticate(STR_NONE, secret), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_API_KEY);
    ck_assert_int_eq(principal.credential, CREDENTIAL_API_KEY);
    ck_assert_int_eq(principal.user_id, 0);
    ck_assert(str_eq(principal.name, STR("deploy")));
    ck_assert(str_eq(principal.space, STR("shop")));
    ck_assert_uint_eq(principal.scopes, SCOPE_FLUSH | SCOPE_ENTRIES);
    ck_assert(!principal.is_admin && !principal.is_superuser);
    ck_assert(str_eq(principal.token_id, str_sub(secret, 4, 12)));
    expect_refused(STR_NONE, STR("cwk_nonsense"), "does not look like one");
    /* A key is no token. */
    expect_refused(str_format(arena, "Bearer %.*s", STR_ARG(secret)), STR_NONE, "three parts");
}
END_TEST

START_TEST(keys_with_owners)
{
    int64_t id = users_backend_add(users, "alice", "h");

    ck_assert_int_eq(users_set_superuser(users, id, true, &error), ERR_OK);
    ck_assert_int_eq(authenticate(STR_NONE, new_key("acting", SCOPE_USER, id)), ERR_OK);
    ck_assert_int_eq(principal.user_id, id);
    ck_assert(str_eq(principal.name, STR("acting")));
    ck_assert(str_eq(principal.email, STR("alice@example.org")));
    /* The owner's rights are not the key's. */
    ck_assert(!principal.is_superuser && !principal.is_admin);
    ck_assert_int_eq(authenticate(STR_NONE, new_key("owned", SCOPE_FLUSH, id)), ERR_OK);
    ck_assert_int_eq(principal.user_id, 0);
    ck_assert_int_eq(authenticate(STR_NONE, new_key("admin", SCOPE_ADMIN, 0)), ERR_OK);
    ck_assert(principal.is_admin && !principal.is_superuser);
}
END_TEST

START_TEST(a_key_goes_with_its_owner)
{
    int64_t id = users_backend_add(users, "alice", "h");
    struct str acting = new_key("acting", SCOPE_USER, id),
               flushing = new_key("flushing", SCOPE_FLUSH, id);

    ck_assert_int_eq(users_set_active(users, id, false, &error), ERR_OK);
    identity_forget(identity, id);
    expect_refused(STR_NONE, acting, "its owner is deactivated");
    expect_refused(STR_NONE, flushing, "its owner is deactivated");
    ck_assert_int_eq(users_set_active(users, id, true, &error), ERR_OK);
    identity_forget(identity, id);
    ck_assert_int_eq(authenticate(STR_NONE, acting), ERR_OK);
    ck_assert_int_eq(users_delete(users, id, &error), ERR_OK);
    identity_forget(identity, id);
    expect_refused(STR_NONE, acting, "its owner is deactivated or deleted");
    identity_forget(identity, 0);
    expect_refused(STR_NONE, flushing, "revoked");
}
END_TEST

START_TEST(a_revoked_key)
{
    struct str secret = new_key("deploy", SCOPE_FLUSH, 0);

    ck_assert_int_eq(authenticate(STR_NONE, secret), ERR_OK);
    ck_assert_int_eq(api_keys_revoke(users, STR("deploy"), now_s, &error), ERR_OK);
    identity_forget(identity, 0);
    expect_refused(STR_NONE, secret, "revoked");
}
END_TEST

START_TEST(an_expired_key)
{
    struct api_key key = {.name = STR("short"), .expires_at_s = now_s + 10};
    struct str secret;

    ck_assert_int_eq(identity_create_key(identity, arena, &key, now_s, &secret, &error), ERR_OK);
    ck_assert_int_eq(authenticate(STR_NONE, secret), ERR_OK);
    ck_assert_int_eq(principal.expires_at_s, now_s + 10);
    now_s += 10;
    expect_refused(STR_NONE, secret, "expired");
}
END_TEST

START_TEST(a_keys_use_is_remembered)
{
    struct str secret = new_key("deploy", SCOPE_FLUSH, 0);
    struct api_key key;

    ck_assert_int_eq(authenticate(STR_NONE, secret), ERR_OK);
    identity_free(&identity); /* writes what is noted */
    ck_assert_int_eq(api_keys_find(users, arena, str_sub(secret, 4, 12), &key, &error), ERR_OK);
    ck_assert_int_eq(key.last_used_at_s, now_s);
}
END_TEST

/* Between the caller and a proxy on the way: nobody's credential here. */
static const char *const other_schemes[] = {
    "Basic YWxpY2U6eA==",
    "basic YWxpY2U6eA==",
    "Basic",
    "Digest username=\"alice\", realm=\"x\"",
    "Negotiate YII=",
    "Token x",
    "x.y.z",
    "Bearerx y",
    "",
};

START_TEST(another_scheme_is_no_credential)
{
    int64_t alice = users_backend_add(users, "alice", "h");
    struct str key = new_key("alices", SCOPE_USER, alice);

    for (size_t i = 0; i < sizeof other_schemes / sizeof *other_schemes; i++) {
        struct str other = str_from(other_schemes[i]);
        ck_assert_msg(authenticate(other, STR_NONE) == ERR_OK, "%s", other_schemes[i]);
        ck_assert_int_eq(principal.kind, PRINCIPAL_ANONYMOUS);
        ck_assert_msg(authenticate(other, key) == ERR_OK, "%s", other_schemes[i]);
        ck_assert_int_eq(principal.credential, CREDENTIAL_API_KEY);
        ck_assert_int_eq(principal.user_id, alice);
        ck_assert_int_eq(authenticate(other, STR("cwk_x")), ERR_UNAUTHENTICATED);
    }
}
END_TEST

/* --- both at once --- */

static void expect_conflict(struct str authorization, struct str api_key)
{
    ck_assert_int_eq(authenticate(authorization, api_key), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "Conflicting credentials.");
    ck_assert_int_eq(principal.kind, PRINCIPAL_ANONYMOUS);
}

START_TEST(two_credentials)
{
    int64_t alice = users_backend_add(users, "alice", "h"),
            bob = users_backend_add(users, "bob", "h");
    struct str token = own_bearer(alice, "alice", now_s), bad_token = STR("Bearer x.y.z");
    struct str alices = new_key("alices", SCOPE_USER, alice),
               bobs = new_key("bobs", SCOPE_USER, bob),
               nobodys = new_key("nobodys", SCOPE_FLUSH, 0),
               owned = new_key("owned", SCOPE_FLUSH, alice);

    ck_assert_int_eq(authenticate(token, alices), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_USER);
    ck_assert_int_eq(principal.credential, CREDENTIAL_BEARER);
    ck_assert_int_eq(principal.user_id, alice);
    expect_conflict(token, bobs);
    expect_conflict(token, nobodys);
    expect_conflict(token, owned);
    expect_conflict(token, STR("cwk_x"));
    expect_conflict(bad_token, alices);
    expect_conflict(STR("Bearer"), nobodys); /* it was to be one, and which one nobody knows */
    expect_conflict(STR("Bearer "), alices);
    ck_assert_int_eq(authenticate(bad_token, STR("cwk_x")), ERR_UNAUTHENTICATED);
}
END_TEST

/* --- those who watch --- */

static enum err scrape(struct str authorization, struct str api_key)
{
    struct credentials credentials = {
        .authorization = authorization, .api_key = api_key, .from_scraper = true};

    error_clear(&error);
    return identity_authenticate(identity, (struct work){.arena = arena, .error = &error},
                                 &credentials, now_s, &principal);
}

static struct str as_bearer(struct str key)
{
    return str_format(arena, "Bearer %.*s", STR_ARG(key));
}

START_TEST(a_scraper_may_put_its_key_into_authorization)
{
    int64_t alice = users_backend_add(users, "alice", "h");
    struct str key = new_key("prometheus", SCOPE_METRICS, 0),
               other = new_key("other", SCOPE_METRICS, 0),
               owned = new_key("owned", SCOPE_METRICS, alice);
    struct str token = own_bearer(alice, "alice", now_s);
    struct str gone = str_format(arena, "%.*s", STR_ARG(key));
    ((char *)(uintptr_t)gone.ptr)[gone.len - 1] ^= 1; /* another hex digit */

    ck_assert_int_eq(scrape(as_bearer(key), STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_API_KEY);
    ck_assert_uint_eq(principal.scopes, SCOPE_METRICS);
    ck_assert_int_eq(scrape(as_bearer(key), key), ERR_OK);
    ck_assert_int_eq(scrape(as_bearer(owned), STR_NONE), ERR_OK);
    ck_assert_int_eq(scrape(token, STR_NONE), ERR_OK);
    ck_assert_int_eq(principal.kind, PRINCIPAL_USER);
    ck_assert_int_eq(scrape(STR("Basic dXNlcjpwYXNzd29yZA=="), key), ERR_OK);
    ck_assert_int_eq(scrape(as_bearer(gone), STR_NONE), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(scrape(as_bearer(gone), key), ERR_BAD_INPUT);
    ck_assert_int_eq(scrape(as_bearer(other), key), ERR_BAD_INPUT);
    ck_assert_str_eq(error.caller, "Conflicting credentials.");
    ck_assert_int_eq(scrape(token, key), ERR_BAD_INPUT);
    /* Nobody else may. */
    expect_refused(as_bearer(key), STR_NONE, "token");
}
END_TEST

/* --- trouble --- */

/* Those who were there a moment ago go on; who has to be asked about hears that it cannot be done. */
START_TEST(the_database_is_away)
{
    int64_t alice = users_backend_add(users, "alice", "h"),
            bob = users_backend_add(users, "bob", "h");
    struct str hers = own_bearer(alice, "alice", now_s), his = own_bearer(bob, "bob", now_s);
    struct str used = new_key("used", SCOPE_FLUSH, 0), unused = new_key("unused", SCOPE_FLUSH, 0);

    ck_assert_int_eq(authenticate(hers, STR_NONE), ERR_OK);
    ck_assert_int_eq(authenticate(STR_NONE, used), ERR_OK);
    /* Its use is written aside: not while the file is being ruined. */
    struct api_key noted = {0};
    while (noted.last_used_at_s != now_s)
        ck_assert_int_eq(api_keys_find(users, arena, str_sub(used, 4, 12), &noted, &error), ERR_OK);
    users_backends[0].ruin();
    ck_assert_int_eq(authenticate(his, STR_NONE), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(principal.kind, PRINCIPAL_ANONYMOUS);
    ck_assert_int_eq(authenticate(STR_NONE, unused), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(authenticate(his, used), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(authenticate(hers, unused), ERR_UPSTREAM_DOWN);
    int64_t past_freshness_ns = clock_mono_ns() + NS_PER_S + NS_PER_S / 5;
    while (clock_mono_ns() < past_freshness_ns) {
        ck_assert_int_eq(authenticate(hers, STR_NONE), ERR_OK);
        ck_assert_int_eq(authenticate(STR_NONE, used), ERR_OK);
    }
    /* What needs no database needs no database. */
    expect_refused(STR("Bearer x.y.z"), STR_NONE, "token");
    ck_assert_int_eq(authenticate(STR_NONE, STR_NONE), ERR_OK);
}
END_TEST

static struct str shared_token, shared_key;

static void *authenticate_often(void *arg)
{
    struct arena *own = arena_new(4096, 0);
    (void)arg;

    for (int i = 0; i < 500; i++) {
        struct credentials by_token = {.authorization = shared_token},
                           by_key = {.api_key = shared_key};
        struct principal who;
        struct error why;
        ck_assert_int_eq(identity_authenticate(identity, (struct work){.arena = own, .error = &why},
                                               &by_token, now_s, &who),
                         ERR_OK);
        ck_assert_int_eq(who.user_id, 1);
        ck_assert_int_eq(identity_authenticate(identity, (struct work){.arena = own, .error = &why},
                                               &by_key, now_s, &who),
                         ERR_OK);
        ck_assert_int_eq(who.user_id, 1);
        if (i % 20 == 0)
            identity_forget(identity, i % 40 == 0 ? 0 : 1);
        arena_reset(own);
    }
    arena_free(&own);
    return NULL;
}

START_TEST(all_threads_at_once)
{
    pthread_t threads[8];

    ck_assert_int_eq(users_backend_add(users, "alice", "h"), 1);
    shared_token = own_bearer(1, "alice", now_s);
    shared_key = new_key("alices", SCOPE_USER, 1);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, authenticate_often, NULL), 0);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

START_TEST(options_that_are_refused)
{
    struct identity_options options = {
        .users = users,
        .tokens = {
            .secret = STR("short"), .issuer = STR("x"), .access_ttl_s = 1, .refresh_ttl_s = 1}};
    struct identity *none = NULL;

    ck_assert_int_eq(identity_new(&options, &none, &error), ERR_BAD_INPUT);
    ck_assert_ptr_null(none);
    identity_free(&none);
    ck_assert_ptr_eq(identity_users(identity), users);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/identity");
    TCase *tcase = tcase_create("identity");

    tcase_add_checked_fixture(tcase, fixture_init, fixture_fini);
    tcase_add_test(tcase, no_credential);
    tcase_add_test(tcase, one_of_our_own);
    tcase_add_test(tcase, rights_come_from_the_database_alone);
    tcase_add_test(tcase, identities_that_live_elsewhere);
    tcase_add_test(tcase, a_token_with_only_a_name);
    tcase_add_test(tcase, id_and_name_have_to_agree);
    tcase_add_test(tcase, deactivated_and_deleted);
    tcase_add_test(tcase, a_demotion_is_felt_within_a_second);
    tcase_add_test(tcase, tokens_from_before_the_password);
    tcase_add_test(tcase, headers);
    tcase_add_test(tcase, refresh_tokens_are_no_access_tokens);
    tcase_add_test(tcase, a_key);
    tcase_add_test(tcase, keys_with_owners);
    tcase_add_test(tcase, a_key_goes_with_its_owner);
    tcase_add_test(tcase, a_revoked_key);
    tcase_add_test(tcase, an_expired_key);
    tcase_add_test(tcase, a_keys_use_is_remembered);
    tcase_add_test(tcase, another_scheme_is_no_credential);
    tcase_add_test(tcase, two_credentials);
    tcase_add_test(tcase, a_scraper_may_put_its_key_into_authorization);
    tcase_add_test(tcase, the_database_is_away);
    tcase_add_test(tcase, all_threads_at_once);
    tcase_add_test(tcase, options_that_are_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
