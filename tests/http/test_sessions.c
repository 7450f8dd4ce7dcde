/* Signing out, new passwords and stolen refresh tokens, on two servers with one Redis. */
#include "patience.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATUS          "/api/cache/status/"
#define LOGIN(password) "{\"username\":\"alice\",\"password\":\"" password "\"}"
#define NEW_PASSWORD    "battery-staple-horse"

enum { BUDGET_MS = 2500 };

static struct stand stand;
static struct cw_server other; /* a second node, on the same users database */
static struct http_client *other_http;

struct tokens {
    char access[MINT_SIZE]; /* a whole header line */
    char refresh[MINT_SIZE];
    char body[MINT_SIZE]; /* {"refresh_token":"…"} */
};

static void open_nodes(const char *const *environment)
{
    stand_open(&stand, &(struct stand_options){.environment = environment});
    cw_server_start(
        &other, &(struct cw_server_options){.environment = (const char *const *)stand.environment,
                                            .directory = stand.directory});
    other_http = http_client_new(other.base_url);
}

static void open_both(void)
{
    open_nodes(NULL);
}

/* Where it is about how long Redis is waited for. */
static void open_both_hasty(void)
{
    open_nodes((const char *const[]){STAND_DEFAULT_TIMEOUTS, NULL});
}

static void close_both(void)
{
    http_client_free(&other_http);
    cw_server_stop(&other);
    stand_close(&stand);
}

static void copy_member(char *out, const char *prefix, const char *body, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *at = strstr(body, wanted);
    ck_assert_msg(at != NULL, "no %s in %s", name, body);
    at += strlen(wanted);
    ck_assert_int_lt(snprintf(out, MINT_SIZE, "%s%.*s", prefix, (int)strcspn(at, "\""), at),
                     MINT_SIZE);
}

static void read_tokens(struct tokens *tokens, const struct http_reply *reply)
{
    expect_status(reply, 200);
    copy_member(tokens->access, "Authorization: Bearer ", reply->body, "access_token");
    copy_member(tokens->refresh, "", reply->body, "refresh_token");
    snprintf(tokens->body, sizeof tokens->body, "{\"refresh_token\":\"%.*s\"}", MINT_SIZE - 32,
             tokens->refresh);
}

static void log_in(struct http_client *http, struct tokens *tokens)
{
    read_tokens(tokens, http_post_json(http, "/auth/login", NULL, LOGIN(STAND_PASSWORD)));
}

static const struct http_reply *refresh(struct http_client *http, const struct tokens *tokens)
{
    return http_post_json(http, "/auth/refresh", NULL, tokens->body);
}

static void expect_access(struct http_client *http, const struct tokens *tokens, bool is_good)
{
    const struct http_reply *reply = http_get(http, STATUS, tokens->access);
    if (is_good)
        expect_status(reply, 200);
    else
        expect_answer(reply, 401, SAYS_401);
}

/* Refused by the other node within a second. */
static void expect_soon_refused(const struct tokens *tokens)
{
    int64_t start_ms = stand_now_ms();
    while (http_get(other_http, STATUS, tokens->access)->status != 401)
        ck_assert_msg(stand_now_ms() - start_ms < PATIENCE_MS, "still good");
    expect_within_ms(stand_now_ms() - start_ms, 1000);
    expect_access(other_http, tokens, false);
}

