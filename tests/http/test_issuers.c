/* Tokens of other issuers, from outside: good ones of every algorithm, whose users and rights they are, and the
 * tricks that are known. */
#include "issuers_case.h"
#include "patience.h"

/* ---- good ones ---- */

START_TEST(every_algorithm)
{
    const struct signer *const signers[] = {rsa, pss, ec, ed};
    start_server("");
    ck_assert_int_eq(key_server_count(keys), 1);
    for (size_t i = 0; i < 4; i++) {
        char *compact = mint_for(signers[i], "4711");
        for (int again = 0; again < 3; again++)
            expect_status(get_with(STATUS, compact), 200);
        expect_body_has(get_with("/auth/me", compact), 200, "\"id\":4711");
        free(compact);
    }
    /* All that was asked of the server was one set. */
    ck_assert_int_eq(key_server_count(keys), 1);
    /* Our own go on beside them. */
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
}
END_TEST

START_TEST(secrets)
{
    static const char *const algorithms[] = {"HS256", "HS384", "HS512"};
    char path[400];
    char *directory = cw_directory_new();
    size_t used = (size_t)snprintf(config, sizeof config, "auth: { issuers = (");
    struct signer *signers[3];
    for (int i = 0; i < 3; i++) {
        signers[i] = signer_new(algorithms[i], NULL);
        snprintf(path, sizeof path, "secret%d", i);
        cw_file_write(directory, path, signer_secret(signers[i]), 0600);
        used += (size_t)snprintf(config + used, sizeof config - used,
                                 "%s { issuer = \"i%d\"; algorithms = [ \"%s\" ]; secret_file = "
                                 "\"%s/secret%d\"; }",
                                 i ? "," : "", i, algorithms[i], directory, i);
    }
    snprintf(config + used, sizeof config - used, " ); };\nlimits: { enabled = false; };\n");
    stand_open(&stand, &(struct stand_options){.config = config});
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            char *compact = signer_mint(signers[j], "{\"iss\":\"i%d\",\"sub\":\"7\",\"exp\":%lld}",
                                        i, now() + 60);
            if (i == j)
                ck_assert_int_eq(status_of(STATUS, compact), 200);
            else
                expect_refused(compact, "another one's secret");
        }
    }
    for (int i = 0; i < 3; i++)
        signer_free(&signers[i]);
    cw_directory_remove(&directory);
}
END_TEST

START_TEST(accounts_on_first_sight)
{
    start_server("accounts = \"provision\"; audience = \"cw\";");
    char *alice = signer_mint(ec,
                              "{\"iss\":\"" ISSUER "\",\"aud\":\"cw\",\"sub\":\"auth0|alice\","
                              "\"iat\":%lld,\"exp\":%lld}",
                              now(), now() + 600);
    /* The id of the superuser root, in the issuer's mouth. */
    char *liar = signer_mint(ec,
                             "{\"iss\":\"" ISSUER "\",\"aud\":[\"x\",\"cw\"],\"sub\":\"%lld\","
                             "\"iat\":%lld,\"exp\":%lld,\"is_superuser\":true}",
                             (long long)stand.root.id, now(), now() + 600);
    expect_status(get_with(STATUS, alice), 200);
    expect_status(get_with(STATUS, liar), 200);
    expect_status(get_with(ADMIN, liar), 403);
    char first[300], again[300], second[300];
    snprintf(first, sizeof first, "%s", get_with("/auth/me", alice)->body);
    snprintf(again, sizeof again, "%s", get_with("/auth/me", alice)->body);
    snprintf(second, sizeof second, "%s", get_with("/auth/me", liar)->body);
    ck_assert_str_eq(first, again);
    ck_assert_str_ne(first, second);
    ck_assert_ptr_nonnull(strstr(first, "\"username\":\"x-"));
    /* An account like any other: it may be made an admin, and deactivated. */
    char name[64] = "";
    snprintf(name, sizeof name, "%.34s", strstr(first, "\"x-") + 1);
    struct cw_result result;
    stand_cli(&stand, NULL, (const char *const[]){"user", "show", name, NULL}, &result);
    ck_assert_ptr_nonnull(strstr(result.out, "issuer:     " ISSUER "\nsubject:    auth0|alice\n"));
    cw_result_fini(&result);
    stand_cli(&stand, NULL, (const char *const[]){"user", "show", name, "--json", NULL}, &result);
    ck_assert_ptr_nonnull(
        strstr(result.out, "\"issuer\":\"" ISSUER "\",\"subject\":\"auth0|alice\""));
    cw_result_fini(&result);
    stand_cli_do(&stand, NULL,
                 (const char *const[]){"user", "grant", name, "--group", "Admin", NULL});
    int64_t give_up = stand_now_ms() + PATIENCE_MS;
    while (get_with(ADMIN, alice)->status != 200)
        ck_assert_msg(stand_now_ms() < give_up, "no admin");
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", name, NULL});
    give_up = stand_now_ms() + PATIENCE_MS;
    while (get_with(STATUS, alice)->status != 401)
        ck_assert_msg(stand_now_ms() < give_up, "active still");
    free(alice);
    free(liar);
}
END_TEST

