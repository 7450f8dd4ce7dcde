/* Accounts and tokens: what the routes answer, and what they refuse. */
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_ACCOUNT "{\"detail\":\"No active account found with the given credentials\"}"
#define PASSWORD   "violet-lantern-42"

static struct stand stand;

static void open_stand(void)
{
    stand_open(&stand, &(struct stand_options){.environment = (const char *const[]){
                                                   "CACHEWARDEN_USERS_REGISTRATION=open",
                                                   "CACHEWARDEN_LIMITS_ENABLED=false", NULL}});
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* Posts JSON made printf-style. */
__attribute__((format(printf, 2, 3))) static const struct http_reply *post(const char *target,
                                                                           const char *format, ...)
{
    char *json;
    va_list args;
    va_start(args, format);
    ck_assert_int_gt(vasprintf(&json, format, args), 0);
    va_end(args);
    const struct http_reply *reply = http_post_json(stand.http, target, NULL, json);
    free(json);
    return reply;
}

/* The body with every token, "eyJ…", replaced by T; good until the next call. */
static const char *masked(const char *body)
{
    static char text[4096];
    size_t size = 0;
    while (*body != '\0' && size + 2 < sizeof text) {
        if (strncmp(body, "\"eyJ", 4) == 0) {
            text[size++] = 'T';
            body += strcspn(body + 1, "\"") + 2;
        } else {
            text[size++] = *body++;
        }
    }
    text[size] = '\0';
    return text;
}

/* The token of that member of the body. */
static char *token_of(char out[MINT_SIZE], const char *body, const char *member)
{
    char mark[64];
    snprintf(mark, sizeof mark, "\"%s\":\"", member);
    const char *at = strstr(body, mark);
    ck_assert_msg(at != NULL, "no %s in %s", member, body);
    at += strlen(mark);
    snprintf(out, MINT_SIZE, "%.*s", (int)strcspn(at, "\""), at);
    return out;
}

static char *bearer_of(char out[MINT_SIZE], const char *body, const char *member)
{
    char token[MINT_SIZE];
    ck_assert_uint_lt(strlen(token_of(token, body, member)), MINT_SIZE - 32);
    snprintf(out, MINT_SIZE, "Authorization: Bearer %.*s", MINT_SIZE - 32, token);
    return out;
}

static void expect_masked(const struct http_reply *reply, int status, const char *body)
{
    expect_status(reply, status);
    expect_header(reply, "Content-Type", "application/json");
    expect_header(reply, "Cache-Control", "no-store");
    ck_assert_str_eq(masked(reply->body), body);
}

static void expect_detail(const struct http_reply *reply, int status, const char *word)
{
    expect_status(reply, status);
    ck_assert_msg(strncmp(reply->body, "{\"detail\":\"", 11) == 0, "%s", reply->body);
    ck_assert_msg(strcasestr(reply->body, word) != NULL, "nothing of \"%s\" in %s", word,
                  reply->body);
}

#define LOGIN_BODY(id, name)                                                                \
    "{\"access_token\":T,\"refresh_token\":T,\"token_type\":\"bearer\",\"expires_in\":900," \
    "\"user\":{\"id\":" id ",\"username\":\"" name "\",\"email\":\"" name                   \
    "@example.com\",\"is_superuser\":%s,\"groups\":[%s]}}"

START_TEST(login)
{
    char wanted[512], bearer[MINT_SIZE];
    snprintf(wanted, sizeof wanted, LOGIN_BODY("%lld", "alice"), (long long)stand.alice.id, "false",
             "");
    const struct http_reply *reply =
        post("/auth/login", "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}");
    expect_masked(reply, 200, wanted);
    expect_status(
        http_get(stand.http, "/api/cache/status/", bearer_of(bearer, reply->body, "access_token")),
        200);
    expect_masked(post("/auth/login",
                       "{\"email\":\"alice@example.com\",\"password\":\"" STAND_PASSWORD "\"}"),
                  200, wanted);
    /* Names are one whatever their case. */
    expect_masked(
        post("/auth/login", "{\"username\":\"ALICE\",\"password\":\"" STAND_PASSWORD "\"}"), 200,
        wanted);

    snprintf(wanted, sizeof wanted, LOGIN_BODY("%lld", "root"), (long long)stand.root.id, "true",
             "");
    expect_masked(
        post("/auth/login", "{\"username\":\"root\",\"password\":\"" STAND_PASSWORD "\"}"), 200,
        wanted);
    snprintf(wanted, sizeof wanted, LOGIN_BODY("%lld", "boss"), (long long)stand.boss.id, "false",
             "\"Admin\"");
    expect_masked(
        post("/auth/login", "{\"username\":\"boss\",\"password\":\"" STAND_PASSWORD "\"}"), 200,
        wanted);
}
END_TEST

START_TEST(our_tokens_carry_what_clients_expect)
{
    static const char *const claims[] = {"\"token_type\":\"access\"",
                                         "\"user_id\":",
                                         "\"sub\":\"alice\"",
                                         "\"jti\":\"",
                                         "\"iat\":",
                                         "\"exp\":",
                                         "\"iss\":\"cachewarden\""};
    char token[MINT_SIZE], payload[MINT_SIZE];
    const struct http_reply *reply =
        post("/auth/login", "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}");
    mint_decode(payload, sizeof payload, token_of(token, reply->body, "access_token"), 1);
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        ck_assert_msg(strstr(payload, claims[i]) != NULL, "no %s in %s", claims[i], payload);
    ck_assert_msg(strstr(payload, "superuser") == NULL && strstr(payload, "groups") == NULL, "%s",
                  payload);
}
END_TEST

START_TEST(me)
{
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "{\"id\":%lld,\"username\":\"boss\",\"email\":\"boss@example.com\",\"is_superuser\":"
             "false,\"groups\":[\"Admin\"]}",
             (long long)stand.boss.id);
    expect_answer(http_get(stand.http, "/auth/me", stand.boss.bearer), 200, wanted);
    expect_answer(http_get(stand.http, "/auth/me", NULL), 401, SAYS_401);
}
END_TEST