START_TEST(logged_out_everywhere)
{
    static struct tokens first, second;
    log_in(stand.http, &first);
    log_in(other_http, &second);
    expect_access(other_http, &first, true);
    expect_answer(http_post(stand.http, "/auth/logout", first.access), 200,
                  "{\"message\":\"Logged out\",\"tokens_revoked\":2}");
    expect_access(stand.http, &first, false);
    expect_soon_refused(&first);
    expect_answer(refresh(other_http, &first), 401, SAYS_401);
    expect_answer(http_post(stand.http, "/auth/logout", first.access), 401, SAYS_401);
    expect_access(stand.http, &second, true);
    /* A form, and the token's name in it. */
    static char form[MINT_SIZE + 32];
    const char *headers[] = {"Content-Type: application/x-www-form-urlencoded", second.access,
                             NULL};
    snprintf(form, sizeof form, "refresh_token=%s", second.refresh);
    expect_answer(http_send(stand.http, "POST", "/auth/logout", headers, form, strlen(form)), 200,
                  "{\"message\":\"Logged out\",\"tokens_revoked\":2}");
    expect_answer(refresh(stand.http, &second), 401, SAYS_401);
}
END_TEST

START_TEST(all_of_them)
{
    static struct tokens first, second, third;
    log_in(stand.http, &first);
    log_in(other_http, &second);
    log_in(stand.http, &third);
    expect_answer(http_post(stand.http, "/auth/logout?all=true", first.access), 200,
                  "{\"message\":\"Logged out\",\"tokens_revoked\":6}");
    expect_access(stand.http, &second, false);
    expect_soon_refused(&second);
    expect_answer(refresh(other_http, &third), 401, SAYS_401);
    /* At once again, wherever. */
    log_in(other_http, &first);
    expect_access(other_http, &first, true);
    expect_access(stand.http, &first, true);
    read_tokens(&second, refresh(stand.http, &first));
    expect_status(http_post(stand.http, "/auth/logout?all=yes", second.access), 400);
    expect_status(http_post(stand.http, "/auth/logout?every=true", second.access), 400);
}
END_TEST

START_TEST(logging_out_with_a_token_of_simplejwt)
{
    char line[MINT_SIZE];
    stand_stranger(line, stand.bob.id);
    expect_status(http_get(stand.http, STATUS, line), 200);
    expect_answer(http_post(stand.http, "/auth/logout", line), 200,
                  "{\"message\":\"Logged out\",\"tokens_revoked\":1}");
    expect_answer(http_get(stand.http, STATUS, line), 401, SAYS_401);
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
}
END_TEST

/* The moment a refresh token was spent, moved into the past. */
static void age(const struct tokens *tokens, int seconds)
{
    char payload[MINT_SIZE], id[64] = "";
    mint_decode(payload, sizeof payload, tokens->refresh, 1);
    const char *at = strstr(payload, "\"jti\":\"");
    ck_assert_ptr_nonnull(at);
    snprintf(id, sizeof id, "%.*s", (int)strcspn(at + 7, "\""), at + 7);
    redis_server_do(stand.redis, "HSET cw:t:%s spent %lld", id,
                    ((long long)time(NULL) - seconds) * 1000);
}

START_TEST(a_stolen_refresh_token)
{
    static struct tokens stolen, next, bystander;
    log_in(stand.http, &bystander);
    log_in(stand.http, &stolen);
    read_tokens(&next, refresh(stand.http, &stolen));
    age(&stolen, -3600); /* ten seconds of grace may be over before a slow machine is through */
    expect_answer(refresh(other_http, &stolen), 401, SAYS_401);
    expect_access(stand.http, &next, true); /* the client may have repeated itself */
    age(&stolen, 12);
    expect_answer(refresh(stand.http, &stolen), 401, SAYS_401);
    expect_access(stand.http, &next, false);
    expect_access(stand.http, &stolen, false);
    expect_soon_refused(&next);
    expect_answer(refresh(other_http, &next), 401, SAYS_401);
    expect_access(other_http, &bystander, true);
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 20, GRACE_MS = 10000 };

struct racer {
    pthread_t thread;
    const char *url, *body;
    int status;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    struct http_client *http = http_client_new(racer->url);
    racer->status = http_post_json(http, "/auth/refresh", NULL, racer->body)->status;
    http_client_free(&http);
    return NULL;
}

