/* Accounts and tokens (contract section 6): register, sign in, refresh, verify, who am I. */
#include "cachewarden/clock.h"
#include "cachewarden/identity.h"
#include "log_capture.h"
#include "loopback.h"
#include "mint.h"
#include "redis_server.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct redis_server *redis;
static struct loopback loopback;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&loopback, &(struct loopback_options){.redis_url = redis_server_url(redis), .is_registration_open = true});
}

static void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static void open_without_redis(void)
{
    loopback_open(&loopback, &(struct loopback_options){.redis_url = LOOPBACK_NO_REDIS, .is_registration_open = true});
}

static void close_without_redis(void)
{
    loopback_close(&loopback);
}

#define PUBLIC(route, ...) LOOPBACK(&loopback, route, loopback_nobody(), __VA_ARGS__)
#define GOOD_LOGIN "{\"username\":\"alice\",\"password\":\"" LOOPBACK_PASSWORD "\"}"
#define BAD_LOGIN_SAYS "No active account found with the given credentials"

/* An account made through the route, with LOOPBACK_PASSWORD. Its id. */
static int64_t make_account(const char *name)
{
    char body[256];
    snprintf(body, sizeof body, "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}", name, name);
    struct loopback_answer *answer = PUBLIC("auth.register", .body = body);
    int64_t id = json_integer(json_get(json_get(loopback_json(answer), "user"), "id"));
    ck_assert_int_gt(id, 0);
    loopback_free(&answer);
    return id;
}

/* A member of a JSON answer, on the heap; frees the answer. */
static char *take_member(struct loopback_answer *answer, const char *name)
{
    struct str text = json_string(json_get(loopback_json(answer), name));
    ck_assert_msg(text.len > 0, "no %s in %s", name, answer->body);
    char *copy = strndup(text.ptr, text.len);
    loopback_free(&answer);
    return copy;
}

static char *json_body(const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 16;
    char *body = malloc(size);
    snprintf(body, size, "{\"%s\":\"%s\"}", name, value);
    return body;
}

/* One call with {"<name>":"<value>"} as the body. */
static struct loopback_answer *call_with(const char *route, const char *name, const char *value)
{
    char *body = json_body(name, value);
    struct loopback_answer *answer = PUBLIC(route, .body = body);
    free(body);
    return answer;
}

static struct loopback_answer *refresh(const char *token)
{
    return call_with("auth.refresh", "refresh_token", token);
}

static struct loopback_answer *verify(const char *token)
{
    return call_with("token.verify", "token", token);
}

/* Both tokens of an answer are ours, of this account, and the server takes them. */
static void expect_pair(const struct loopback_answer *answer, const char *access_name, const char *refresh_name, int64_t user_id)
{
    const struct json *root = loopback_json(answer);
    const struct tokens *tokens = identity_tokens(loopback.app->identity);
    struct token_claims access, refreshing;
    struct error error = {0};
    ck_assert_int_eq(token_verify(tokens, answer->arena, json_string(json_get(root, access_name)), TOKEN_ACCESS, clock_wall_s(), &access, &error), ERR_OK);
    ck_assert_int_eq(token_verify(tokens, answer->arena, json_string(json_get(root, refresh_name)), TOKEN_REFRESH, clock_wall_s(), &refreshing, &error), ERR_OK);
    ck_assert_int_eq(access.user_id, user_id);
    ck_assert_int_eq(refreshing.user_id, user_id);
    ck_assert_int_eq(access.expires_at_s - access.issued_at_s, 900);
    ck_assert_int_eq(refreshing.expires_at_s - refreshing.issued_at_s, 604800);
    ck_assert(access.family.len == 32 && str_eq(access.family, refreshing.family));
    ck_assert(!str_eq(access.id, refreshing.id));
}

/* ---- register ---- */

START_TEST(a_new_account)
{
    struct loopback_answer *answer =
        PUBLIC("auth.register", .body = "{\"username\":\"alice\",\"email\":\"alice@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}");
    const struct json *root = loopback_json(answer);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_CREATED);
    char expected[4096];
    snprintf(expected, sizeof expected,
             "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"token_type\":\"bearer\",\"expires_in\":900,"
             "\"user\":{\"id\":%lld,\"username\":\"alice\",\"email\":\"alice@example.org\",\"is_superuser\":false,\"groups\":[]}}",
             json_string(json_get(root, "access_token")).ptr, json_string(json_get(root, "refresh_token")).ptr,
             (long long)json_integer(json_get(json_get(root, "user"), "id")));
    ck_assert_str_eq(answer->body, expected);
    expect_pair(answer, "access_token", "refresh_token", json_integer(json_get(json_get(root, "user"), "id")));
    loopback_free(&answer);
    answer = PUBLIC("auth.login", .body = GOOD_LOGIN);
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
}
END_TEST

