/* Logging out, here and everywhere, and changing the password. */
#include "cachewarden/audit.h"
#include "patience.h"
#include "session.h"
#include "suite.h"

#include <pthread.h>
#include <string.h>

#define NEW_PASSWORD "battery-staple-horse"
#define OLD_TO_NEW \
    "{\"old_password\":\"" LOOPBACK_PASSWORD "\",\"new_password\":\"" NEW_PASSWORD "\"}"
#define LOGGED_OUT(count) "{\"message\":\"Logged out\",\"tokens_revoked\":" #count "}"

static struct redis_server *redis;
static struct loopback node, other;
static struct session first, second;

static void open_all(void)
{
    redis = redis_server_start(NULL);
    loopback_open(&node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .is_registration_open = true});
    loopback_open(
        &other, &(struct loopback_options){.redis_url = redis_server_url(redis), .shares = &node});
    session_register(&node, "alice");
    session_open(&node, "alice", &first);
    session_open(&node, "alice", &second);
}

static void close_all(void)
{
    session_free(&first);
    session_free(&second);
    loopback_close(&other);
    loopback_close(&node);
    redis_server_stop(&redis);
}

static struct loopback_answer *log_out(const struct session *session, const char *query,
                                       const char *refresh)
{
    char body[4096] = "{}";
    if (refresh)
        snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", refresh);
    return SESSION_CALL(&node, session, "auth.logout", .query = query, .body = body);
}

static void expect_access(const struct session *session, bool is_good)
{
    ck_assert_int_eq(session_try_access(&node, session->access),
                     is_good ? ERR_OK : ERR_UNAUTHENTICATED);
}

static void expect_refresh(const struct session *session, bool is_good)
{
    ck_assert_int_eq(session_try_refresh(&node, session->refresh),
                     is_good ? ERR_OK : ERR_UNAUTHENTICATED);
}

/* ---- logging out ---- */

START_TEST(this_session)
{
    loopback_expect(log_out(&first, NULL, NULL), LOGGED_OUT(2));
    expect_access(&first, false);
    expect_refresh(&first, false);
    expect_access(&second, true);
    expect_refresh(&second, true);
}
END_TEST

START_TEST(with_its_refresh_token)
{
    loopback_expect(log_out(&first, NULL, first.refresh), LOGGED_OUT(2));
    expect_refresh(&first, false);
    expect_access(&second, true);
}
END_TEST

START_TEST(with_the_refresh_token_of_another_session)
{
    loopback_expect(log_out(&first, NULL, second.refresh), LOGGED_OUT(3));
    expect_access(&first, false);
    expect_refresh(&first, false);
    expect_access(&second, false); /* its family goes */
    expect_refresh(&second, false);
}
END_TEST

START_TEST(with_what_is_no_refresh_token_of_the_callers)
{
    struct session bobs;
    session_register(&node, "bob");
    session_open(&node, "bob", &bobs);
    /* Of somebody who had the caller's number before a users database was put back. */
    struct token_claims former = {.use = TOKEN_REFRESH,
                                  .user_id = first.user_id,
                                  .family = STR("former"),
                                  .incarnation = STR("0123456789abcdef")};
    struct str formers;
    ck_assert_int_eq(token_issue(identity_tokens(node.app->identity), first.answer->arena,
                                 clock_wall_s(), &former, &formers),
                     ERR_OK);
    const char *const tokens[] = {"x.y.z", first.access, bobs.refresh, formers.ptr};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct loopback_answer *answer = log_out(&first, NULL, tokens[i]);
        ck_assert_int_eq(answer->err, ERR_BAD_INPUT);
        ck_assert_int_eq(strncmp(answer->error.caller, "refresh_token: ", 15), 0);
        loopback_free(&answer);
    }
    loopback_expect_error(SESSION_CALL(&node, &first, "auth.logout", .body = "{\"all\":true}"),
                          ERR_BAD_INPUT, "all: Unknown field. Leave it out.");
    expect_access(&first, true);
    expect_refresh(&bobs, true);
    session_free(&bobs);
}
END_TEST

START_TEST(every_session)
{
    struct session third;
    session_read(&node, session_refresh(&node, second.refresh), &third);
    /* Three families with a refresh token and an access token (one is that of the registration). */
    loopback_expect(log_out(&first, "all=true", NULL), LOGGED_OUT(6));
    expect_access(&first, false);
    expect_access(&second, false);
    expect_access(&third, false);
    expect_refresh(&first, false);
    expect_refresh(&third, false);
    session_expect_refused(&other, third.access, 1000);
    ck_assert_int_eq(session_try_refresh(&other, third.refresh), ERR_UNAUTHENTICATED);
    session_free(&third);
}
END_TEST