/* Both readings of a number, and what is none. */
START_TEST(numbers)
{
    char subject[32];
    start_server("accounts = \"local\";");
    expect_refused(mint_for(ec, "auth0|7"), "a subject that is no id");
    expect_refused(mint_for(ec, "alice"), "a username");
    expect_refused(mint_for(ec, "0"), "no account's id");
    expect_refused(mint_for(ec, "007"), "an id that is not canonical");
    /* An id is an account's, with the rights it has here. */
    snprintf(subject, sizeof subject, "%lld", (long long)stand.root.id);
    ck_assert_int_eq(status_of(ADMIN, mint_for(ec, subject)), 200);
    snprintf(subject, sizeof subject, "%lld", (long long)stand.alice.id);
    ck_assert_int_eq(status_of(ADMIN, mint_for(ec, subject)), 403);
}
END_TEST

/* A number that is one of theirs: no account here is meant by it, whatever account has it. */
START_TEST(numbers_of_their_own)
{
    char subject[32], *compact;
    start_server("");
    expect_refused(mint_for(ec, "auth0|7"), "a subject that is no number");
    expect_refused(mint_for(ec, "alice"), "a username");
    expect_refused(mint_for(ec, "007"), "a number that is not canonical");
    snprintf(subject, sizeof subject, "%lld", (long long)stand.root.id);
    compact = mint_for(ec, subject);
    expect_status(get_with(STATUS, compact), 200);
    expect_status(get_with(ADMIN, compact), 403);
    expect_body_has(get_with("/auth/me", compact), 200, "\"email\":\"\",\"is_superuser\":false");
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "root", NULL});
    expect_status(get_with(STATUS, compact), 200);
    free(compact);
}
END_TEST

static char *boast(const char *subject)
{
    return signer_mint(ec,
                       "{\"iss\":\"" ISSUER "\",\"uid\":\"%s\",\"exp\":%lld,\"admin\":true,"
                       "\"is_superuser\":true,\"groups\":[\"Admin\"],\"scope\":\"admin\"}",
                       subject, now() + 60);
}

START_TEST(rights_that_are_not_named)
{
    start_server("user_claim = \"uid\";");
    ck_assert_int_eq(status_of(STATUS, boast("4711")), 200);
    ck_assert_int_eq(status_of(ADMIN, boast("4711")), 403);
}
END_TEST

