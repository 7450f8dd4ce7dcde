/* Limits over HTTP: 429 to the byte, its headers, whose calls they are, SIGHUP. */
#include "control_data.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS "/api/cache/status/"
#define CLEAR  "/api/cache/clear/"

static struct stand stand;

static void open_with(const char *config)
{
    stand_open(&stand,
               &(struct stand_options){
                   .config = config,
                   .environment = (const char *const[]){"CACHEWARDEN_LIMITS_ENABLED=", NULL},
               });
}

static void open_defaults(void)
{
    open_with("users: { registration = \"open\"; };\n"
              "server: { trusted_proxies = [ \"127.0.0.0/8\" ]; };\n");
}

static void close_stand(void)
{
    stand_close(&stand);
}

static int number(const struct http_reply *reply, const char *name)
{
    const char *text = http_header(reply, name);
    ck_assert_msg(text != NULL, "no %s in\n%s", name, reply->head);
    char *end;
    long value = strtol(text, &end, 10);
    ck_assert_msg(end != text && *end == '\0' && http_header_count(reply, name) == 1, "%s: %s",
                  name, text);
    return (int)value;
}

static void expect_rate(const struct http_reply *reply, int limit, int remaining)
{
    ck_assert_int_eq(number(reply, "RateLimit-Limit"), limit);
    ck_assert_int_eq(number(reply, "RateLimit-Remaining"), remaining);
    ck_assert_int_ge(number(reply, "RateLimit-Reset"), 1);
}

static void expect_throttled(const struct http_reply *reply, int limit, int window_s)
{
    char body[128];
    expect_status(reply, 429);
    expect_rate(reply, limit, 0);
    int wait_s = number(reply, "Retry-After");
    ck_assert_int_eq(wait_s, number(reply, "RateLimit-Reset"));
    ck_assert_int_ge(wait_s, 1);
    ck_assert_int_le(wait_s, window_s);
    snprintf(body, sizeof body,
             "{\"detail\":\"Request was throttled. Expected available in %d seconds.\"}", wait_s);
    expect_answer(reply, 429, body);
    expect_header(reply, "X-Cache-Version", NULL);
}

/* "X-Forwarded-For: address", POST, JSON. */
static const struct http_reply *post_from(const char *address, const char *target, const char *json)
{
    char from[80];
    snprintf(from, sizeof from, "X-Forwarded-For: %s", address);
    return http_send(stand.http, "POST", target,
                     (const char *const[]){from, "Content-Type: application/json", NULL}, json,
                     strlen(json));
}

static int64_t version_of(const struct stand_account *account)
{
    return control_version(stand.redis, account->id);
}

/* A busy machine may need more than a minute for what is counted in one: no window ends meanwhile. */
static void hold_windows(void)
{
    redis_server_do(
        stand.redis, "EVAL %s 0",
        "for _, key in ipairs(redis.call('KEYS', 'cw:l:*')) do "
        "if redis.call('PTTL', key) <= 60000 then redis.call('EXPIRE', key, 60) end end");
}

static void expect_counted(const struct http_reply *reply, int limit, int remaining)
{
    expect_rate(reply, limit, remaining);
    hold_windows();
}

/* ---- users ---- */

START_TEST(ten_clears_and_no_more)
{
    for (int i = 0; i < 10; i++) {
        const struct http_reply *reply = http_post(stand.http, CLEAR, stand.alice.bearer);
        expect_status(reply, 200);
        expect_counted(reply, 10, 9 - i);
        expect_header(reply, "Retry-After", NULL);
    }
    int64_t version = version_of(&stand.alice);
    for (int i = 0; i < 3; i++)
        expect_throttled(http_post(stand.http, CLEAR, stand.alice.bearer), 10, 60);
    ck_assert_int_eq(version_of(&stand.alice), version);
    expect_status(http_post(stand.http, CLEAR, stand.bob.bearer), 200);
    /* An operator may still clear for her. */
    expect_status(http_post(stand.http, "/api/server-management/clear-cache/", stand.root.bearer),
                  200);
}
END_TEST