/* Within one second, several times: dates of tokens are whole seconds. */
START_TEST(sign_in_again_at_once)
{
    for (int i = 0; i < 3; i++) {
        struct session own, another;
        session_open(&node, "alice", &own);
        session_open(&other, "alice", &another);
        ck_assert_int_eq(session_try_access(&node, own.access), ERR_OK);
        loopback_expect(log_out(&own, "all=true", NULL), i == 0 ? LOGGED_OUT(10) : LOGGED_OUT(4));
        expect_access(&own, false);
        expect_access(&another, false);
        expect_refresh(&another, false);
        session_free(&own);
        session_free(&another);
    }
    struct session last;
    session_open(&node, "alice", &last);
    expect_access(&last, true);
    expect_refresh(&last, true);
    session_free(&last);
}
END_TEST

START_TEST(a_token_of_another_issuer)
{
    struct principal stranger = {.kind = PRINCIPAL_USER,
                                 .credential = CREDENTIAL_BEARER,
                                 .user_id = 4711,
                                 .is_stranger = true,
                                 .issuer = STR("0123"),
                                 .token_id = STR("a"),
                                 .issued_at_s = 5,
                                 .expires_at_s = clock_wall_s() + 100};
    struct revocation_subject subject = {
        .token_id = STR("a"), .user_id = 4711, .issuer = STR("0123")};
    struct revocations *known = identity_revocations(node.app->identity);
    loopback_expect(LOOPBACK(&node, "auth.logout", stranger, .body = "{}"), LOGGED_OUT(1));
    ck_assert(revocations_cover(known, &subject));
    subject.user_id = 4712; /* an id of theirs is nobody else's */
    ck_assert(!revocations_cover(known, &subject));
    stranger.token_id = STR_NONE;
    struct loopback_answer *answer = LOOPBACK(&node, "auth.logout", stranger, .body = "{}");
    ck_assert_int_eq(answer->err, ERR_BAD_INPUT);
    loopback_free(&answer);
    loopback_expect(LOOPBACK(&node, "auth.logout", stranger, .query = "all=true", .body = "{}"),
                    LOGGED_OUT(0));
    subject = (struct revocation_subject){
        .token_id = STR("b"), .user_id = 4711, .issued_at_s = clock_wall_s() - 1};
    ck_assert(!revocations_cover(known, &subject));
    subject.issuer = STR("0123");
    ck_assert(revocations_cover(known, &subject));
    subject.incarnation = STR("a"); /* the account with that number */
    ck_assert(!revocations_cover(known, &subject));
}
END_TEST

/* As scripts mint them, by a username. Later ones like it must go on being good. */
START_TEST(a_token_that_does_not_say_when)
{
    struct principal undated = {.kind = PRINCIPAL_USER,
                                .credential = CREDENTIAL_BEARER,
                                .user_id = first.user_id,
                                .incarnation = first.access_claims.incarnation,
                                .token_id = STR("a"),
                                .expires_at_s = clock_wall_s() + 100};
    /* The sign-ins' own records are written behind their answers. */
    ck_assert_int_eq(audit_drain(node.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
    int64_t changes = redis_server_ask_integer(redis, "DBSIZE");
    struct loopback_answer *answer =
        LOOPBACK(&node, "auth.logout", undated, .query = "all=true", .body = "{}");
    ck_assert_int_eq(answer->err, ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(answer->error.caller, "does not say when it was issued"));
    loopback_free(&answer);
    ck_assert_uint_eq(revocations_count(identity_revocations(node.app->identity)), 0);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), changes);
    expect_access(&first, true);
    expect_refresh(&second, true);
    loopback_expect(LOOPBACK(&node, "auth.logout", undated, .body = "{}"), LOGGED_OUT(1));
}
END_TEST

START_TEST(an_api_key_is_no_session)
{
    struct principal key = loopback_key(SCOPE_USER, first.user_id);
    key.token_id = STR("0123456789ab");
    struct loopback_answer *answer = LOOPBACK(&node, "auth.logout", key, .body = "{}");
    ck_assert_int_eq(answer->err, ERR_BAD_INPUT);
    loopback_free(&answer);
    loopback_expect(LOOPBACK(&node, "auth.logout", key, .query = "all=true", .body = "{}"),
                    LOGGED_OUT(6));
    expect_access(&first, false);
    loopback_expect_error(LOOPBACK(&node, "auth.password", key, .body = OLD_TO_NEW), ERR_FORBIDDEN,
                          "");
}
END_TEST

enum { THREADS = 6, LOGOUTS = 20 };