START_TEST(rights_that_are_named)
{
    start_server("user_claim = \"uid\"; superuser_claim = \"admin\"; groups_claim = \"groups\";");
    char *admin = boast("4711");
    expect_status(get_with(ADMIN, admin), 200);
    expect_body_has(get_with("/auth/me", admin), 200,
                    "\"is_superuser\":true,\"groups\":[\"Admin\"]}");
    free(admin);
    /* The token alone says: root is nobody special then. */
    char *plain = signer_mint(ec, "{\"iss\":\"" ISSUER "\",\"uid\":\"%lld\",\"exp\":%lld}",
                              (long long)stand.root.id, now() + 60);
    expect_status(get_with(STATUS, plain), 200);
    expect_status(get_with(ADMIN, plain), 403);
    free(plain);
    char *member = signer_mint(ec,
                               "{\"iss\":\"" ISSUER "\",\"uid\":\"9\",\"exp\":%lld,\"groups\":"
                               "[\"a\",\"Admin\"]}",
                               now() + 60);
    expect_status(get_with(ADMIN, member), 200);
    /* Twice: read, and remembered. */
    for (int i = 0; i < 2; i++)
        expect_body_has(get_with("/auth/me", member), 200, "\"groups\":[\"a\",\"Admin\"]}");
    free(member);
}
END_TEST

START_TEST(logging_out)
{
    start_server("");
    char *compact = signer_mint(ec,
                                "{\"iss\":\"" ISSUER "\",\"sub\":\"4711\",\"jti\":\"j1\",\"iat\":"
                                "%lld,\"exp\":%lld}",
                                now(), now() + 600);
    char line[2048];
    snprintf(line, sizeof line, "Authorization: Bearer %s", compact);
    expect_status(get_with(STATUS, compact), 200);
    expect_status(http_post(stand.http, "/auth/logout", line), 200);
    expect_refused(compact, "it was revoked, however well it is remembered");
    ck_assert_int_eq(status_of(STATUS, mint_for(ec, "4711")), 200);
}
END_TEST

/* ---- tricks ---- */

static char *payload_of(char *out, size_t size)
{
    snprintf(out, size, "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":%lld}", now() + 600);
    return out;
}

START_TEST(headers)
{
    static const char *const bad[] = {
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"jku\":\"%s\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"x5u\":\"%s\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"x5c\":[\"MIIB\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"jwk\":{\"kty\":\"EC\"}}",
        "{\"alg\":\"ES256\",\"kid\":5}",
        "{\"alg\":\"ES256\",\"kid\":\"\"}",
        "{\"alg\":\"ES256\",\"kid\":\"EC\"}",
        "{\"alg\":\"ES256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"ES256\",\"kid\":\"../../../dev/null\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec' OR '1'='1\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\\r\\nDEL x\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\\u0000\"}",
        "{\"alg\":\"es256\",\"kid\":\"ec\"}",
        "{\"alg\":\"none\",\"kid\":\"ec\"}",
        "{\"alg\":\"RS256\",\"kid\":\"ec\"}",
        "{\"alg\":\"HS256\",\"kid\":\"ec\"}",
        "{\"alg\":\"EdDSA\",\"kid\":\"ec\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"ec\"}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"ec\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"secevent+jwt\"}",
        "{\"kid\":\"ec\"}",
        "[]",
    };
    char header[512], payload[256];
    start_server("");
    payload_of(payload, sizeof payload);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(header, sizeof header, bad[i], key_server_url(keys));
        expect_refused(signer_sign(ec, header, payload), bad[i]);
    }
    snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"ec\"}");
    ck_assert_int_eq(status_of(STATUS, signer_sign(ec, header, payload)), 200);
    /* One key for an algorithm: it is meant without being named, too. */
    ck_assert_int_eq(status_of(STATUS, signer_sign(ec, "{\"alg\":\"ES256\"}", payload)), 200);
    /* A kid of 5000 bytes. */
    static char huge[6000];
    memset(huge, 'k', sizeof huge);
    size_t used = (size_t)snprintf(huge, sizeof huge, "{\"alg\":\"ES256\",\"kid\":\"");
    huge[used] = 'k';
    snprintf(huge + 5000, sizeof huge - 5000, "\"}");
    expect_refused(signer_sign(ec, huge, payload), "a huge kid");
    /* The names that were not there made us look once, the URLs in tokens never. */
    ck_assert_int_le(key_server_count(keys), 2);
}
END_TEST

