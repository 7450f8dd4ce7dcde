/* The issuers in force: whose token is good, with which keys, and when they are fetched. */
#include "issuers/issuers_private.h"

#include "identity_fixture.h"
#include "key_server.h"
#include "signer.h"
#include "suite.h"

#include <pthread.h>
#include <unistd.h>

#define ISSUER "https://id.example"

static struct key_server *server;
static struct issuers *issuers;
static struct issuer_claims claims;
static struct signer *signer; /* ES256, kid "k1" */
static const struct str es256[] = {STR("ES256")};

static void publish(const struct signer *const *signers)
{
    char *text = signer_jwks(signers);

    key_server_publish(server, text);
    free(text);
}

#define PUBLISH(...) publish((const struct signer *const[]){__VA_ARGS__, NULL})

static struct issuer_spec spec_of_server(void)
{
    return (struct issuer_spec){.name = STR(ISSUER),
                                .algorithms = es256,
                                .algorithm_count = 1,
                                .jwks_url = str_from(key_server_url(server)),
                                .user_claim = STR("sub"),
                                .accounts = ISSUER_ACCOUNTS_NONE};
}

static void set_up(void)
{
    fixture_init();
    server = key_server_start(NULL, 0);
    signer = signer_new("ES256", "k1");
    PUBLISH(signer);
}

static void tear_down(void)
{
    issuers_free(&issuers);
    ck_assert_ptr_null(issuers);
    key_server_stop(&server);
    signer_free(&signer);
    fixture_fini();
}

static enum err open_issuers(const struct issuer_spec *specs, size_t count)
{
    const struct issuers_options options = {
        .specs = specs,
        .spec_count = count,
        .own_name = STR("cachewarden"),
        .admin_group = STR("Admin"),
        .users = users,
        .leeway_s = 30,
        .fetch_timeout_ms = 20000,
        .look_ms = 10,
    };

    error_clear(&error);
    return issuers_new(&options, &issuers, &error);
}

/* Running, and asked once. */
static void start(const struct issuer_spec *spec)
{
    ck_assert_msg(open_issuers(spec, 1) == ERR_OK, "%s", error.caller);
    ck_assert_int_eq(issuers_start(issuers, &error), ERR_OK);
    ck_assert(issuers_wait(issuers, soon()));
}

static char *mint_for(const struct signer *minter, const char *subject)
{
    return signer_mint(minter, "{\"iss\":\"" ISSUER "\",\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
                       subject, (long long)now_s, (long long)now_s + 600);
}

static enum err verify_at(const char *compact, int64_t at_s)
{
    error_clear(&error);
    enum err err = issuers_recall(issuers, arena, str_from(compact), at_s, &claims, &error);
    if (err != ERR_NOT_FOUND)
        return err;
    return issuers_verify(issuers, arena, str_from(compact), at_s, &claims, &error);
}

static bool is_remembered(const char *compact)
{
    return issuers_recall(issuers, arena, str_from(compact), now_s, &claims, &error) !=
           ERR_NOT_FOUND;
}

static enum err verify(const struct signer *minter)
{
    char *compact = mint_for(minter, "42");
    enum err err = verify_at(compact, now_s);

    free(compact);
    return err;
}

static void await(const struct signer *minter)
{
    int64_t deadline_ns = soon();

    while (verify(minter) != ERR_OK) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s", error.detail);
        usleep(10000);
    }
}

/* ---- tokens ---- */

START_TEST(a_good_token)
{
    struct issuer_spec spec = spec_of_server();

    start(&spec);
    char *compact = mint_for(signer, "42");
    ck_assert(!is_remembered(compact));
    ck_assert_int_eq(verify_at(compact, now_s), ERR_OK);
    ck_assert_int_eq(claims.claims.token.user_id, 42);
    ck_assert(claims.is_foreign && !claims.claims.token.is_own);
    /* The next time it is remembered, and judged by the clock as before. */
    ck_assert(is_remembered(compact));
    ck_assert_int_eq(verify_at(compact, now_s + 629), ERR_OK);
    ck_assert_int_eq(claims.claims.token.user_id, 42);
    ck_assert_int_eq(verify_at(compact, now_s + 630), ERR_UNAUTHENTICATED);
    ck_assert_ptr_nonnull(strstr(error.detail, "exp is over"));
    ck_assert_int_eq(verify_at(compact, now_s - 31), ERR_UNAUTHENTICATED);
    ck_assert_ptr_nonnull(strstr(error.detail, "iat is in the future"));
    free(compact);
}
END_TEST

