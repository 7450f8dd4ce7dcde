/* Tokens and keys that are good, and the many that are not. */
#include "patience.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATUS "/api/cache/status/"
#define HS256  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define LATER  "\"exp\":4102444800"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, NULL);
}

static void close_stand(void)
{
    stand_close(&stand);
}

static void expect_good(const char *line)
{
    const struct http_reply *reply = http_get(stand.http, STATUS, line);
    ck_assert_msg(reply->status == 200, "refused: %s\n%s", line, reply->body);
}

static void expect_bad(const char *line, const char *what)
{
    const struct http_reply *reply = http_get(stand.http, STATUS, line);
    ck_assert_msg(reply->status == 401 && strcmp(reply->body, SAYS_401) == 0,
                  "not refused: %s (%s)\n%d %s", what, line, reply->status, reply->body);
    expect_header(reply, "WWW-Authenticate", "Bearer");
}

static long long now(void)
{
    return (long long)time(NULL);
}

/* ---- payloads, signed with the right secret ---- */

START_TEST(good_payloads)
{
    char line[MINT_SIZE];
    const long long id = (long long)stand.alice.id;
    /* simplejwt writes the id as a number, and since 5.5 as a string. */
    expect_good(mint_bearer(line, STAND_SECRET,
                            "{\"token_type\":\"access\"," LATER
                            ",\"iat\":%lld,\"jti\":\"a\",\"user_id\":%lld}",
                            now(), id));
    expect_good(mint_bearer(line, STAND_SECRET,
                            "{\"token_type\":\"access\"," LATER
                            ",\"iat\":%lld,\"jti\":\"a\",\"user_id\":\"%lld\"}",
                            now(), id));
    expect_good(mint_bearer(line, STAND_SECRET, "{\"sub\":\"alice\"," LATER "}"));
    expect_good(mint_bearer(line, STAND_SECRET,
                            "{\"token_type\":\"access\"," LATER
                            ",\"jti\":\"a\",\"user_id\":%lld,\"iss\":\"cachewarden\"}",
                            id));
    expect_good(mint_bearer(line, STAND_SECRET,
                            "{\"fresh\":false,\"type\":\"access\",\"sub\":\"alice\"," LATER "}"));
    /* Clocks may differ by 30 s. */
    expect_good(mint_bearer(
        line, STAND_SECRET,
        "{\"token_type\":\"access\",\"exp\":%lld,\"jti\":\"a\",\"user_id\":%lld}", now() - 10, id));
    expect_good(mint_bearer(line, STAND_SECRET,
                            "{\"token_type\":\"access\"," LATER
                            ",\"nbf\":%lld,\"jti\":\"a\",\"user_id\":%lld}",
                            now() + 10, id));
    /* Claims that mean nothing to us are nobody's business. */
    expect_good(mint_bearer(line, STAND_SECRET,
                            "{\"token_type\":\"access\"," LATER
                            ",\"jti\":\"a\",\"user_id\":%lld,\"x\":{\"y\":[1]}}",
                            id));
}
END_TEST

START_TEST(a_token_claims_no_role)
{
    char line[MINT_SIZE];
    mint_bearer(line, STAND_SECRET,
                "{\"token_type\":\"access\"," LATER
                ",\"jti\":\"a\",\"user_id\":%lld,\"is_superuser\":true,\"is_staff\":true,"
                "\"groups\":[\"Admin\"],\"role\":\"admin\",\"scope\":\"admin\"}",
                (long long)stand.alice.id);
    expect_good(line);
    expect_status(http_post(stand.http, "/api/server-management/clear-cache/", line), 403);
    expect_status(http_get(stand.http, "/api/v1/audit", line), 403);
}
END_TEST

#define ID "\"user_id\":%lld"