START_TEST(toggles_and_reads)
{
    for (int i = 0; i < 10; i++)
        expect_counted(http_post(stand.http, i % 2 ? "/api/cache/enable/" : "/api/cache/disable",
                                 stand.root.bearer),
                       10, 9 - i);
    expect_throttled(http_post(stand.http, "/api/cache/disable/", stand.root.bearer), 10, 60);
    expect_throttled(http_post(stand.http, "/api/cache/enable/", stand.root.bearer), 10, 60);
    for (int i = 0; i < 100; i++) {
        const struct http_reply *reply = http_get(stand.http, STATUS, stand.root.bearer);
        expect_status(reply, 200);
        expect_counted(reply, 100, 99 - i);
    }
    expect_throttled(http_get(stand.http, STATUS, stand.root.bearer), 100, 60);
    const struct http_reply *reply = http_get(stand.http, "/api/cache/check/", stand.root.bearer);
    expect_status(reply, 204);
    expect_header(reply, "RateLimit-Limit", NULL);
}
END_TEST

/* Whoever may not come in at all is not counted: nobody can use up another's calls. */
START_TEST(only_who_may_is_counted)
{
    for (int i = 0; i < 12; i++) {
        expect_status(http_post(stand.http, CLEAR, NULL), 401);
        expect_status(http_post(stand.http, CLEAR "?user_id=999", stand.alice.bearer), 403);
    }
    expect_counted(http_post(stand.http, CLEAR, stand.alice.bearer), 10, 9);
}
END_TEST

/* ---- addresses ---- */

#define NOBODY "{\"username\":\"nobody-%d\",\"password\":\"not-the-password\"}"

static const struct http_reply *guess(const char *address, const char *target, int number_of_name)
{
    char json[128];
    snprintf(json, sizeof json, NOBODY, number_of_name);
    return post_from(address, target, json);
}

START_TEST(sign_ins_of_an_address)
{
    /* Both doors are one. */
    for (int i = 0; i < 10; i++)
        expect_counted(guess("192.0.2.7", i % 2 ? "/auth/login" : "/api/token/", i), 10, 9 - i);
    expect_throttled(guess("192.0.2.7", "/auth/login", 10), 10, 60);
    expect_throttled(guess("192.0.2.7", "/api/token/", 10), 10, 60);
    expect_throttled(guess("::ffff:192.0.2.7", "/api/token/", 10), 10, 60);
    expect_status(guess("192.0.2.8", "/auth/login", 10), 401);
    /* Signed in is signed in. */
    expect_status(http_get(stand.http, STATUS, stand.alice.bearer), 200);
}
END_TEST

START_TEST(an_ipv6_address_is_its_64)
{
    char address[64];
    for (int i = 0; i < 10; i++) {
        snprintf(address, sizeof address, "2001:db8:0:1:%x::%x", i * 7, i + 1);
        expect_counted(post_from(address, "/auth/register", "{}"), 10, 9 - i);
    }
    expect_throttled(post_from("2001:db8:0:1:ffff::1", "/auth/register", "{}"), 10, 60);
    expect_status(post_from("2001:db8:0:2::1", "/auth/register", "{}"), 400);
}
END_TEST

START_TEST(failures_of_a_name)
{
    static const char wrong[] = "{\"username\":\"alice\",\"password\":\"not-the-password\"}";
    static const char right[] = "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}";
    for (int i = 0; i < 4; i++)
        expect_status(post_from("192.0.2.7", "/auth/login", wrong), 401);
    expect_status(post_from("192.0.2.7", "/auth/login", right), 200);
    for (int i = 0; i < 5; i++)
        expect_answer(post_from("192.0.2.8", "/auth/login", wrong), 401,
                      "{\"detail\":\"No active account found with the given credentials\"}");
    expect_throttled(post_from("192.0.2.8", "/auth/login", wrong), 5, 900);
    expect_throttled(post_from("192.0.2.8", "/api/token/", right), 5, 900);
    expect_status(post_from("192.0.2.7", "/auth/login", right), 200);
}
END_TEST

/* ---- without Redis ---- */

/* Who calls an operator because they are locked out is let in by what the operator does. */
START_TEST(an_operator_ends_a_lock_out)
{
    static const char wrong[] = "{\"username\":\"bob\",\"password\":\"not-the-password\"}";
    static const char right[] = "{\"username\":\"bob\",\"password\":\"" STAND_PASSWORD "\"}";
    static const char *const commands[][6] = {
        {"user", "password", "bob", "--password-file", "-", NULL},
        {"user", "activate", "bob", NULL}};
    for (size_t i = 0; i < 2; i++) {
        const char *address = i == 0 ? "192.0.2.31" : "192.0.2.32";
        for (int tries = 0; tries < 5; tries++)
            expect_status(post_from(address, "/auth/login", wrong), 401);
        expect_throttled(post_from(address, "/auth/login", right), 5, 900);
        stand_cli_do(&stand, i == 0 ? STAND_PASSWORD : NULL, commands[i]);
        expect_status(post_from(address, "/auth/login", right), 200);
    }
}
END_TEST