START_TEST(register_makes_an_account)
{
    char wanted[512], bearer[MINT_SIZE];
    const struct http_reply *reply = post(
        "/auth/register",
        "{\"username\":\"carol\",\"email\":\"carol@example.com\",\"password\":\"" PASSWORD "\"}");
    expect_status(reply, 201);
    const char *id = strstr(reply->body, "\"id\":");
    ck_assert_ptr_nonnull(id);
    snprintf(wanted, sizeof wanted, LOGIN_BODY("%ld", "carol"), strtol(id + 5, NULL, 10), "false",
             "");
    expect_masked(reply, 201, wanted);
    expect_status(http_get(stand.http, "/auth/me", bearer_of(bearer, reply->body, "access_token")),
                  200);
    expect_masked(post("/auth/login", "{\"username\":\"carol\",\"password\":\"" PASSWORD "\"}"),
                  200, wanted);
    /* By a form as well. */
    const char *form = "username=dave&email=dave%40example.com&password=" PASSWORD;
    const char *headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    expect_status(http_send(stand.http, "POST", "/auth/register", headers, form, strlen(form)),
                  201);
    expect_status(
        post("/auth/login", "{\"email\":\"dave@example.com\",\"password\":\"" PASSWORD "\"}"), 200);
}
END_TEST

START_TEST(nobody_registers_as_more_than_a_user)
{
    static const char *const members[] = {"\"is_superuser\":true",
                                          "\"is_superuser\":false",
                                          "\"groups\":[\"Admin\"]",
                                          "\"is_admin\":1",
                                          "\"id\":1",
                                          "\"is_active\":true",
                                          "\"role\":\"admin\"",
                                          "\"Username\":\"x\""};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char name[32] = "";
        snprintf(name, sizeof name, "%.*s", (int)strcspn(members[i] + 1, "\""), members[i] + 1);
        expect_detail(
            post("/auth/register",
                 "{\"username\":\"mallory\",\"email\":\"m@example.com\",\"password\":\"" PASSWORD
                 "\",%s}",
                 members[i]),
            400, name);
        expect_detail(post("/auth/login",
                           "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\",%s}",
                           members[i]),
                      400, name);
        expect_detail(post("/api/token/",
                           "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\",%s}",
                           members[i]),
                      400, name);
    }
    expect_body(post("/auth/login", "{\"username\":\"mallory\",\"password\":\"" PASSWORD "\"}"),
                401, NO_ACCOUNT);
}
END_TEST