START_TEST(bad_payloads)
{
    /* Each has one %lld for alice's id, and would be good but for one thing. */
    static const char *const payloads[] = {
        "{\"token_type\":\"access\",\"exp\":1700000000,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":\"4102444800\",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":null,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":true,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":-1,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":0,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":1e400,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":99999999999999999999,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"exp\":[4102444800],\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"nbf\":4102444000,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"nbf\":\"0\",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"iat\":4102444000,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"iss\":\"somebody\",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"iss\":[\"cachewarden\"],\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"iss\":null,\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"aud\":\"x\",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"aud\":[\"x\"],\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"refresh\"," LATER ",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"sliding\"," LATER ",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"ACCESS\"," LATER ",\"jti\":\"a\"," ID "}",
        "{\"token_type\":null," LATER ",\"jti\":\"a\"," ID "}",
        "{\"token_type\":[\"access\"]," LATER ",\"jti\":\"a\"," ID "}",
        "{\"type\":\"refresh\"," LATER ",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"access\",\"type\":\"refresh\"," LATER ",\"jti\":\"a\"," ID "}",
        /* Duplicates: who is it, until when? */
        "{\"token_type\":\"access\"," LATER ",\"jti\":\"a\",\"user_id\":1," ID "}",
        "{\"token_type\":\"access\",\"exp\":1700000000," LATER ",\"jti\":\"a\"," ID "}",
        "{\"token_type\":\"refresh\",\"token_type\":\"access\"," LATER ",\"jti\":\"a\"," ID "}",
        /* Not an object, or not only one. */
        "[{\"token_type\":\"access\"," LATER "," ID "}]",
        "{\"token_type\":\"access\"," LATER ",\"jti\":\"a\"," ID "}{}",
        "{\"token_type\":\"access\"," LATER ",\"jti\":\"a\"," ID,
        "{\"token_type\":\"access\"," LATER ",\"jti\":\"\xff\"," ID "}",
        "{\"token_type\":\"access\"," LATER ",\"jti\":\"\\u0000\"," ID "}",
    };
    char line[MINT_SIZE], json[1024];
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        const char *at = strstr(payloads[i], "%lld");
        snprintf(json, sizeof json, "%.*s%lld%s", (int)(at - payloads[i]), payloads[i],
                 (long long)stand.alice.id, at + 4);
        expect_bad(mint_forged(line, sizeof line, HS256, json, STAND_SECRET, strlen(STAND_SECRET)),
                   json);
    }
}
END_TEST

START_TEST(bad_subjects)
{
    static const char *const subjects[] = {
        "\"user_id\":0",          "\"user_id\":-1",
        "\"user_id\":1.5",        "\"user_id\":1.0",
        "\"user_id\":1e0",        "\"user_id\":9223372036854775808",
        "\"user_id\":\"\"",       "\"user_id\":\"0\"",
        "\"user_id\":\"01\"",     "\"user_id\":\"+1\"",
        "\"user_id\":\"-1\"",     "\"user_id\":\" 1\"",
        "\"user_id\":\"1 \"",     "\"user_id\":\"1x\"",
        "\"user_id\":\"abc\"",    "\"user_id\":\"9223372036854775808\"",
        "\"user_id\":null",       "\"user_id\":true",
        "\"user_id\":[1]",        "\"user_id\":{\"id\":1}",
        "\"sub\":\"\"",           "\"sub\":1",
        "\"sub\":null",           "\"sub\":\"nobody\"",
        "\"sub\":\"alice \"",     "\"sub\":[\"alice\"]",
        "\"username\":\"alice\"", "\"jti\":\"a\"",
    };
    char line[MINT_SIZE];
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        expect_bad(mint_bearer(line, STAND_SECRET, "{\"token_type\":\"access\"," LATER ",%s}",
                               subjects[i]),
                   subjects[i]);
        expect_bad(mint_bearer(line, STAND_SECRET, "{" LATER ",%s}", subjects[i]), subjects[i]);
    }
}
END_TEST

/* ---- headers and signatures ---- */