START_TEST(of_twenty_at_once_one_wins)
{
    struct racer racers[THREADS];
    static struct tokens tokens;
    int winners = 0;
    log_in(stand.http, &tokens);
    int64_t from = stand_now_ms();
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.url = i % 2 ? other.base_url : stand.server.base_url,
                                   .body = tokens.body};
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(racers[i].thread, NULL);
        winners += racers[i].status == 200;
        ck_assert(racers[i].status == 200 || racers[i].status == 401);
    }
    ck_assert_int_eq(winners, 1);
    /* Who came ten seconds after the winner was a thief, and took the session along. */
    if (stand_now_ms() - from < GRACE_MS)
        expect_access(stand.http, &tokens, true);
}
END_TEST

/* ---- the password ---- */

START_TEST(a_new_password)
{
    static struct tokens own, another;
    log_in(stand.http, &own);
    log_in(stand.http, &another);
    expect_body_has(http_post_json(stand.http, "/auth/password", own.access,
                                   "{\"old_password\":\"wrong\",\"new_password\":\"" NEW_PASSWORD
                                   "\"}"),
                    400, "{\"detail\":\"old_password: ");
    expect_body_has(http_post_json(stand.http, "/auth/password", own.access,
                                   "{\"old_password\":\"" STAND_PASSWORD
                                   "\",\"new_password\":\"12345678\"}"),
                    400, "{\"detail\":\"new_password: ");
    expect_answer(http_post_json(stand.http, "/auth/password", NULL, "{}"), 401, SAYS_401);
    expect_access(stand.http, &another, true);
    expect_body(http_post_json(stand.http, "/auth/password", own.access,
                               "{\"old_password\":\"" STAND_PASSWORD
                               "\",\"new_password\":\"" NEW_PASSWORD "\"}"),
                204, "");
    expect_access(stand.http, &own, true);
    expect_access(stand.http, &another, false);
    expect_soon_refused(&another);
    expect_access(other_http, &own, true);
    expect_answer(refresh(stand.http, &another), 401, SAYS_401);
    expect_status(http_post_json(stand.http, "/auth/login", NULL, LOGIN(STAND_PASSWORD)), 401);
    expect_status(http_post_json(stand.http, "/auth/login", NULL, LOGIN(NEW_PASSWORD)), 200);
    read_tokens(&another, refresh(stand.http, &own));
    expect_access(stand.http, &another, true);
}
END_TEST

/* Activated again, the account begins without tokens, on a node that still remembers it as well. */
START_TEST(deactivated_and_activated)
{
    static struct tokens before, after;
    log_in(stand.http, &before);
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "alice", NULL});
    expect_soon_refused(&before);
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "activate", "alice", NULL});
    log_in(stand.http, &after);
    expect_access(stand.http, &after, true);
    expect_access(other_http, &after, true);
    expect_access(stand.http, &before, false);
    expect_access(other_http, &before, false);
    expect_answer(refresh(stand.http, &before), 401, SAYS_401);
    read_tokens(&before, refresh(other_http, &after));
    expect_access(stand.http, &before, true);
}
END_TEST

/* ---- without Redis ---- */

static void expect_503(const struct http_reply *reply)
{
    expect_body_has(reply, 503, "{\"detail\":\"Service temporarily unavailable");
    ck_assert_int_eq(http_header_count(reply, "Retry-After"), 1);
    expect_within_ms(reply->elapsed_ms, BUDGET_MS);
}

static bool refreshes(const void *tokens)
{
    return refresh(stand.http, tokens)->status == 200;
}

