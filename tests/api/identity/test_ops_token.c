/* Tokens: the shape simplejwt gives them, verify, refresh. */
#include "identity_case.h"
#include "log_capture.h"
#include "mint.h"
#include "patience.h"
#include "suite.h"

#include <pthread.h>

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
    char padded[2048];
    snprintf(padded, sizeof padded, " %s", access);
    loopback_expect_error(verify(padded), ERR_UNAUTHENTICATED, "");
    snprintf(padded, sizeof padded, "%s  ", access);
    loopback_expect_error(verify(padded), ERR_UNAUTHENTICATED, "");
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
    snprintf(expected, sizeof expected,
             "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"token_type\":\"bearer\","
             "\"expires_in\":900}",
             json_string(json_get(root, "access_token")).ptr,
             json_string(json_get(root, "refresh_token")).ptr);
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

static void read_incarnation(int64_t id, char out[USERS_INCARNATION_SIZE + 1])
{
    struct arena *arena = arena_new(1024, 0);
    struct error error = {0};
    struct user user;

    ck_assert_int_eq(users_find_by_id(loopback.app->users, arena, id, &user, &error), ERR_OK);
    snprintf(out, USERS_INCARNATION_SIZE + 1, "%.*s", STR_ARG(user.incarnation));
    arena_free(&arena);
}

START_TEST(tokens_that_refresh_nothing)
{
    static char line[MINT_SIZE];
    int64_t id = make_account("alice");
    long long now = (long long)clock_wall_s();
    char incarnation[USERS_INCARNATION_SIZE + 1];
    read_incarnation(id, incarnation);
    char *access = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "access_token");
    loopback_expect_error(refresh(access), ERR_UNAUTHENTICATED, "");
    loopback_expect_error(refresh("abc"), ERR_UNAUTHENTICATED, "");
    /* simplejwt with our secret signs tokens too, but did not record them here. */
    mint_bearer(line, LOOPBACK_SECRET,
                "{\"token_type\":\"refresh\",\"exp\":%lld,\"iat\":%lld,\"jti\":"
                "\"0123456789abcdef0123456789abcdef\",\"user_id\":%lld}",
                now + 1000, now, (long long)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    /* Even with our issuer: a record has to be there, and to say the same. */
    mint_bearer(line, LOOPBACK_SECRET,
                "{\"token_type\":\"refresh\",\"iss\":\"cachewarden\",\"exp\":%lld,\"iat\":%lld,"
                "\"jti\":\"aa\",\"user_id\":%lld,\"sub\":\"alice\",\"incarnation\":\"%s\"}",
                now + 1000, now, (long long)id, incarnation);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    redis_server_do(redis, "HSET cw:t:aa record refresh::%d", 999);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    redis_server_do(redis, "HSET cw:t:aa record access::%d", (int)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    redis_server_do(redis, "HSET cw:t:aa record refresh::%d", (int)id);
    loopback_free(&(struct loopback_answer *){refresh(mint_token(line))});
    ck_assert_int_eq(redis_server_ask_integer(redis, "HEXISTS cw:t:aa spent"), 1);
    /* The same of another account that had this number. */
    mint_bearer(line, LOOPBACK_SECRET,
                "{\"token_type\":\"refresh\",\"iss\":\"cachewarden\",\"exp\":%lld,\"iat\":%lld,"
                "\"jti\":\"cc\",\"user_id\":%lld,\"incarnation\":\"0123456789abcdef\"}",
                now + 1000, now, (long long)id);
    redis_server_do(redis, "HSET cw:t:cc record refresh::%d", (int)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    ck_assert_int_eq(redis_server_ask_integer(redis, "HEXISTS cw:t:cc spent"), 0);
    /* Recorded, but signed by somebody else with the secret. */
    mint_bearer(
        line, LOOPBACK_SECRET,
        "{\"token_type\":\"refresh\",\"exp\":%lld,\"iat\":%lld,\"jti\":\"bb\",\"user_id\":%lld}",
        now + 1000, now, (long long)id);
    redis_server_do(redis, "HSET cw:t:bb record refresh::%d", (int)id);
    loopback_expect_error(refresh(mint_token(line)), ERR_UNAUTHENTICATED, "");
    /* An id that could be part of another key. */
    mint_bearer(line, LOOPBACK_SECRET,
                "{\"token_type\":\"refresh\",\"iss\":\"cachewarden\",\"exp\":%lld,\"iat\":%lld,"
                "\"jti\":\"../epoch\",\"user_id\":%lld,\"sub\":\"alice\",\"incarnation\":\"%s\"}",
                now + 1000, now, (long long)id, incarnation);
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
    /* Woken again, the account has no tokens of before. */
    ck_assert_int_eq(users_set_active(loopback.app->users, id, true, &error), ERR_OK);
    loopback_expect_error(refresh(token), ERR_UNAUTHENTICATED, "");
    char *next = take_member(PUBLIC("auth.login", .body = GOOD_LOGIN), "refresh_token");
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
    ck_assert_int_eq(users_set_password(loopback.app->users, id, user.password_hash, &error),
                     ERR_OK);
    loopback_expect_error(refresh(token), ERR_UNAUTHENTICATED, "");
    loopback_free(&(struct loopback_answer *){PUBLIC("auth.login", .body = GOOD_LOGIN)});
    free(token);
    arena_free(&arena);
}
END_TEST

START_TEST(tokens_are_recorded_until_they_expire)
{
    make_account("alice");
    ck_assert_int_eq(
        redis_server_ask_integer(redis, "EVAL %s 0",
                                 "local n = 0 for _, k in ipairs(redis.call('KEYS', 'cw:t:*')) do "
                                 "local t = redis.call('TTL', k) if (t > 604820 and t <= 604830) "
                                 "or (t > 890 and t <= 900) then n = n + 1 end end return n"),
        2);
}
END_TEST

/* ---- without a Redis that takes writes ---- */

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
    /* It has another replication id now, and may have lost something: for two seconds nobody knows. */
    int64_t give_up_ns = clock_deadline_ns(PATIENCE_MS);
    answer = refresh(token);
    while (answer->err == ERR_UPSTREAM_DOWN) {
        ck_assert_int_lt(clock_mono_ns(), give_up_ns);
        loopback_free(&answer);
        answer = refresh(token);
    }
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
    free(token);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/ops_token");
    TCase *tcase = tcase_create("tokens");
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
    return suite_run(suite);
}