START_TEST(accounts_that_are_refused)
{
    static const struct {
        const char *body;
        enum err err;
        const char *says; /* a part of it */
    } cases[] = {
        {"{}", ERR_BAD_INPUT, "username"},
        {"{\"username\":\"bob\",\"password\":\"" LOOPBACK_PASSWORD "\"}", ERR_BAD_INPUT, "email"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\"}", ERR_BAD_INPUT, "password"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"short\"}", ERR_BAD_INPUT, "password"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"password123\"}", ERR_BAD_INPUT, "password"},
        {"{\"username\":\"b b\",\"email\":\"bob@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}", ERR_BAD_INPUT, "username"},
        {"{\"username\":\"bob\",\"email\":\"bob\",\"password\":\"" LOOPBACK_PASSWORD "\"}", ERR_BAD_INPUT, "email"},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\",\"is_superuser\":true}", ERR_BAD_INPUT, "is_superuser: Unknown field."},
        {"{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\",\"groups\":[\"Admin\"]}", ERR_BAD_INPUT, "groups: Unknown field."},
        {"{\"username\":\"alice\",\"email\":\"new@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}", ERR_CONFLICT, "username"},
        {"{\"username\":\"ALICE\",\"email\":\"new@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}", ERR_CONFLICT, "username"},
        {"{\"username\":\"bob\",\"email\":\"Alice@Example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}", ERR_CONFLICT, "email"},
    };
    make_account("alice");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct loopback_answer *answer = PUBLIC("auth.register", .body = cases[i].body);
        ck_assert_msg(answer->err == cases[i].err, "%s: %s %s", cases[i].body, err_name(answer->err), answer->error.caller);
        ck_assert_msg(strstr(answer->error.caller, cases[i].says) != NULL, "%s: %s", cases[i].body, answer->error.caller);
        loopback_free(&answer);
    }
}
END_TEST

START_TEST(registration_closed)
{
    atomic_store(&loopback.app->registration_open, false);
    loopback_expect_error(PUBLIC("auth.register", .body = "{\"username\":1}"), ERR_FORBIDDEN, "Registration is closed.");
    loopback_expect_error(PUBLIC("auth.register", .body = "{\"username\":\"bob\",\"email\":\"bob@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}"),
                          ERR_FORBIDDEN, "Registration is closed.");
    atomic_store(&loopback.app->registration_open, true);
    make_account("bob");
}
END_TEST

START_TEST(registering_is_recorded_and_failing_to_is_not)
{
    int64_t id = make_account("alice");
    loopback_expect_error(PUBLIC("auth.register", .body = "{\"username\":\"alice\",\"email\":\"x@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}"),
                          ERR_CONFLICT, NULL);
    struct loopback_answer *answer = LOOPBACK(&loopback, "audit.list", loopback_admin());
    const struct json *records = json_get(loopback_json(answer), "records");
    char target[32];
    snprintf(target, sizeof target, "user:%lld", (long long)id);
    ck_assert_uint_eq(json_count(records), 1);
    ck_assert_str_eq(json_string(json_get(json_at(records, 0), "route")).ptr, "auth.register");
    ck_assert_str_eq(json_string(json_get(json_at(records, 0), "target")).ptr, target);
    loopback_free(&answer);
}
END_TEST

/* ---- sign in ---- */

START_TEST(by_name_or_by_email)
{
    int64_t id = make_account("alice");
    static const char *const bodies[][2] = {
        {"application/json", GOOD_LOGIN},
        {"application/json", "{\"email\":\"alice@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}"},
        {"application/json", "{\"email\":\"ALICE@EXAMPLE.ORG\",\"password\":\"" LOOPBACK_PASSWORD "\"}"},
        {"application/x-www-form-urlencoded", "username=alice&password=" LOOPBACK_PASSWORD},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct loopback_answer *answer = PUBLIC("auth.login", .type = bodies[i][0], .body = bodies[i][1]);
        ck_assert_int_eq(answer->reply.outcome, OUTCOME_OK);
        expect_pair(answer, "access_token", "refresh_token", id);
        ck_assert_ptr_nonnull(strstr(answer->body, "\"token_type\":\"bearer\",\"expires_in\":900,\"user\":{\"id\":"));
        loopback_free(&answer);
    }
}
END_TEST