START_TEST(of_nobody_here)
{
    struct issuer_spec spec = spec_of_server();

    start(&spec);
    static const char *const payloads[] = {"{\"sub\":\"1\",\"exp\":4102444800}",
                                           "{\"iss\":\"https://other.example\",\"exp\":4102444800}",
                                           "{\"iss\":\"cachewarden\",\"exp\":4102444800}", "[]"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        char *compact = signer_mint(signer, "%s", payloads[i]);
        ck_assert_int_eq(verify_at(compact, now_s), ERR_NOT_FOUND);
        free(compact);
    }
    ck_assert_int_eq(verify_at("no token", now_s), ERR_NOT_FOUND);
}
END_TEST

START_TEST(none_configured)
{
    ck_assert_int_eq(open_issuers(NULL, 0), ERR_OK);
    ck_assert_int_eq(issuers_start(issuers, &error), ERR_OK);
    ck_assert(issuers_wait(issuers, soon()));
    ck_assert_int_eq(verify(signer), ERR_NOT_FOUND);
    ck_assert_int_eq(key_server_count(server), 0);
}
END_TEST

/* The two issuers' keys are not each other's, and neither is the algorithm. */
START_TEST(two_issuers)
{
    struct signer *other = signer_new("EdDSA", "k1");
    struct key_server *second = key_server_start(NULL, 0);
    char *set = signer_jwks((const struct signer *const[]){other, NULL});
    static const struct str eddsa[] = {STR("EdDSA")};
    struct issuer_spec specs[] = {spec_of_server(), spec_of_server()};

    key_server_publish(second, set);
    specs[1].name = STR("second");
    specs[1].jwks_url = str_from(key_server_url(second));
    specs[1].algorithms = eddsa;
    ck_assert_int_eq(open_issuers(specs, 2), ERR_OK);
    ck_assert_int_eq(issuers_start(issuers, &error), ERR_OK);
    ck_assert(issuers_wait(issuers, soon()));
    ck_assert_int_eq(verify(signer), ERR_OK);
    ck_assert_int_eq(verify(other), ERR_UNAUTHENTICATED);
    char *compact =
        signer_mint(other, "{\"iss\":\"second\",\"sub\":\"7\",\"exp\":%lld}", (long long)now_s + 9);
    ck_assert_int_eq(verify_at(compact, now_s), ERR_OK);
    free(compact);
    compact = signer_mint(signer, "{\"iss\":\"second\",\"sub\":\"7\",\"exp\":%lld}",
                          (long long)now_s + 9);
    ck_assert_int_eq(verify_at(compact, now_s), ERR_UNAUTHENTICATED);
    free(compact);
    free(set);
    key_server_stop(&second);
    signer_free(&other);
}
END_TEST