START_TEST(redis_is_killed)
{
    static struct tokens revoked, good, during;
    log_in(stand.http, &revoked);
    log_in(stand.http, &good);
    expect_status(http_post(stand.http, "/auth/logout", revoked.access), 200);
    expect_soon_refused(&revoked);
    redis_server_kill(stand.redis);
    /* A known revocation always wins; the rest lives on. */
    expect_access(stand.http, &revoked, false);
    expect_access(other_http, &revoked, false);
    expect_answer(refresh(stand.http, &revoked), 401, SAYS_401);
    expect_status(http_get(stand.http, "/auth/me", good.access), 200);
    expect_503(refresh(stand.http, &good));
    expect_503(http_post(stand.http, "/auth/logout", good.access));
    expect_503(http_post(stand.http, "/auth/logout?all=true", good.access));
    expect_status(http_get(stand.http, "/auth/me", good.access), 200);
    log_in(stand.http, &during);
    /* Back, and empty: what was issued before is lost, what was issued meanwhile is good, what was
     * revoked stays so. */
    redis_server_restart(stand.redis);
    stand_wait(refreshes, &during, "the token of the outage is good");
    expect_answer(refresh(stand.http, &good), 401, SAYS_401);
    expect_access(stand.http, &good, true);
    expect_access(stand.http, &revoked, false);
    expect_access(other_http, &revoked, false);
    expect_status(http_post(stand.http, "/auth/logout", good.access), 200);
}
END_TEST

/* One of them: where the answer to a refresh came too late, that token is spent. */
enum { OF_THE_OUTAGE = 4 };

static bool one_refreshes(const void *tokens)
{
    static int turn;
    return refreshes((const struct tokens *)tokens + turn++ % OF_THE_OUTAGE);
}

START_TEST(redis_is_paused)
{
    static struct tokens good, during, outage[OF_THE_OUTAGE];
    log_in(stand.http, &good);
    redis_server_pause(stand.redis);
    expect_503(refresh(stand.http, &good));
    log_in(stand.http, &during);
    expect_503(http_post(stand.http, "/auth/logout", during.access));
    const struct http_reply *reply = http_post_json(stand.http, "/auth/password", during.access,
                                                    "{\"old_password\":\"" STAND_PASSWORD
                                                    "\",\"new_password\":\"" NEW_PASSWORD "\"}");
    expect_body(reply, 204, "");
    for (int i = 0; i < OF_THE_OUTAGE; i++)
        read_tokens(&outage[i],
                    http_post_json(stand.http, "/auth/login", NULL, LOGIN(NEW_PASSWORD)));
    redis_server_resume(stand.redis);
    stand_wait(one_refreshes, outage, "a token of the outage is good");
    expect_status(http_get(stand.http, "/auth/me", during.access), 200);
}
END_TEST

static bool says_flushed_and_known(const void *unused)
{
    (void)unused;
    return redis_server_ask_integer(stand.redis, "ZCARD cw:revoked") == 2;
}

START_TEST(all_is_flushed)
{
    static struct tokens revoked, good;
    log_in(stand.http, &revoked);
    log_in(stand.http, &good);
    expect_status(http_post(stand.http, "/auth/logout", revoked.access), 200);
    expect_soon_refused(&revoked);
    redis_server_do(stand.redis, "FLUSHALL");
    expect_access(stand.http, &revoked, false);
    stand_wait(says_flushed_and_known, NULL, "revocations are put back");
    expect_access(other_http, &revoked, false);
    expect_access(stand.http, &good, true);
    expect_answer(refresh(stand.http, &good), 401, SAYS_401);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sessions");
    TCase *tcase = tcase_create("sessions");
    tcase_add_checked_fixture(tcase, open_both, close_both);
    tcase_add_test(tcase, logged_out_everywhere);
    tcase_add_test(tcase, all_of_them);
    tcase_add_test(tcase, logging_out_with_a_token_of_simplejwt);
    tcase_add_test(tcase, a_stolen_refresh_token);
    tcase_add_test(tcase, of_twenty_at_once_one_wins);
    tcase_add_test(tcase, a_new_password);
    tcase_add_test(tcase, deactivated_and_activated);
    tcase_add_test(tcase, redis_is_killed);
    tcase_add_test(tcase, all_is_flushed);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("hasty");
    tcase_add_checked_fixture(tcase, open_both_hasty, close_both);
    tcase_add_test(tcase, redis_is_paused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