static void *log_out_many(void *arg)
{
    int *done = arg;
    struct principal key = loopback_key(SCOPE_USER, first.user_id);
    for (int i = 0; i < LOGOUTS; i++) {
        struct loopback_answer *answer =
            LOOPBACK(&node, "auth.logout", key, .query = "all=true", .body = "{}");
        ck_assert_msg(answer->err == ERR_OK || answer->err == ERR_THROTTLED, "%s",
                      err_name(answer->err));
        ck_assert_int_eq(answer->reply.retry_after_s > 0, answer->err == ERR_THROTTLED);
        *done += answer->err == ERR_OK;
        loopback_free(&answer);
    }
    return NULL;
}

/* However often: one member, whose score tells the second. It outlives the longest of its tokens. */
START_TEST(over_and_over_is_one_member)
{
    struct principal key = loopback_key(SCOPE_USER, first.user_id);
    const struct tokens *tokens = identity_tokens(node.app->identity);
    long long before = 0, score;
    ck_assert_int_gt(token_longest_ttl_s(tokens), 2 * token_refresh_ttl_s(tokens));
    for (int i = 0; i < 3; i++) {
        struct loopback_answer *answer =
            LOOPBACK(&node, "auth.logout", key, .query = "all=true", .body = "{}");
        ck_assert_int_eq(answer->err, ERR_OK);
        loopback_free(&answer);
        ck_assert_int_eq(redis_server_ask_integer(redis, "ZCARD cw:revoked"), 1);
        score = redis_server_ask_integer(redis, "EVAL %s 0",
                                         "return tonumber(redis.call('ZRANGE', 'cw:revoked', 0, "
                                         "0, 'WITHSCORES')[2])");
        ck_assert_int_gt(score, before);
        ck_assert_int_ge(score, clock_wall_s() + token_longest_ttl_s(tokens));
        before = score;
    }
    ck_assert_uint_eq(revocations_count(identity_revocations(node.app->identity)), 1);
}
END_TEST