START_TEST(bad_headers)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"nOnE\"}",
        "{\"alg\":\"NONE\"}",
        "{\"alg\":\"\"}",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"PS256\"}",
        "{\"alg\":\"EdDSA\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":null}",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
        "{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1:1/\"}",
        "{\"alg\":\"HS256\",\"x5u\":\"http://127.0.0.1:1/\"}",
        "{\"alg\":\"HS256\",\"x5c\":[\"AAAA\"]}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"HS256\",\"kid\":\"../../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"x' UNION SELECT 'a\"}",
        "{\"alg\":\"HS256\",\"kid\":\"1\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\"}",
        "[]",
        "\"HS256\"",
        "null",
        "",
        "{",
        "{\"alg\":\"HS256\"}{}",
    };
    char line[MINT_SIZE], payload[256];
    snprintf(payload, sizeof payload, "{\"token_type\":\"access\"," LATER ",\"jti\":\"a\"," ID "}",
             (long long)stand.alice.id);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        expect_bad(
            mint_forged(line, sizeof line, headers[i], payload, STAND_SECRET, strlen(STAND_SECRET)),
            headers[i]);
        expect_bad(mint_forged(line, sizeof line, headers[i], payload, NULL, 0), headers[i]);
    }
    expect_good(mint_forged(line, sizeof line, "{\"typ\":\"JWT\",\"alg\":\"HS256\"}", payload,
                            STAND_SECRET, strlen(STAND_SECRET)));
}
END_TEST

START_TEST(bad_signatures)
{
    static const char *const keys[] = {"another-secret-of-forty-bytes-and-some-more", "", "secret",
                                       STAND_SECRET " ", "stand-secret"};
    char line[MINT_SIZE], payload[256], twisted[MINT_SIZE];
    snprintf(payload, sizeof payload, "{\"token_type\":\"access\"," LATER ",\"jti\":\"a\"," ID "}",
             (long long)stand.alice.id);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        expect_bad(mint_forged(line, sizeof line, HS256, payload, keys[i], strlen(keys[i])),
                   keys[i]);

    expect_good(mint_forged(line, sizeof line, HS256, payload, STAND_SECRET, strlen(STAND_SECRET)));
    const size_t size = strlen(line);
    const char *signature = strrchr(line, '.') + 1;
    static const char *const tails[] = {"=", "==", ".", ".x", " x", "A", "%3D", "\t."};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        snprintf(twisted, sizeof twisted, "%s%s", line, tails[i]);
        expect_bad(twisted, "something behind the signature");
    }
    for (size_t cut = 1; cut <= strlen(signature) + 1; cut += 7) {
        snprintf(twisted, sizeof twisted, "%.*s", (int)(size - cut), line);
        expect_bad(twisted, "a cut signature");
    }
    /* The last of 43 characters carries 4 bits; the other 2 must be zero, or one MAC has four spellings. */
    snprintf(twisted, sizeof twisted, "%s", line);
    const char *digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    twisted[size - 1] = digits[(strchr(digits, twisted[size - 1]) - digits) | 1];
    expect_bad(twisted, "a signature in another spelling");
    /* One character of each part changed. */
    for (size_t at = strlen("Authorization: Bearer ") + 5; at < size; at += 23) {
        snprintf(twisted, sizeof twisted, "%s", line);
        twisted[at] = twisted[at] == 'A' ? 'B' : 'A';
        expect_bad(twisted, "a changed character");
    }
}
END_TEST

/* A good token of at least so many bytes, as a header line; the caller frees it. */
static char *mint_of_size(size_t size, const char *payload_start)
{
    const size_t room = 4 * size;
    char *payload = malloc(room), *line = malloc(room);
    size_t minted = 0;
    ck_assert(payload && line);
    for (int padding = (int)size * 3 / 4 - 400; minted < size; padding++) {
        snprintf(payload, room, "%s,\"x\":\"%0*d\"}", payload_start, padding, 1);
        mint_forged(line, room, HS256, payload, STAND_SECRET, strlen(STAND_SECRET));
        minted = strlen(line) - strlen("Authorization: Bearer ");
    }
    ck_assert_uint_eq(minted, size);
    free(payload);
    return line;
}