START_TEST(names_and_addresses_are_unique)
{
    static const char *const taken[][2] = {
        {"alice", "new@example.com"},     {"ALICE", "new@example.com"},
        {"Alice", "new@example.com"},     {"newname", "alice@example.com"},
        {"newname", "ALICE@EXAMPLE.COM"}, {"newname", "Alice@Example.com"},
    };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        expect_detail(post("/auth/register",
                           "{\"username\":\"%s\",\"email\":\"%s\",\"password\":\"" PASSWORD "\"}",
                           taken[i][0], taken[i][1]),
                      409, i < 3 ? "username" : "email");
    expect_body(post("/auth/login", "{\"username\":\"newname\",\"password\":\"" PASSWORD "\"}"),
                401, NO_ACCOUNT);
}
END_TEST

/* What looks like another account's name, or is no name. */
START_TEST(bad_names)
{
    static const char *const names[] = {
        "root ",
        " root",
        "root\\t",
        "root\\n",
        "root\\u0000",
        "ro\\u200bot",
        "r\\u043e\\u043et",
        "\\uff52oot",
        "root\\u0301",
        "",
        " ",
        "a b",
        "a/b",
        "a:b",
        "<script>",
        "../x",
        "a\\\"b",
        "%00",
        "\\u202eroot",
        ("01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
         "90123456789"
         "012345678901234567890123456789012345678901234567890"),
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct http_reply *reply = post(
            "/auth/register",
            "{\"username\":\"%s\",\"email\":\"n%zu@example.com\",\"password\":\"" PASSWORD "\"}",
            names[i], i);
        ck_assert_msg(reply->status == 400 || reply->status == 409, "\"%s\": %d %s", names[i],
                      reply->status, reply->body);
        expect_status(post("/auth/login",
                           "{\"email\":\"n%zu@example.com\",\"password\":\"" PASSWORD "\"}", i),
                      401);
    }
}
END_TEST