/* Each dates the next tokens a second later: without a bound they would be of a time that is far off. */
START_TEST(over_and_over_locks_nobody_out)
{
    pthread_t threads[THREADS];
    int done[THREADS] = {0};
    struct session last;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_out_many, &done[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    session_open(&node, "alice", &last);
    ck_assert_int_le(last.refresh_claims.issued_at_s, clock_wall_s() + USERS_VOID_AHEAD_S);
    expect_access(&last, true);
    expect_refresh(&last, true);
    session_free(&last);
}
END_TEST

START_TEST(it_is_recorded)
{
    ck_assert_int_eq(audit_drain(node.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
    int64_t changes = redis_server_ask_integer(redis, "XLEN cw:audit:changes");
    loopback_expect(log_out(&first, NULL, NULL), LOGGED_OUT(2));
    ck_assert_int_eq(audit_drain(node.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
    /* Whoever does it all day long pushes out nothing of what operators did. */
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:changes"), changes);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:clears"), 1);
    struct loopback_answer *answer = LOOPBACK(&node, "audit.list", loopback_admin());
    const struct json *newest = json_at(json_get(loopback_json(answer), "records"), 0);
    ck_assert_str_eq(json_string(json_get(newest, "route")).ptr, "auth.logout");
    ck_assert_str_eq(json_string(json_get(newest, "result")).ptr, "ok");
    ck_assert_int_eq(json_integer(json_get(newest, "count")), 2);
    loopback_free(&answer);
}
END_TEST

/* Nothing is revoked where the caller is told that nothing was. */
START_TEST(a_redis_that_takes_no_writes)
{
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    loopback_expect_error(log_out(&first, NULL, NULL), ERR_UPSTREAM_REFUSED, "redis out of memory");
    loopback_expect_error(log_out(&first, "all=true", NULL), ERR_UPSTREAM_REFUSED,
                          "redis out of memory");
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    expect_access(&first, true);
    expect_refresh(&first, true);
}
END_TEST

/* A busy machine alone may make a hasty node give Redis up. */
static void await_connection(const struct loopback *at, const struct session *session)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    enum err err;
    do {
        struct loopback_answer *answer = SESSION_CALL(at, session, "cache.status");
        err = answer->err;
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s", answer->error.detail);
        loopback_free(&answer);
    } while (err != ERR_OK);
}

START_TEST(a_redis_that_does_not_answer)
{
    /* A node that gives Redis up soon, and whose only connection nobody else uses. */
    struct loopback hasty;
    struct session third;
    loopback_open(&hasty, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .shares = &node,
                                                     .is_unwatched = true,
                                                     .command_timeout_ms = 3000});
    session_open(&hasty, "alice", &third);
    ck_assert_int_eq(audit_drain(hasty.app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
    await_connection(&hasty, &third);
    redis_server_pause(redis);
    struct loopback_answer *answer = SESSION_CALL(&hasty, &third, "auth.logout", .body = "{}");
    /* It was sent: it may be done, and counts here as if it were. */
    ck_assert_int_eq(answer->err, ERR_UNCERTAIN);
    loopback_free(&answer);
    ck_assert_int_eq(session_try_access(&hasty, third.access), ERR_UNAUTHENTICATED);
    redis_server_resume(redis);
    session_expect_refused(&other, third.access, 10000);
    session_free(&third);
    loopback_close(&hasty);
}
END_TEST

/* ---- the password ---- */

static struct loopback_answer *change(const struct session *session, const char *body)
{
    return SESSION_CALL(&node, session, "auth.password", .body = body);
}

START_TEST(a_new_password)
{
    struct loopback_answer *answer = change(&first, OLD_TO_NEW);
    ck_assert_int_eq(answer->err, ERR_OK);
    ck_assert_int_eq(answer->reply.outcome, OUTCOME_NO_CONTENT);
    ck_assert_str_eq(answer->body, "");
    loopback_free(&answer);
    /* All were opened within this second. */
    expect_access(&first, true);
    expect_access(&second, false);
    expect_refresh(&second, false);
    session_expect_refused(&other, second.access, 1100);
    ck_assert_int_eq(session_try_access(&other, first.access), ERR_OK);
    struct session next;
    session_read(&node, session_refresh(&node, first.refresh), &next);
    expect_access(&next, true);
    session_free(&next);
    session_open_with(&node, "alice", NEW_PASSWORD, &next);
    expect_access(&next, true);
    expect_refresh(&next, true);
    session_free(&next);
}
END_TEST

START_TEST(passwords_that_are_refused)
{
    static const char *const cases[][2] = {
        {"{}", "old_password: This field is required."},
        {"{\"old_password\":\"" LOOPBACK_PASSWORD "\"}", "new_password: This field is required."},
        {"{\"old_password\":\"wrong\",\"new_password\":\"" NEW_PASSWORD "\"}",
         "old_password: it is wrong."},
        {"{\"old_password\":\"" LOOPBACK_PASSWORD "\",\"new_password\":\"short\"}",
         "new_password: it must have at least 8 characters."},
        {"{\"old_password\":\"" LOOPBACK_PASSWORD "\",\"new_password\":\"password123\"}",
         "new_password: it is too common, choose one that is harder to guess."},
        {"{\"old_password\":\"" LOOPBACK_PASSWORD "\",\"new_password\":\"" NEW_PASSWORD
         "\",\"user_id\":1}",
         "user_id: Unknown field. Leave it out."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        loopback_expect_error(change(&first, cases[i][0]), ERR_BAD_INPUT, cases[i][1]);
    expect_access(&second, true);
    struct principal stranger = {
        .kind = PRINCIPAL_USER, .credential = CREDENTIAL_BEARER, .user_id = 4711};
    loopback_expect_error(LOOPBACK(&node, "auth.password", stranger, .body = OLD_TO_NEW),
                          ERR_FORBIDDEN, "The password of this account is not kept here.");
}
END_TEST

START_TEST(a_password_needs_no_redis)
{
    redis_server_kill(redis);
    struct loopback_answer *answer = change(&first, OLD_TO_NEW);
    ck_assert_int_eq(answer->err, ERR_OK);
    loopback_free(&answer);
    expect_access(&first, true);
    expect_access(&second, false);
    session_expect_refused(&other, second.access, 1100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/ops_session");
    TCase *logout = tcase_create("logout"), *password = tcase_create("password");
    tcase_add_checked_fixture(logout, open_all, close_all);
    tcase_add_test(logout, this_session);
    tcase_add_test(logout, with_its_refresh_token);
    tcase_add_test(logout, with_the_refresh_token_of_another_session);
    tcase_add_test(logout, with_what_is_no_refresh_token_of_the_callers);
    tcase_add_test(logout, every_session);
    tcase_add_test(logout, sign_in_again_at_once);
    tcase_add_test(logout, a_token_of_another_issuer);
    tcase_add_test(logout, a_token_that_does_not_say_when);
    tcase_add_test(logout, an_api_key_is_no_session);
    tcase_add_test(logout, over_and_over_is_one_member);
    tcase_add_test(logout, over_and_over_locks_nobody_out);
    tcase_add_test(logout, it_is_recorded);
    tcase_add_test(logout, a_redis_that_takes_no_writes);
    tcase_add_test(logout, a_redis_that_does_not_answer);
    suite_add_tcase(suite, logout);
    tcase_add_checked_fixture(password, open_all, close_all);
    tcase_add_test(password, a_new_password);
    tcase_add_test(password, passwords_that_are_refused);
    tcase_add_test(password, a_password_needs_no_redis);
    suite_add_tcase(suite, password);
    return suite_run(suite);
}