START_TEST(a_node_counts_alone)
{
    redis_server_kill(stand.redis);
    for (int i = 0; i < 10; i++)
        expect_body(http_post(stand.http, CLEAR, stand.alice.bearer), 500,
                    "{\"error\":\"Failed to clear cache\"}");
    expect_throttled(http_post(stand.http, CLEAR, stand.alice.bearer), 10, 60);
    for (int i = 0; i < 3; i++)
        expect_status(post_from("192.0.2.7", "/auth/login",
                                "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}"),
                      200);
    for (int i = 0; i < 7; i++)
        (void)guess("192.0.2.7", "/auth/login", i);
    expect_throttled(guess("192.0.2.7", "/auth/login", 7), 10, 60);
}
END_TEST

static bool is_shown(const void *unused)
{
    (void)unused;
    return http_get(stand.http, STATUS, stand.alice.bearer)->status == 200;
}

/* Counting must not make anybody wait for longer than Redis itself would. */
START_TEST(a_redis_that_does_not_answer)
{
    stand_open(&stand, &(struct stand_options){
                           .environment = (const char *const[]){
                               "CACHEWARDEN_LIMITS_ENABLED=", STAND_DEFAULT_TIMEOUTS, NULL}});
    stand_wait(is_shown, NULL, "there are connections to Redis");
    redis_server_pause(stand.redis);
    const struct http_reply *reply = http_post(stand.http, CLEAR, stand.alice.bearer);
    expect_status(reply, 500);
    expect_rate(reply, 10, 9);
    expect_within_ms(reply->elapsed_ms, 2000);
    reply = http_post_json(stand.http, "/auth/login", NULL,
                           "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}");
    expect_status(reply, 200);
    expect_within_ms(reply->elapsed_ms, 5000);
    expect_rate(reply, 10, 9);
    redis_server_resume(stand.redis);
    stand_close(&stand);
}
END_TEST

/* ---- SIGHUP ---- */

static void reload(const char *config)
{
    cw_file_write(stand.directory, "test.conf", config, 0600);
    cw_server_signal(&stand.server, SIGHUP);
}

START_TEST(sighup_changes_the_limits)
{
    open_with("limits: { clear_per_minute = 2; };\n");
    for (int i = 0; i < 2; i++)
        expect_rate(http_post(stand.http, CLEAR, stand.alice.bearer), 2, 1 - i);
    expect_throttled(http_post(stand.http, CLEAR, stand.alice.bearer), 2, 60);

    reload("limits: { clear_per_minute = 1000; };\n");
    cw_server_wait_log(&stand.server, "setting=limits.clear_per_minute");
    cw_server_wait_log(&stand.server, "event=config.loaded");
    const struct http_reply *reply = http_post(stand.http, CLEAR, stand.alice.bearer);
    expect_status(reply, 200);
    expect_rate(reply, 1000, 1000 - 4);

    reload("limits: { enabled = false; clear_per_minute = 1; };\n");
    cw_server_wait_log(&stand.server, "setting=limits.enabled");
    for (int i = 0; i < 12; i++) {
        reply = http_post(stand.http, CLEAR, stand.bob.bearer);
        if (http_header(reply, "RateLimit-Limit") == NULL)
            break;
    }
    for (int i = 0; i < 12; i++) {
        reply = http_post(stand.http, CLEAR, stand.bob.bearer);
        expect_status(reply, 200);
        expect_header(reply, "RateLimit-Limit", NULL);
    }
    stand_close(&stand);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/limits");
    TCase *tcase = tcase_create("the defaults");
    tcase_add_checked_fixture(tcase, open_defaults, close_stand);
    tcase_add_test(tcase, ten_clears_and_no_more);
    tcase_add_test(tcase, toggles_and_reads);
    tcase_add_test(tcase, only_who_may_is_counted);
    tcase_add_test(tcase, sign_ins_of_an_address);
    tcase_add_test(tcase, an_ipv6_address_is_its_64);
    tcase_add_test(tcase, failures_of_a_name);
    tcase_add_test(tcase, an_operator_ends_a_lock_out);
    tcase_add_test(tcase, a_node_counts_alone);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("a slow Redis");
    tcase_add_test(tcase, a_redis_that_does_not_answer);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("SIGHUP");
    tcase_add_test(tcase, sighup_changes_the_limits);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