/* The public key as an HMAC key, in every form it is known to the public. */
START_TEST(algorithm_confusion)
{
    const struct signer *const signers[] = {rsa, pss, ec, ed};
    char payload[256], header[128];
    static char compact[8192];
    start_server("");
    payload_of(payload, sizeof payload);
    for (size_t i = 0; i < 4; i++) {
        const char *const publics[] = {signer_pem(signers[i]), signer_jwk(signers[i]), ""};
        for (size_t j = 0; j < 3; j++) {
            snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
            mint_forged(compact, sizeof compact, header, payload, publics[j], strlen(publics[j]));
            expect_refused(strdup(mint_token(compact)), "HMAC with a public key");
            snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}",
                     signer_algorithm(signers[i]));
            mint_forged(compact, sizeof compact, header, payload, publics[j], strlen(publics[j]));
            expect_refused(strdup(mint_token(compact)), "HMAC in the place of a signature");
        }
    }
    /* Another's key, and the right key for the wrong algorithm. */
    expect_refused(signer_sign(spare, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", payload),
                   "another key");
    expect_refused(signer_sign(rsa, "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", payload),
                   "an RSA key for another padding");
    expect_refused(signer_sign(rsa, "{\"alg\":\"PS256\",\"kid\":\"pss\"}", payload),
                   "another padding");
    /* Our own secret signs for nobody else. */
    mint_forged(compact, sizeof compact, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", payload,
                STAND_SECRET, strlen(STAND_SECRET));
    expect_refused(strdup(mint_token(compact)), "our secret under another's name");
}
END_TEST

START_TEST(claims)
{
    static const char *const bad[] = {
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\"}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":1}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":\"4102444800\"}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":1e400}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":4102444800,\"nbf\":4102444000}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":4102444800,\"iat\":4102444000}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"sub\":\"43\",\"exp\":4102444800}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":4102444800,\"aud\":\"us\"}",
        "{\"iss\":\"" ISSUER "/\",\"sub\":\"42\",\"exp\":4102444800}",
        "{\"iss\":[\"" ISSUER "\"],\"sub\":\"42\",\"exp\":4102444800}",
        "{\"iss\":\"cachewarden\",\"sub\":\"42\",\"exp\":4102444800}",
        "{\"sub\":\"42\",\"exp\":4102444800}",
        "{\"iss\":\"" ISSUER "\",\"exp\":4102444800}",
    };
    start_server("");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(signer_mint(ec, "%s", bad[i]), bad[i]);
}
END_TEST

/* What issuers write, and no two alike. */
START_TEST(what_the_world_sends)
{
    static const char *const members[] = {"\"sub\":42", "\"sub\":\"42\",\"token_type\":\"Bearer\"",
                                          "\"sub\":\"42\",\"token_type\":7",
                                          "\"sub\":42,\"typ\":\"Bearer\",\"type\":\"x\""};
    static const char *const types[] = {
        "at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt", "JWT", "jwt"};
    char header[128], payload[256];
    start_server("");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char *compact =
            signer_mint(ec, "{\"iss\":\"" ISSUER "\",%s,\"exp\":%lld}", members[i], now() + 600);
        expect_body_has(get_with("/auth/me", compact), 200, "\"id\":42");
        free(compact);
    }
    payload_of(payload, sizeof payload);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"%s\"}",
                 types[i]);
        ck_assert_msg(status_of(STATUS, signer_sign(ec, header, payload)) == 200, "%s", types[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("issuers");
    TCase *tcase = tcase_create("issuers");
    tcase_add_unchecked_fixture(tcase, make_signers, free_signers);
    tcase_add_checked_fixture(tcase, open_keys, close_all);
    tcase_add_test(tcase, every_algorithm);
    tcase_add_test(tcase, secrets);
    tcase_add_test(tcase, accounts_on_first_sight);
    tcase_add_test(tcase, numbers);
    tcase_add_test(tcase, numbers_of_their_own);
    tcase_add_test(tcase, rights_that_are_not_named);
    tcase_add_test(tcase, rights_that_are_named);
    tcase_add_test(tcase, logging_out);
    tcase_add_test(tcase, headers);
    tcase_add_test(tcase, algorithm_confusion);
    tcase_add_test(tcase, claims);
    tcase_add_test(tcase, what_the_world_sends);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