/* Issuers put groups and permissions into tokens: 16 KiB are taken, with fields of a browser beside them. */
START_TEST(huge_tokens)
{
    static const size_t too_large[] = {16385, 20000};
    char start[256];
    snprintf(start, sizeof start, "{\"token_type\":\"access\"," LATER ",\"jti\":\"a\"," ID,
             (long long)stand.alice.id);
    char *line = mint_of_size(16384, start);
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "GET " STATUS " HTTP/1.1\r\nHost: localhost\r\n%s\r\nCookie: a=%04000d\r\n\r\n",
              line, 1);
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    raw_close(&raw);
    free(line);
    for (size_t i = 0; i < sizeof too_large / sizeof *too_large; i++) {
        line = mint_of_size(too_large[i], start);
        expect_bad(line, "a token of more than 16 KiB");
        free(line);
    }
}
END_TEST

START_TEST(other_credentials)
{
    static const char *const lines[] = {
        "Authorization: Bearer",
        "Authorization: Bearer ",
        "Authorization: Bearer  ",
        "Authorization: Basic YWxpY2U6eA==",
        "Authorization: Digest x",
        "Authorization: Token x.y.z",
        "Authorization: x.y.z",
        "Authorization: Bearer ..",
        "Authorization: Bearer a.b.c",
        "Authorization: Bearer a",
        "Authorization: Bearer null",
        "Authorization: Bearer undefined",
        "x-api-key;" /* libcurl's word for an empty one */,
        "x-api-key: x",
        "x-api-key: cwk_",
        "x-api-key: cwk__",
        "x-api-key: cwk_000000000000_0000000000000000000000000000000000000000000",
        "x-api-key: ' OR 1=1 --",
        "x-api-key: %00",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_bad(lines[i], lines[i]);
    char lower[MINT_SIZE];
    snprintf(lower, sizeof lower, "authorization: bearer %s", mint_token(stand.alice.bearer));
    expect_good(lower);
}
END_TEST

START_TEST(a_token_belongs_into_the_header)
{
    char target[MINT_SIZE];
    static const char *const names[] = {"access_token", "token", "jwt", "authorization"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(target, sizeof target, STATUS "?%s=%s", names[i], mint_token(stand.alice.bearer));
        expect_answer(http_get(stand.http, target, NULL), 401, SAYS_401);
    }
    char *log = cw_server_log(&stand.server);
    ck_assert_msg(strstr(log, mint_token(stand.alice.bearer)) == NULL, "the token is in the log");
    free(log);
}
END_TEST

/* ---- keys ---- */

START_TEST(api_keys)
{
    char key[STAND_KEY_SIZE], twisted[STAND_KEY_SIZE + 1];
    stand_key(&stand, key, "robot",
              (const char *const[]){"--scope", "user", "--user", "alice", NULL});
    expect_good(key);
    expect_status(http_get(stand.http, "/auth/me", key), 200);
    /* Each part of it counts. */
    for (size_t at = strlen("x-api-key: cwk_"); at < strlen(key); at++) {
        if (key[at] == '_')
            continue;
        snprintf(twisted, sizeof twisted, "%s", key);
        twisted[at] = twisted[at] == 'a' ? 'b' : 'a';
        if (strcmp(twisted, key) != 0)
            expect_bad(twisted, "a changed key");
    }
    snprintf(twisted, sizeof twisted, "%.*s", (int)strlen(key) - 1, key);
    expect_bad(twisted, "a cut key");
    snprintf(twisted, sizeof twisted, "%sa", key);
    expect_bad(twisted, "a longer key");

    stand_cli_do(&stand, NULL, (const char *const[]){"key", "revoke", "robot", NULL});
    /* The server looks again within a second. */
    int64_t give_up = stand_now_ms() + PATIENCE_MS;
    while (http_get(stand.http, STATUS, key)->status == 200)
        ck_assert_msg(stand_now_ms() < give_up, "a revoked key still works after 5 s");
    expect_bad(key, "a revoked key");
}
END_TEST

/* What a proxy in front was shown is in nobody's way. */
START_TEST(another_scheme_beside_a_key)
{
    static const char *const others[] = {
        "Authorization: Basic YWxpY2U6eA==", "Authorization: Digest username=\"alice\"",
        "Authorization: Negotiate YII=", "Authorization: NTLM",
        "Authorization;" /* libcurl's word for an empty one */};
    char key[STAND_KEY_SIZE];
    stand_key(&stand, key, "proxied", (const char *const[]){"--scope", "flush", NULL});
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const char *headers[] = {others[i], key, NULL};
        expect_status(http_send(stand.http, "DELETE", "/api/v1/cache", headers, NULL, 0), 200);
        headers[1] = NULL;
        expect_answer(http_send(stand.http, "GET", STATUS, headers, NULL, 0), 401, SAYS_401);
    }
    const char *headers[] = {"Authorization: Bearer", key, NULL};
    expect_answer(http_send(stand.http, "DELETE", "/api/v1/cache", headers, NULL, 0), 400,
                  "{\"detail\":\"Conflicting credentials.\"}");
}
END_TEST

