/* Tokens of other issuers, from outside: good ones of every algorithm, keys that come, go and fail to come, and the
 * tricks that are known (threats 1 to 18). */
#include "key_server.h"
#include "signer.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATUS "/api/cache/status/"
#define ADMIN  "/api/v1/audit"
#define ISSUER "https://id.example"

static struct stand stand;
static struct key_server *keys;
static struct signer *rsa, *pss, *ec, *ed, *spare; /* the issuer's, but for the spare one */
static char config[4096];

static long long now(void)
{
    return (long long)time(NULL);
}

static void publish(const struct signer *const *signers)
{
    char *set = signer_jwks(signers);
    key_server_publish(keys, set);
    free(set);
}

#define PUBLISH(...) publish((const struct signer *const[]){__VA_ARGS__, NULL})

/* `more` stands in the issuer's group. */
static const char *config_with(const char *more)
{
    snprintf(
        config, sizeof config,
        "auth: { issuers = ( { issuer = \"" ISSUER "\"; algorithms = [ \"RS256\", \"PS256\", "
        "\"ES256\", \"EdDSA\" ]; jwks_url = \"%s\"; %s } ); };\nlimits: { enabled = false; };\n",
        key_server_url(keys), more);
    return config;
}

static void start_server(const char *more)
{
    stand_open(&stand, &(struct stand_options){.config = config_with(more)});
}

static void open_keys(void)
{
    rsa = signer_new("RS256", "rsa");
    pss = signer_new("PS256", "pss");
    ec = signer_new("ES256", "ec");
    ed = signer_new("EdDSA", "ed");
    spare = signer_new("ES256", "spare");
    keys = key_server_start(NULL, 0);
    PUBLISH(rsa, pss, ec, ed);
}

static void close_all(void)
{
    stand_close(&stand);
    key_server_stop(&keys);
    struct signer **const signers[] = {&rsa, &pss, &ec, &ed, &spare};
    for (size_t i = 0; i < 5; i++)
        signer_free(signers[i]);
}

/* ---- requests ---- */

static const struct http_reply *get_with(const char *path, const char *compact)
{
    static char line[16384];
    snprintf(line, sizeof line, "Authorization: Bearer %s", compact);
    return http_get(stand.http, path, line);
}

/* Minted by the caller, freed here. */
static int status_of(const char *path, char *compact)
{
    int status = get_with(path, compact)->status;
    free(compact);
    return status;
}

static char *mint_for(const struct signer *signer, const char *subject)
{
    return signer_mint(signer, "{\"iss\":\"" ISSUER "\",\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
                       subject, now(), now() + 600);
}

static void expect_refused(char *compact, const char *what)
{
    const struct http_reply *reply = get_with(STATUS, compact);
    ck_assert_msg(reply->status == 401 && strcmp(reply->body, SAYS_401) == 0, "%s: %d %s", what,
                  reply->status, reply->body);
    expect_header(reply, "WWW-Authenticate", "Bearer");
    free(compact);
}

static bool is_accepted(const void *signer)
{
    return status_of(STATUS, mint_for(signer, "42")) == 200;
}

static bool is_refused(const void *signer)
{
    return status_of(STATUS, mint_for(signer, "42")) == 401;
}

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
    start_server("provision = true; audience = \"cw\";");
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
    int64_t give_up = stand_now_ms() + 10000;
    while (get_with(ADMIN, alice)->status != 200)
        ck_assert_msg(stand_now_ms() < give_up, "no admin");
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", name, NULL});
    give_up = stand_now_ms() + 10000;
    while (get_with(STATUS, alice)->status != 401)
        ck_assert_msg(stand_now_ms() < give_up, "active still");
    free(alice);
    free(liar);
}
END_TEST