START_TEST(an_account_on_first_sight)
{
    struct issuer_spec spec = spec_of_server();
    struct user user;

    spec.accounts = ISSUER_ACCOUNTS_PROVISION;
    start(&spec);
    char *expired = signer_mint(signer, "{\"iss\":\"" ISSUER "\",\"sub\":\"late\",\"exp\":5}");
    ck_assert_int_eq(verify_at(expired, now_s), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(users_find_by_id(users, arena, 1, &user, &error), ERR_NOT_FOUND);
    char *first = mint_for(signer, "auth0|7"), *other = mint_for(signer, "1");
    ck_assert_int_eq(verify_at(first, now_s), ERR_OK);
    int64_t id = claims.claims.token.user_id;
    ck_assert_int_gt(id, 0);
    ck_assert_int_eq(verify_at(first, now_s), ERR_OK);
    ck_assert_int_eq(claims.claims.token.user_id, id);
    ck_assert_int_eq(users_find_by_id(users, arena, id, &user, &error), ERR_OK);
    /* A subject that looks like the id of an account is another one. */
    ck_assert_int_eq(verify_at(other, now_s), ERR_OK);
    ck_assert_int_ne(claims.claims.token.user_id, id);
    ck_assert_int_eq(claims.claims.token.user_id, 2);
    free(expired);
    free(first);
    free(other);
}
END_TEST

START_TEST(the_users_database_is_away)
{
    struct issuer_spec spec = spec_of_server();

    spec.accounts = ISSUER_ACCOUNTS_PROVISION;
    start(&spec);
    char *known = mint_for(signer, "known"), *fresh = mint_for(signer, "fresh");
    ck_assert_int_eq(verify_at(known, now_s), ERR_OK);
    users_backends[0].ruin();
    ck_assert_int_eq(verify_at(fresh, now_s), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(verify_at(known, now_s), ERR_OK);
    free(known);
    free(fresh);
}
END_TEST

/* ---- servers ---- */

START_TEST(a_new_key)
{
    struct issuer_spec spec = spec_of_server();
    struct signer *next = signer_new("ES256", "k2");

    start(&spec);
    ck_assert_int_eq(key_server_count(server), 1);
    char *old = mint_for(signer, "42");
    ck_assert_int_eq(verify_at(old, now_s), ERR_OK);
    ck_assert(is_remembered(old));
    /* Whoever brings a token with it makes us look, and is refused until then. */
    PUBLISH(next);
    ck_assert_int_eq(verify(next), ERR_UNAUTHENTICATED);
    ck_assert_ptr_nonnull(strstr(error.detail, "no such key"));
    await(next);
    ck_assert_int_eq(key_server_count(server), 2);
    /* The old one is withdrawn, for those who were let in with it, too. */
    ck_assert(!is_remembered(old));
    ck_assert_int_eq(verify_at(old, now_s), ERR_UNAUTHENTICATED);
    free(old);
    signer_free(&next);
}
END_TEST

START_TEST(a_flood_of_kids)
{
    struct issuer_spec spec = spec_of_server();

    start(&spec);
    for (int i = 0; i < 200; i++) {
        char kid[16];
        snprintf(kid, sizeof kid, "k%d", i + 2);
        struct signer *stranger = signer_new("ES256", kid);
        ck_assert_int_eq(verify(stranger), ERR_UNAUTHENTICATED);
        signer_free(&stranger);
    }
    key_server_wait_count(server, 2);
    ck_assert_int_eq(verify(signer), ERR_OK);
    ck_assert_int_eq(key_server_count(server), 2);
}
END_TEST

START_TEST(the_last_good_set_stays)
{
    struct issuer_spec spec = spec_of_server();
    struct signer *stranger = signer_new("ES256", "k2");

    start(&spec);
    key_server_publish(server, "<html>Be right back</html>");
    ck_assert_int_eq(verify(stranger), ERR_UNAUTHENTICATED);
    key_server_wait_count(server, 2);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(verify(signer), ERR_OK);
    signer_free(&stranger);
}
END_TEST

START_TEST(down_at_the_start)
{
    struct issuer_spec spec = spec_of_server();
    char url[64];
    int port = key_server_port(server);

    snprintf(url, sizeof url, "%s", key_server_url(server));
    spec.jwks_url = str_from(url);
    key_server_stop(&server);
    start(&spec);
    ck_assert_int_eq(verify(signer), ERR_UNAUTHENTICATED);
    server = key_server_start(NULL, port);
    PUBLISH(signer);
    await(signer);
}
END_TEST

/* A request does not wait for it, and neither does the end. */
START_TEST(a_server_that_does_not_answer)
{
    struct issuer_spec spec = spec_of_server();

    key_server_mute(server);
    ck_assert_int_eq(open_issuers(&spec, 1), ERR_OK);
    ck_assert_int_eq(issuers_start(issuers, &error), ERR_OK);
    key_server_wait_count(server, 1);
    ck_assert(!issuers_wait(issuers, clock_deadline_ns(1)));
    ck_assert_int_eq(verify(signer), ERR_UNAUTHENTICATED);
}
END_TEST

/* ---- files ---- */

static char path[300];

static void write_keys(const char *text)
{
    char temporary[310];
    snprintf(path, sizeof path, "%s/keys", users_backend_folder.path);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(temporary, path), 0);
}

START_TEST(a_file_that_changes)
{
    struct signer *next = signer_new("ES256", "k2");
    char *old_set = signer_jwks((const struct signer *const[]){signer, NULL}),
         *new_set = signer_jwks((const struct signer *const[]){next, NULL});
    struct issuer_spec spec = spec_of_server();

    write_keys(old_set);
    spec.jwks_url = STR_NONE;
    spec.jwks_file = str_from(path);
    start(&spec);
    ck_assert_int_eq(verify(signer), ERR_OK);
    ck_assert_int_eq(verify(next), ERR_UNAUTHENTICATED);
    /* Half a file changes nothing. */
    write_keys("{\"keys\":[");
    ck_assert_int_eq(verify(signer), ERR_OK);
    write_keys(new_set);
    await(next);
    ck_assert_int_eq(verify(signer), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(verify(next), ERR_OK);
    ck_assert_int_eq(key_server_count(server), 0);
    free(old_set);
    free(new_set);
    signer_free(&next);
}
END_TEST

START_TEST(a_secret_that_changes)
{
    struct signer *first = signer_new("HS512", NULL), *second = signer_new("HS512", NULL);
    static const struct str hs512[] = {STR("HS512")};
    struct issuer_spec spec = spec_of_server();

    write_keys(signer_secret(first));
    spec.jwks_url = STR_NONE;
    spec.secret_file = str_from(path);
    spec.algorithms = hs512;
    /* 64 hex digits are 64 bytes. */
    start(&spec);
    ck_assert_int_eq(verify(first), ERR_OK);
    ck_assert_int_eq(verify(second), ERR_UNAUTHENTICATED);
    write_keys(signer_secret(second));
    await(second);
    ck_assert_int_eq(verify(first), ERR_UNAUTHENTICATED);
    signer_free(&first);
    signer_free(&second);
}
END_TEST

/* ---- SIGHUP ---- */

START_TEST(other_issuers_from_here_on)
{
    struct issuer_spec spec = spec_of_server();

    start(&spec);
    char *compact = mint_for(signer, "42");
    ck_assert_int_eq(verify_at(compact, now_s), ERR_OK);
    spec.audience = STR("us");
    ck_assert_int_eq(issuers_set(issuers, &spec, 1, &error), ERR_OK);
    ck_assert(!is_remembered(compact));
    /* The keys are there already, whether or not they are being fetched again. */
    ck_assert_int_eq(verify_at(compact, now_s), ERR_UNAUTHENTICATED);
    ck_assert_ptr_nonnull(strstr(error.detail, "aud is missing"));
    spec.audience = STR_NONE;
    key_server_mute(server);
    ck_assert_int_eq(issuers_set(issuers, &spec, 1, &error), ERR_OK);
    ck_assert_int_eq(verify_at(compact, now_s), ERR_OK);
    ck_assert_int_eq(issuers_set(issuers, NULL, 0, &error), ERR_OK);
    ck_assert_int_eq(verify_at(compact, now_s), ERR_NOT_FOUND);
    free(compact);
}
END_TEST

/* Keys that another algorithm or place was configured for are not taken over. */
START_TEST(another_source)
{
    static const struct str both[] = {STR("ES256"), STR("RS256")};
    struct issuer_spec spec = spec_of_server();

    start(&spec);
    key_server_mute(server);
    spec.algorithms = both;
    spec.algorithm_count = 2;
    ck_assert_int_eq(issuers_set(issuers, &spec, 1, &error), ERR_OK);
    ck_assert_int_eq(verify(signer), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(bad_ones_change_nothing)
{
    struct issuer_spec spec = spec_of_server(), twice[] = {spec, spec}, own = spec, bad = spec;

    start(&spec);
    ck_assert_int_eq(issuers_set(issuers, twice, 2, &error), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "two have the name " ISSUER));
    own.name = STR("cachewarden");
    ck_assert_int_eq(issuers_set(issuers, &own, 1, &error), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, "is auth.issuer"));
    bad.jwks_url = STR("http://id.example/");
    ck_assert_int_eq(issuers_set(issuers, &bad, 1, &error), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(error.caller, ISSUER ": jwks_url must begin with https://"));
    ck_assert_int_eq(verify(signer), ERR_OK);
    struct issuers *kept = issuers;
    ck_assert_int_eq(open_issuers(&bad, 1), ERR_BAD_INPUT);
    ck_assert_ptr_null(issuers);
    issuers = kept;
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 4, ROUNDS = 400 };

static atomic_int good_count;

static void *use(void *arg)
{
    struct arena *own_arena = arena_new(16384, 0);
    struct issuer_claims own_claims;

    for (int i = 0; i < ROUNDS; i++) {
        struct str compact = str_from(arg);
        enum err err = issuers_recall(issuers, own_arena, compact, now_s, &own_claims, NULL);
        if (err == ERR_NOT_FOUND)
            err = issuers_verify(issuers, own_arena, compact, now_s, &own_claims, NULL);
        if (err == ERR_OK && own_claims.claims.token.user_id == 42)
            atomic_fetch_add(&good_count, 1);
        arena_reset(own_arena);
    }
    arena_free(&own_arena);
    return NULL;
}

/* Reloads and requests side by side: no thread sees half of anything. */
START_TEST(while_settings_change)
{
    struct issuer_spec spec = spec_of_server();
    pthread_t threads[THREADS];

    start(&spec);
    char *compact = mint_for(signer, "42");
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, use, compact), 0);
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(issuers_set(issuers, &spec, 1, &error), ERR_OK);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&good_count), THREADS * ROUNDS);
    free(compact);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/issuers");
    TCase *tcase = tcase_create("issuers");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_good_token);
    tcase_add_test(tcase, of_nobody_here);
    tcase_add_test(tcase, none_configured);
    tcase_add_test(tcase, two_issuers);
    tcase_add_test(tcase, an_account_on_first_sight);
    tcase_add_test(tcase, the_users_database_is_away);
    tcase_add_test(tcase, a_new_key);
    tcase_add_test(tcase, a_flood_of_kids);
    tcase_add_test(tcase, the_last_good_set_stays);
    tcase_add_test(tcase, down_at_the_start);
    tcase_add_test(tcase, a_server_that_does_not_answer);
    tcase_add_test(tcase, a_file_that_changes);
    tcase_add_test(tcase, a_secret_that_changes);
    tcase_add_test(tcase, other_issuers_from_here_on);
    tcase_add_test(tcase, another_source);
    tcase_add_test(tcase, bad_ones_change_nothing);
    tcase_add_test(tcase, while_settings_change);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