START_TEST(two_credentials)
{
    char flush[STAND_KEY_SIZE], as_alice[STAND_KEY_SIZE];
    const char *says = "{\"detail\":\"Conflicting credentials.\"}";
    stand_key(&stand, flush, "flush", (const char *const[]){"--scope", "flush", NULL});
    stand_key(&stand, as_alice, "alice-key",
              (const char *const[]){"--scope", "user", "--user", "alice", NULL});
    const char *const conflicts[][2] = {
        {stand.alice.bearer, flush},
        {stand.bob.bearer, as_alice},
        {stand.alice.bearer, "x-api-key: cwk_x_y"},
        {"Authorization: Bearer x.y.z", as_alice},
    };
    for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++) {
        const char *headers[] = {conflicts[i][0], conflicts[i][1], NULL};
        expect_answer(http_send(stand.http, "GET", STATUS, headers, NULL, 0), 400, says);
    }
}
END_TEST

/* A change of rights is felt by tokens that are already out. */
START_TEST(rights_are_looked_up_anew)
{
    struct stand_account temp;
    stand_account(&stand, &temp, "temp", (const char *const[]){"--superuser", NULL});
    expect_status(http_get(stand.http, "/api/v1/audit", temp.bearer), 200);
    stand_cli_do(&stand, NULL,
                 (const char *const[]){"user", "revoke", "temp", "--superuser", NULL});
    int64_t give_up = stand_now_ms() + PATIENCE_MS;
    while (http_get(stand.http, "/api/v1/audit", temp.bearer)->status == 200)
        ck_assert_msg(stand_now_ms() < give_up, "a demoted superuser is one still");
    expect_status(http_get(stand.http, "/api/v1/audit", temp.bearer), 403);
    expect_good(temp.bearer);
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "temp", NULL});
    give_up = stand_now_ms() + PATIENCE_MS;
    while (http_get(stand.http, STATUS, temp.bearer)->status == 200)
        ck_assert_msg(stand_now_ms() < give_up, "a deactivated account is active still");
    expect_bad(temp.bearer, "a deactivated account's token");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokens and keys");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, good_payloads);
    tcase_add_test(shared, a_token_claims_no_role);
    tcase_add_test(shared, bad_payloads);
    tcase_add_test(shared, bad_subjects);
    tcase_add_test(shared, bad_headers);
    tcase_add_test(shared, bad_signatures);
    tcase_add_test(shared, huge_tokens);
    tcase_add_test(shared, other_credentials);
    tcase_add_test(shared, a_token_belongs_into_the_header);
    tcase_add_test(shared, api_keys);
    tcase_add_test(shared, another_scheme_beside_a_key);
    tcase_add_test(shared, two_credentials);
    tcase_add_test(shared, rights_are_looked_up_anew);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