START_TEST(bad_addresses)
{
    static const char *const addresses[] = {"",
                                            "x",
                                            "@",
                                            "x@",
                                            "@example.com",
                                            "a b@example.com",
                                            "x@exa mple.com",
                                            "x@@example.com",
                                            "x@example.com\\r\\nBcc: y",
                                            "x@ex\\u200bample.com",
                                            "<x@example.com>"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        expect_detail(post("/auth/register",
                           "{\"username\":\"n%zu\",\"email\":\"%s\",\"password\":\"" PASSWORD "\"}",
                           i, addresses[i]),
                      400, "email");
}
END_TEST

START_TEST(bad_passwords)
{
    static const char *const passwords[] = {"",
                                            "short1",
                                            "1234567",
                                            "password",
                                            "password123",
                                            "12345678",
                                            "qwertyuiop",
                                            "iloveyou",
                                            "nora-the-newcomer",
                                            "violet\\u0000x-lantern",
                                            "\\ud800abcdefgh"};
    for (size_t i = 0; i < sizeof passwords / sizeof *passwords; i++) {
        const struct http_reply *reply = post("/auth/register",
                                              "{\"username\":\"nora-the-newcomer\",\"email\":"
                                              "\"nora@example.com\",\"password\":\"%s\"}",
                                              passwords[i]);
        ck_assert_msg(reply->status == 400, "\"%s\": %d %s", passwords[i], reply->status,
                      reply->body);
    }
    const struct http_reply *reply = post(
        "/auth/register",
        "{\"username\":\"nora\",\"email\":\"nora@example.com\",\"password\":\"%0*d\"}", 20000, 7);
    expect_detail(reply, 400, "password");
    reply = post("/auth/register",
                 "{\"username\":\"nora\",\"email\":\"nora@example.com\",\"password\":\"%0*d\"}",
                 1 << 20, 7);
    expect_status(reply, 413);
    expect_body(post("/auth/login", "{\"username\":\"nora\",\"password\":\"%0*d\"}", 1000, 7), 401,
                NO_ACCOUNT);
}
END_TEST

/* Long ones are good, to the last byte: a hash that looks at 72 bytes would take the second one. */
START_TEST(long_passwords_count_whole)
{
    expect_status(
        post("/auth/register",
             "{\"username\":\"paul\",\"email\":\"paul@example.com\",\"password\":\"%0*d-a\"}", 100,
             77),
        201);
    expect_status(post("/auth/login", "{\"username\":\"paul\",\"password\":\"%0*d-a\"}", 100, 77),
                  200);
    expect_body(post("/auth/login", "{\"username\":\"paul\",\"password\":\"%0*d-b\"}", 100, 77),
                401, NO_ACCOUNT);
    expect_body(post("/auth/login", "{\"username\":\"paul\",\"password\":\"%0*d\"}", 100, 77), 401,
                NO_ACCOUNT);
    expect_status(
        post(
            "/auth/register",
            "{\"username\":\"eva\",\"email\":\"eva@example.com\",\"password\":\"пароль из слов\"}"),
        201);
    expect_status(post("/auth/login", "{\"username\":\"eva\",\"password\":\"пароль из слов\"}"),
                  200);
}
END_TEST

START_TEST(every_failed_login_looks_the_same)
{
    static const char *const bodies[] = {
        "{\"username\":\"alice\",\"password\":\"wrong\"}",
        "{\"username\":\"nobody\",\"password\":\"wrong\"}",
        "{\"email\":\"alice@example.com\",\"password\":\"wrong\"}",
        "{\"email\":\"no@example.com\",\"password\":\"wrong\"}",
        "{\"username\":\"sleepy\",\"password\":\"" STAND_PASSWORD "\"}",
        "{\"username\":\"no such name\",\"password\":\"wrong\"}",
    };
    struct stand_account sleepy;
    stand_account(&stand, &sleepy, "sleepy", NULL);
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "sleepy", NULL});
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        expect_body(post("/auth/login", "%s", bodies[i]), 401, NO_ACCOUNT);
        if (strstr(bodies[i], "username"))
            expect_body(post("/api/token/", "%s", bodies[i]), 401, NO_ACCOUNT);
    }
}
END_TEST

static int passwords_hashed(void)
{
    static const char name[] = "\ncachewarden_password_hashes_total ";
    const struct http_reply *reply = http_get(stand.http, "/metrics", stand.root.bearer);

    expect_status(reply, 200);
    const char *at = strstr(reply->body, name);
    ck_assert_ptr_nonnull(at);
    return (int)strtol(at + strlen(name), NULL, 10);
}

static int hashes_of_login(const char *by, const char *name)
{
    int before = passwords_hashed();

    expect_status(post("/auth/login", "{\"%s\":\"%s\",\"password\":\"wrong\"}", by, name), 401);
    return passwords_hashed() - before;
}

/* What takes long is the hash: without one for unknown names the time would tell who has an account. */
START_TEST(unknown_names_are_hashed_for_as_well)
{
    struct stand_account drowsy;

    stand_account(&stand, &drowsy, "drowsy", NULL);
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "drowsy", NULL});
    ck_assert_int_eq(hashes_of_login("username", "alice"), 1);
    ck_assert_int_eq(hashes_of_login("username", "nobody"), 1);
    ck_assert_int_eq(hashes_of_login("username", "no such name"), 1);
    ck_assert_int_eq(hashes_of_login("email", "no@example.com"), 1);
    ck_assert_int_eq(hashes_of_login("username", "drowsy"), 1);
}
END_TEST