START_TEST(names_without_provision)
{
    start_server("");
    expect_refused(mint_for(ec, "auth0|7"), "a subject that is no id");
    expect_refused(mint_for(ec, "alice"), "a username");
    expect_refused(mint_for(ec, "0"), "no account's id");
    expect_refused(mint_for(ec, "007"), "an id that is not canonical");
    /* An id is an account's, with the rights it has here. */
    char subject[32];
    snprintf(subject, sizeof subject, "%lld", (long long)stand.root.id);
    ck_assert_int_eq(status_of(ADMIN, mint_for(ec, subject)), 200);
    snprintf(subject, sizeof subject, "%lld", (long long)stand.alice.id);
    ck_assert_int_eq(status_of(ADMIN, mint_for(ec, subject)), 403);
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
    ck_assert_int_eq(status_of(ADMIN, boast("4711")), 200);
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
    ck_assert_int_eq(status_of(ADMIN, member), 200);
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
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":4102444800,\"token_type\":\"refresh\"}",
        "{\"iss\":\"" ISSUER "\",\"sub\":\"42\",\"exp\":4102444800,\"token_type\":\"session\"}",
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

/* ---- keys that come and go ---- */

START_TEST(rotation)
{
    start_server("");
    char *old = mint_for(ec, "42");
    expect_status(get_with(STATUS, old), 200);
    PUBLISH(ec, spare);
    stand_wait(is_accepted, spare, "the new key is known");
    ck_assert_int_eq(key_server_count(keys), 2);
    expect_status(get_with(STATUS, old), 200);
    free(old);
    /* Whatever else is asked for within the minute, nobody is sent again. */
    for (int i = 0; i < 100; i++) {
        char kid[16];
        snprintf(kid, sizeof kid, "flood%d", i);
        struct signer *stranger = signer_new("EdDSA", kid);
        expect_refused(mint_for(stranger, "42"), "a stranger");
        signer_free(&stranger);
    }
    ck_assert_int_eq(key_server_count(keys), 2);
    ck_assert(is_accepted(ec));
}
END_TEST

START_TEST(withdrawn)
{
    start_server("");
    char *old = mint_for(rsa, "42");
    expect_status(get_with(STATUS, old), 200);
    PUBLISH(spare);
    cw_server_signal(&stand.server, SIGHUP);
    stand_wait(is_refused, rsa, "the old key is not known any more");
    expect_refused(old, "it was good when its key was");
    ck_assert(is_accepted(spare));
}
END_TEST

/* A set that cannot be had leaves the last one in use, and everybody served at once. */
static void fail_to_refetch(void)
{
    int64_t start_ms = stand_now_ms();
    expect_refused(mint_for(spare, "42"), "a key that is not there");
    key_server_wait_count(keys, 2);
    for (int i = 0; i < 50; i++)
        ck_assert(is_accepted(ec));
    /* Far less than what one fetch may take, times that many. */
    ck_assert_int_lt(stand_now_ms() - start_ms, 60000);
    ck_assert(is_refused(spare));
    expect_status(http_get(stand.http, "/health/ready", NULL), 200);
}

static const struct {
    const char *name, *bytes;
    int drip_ms;
    const char *logged;
} failures[] = {
    {"wrong content", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>Sign in</html>", 0,
     "no JSON object"},
    {"no usable key",
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"keys\":[{\"kty\":\"oct\",\"k\":"
     "\"AAAA\"}]}",
     0, "no key of the set can be used"},
    {"an error", "HTTP/1.1 503 Oops\r\nContent-Length: 0\r\n\r\n", 0, "it answered 503"},
    {"a redirect",
     "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0,
     "redirects are not followed"},
    {"a slow drip", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", 200, NULL},
    {"a cut answer", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":[", 0,
     "issuer.keys_failed"},
};
enum { FAILURES = sizeof failures / sizeof *failures };

START_TEST(a_set_that_cannot_be_had)
{
    start_server("");
    key_server_say(keys, failures[_i].bytes, strlen(failures[_i].bytes), failures[_i].drip_ms);
    fail_to_refetch();
    if (failures[_i].logged)
        cw_server_wait_log(&stand.server, failures[_i].logged);
}
END_TEST

START_TEST(a_huge_set)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    size_t size = sizeof head - 1 + (4 << 20);
    char *text = malloc(size);
    memset(text, ' ', size);
    memcpy(text, head, sizeof head - 1);
    start_server("");
    key_server_say(keys, text, size, 0);
    fail_to_refetch();
    cw_server_wait_log(&stand.server, "the key set has more than 262144 bytes");
    free(text);
}
END_TEST

START_TEST(a_mute_server)
{
    start_server("");
    key_server_mute(keys);
    fail_to_refetch();
}
END_TEST

START_TEST(down_at_the_start)
{
    int port = key_server_port(keys);
    config_with("");
    key_server_stop(&keys);
    stand_open(&stand, &(struct stand_options){.config = config});
    cw_server_wait_log(&stand.server, "event=issuer.keys_failed");
    cw_server_wait_log(&stand.server, "its tokens are refused until there are keys");
    ck_assert(is_refused(ec));
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
    keys = key_server_start(NULL, port);
    PUBLISH(ec);
    stand_wait(is_accepted, ec, "its keys are fetched once it is there");
}
END_TEST

/* ---- settings ---- */

START_TEST(a_reload)
{
    start_server("");
    char *compact = mint_for(ec, "42");
    expect_status(get_with(STATUS, compact), 200);
    cw_file_write(stand.directory, "test.conf", config_with("audience = \"cw\";"), 0600);
    cw_server_signal(&stand.server, SIGHUP);
    stand_wait(is_refused, ec, "an audience is asked for");
    expect_refused(compact, "it was good before the reload");
    /* Nonsense changes nothing. */
    cw_file_write(stand.directory, "test.conf", config_with("jwks_file = \"/nonexistent\";"), 0600);
    cw_server_signal(&stand.server, SIGHUP);
    cw_server_wait_log(&stand.server, "event=config.kept");
    char *good = signer_mint(
        ec, "{\"iss\":\"" ISSUER "\",\"aud\":\"cw\",\"sub\":\"42\",\"exp\":%lld}", now() + 60);
    ck_assert_int_eq(status_of(STATUS, good), 200);
}
END_TEST

START_TEST(nonsense_does_not_start)
{
    start_server("");
    struct cw_result result;
    cw_file_write(
        stand.directory, "test.conf",
        "auth: { issuers = (\n { issuer = \"i\"; algorithms = [ \"ES256\" ];\n jwks_url = "
        "\"http://id.example/\"; } ); };\n",
        0600);
    stand_cli(&stand, NULL, (const char *const[]){"serve", "--check-config", NULL}, &result);
    ck_assert_int_eq(result.status, 1);
    ck_assert_msg(
        strstr(result.err, "test.conf:2: auth.issuers[0].jwks_url must begin with https") != NULL,
        "%s", result.err);
    cw_result_fini(&result);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("issuers");
    TCase *tcase = tcase_create("issuers");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, open_keys, close_all);
    tcase_add_test(tcase, every_algorithm);
    tcase_add_test(tcase, secrets);
    tcase_add_test(tcase, accounts_on_first_sight);
    tcase_add_test(tcase, names_without_provision);
    tcase_add_test(tcase, rights_that_are_not_named);
    tcase_add_test(tcase, rights_that_are_named);
    tcase_add_test(tcase, logging_out);
    tcase_add_test(tcase, headers);
    tcase_add_test(tcase, algorithm_confusion);
    tcase_add_test(tcase, claims);
    tcase_add_test(tcase, rotation);
    tcase_add_test(tcase, withdrawn);
    tcase_add_loop_test(tcase, a_set_that_cannot_be_had, 0, FAILURES);
    tcase_add_test(tcase, a_huge_set);
    tcase_add_test(tcase, a_mute_server);
    tcase_add_test(tcase, down_at_the_start);
    tcase_add_test(tcase, a_reload);
    tcase_add_test(tcase, nonsense_does_not_start);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