START_TEST(groups_and_superusers_show)
{
    struct error error = {0};
    int64_t id = make_account("alice");
    ck_assert_int_eq(users_set_superuser(loopback.app->users, id, true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(loopback.app->users, id, STR("Ops"), true, &error), ERR_OK);
    ck_assert_int_eq(users_set_group(loopback.app->users, id, STR("Admin"), true, &error), ERR_OK);
    char expected[256];
    snprintf(expected, sizeof expected, "{\"id\":%lld,\"username\":\"alice\",\"email\":\"alice@example.org\",\"is_superuser\":true,\"groups\":[\"Admin\",\"Ops\"]}",
             (long long)id);
    struct loopback_answer *answer = PUBLIC("auth.login", .body = GOOD_LOGIN);
    ck_assert_ptr_nonnull(strstr(answer->body, expected));
    loopback_free(&answer);
    loopback_expect(LOOPBACK(&loopback, "auth.me", loopback_user(id)), expected);
}
END_TEST

START_TEST(bad_sign_ins)
{
    struct error error = {0};
    make_account("alice");
    int64_t gone = make_account("gone"), asleep = make_account("asleep");
    ck_assert_int_eq(users_delete(loopback.app->users, gone, &error), ERR_OK);
    ck_assert_int_eq(users_set_active(loopback.app->users, asleep, false, &error), ERR_OK);
    static const char *const bodies[] = {
        "{\"username\":\"alice\",\"password\":\"wrong-horse-battery\"}",  "{\"username\":\"nobody\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"username\":\"gone\",\"password\":\"" LOOPBACK_PASSWORD "\"}", "{\"username\":\"asleep\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"email\":\"alice\",\"password\":\"" LOOPBACK_PASSWORD "\"}",   "{\"username\":\"alice@example.org\",\"password\":\"" LOOPBACK_PASSWORD "\"}",
        "{\"username\":\"alice \",\"password\":\"" LOOPBACK_PASSWORD "\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        loopback_expect_error(PUBLIC("auth.login", .body = bodies[i]), ERR_UNAUTHENTICATED, BAD_LOGIN_SAYS);
    loopback_expect_error(PUBLIC("token.obtain", .body = bodies[0]), ERR_UNAUTHENTICATED, BAD_LOGIN_SAYS);
    loopback_expect_error(PUBLIC("token.obtain", .body = bodies[1]), ERR_UNAUTHENTICATED, BAD_LOGIN_SAYS);
}
END_TEST

START_TEST(sign_ins_without_sense)
{
    static const char *const cases[][3] = {
        {"auth.login", "{}", "username: This field is required (or email)."},
        {"auth.login", "{\"username\":\"alice\"}", "password: This field is required."},
        {"auth.login", "{\"username\":\"alice\",\"email\":\"a@b\",\"password\":\"x\"}", "username, email: Give one of them, not both."},
        {"auth.login", "{\"username\":\"alice\",\"password\":\"x\",\"user_id\":1}", "user_id: Unknown field. Leave it out."},
        {"auth.login", "{\"username\":[],\"password\":\"x\"}", "username: This field must be a string."},
        {"auth.login", "{\"username\":\"alice\",\"password\":1}", "password: This field must be a string."},
        {"token.obtain", "{}", "username: This field is required."},
        {"token.obtain", "{\"username\":\"alice\"}", "password: This field is required."},
        {"token.obtain", "{\"username\":\"alice\",\"password\":\"\"}", "password: This field may not be blank."},
        {"token.obtain", "{\"email\":\"alice\",\"password\":\"x\"}", "email: Unknown field. Leave it out."},
        {"auth.refresh", "{}", "refresh_token: This field is required."},
        {"auth.refresh", "{\"refresh\":\"x\"}", "refresh: Unknown field. Leave it out."},
        {"token.refresh", "{}", "refresh: This field is required."},
        {"token.refresh", "{\"refresh\":5}", "refresh: This field must be a string."},
        {"token.verify", "{}", "token: This field is required."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        loopback_expect_error(PUBLIC(cases[i][0], .body = cases[i][1]), ERR_BAD_INPUT, cases[i][2]);
    loopback_expect_error(PUBLIC("auth.login", .type = "text/plain", .body = GOOD_LOGIN), ERR_UNSUPPORTED_TYPE, NULL);
}
END_TEST

/* ---- the shape of simplejwt ---- */

START_TEST(tokens_as_simplejwt_gives_them)
{
    int64_t id = make_account("alice");
    struct loopback_answer *answer = PUBLIC("token.obtain", .body = GOOD_LOGIN);
    expect_pair(answer, "access", "refresh", id);
    ck_assert_uint_eq(json_count(loopback_json(answer)), 2);
    ck_assert_int_eq(strncmp(answer->body, "{\"access\":\"", 11), 0);
    char *token = take_member(answer, "refresh");
    answer = call_with("token.refresh", "refresh", token);
    expect_pair(answer, "access", "refresh", id);
    ck_assert_uint_eq(json_count(loopback_json(answer)), 2);
    loopback_free(&answer);
    free(token);
}
END_TEST

START_TEST(verifying)
{
    struct error error = {0};
    int64_t id = make_account("alice");
    struct loopback_answer *answer = PUBLIC("token.obtain", .body = GOOD_LOGIN);
    char *access = strdup(json_string(json_get(loopback_json(answer), "access")).ptr);
    char *token = take_member(answer, "refresh");
    loopback_expect(verify(access), "{}");
    loopback_expect(verify(token), "{}");
    loopback_expect(verify(token), "{}"); /* spends nothing */
    loopback_expect_error(verify("x.y.z"), ERR_UNAUTHENTICATED, "");
    loopback_expect_error(verify("cwk_000000000000_0"), ERR_UNAUTHENTICATED, "");
    loopback_free(&(struct loopback_answer *){refresh(token)});
    loopback_expect_error(verify(token), ERR_UNAUTHENTICATED, "");
    ck_assert_int_eq(users_set_active(loopback.app->users, id, false, &error), ERR_OK);
    identity_forget(loopback.app->identity, id);
    loopback_expect_error(verify(access), ERR_UNAUTHENTICATED, "");
    free(access);
    free(token);
}
END_TEST

/* ---- refresh ---- */

START_TEST(a_refresh_token_is_good_once)
{
    int64_t id = make_account("alice");
    char *first = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "refresh_token");
    struct loopback_answer *answer = refresh(first);
    char expected[4096];
    const struct json *root = loopback_json(answer);
    snprintf(expected, sizeof expected, "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"token_type\":\"bearer\",\"expires_in\":900}",
             json_string(json_get(root, "access_token")).ptr, json_string(json_get(root, "refresh_token")).ptr);
    ck_assert_str_eq(answer->body, expected);
    expect_pair(answer, "access_token", "refresh_token", id);
    char *second = take_member(answer, "refresh_token");
    ck_assert_str_ne(first, second);
    loopback_expect_error(refresh(first), ERR_UNAUTHENTICATED, "");
    loopback_expect_error(call_with("token.refresh", "refresh", first), ERR_UNAUTHENTICATED, "");
    char *third = take_member(refresh(second), "refresh_token");
    free(first);
    free(second);
    free(third);
}
END_TEST

static char *shared_token;

static void *refresh_once(void *arg)
{
    struct loopback_answer *answer = refresh(shared_token);
    *(enum err *)arg = answer->err;
    loopback_free(&answer);
    return NULL;
}

START_TEST(of_many_at_once_one_gets_the_pair)
{
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    enum err errs[THREADS];
    int good = 0;
    make_account("alice");
    shared_token = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "refresh_token");
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, refresh_once, &errs[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        good += errs[i] == ERR_OK;
        ck_assert(errs[i] == ERR_OK || errs[i] == ERR_UNAUTHENTICATED);
    }
    ck_assert_int_eq(good, 1);
    free(shared_token);
}
END_TEST

START_TEST(tokens_that_refresh_nothing)
{
    static char line[MINT_SIZE];
    int64_t id = make_account("alice");
    long long now = (long long)clock_wall_s();
    char *access = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "access_token");
    loopback_expect_error(refresh(access), ERR_UNAUTHENTICATED, "");
    loopback_expect_error(refresh("abc"), ERR_UNAUTHENTICATED, "");
    /* simplejwt with our secret signs tokens too, but did not record them here. */
    mint_bearer(line, LOOPBACK_SECRET, "{\"token_type\":\"refresh\",\"exp\":%lld,\"iat\":%lld,\"jti\":\"0123456789abcdef0123456789abcdef\",\"user_id\":%lld}",
                now + 1000, now, (long long)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    /* Even with our issuer: a record has to be there, and to say the same. */
    mint_bearer(line, LOOPBACK_SECRET, "{\"token_type\":\"refresh\",\"iss\":\"cachewarden\",\"exp\":%lld,\"iat\":%lld,\"jti\":\"aa\",\"user_id\":%lld,\"sub\":\"alice\"}",
                now + 1000, now, (long long)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    redis_server_do(redis, "HSET cw:t:aa record refresh::%d", 999);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    redis_server_do(redis, "HSET cw:t:aa record access::%d", (int)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    redis_server_do(redis, "HSET cw:t:aa record refresh::%d", (int)id);
    loopback_free(&(struct loopback_answer *){refresh(mint_token(line))});
    ck_assert_int_eq(redis_server_ask_integer(redis, "HEXISTS cw:t:aa spent"), 1);
    /* Recorded, but signed by somebody else with the secret. */
    mint_bearer(line, LOOPBACK_SECRET, "{\"token_type\":\"refresh\",\"exp\":%lld,\"iat\":%lld,\"jti\":\"bb\",\"user_id\":%lld}", now + 1000, now, (long long)id);
    redis_server_do(redis, "HSET cw:t:bb record refresh::%d", (int)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    /* An id that could be part of another key. */
    mint_bearer(line, LOOPBACK_SECRET, "{\"token_type\":\"refresh\",\"iss\":\"cachewarden\",\"exp\":%lld,\"iat\":%lld,\"jti\":\"../epoch\",\"user_id\":%lld,\"sub\":\"alice\"}",
                now + 1000, now, (long long)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    free(access);
}
END_TEST

START_TEST(an_account_that_may_no_longer)
{
    struct error error = {0};
    int64_t id = make_account("alice");
    char *token = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "refresh_token");
    ck_assert_int_eq(users_set_active(loopback.app->users, id, false, &error), ERR_OK);
    loopback_expect_error(refresh(token), ERR_UNAUTHENTICATED, "");
    /* Refused, but not spent: the account may be woken again. */
    ck_assert_int_eq(users_set_active(loopback.app->users, id, true, &error), ERR_OK);
    char *next = take_member(refresh(token), "refresh_token");
    ck_assert_int_eq(users_delete(loopback.app->users, id, &error), ERR_OK);
    loopback_expect_error(refresh(next), ERR_UNAUTHENTICATED, "");
    free(token);
    free(next);
}
END_TEST

START_TEST(a_password_changed_since)
{
    struct error error = {0};
    struct user user;
    struct arena *arena = arena_new(1024, 0);
    int64_t id = make_account("alice");
    char *token = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "refresh_token");
    ck_assert_int_eq(users_find_by_id(loopback.app->users, arena, id, &user, &error), ERR_OK);
    /* A token of the same second counts as younger than the password. */
    int64_t issued_s = clock_wall_s();
    while (clock_wall_s() == issued_s)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    ck_assert_int_eq(users_set_password(loopback.app->users, id, user.password_hash, &error), ERR_OK);
    loopback_expect_error(refresh(token), ERR_UNAUTHENTICATED, "");
    loopback_free(&(struct loopback_answer *){PUBLIC("auth.login", .body = GOOD_LOGIN)});
    free(token);
    arena_free(&arena);
}
END_TEST

START_TEST(tokens_are_recorded_until_they_expire)
{
    make_account("alice");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EVAL %s 0",
                                              "local n = 0 for _, k in ipairs(redis.call('KEYS', 'cw:t:*')) do "
                                              "local t = redis.call('TTL', k) if (t > 604820 and t <= 604830) or (t > 890 and t <= 900) then n = n + 1 end end return n"),
                     2);
}
END_TEST

/* ---- who am I ---- */

START_TEST(who_am_i)
{
    char expected[256];
    int64_t id = make_account("alice");
    snprintf(expected, sizeof expected, "{\"id\":%lld,\"username\":\"alice\",\"email\":\"alice@example.org\",\"is_superuser\":false,\"groups\":[]}", (long long)id);
    loopback_expect(LOOPBACK(&loopback, "auth.me", loopback_user(id)), expected);
    loopback_expect(LOOPBACK(&loopback, "auth.me", loopback_key(SCOPE_USER, id)), expected);
    loopback_expect_error(LOOPBACK(&loopback, "auth.me", loopback_nobody()), ERR_UNAUTHENTICATED, NULL);
    loopback_expect_error(LOOPBACK(&loopback, "auth.me", loopback_key(SCOPE_ADMIN, 0)), ERR_FORBIDDEN, NULL);
}
END_TEST

/* An id of another installation of simplejwt: known by its token alone. */
START_TEST(an_identity_that_lives_elsewhere)
{
    struct principal stranger = {.kind = PRINCIPAL_USER, .credential = CREDENTIAL_BEARER, .user_id = 4711};
    loopback_expect(LOOPBACK(&loopback, "auth.me", stranger), "{\"id\":4711,\"username\":\"\",\"email\":\"\",\"is_superuser\":false,\"groups\":[]}");
    stranger.name = STR("carol");
    loopback_expect(LOOPBACK(&loopback, "auth.me", stranger), "{\"id\":4711,\"username\":\"carol\",\"email\":\"\",\"is_superuser\":false,\"groups\":[]}");
}
END_TEST

/* ---- without Redis ---- */

START_TEST(signing_in_works_without_redis)
{
    log_capture_start();
    int64_t id = make_account("alice");
    struct loopback_answer *answer = PUBLIC("auth.login", .body = GOOD_LOGIN);
    expect_pair(answer, "access_token", "refresh_token", id);
    char *access = strdup(json_string(json_get(loopback_json(answer), "access_token")).ptr);
    char *token = take_member(answer, "refresh_token");
    char *log = log_capture_end();
    ck_assert_ptr_nonnull(strstr(log, "level=warn event=auth.token_unrecorded error=upstream_down"));
    ck_assert_ptr_null(strstr(log, access));
    ck_assert_ptr_null(strstr(log, token));
    ck_assert_ptr_null(strstr(log, LOOPBACK_PASSWORD));
    loopback_expect(verify(access), "{}");
    loopback_expect_error(refresh(token), ERR_UPSTREAM_DOWN, "redis unavailable");
    loopback_expect_error(verify(token), ERR_UPSTREAM_DOWN, "redis unavailable");
    free(log);
    free(access);
    free(token);
}
END_TEST

START_TEST(signing_in_works_with_a_redis_that_takes_no_writes)
{
    make_account("alice");
    char *token = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "refresh_token");
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    log_capture_start();
    struct loopback_answer *answer = PUBLIC("auth.login", .body = GOOD_LOGIN);
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
    char *log = log_capture_end();
    ck_assert_ptr_nonnull(strstr(log, "event=auth.token_unrecorded error=upstream_refused"));
    free(log);
    /* A full Redis still removes keys: the token must not be spent for a pair that nobody knows. */
    loopback_expect_error(refresh(token), ERR_UPSTREAM_REFUSED, "redis out of memory");
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    redis_server_do(redis, "REPLICAOF 127.0.0.1 1");
    loopback_expect_error(refresh(token), ERR_UPSTREAM_REFUSED, "redis is read-only");
    redis_server_do(redis, "REPLICAOF NO ONE");
    answer = refresh(token);
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
    free(token);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/ops");
    TCase *tcase = tcase_create("accounts");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, a_new_account);
    tcase_add_test(tcase, accounts_that_are_refused);
    tcase_add_test(tcase, registration_closed);
    tcase_add_test(tcase, registering_is_recorded_and_failing_to_is_not);
    tcase_add_test(tcase, by_name_or_by_email);
    tcase_add_test(tcase, groups_and_superusers_show);
    tcase_add_test(tcase, bad_sign_ins);
    tcase_add_test(tcase, sign_ins_without_sense);
    tcase_add_test(tcase, who_am_i);
    tcase_add_test(tcase, an_identity_that_lives_elsewhere);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("tokens");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, tokens_as_simplejwt_gives_them);
    tcase_add_test(tcase, verifying);
    tcase_add_test(tcase, a_refresh_token_is_good_once);
    tcase_add_test(tcase, of_many_at_once_one_gets_the_pair);
    tcase_add_test(tcase, tokens_that_refresh_nothing);
    tcase_add_test(tcase, an_account_that_may_no_longer);
    tcase_add_test(tcase, a_password_changed_since);
    tcase_add_test(tcase, tokens_are_recorded_until_they_expire);
    tcase_add_test(tcase, signing_in_works_with_a_redis_that_takes_no_writes);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("without Redis");
    tcase_add_checked_fixture(tcase, open_without_redis, close_without_redis);
    tcase_add_test(tcase, signing_in_works_without_redis);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