START_TEST(refreshing)
{
    char first[MINT_SIZE], second[MINT_SIZE], access[MINT_SIZE];
    const struct http_reply *reply =
        post("/auth/login", "{\"username\":\"bob\",\"password\":\"" STAND_PASSWORD "\"}");
    token_of(first, reply->body, "refresh_token");
    token_of(access, reply->body, "access_token");

    /* Neither kind of token stands for the other. */
    expect_answer(
        http_get(stand.http, "/api/cache/status/", bearer_of(second, reply->body, "refresh_token")),
        401, SAYS_401);
    expect_answer(post("/auth/refresh", "{\"refresh_token\":\"%s\"}", access), 401, SAYS_401);
    expect_answer(post("/api/token/refresh/", "{\"refresh\":\"%s\"}", access), 401, SAYS_401);

    reply = post("/auth/refresh", "{\"refresh_token\":\"%s\"}", first);
    expect_masked(
        reply, 200,
        "{\"access_token\":T,\"refresh_token\":T,\"token_type\":\"bearer\",\"expires_in\":900}");
    token_of(second, reply->body, "refresh_token");
    ck_assert_str_ne(first, second);
    expect_status(http_get(stand.http, "/auth/me", bearer_of(access, reply->body, "access_token")),
                  200);
    /* The old one is spent; at once it is only refused. */
    expect_answer(post("/auth/refresh", "{\"refresh_token\":\"%s\"}", first), 401, SAYS_401);
    expect_masked(post("/api/token/refresh/", "{\"refresh\":\"%s\"}", second), 200,
                  "{\"access\":T,\"refresh\":T}");
    expect_detail(post("/auth/refresh", "{}"), 400, "refresh_token");
    expect_detail(post("/api/token/refresh/", "{}"), 400, "refresh");
    expect_answer(post("/auth/refresh", "{\"refresh_token\":\"x.y.z\"}"), 401, SAYS_401);
}
END_TEST

START_TEST(verifying)
{
    char token[MINT_SIZE];
    const struct http_reply *reply =
        post("/api/token/", "{\"username\":\"bob\",\"password\":\"" STAND_PASSWORD "\"}");
    expect_masked(reply, 200, "{\"access\":T,\"refresh\":T}");
    token_of(token, reply->body, "access");
    expect_answer(post("/api/token/verify/", "{\"token\":\"%s\"}", token), 200, "{}");
    token[strlen(token) / 2] ^= 1;
    expect_answer(post("/api/token/verify/", "{\"token\":\"%s\"}", token), 401, SAYS_401);
    expect_detail(post("/api/token/verify/", "{}"), 400, "token");
}
END_TEST

START_TEST(a_closed_door)
{
    struct stand closed;
    stand_open(&closed, NULL);
    const struct http_reply *reply = http_post_json(
        closed.http, "/auth/register", NULL,
        "{\"username\":\"carol\",\"email\":\"carol@example.com\",\"password\":\"" PASSWORD "\"}");
    expect_detail(reply, 403, "regist");
    reply = http_post_json(closed.http, "/auth/login", NULL,
                           "{\"username\":\"carol\",\"password\":\"" PASSWORD "\"}");
    expect_body(reply, 401, NO_ACCOUNT);
    stand_close(&closed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("identity");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, login);
    tcase_add_test(shared, our_tokens_carry_what_clients_expect);
    tcase_add_test(shared, me);
    tcase_add_test(shared, register_makes_an_account);
    tcase_add_test(shared, nobody_registers_as_more_than_a_user);
    tcase_add_test(shared, names_and_addresses_are_unique);
    tcase_add_test(shared, bad_names);
    tcase_add_test(shared, bad_addresses);
    tcase_add_test(shared, bad_passwords);
    tcase_add_test(shared, long_passwords_count_whole);
    tcase_add_test(shared, every_failed_login_looks_the_same);
    tcase_add_test(shared, unknown_names_are_hashed_for_as_well);
    tcase_add_test(shared, refreshing);
    tcase_add_test(shared, verifying);
    suite_add_tcase(suite, shared);
    TCase *own = tcase_create("a stand of its own");
    tcase_add_test(own, a_closed_door);
    suite_add_tcase(suite, own);
    return suite_run(suite);
}
