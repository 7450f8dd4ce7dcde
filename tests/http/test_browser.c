/* Sessions of browsers, on two servers with one Redis: cookies, Origin and XSRF-TOKEN. */
#include "browser.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS    "/api/cache/status/"
#define ENABLE    "/api/cache/enable/"
#define SAYS_CSRF "{\"detail\":\"CSRF Failed\"}"
#define LOGIN(name) \
    "{\"username\":\"" name "\",\"password\":\"" STAND_PASSWORD "\",\"session\":true}"

enum { LINE_SIZE = BROWSER_SESSION_SIZE + 256 };

static struct stand stand;
static struct cw_server other; /* a second node, on the same users database */
static struct http_client *other_http;
static struct browser browser;

static void open_one(const char *const *environment)
{
    stand_open(&stand, &(struct stand_options){.environment = environment});
}

static void open_both(void)
{
    open_one(NULL);
    cw_server_start(
        &other, &(struct cw_server_options){.environment = (const char *const *)stand.environment,
                                            .directory = stand.directory});
    other_http = http_client_new(other.base_url);
}

static void open_browser(void)
{
    browser_open(&browser, stand.http, stand.server.base_url);
}

static void close_both(void)
{
    http_client_free(&other_http);
    cw_server_stop(&other);
    stand_close(&stand);
}

/* The same session, brought to another node by a page of that node. */
static struct browser at_the_other(void)
{
    struct browser copy = browser;
    copy.http = other_http;
    snprintf(copy.origin, sizeof copy.origin, "%s", other.base_url);
    return copy;
}

static bool is_refused(const void *with)
{
    struct browser copy = *(const struct browser *)with;
    return browser_send(&copy, "GET", STATUS, NULL)->status == 401;
}

/* On this node at once, on the other within a second. */
static void expect_over(const struct browser *old)
{
    struct browser here = *old, there = *old;
    there.http = other_http;
    expect_answer(browser_send(&here, "GET", STATUS, NULL), 401, SAYS_401);
    int64_t start_ms = stand_now_ms();
    stand_wait(is_refused, &there, "the other node refuses it");
    expect_within_ms(stand_now_ms() - start_ms, 1000);
}

/* ---- what is allowed ---- */

START_TEST(a_session)
{
    const struct http_reply *reply = browser_send(&browser, "POST", "/auth/login", LOGIN("alice"));
    expect_body_has(reply, 200, "\"token_type\":\"bearer\",\"expires_in\":900,\"user\":{\"id\":");
    ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 2);
    expect_header(reply, "Cache-Control", "no-store");
    ck_assert_str_eq(browser.session_name, "__Host-cachewarden");
    ck_assert_ptr_null(strstr(reply->body, browser.session));
    reply = browser_send(&browser, "GET", STATUS, NULL);
    expect_body_has(reply, 200, "{\"enabled\":true,");
    ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 0);
    expect_body_has(browser_send(&browser, "POST", ENABLE, NULL), 200, "{\"enabled\":true,");
    expect_body_has(browser_send(&browser, "GET", "/auth/me", NULL), 200, "\"username\":\"alice\"");
    struct browser there = at_the_other();
    expect_status(browser_send(&there, "POST", ENABLE, NULL), 200);
    /* A GET needs no more than the cookie. */
    char cookie[LINE_SIZE];
    snprintf(cookie, sizeof cookie, "Cookie: %s=%s", browser.session_name, browser.session);
    expect_status(http_get(stand.http, STATUS, cookie), 200);
    expect_status(http_call(stand.http, "HEAD", STATUS, cookie), 200);
    expect_answer(http_post(stand.http, ENABLE, cookie), 403, SAYS_CSRF);
}
END_TEST

START_TEST(without_asking_there_is_none)
{
    static const char *const no_session[] = {
        "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}",
        "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\",\"session\":false}",
    };
    for (size_t i = 0; i < 2; i++) {
        const struct http_reply *reply =
            http_post_json(stand.http, "/auth/login", NULL, no_session[i]);
        expect_status(reply, 200);
        ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 0);
    }
    expect_body_has(browser_send(&browser, "POST", "/auth/login",
                                 "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD
                                 "\",\"session\":1}"),
                    400, "{\"detail\":\"session: ");
    expect_body_has(browser_send(&browser, "POST", "/api/token/", LOGIN("alice")), 400,
                    "{\"detail\":\"session: ");
    ck_assert_str_eq(browser.session, "");
    /* A form will do. */
    const char *form = "username=alice&password=" STAND_PASSWORD "&session=true";
    char origin[160];
    snprintf(origin, sizeof origin, "Origin: %s", stand.server.base_url);
    const char *headers[] = {origin, "Content-Type: application/x-www-form-urlencoded", NULL};
    const struct http_reply *reply =
        http_send(stand.http, "POST", "/auth/login", headers, form, strlen(form));
    expect_status(reply, 200);
    ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 2);
}
END_TEST

/* ---- pages elsewhere ---- */

/* None of these is the page's own origin. */
static const char *const foreign_origins[] = {
    "Origin: http://evil.example",  "Origin: null",           "Origin: http://127.0.0.1",
    "Origin: http://127.0.0.1:1",   "Origin: 127.0.0.1",      "Origin: http://localhost:8000",
    "Origin: ftp://127.0.0.1:8000", "X-Origin: not an origin"};

START_TEST(signing_in_from_elsewhere)
{
    for (size_t i = 0; i < sizeof foreign_origins / sizeof *foreign_origins; i++) {
        const struct http_reply *reply =
            http_post_json(stand.http, "/auth/login", foreign_origins[i], LOGIN("alice"));
        expect_answer(reply, 403, SAYS_CSRF);
        ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 0);
    }
}
END_TEST

/* The request of a page, with one line of it in place of another. */
static void expect_csrf(const char *old_line, const char *new_line)
{
    static const char *const targets[] = {ENABLE, "/auth/logout",
                                          "/api/server-management/clear-cache/",
                                          "/api/v1/analytics/cache/clear"};
    static char cookie[2 * LINE_SIZE], xsrf[LINE_SIZE], origin[160];
    snprintf(origin, sizeof origin, "Origin: %s", browser.origin);
    snprintf(cookie, sizeof cookie, "Cookie: %s=%s; XSRF-TOKEN=%s", browser.session_name,
             browser.session, browser.xsrf);
    snprintf(xsrf, sizeof xsrf, "X-XSRF-TOKEN: %s", browser.xsrf);
    const char *headers[] = {origin, cookie, xsrf, NULL};
    for (size_t i = 0; i < 3; i++)
        if (strncmp(headers[i], old_line, strlen(old_line)) == 0)
            headers[i] = new_line;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        expect_answer(http_send(stand.http, "POST", targets[i], headers, NULL, 0), 403, SAYS_CSRF);
    expect_answer(http_send(stand.http, "DELETE", "/api/v1/cache", headers, NULL, 0), 403,
                  SAYS_CSRF);
}

START_TEST(requests_from_elsewhere)
{
    struct browser stranger;
    browser_sign_in(&browser, "root", STAND_PASSWORD);
    for (size_t i = 0; i < sizeof foreign_origins / sizeof *foreign_origins; i++)
        expect_csrf("Origin", foreign_origins[i]);
    expect_csrf("X-XSRF", "X-Other: none");
    expect_csrf("X-XSRF", "X-XSRF-TOKEN: 0123456789abcdef0123456789abcdef");
    /* With a value of a session of its own a stranger gets nowhere, cookie or not. */
    browser_open(&stranger, stand.http, stand.server.base_url);
    browser_sign_in(&stranger, "bob", STAND_PASSWORD);
    struct browser mixed = browser;
    memcpy(mixed.xsrf, stranger.xsrf, sizeof mixed.xsrf);
    expect_answer(browser_send(&mixed, "POST", ENABLE, NULL), 403, SAYS_CSRF);
    /* Nothing of this ended anything. */
    expect_status(browser_send(&browser, "POST", ENABLE, NULL), 200);
}
END_TEST

/*
 * A neighbour below the same domain can set a second cookie of that name, which the browser then sends
 * along, in front or behind. The header is what a page of ours says; the cookies beside it do not matter.
 */
START_TEST(beside_planted_cookies)
{
    static const struct {
        const char *before, *behind;
        bool has_own;
    } planted[] = {
        {"", "", true},
        {"XSRF-TOKEN=0123456789abcdef0123456789abcdef; ", "", true},
        {"", "; XSRF-TOKEN=", true},
        {"XSRF-TOKEN=\"a b\"; ", "", false},
        {"", "", false},
    };
    static char cookie[3 * LINE_SIZE], own[LINE_SIZE], xsrf[LINE_SIZE], origin[160];
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    snprintf(origin, sizeof origin, "Origin: %s", browser.origin);
    snprintf(own, sizeof own, "; XSRF-TOKEN=%s", browser.xsrf);
    snprintf(xsrf, sizeof xsrf, "X-XSRF-TOKEN: %s", browser.xsrf);
    const char *headers[] = {origin, cookie, xsrf, NULL};
    for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
        snprintf(cookie, sizeof cookie, "Cookie: %s%s=%s%s%s", planted[i].before,
                 browser.session_name, browser.session, planted[i].has_own ? own : "",
                 planted[i].behind);
        expect_status(http_send(stand.http, "POST", ENABLE, headers, NULL, 0), 200);
    }
    headers[2] = "X-XSRF-TOKEN: 0123456789abcdef0123456789abcdef";
    snprintf(cookie, sizeof cookie, "Cookie: %s=%s; XSRF-TOKEN=0123456789abcdef0123456789abcdef",
             browser.session_name, browser.session);
    expect_answer(http_send(stand.http, "POST", ENABLE, headers, NULL, 0), 403, SAYS_CSRF);
}
END_TEST

START_TEST(behind_a_proxy)
{
    open_one((const char *const[]){"CACHEWARDEN_SERVER_TRUSTED_PROXIES=127.0.0.0/8", NULL});
    const char *by_tls[] = {"Host: cache.example", "Origin: https://cache.example",
                            "X-Forwarded-Proto: https", "Content-Type: application/json", NULL};
    const char *login = LOGIN("alice");
    expect_status(http_send(stand.http, "POST", "/auth/login", by_tls, login, strlen(login)), 200);
    by_tls[1] = "Origin: http://cache.example";
    expect_answer(http_send(stand.http, "POST", "/auth/login", by_tls, login, strlen(login)), 403,
                  SAYS_CSRF);
    by_tls[2] = "X-Forwarded-Proto: http";
    expect_status(http_send(stand.http, "POST", "/auth/login", by_tls, login, strlen(login)), 200);
    stand_close(&stand);
}
END_TEST

START_TEST(known_under_another_name)
{
    open_one((const char *const[]){"CACHEWARDEN_SERVER_ORIGINS=https://cache.example", NULL});
    open_browser();
    expect_answer(browser_send(&browser, "POST", "/auth/login", LOGIN("alice")), 403, SAYS_CSRF);
    browser_open(&browser, stand.http, "https://cache.example");
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    expect_status(browser_send(&browser, "POST", ENABLE, NULL), 200);
    stand_close(&stand);
}
END_TEST

/* ---- good for nothing else ---- */

START_TEST(two_at_once)
{
    static char cookie[3 * LINE_SIZE];
    struct browser second;
    browser_open(&second, stand.http, stand.server.base_url);
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    browser_sign_in(&second, "bob", STAND_PASSWORD);
    snprintf(cookie, sizeof cookie, "Cookie: %s=%s; %s=%s", browser.session_name, browser.session,
             browser.session_name, second.session);
    expect_answer(http_get(stand.http, STATUS, cookie), 401, SAYS_401);
    snprintf(cookie, sizeof cookie, "Cookie: %s=%s", browser.session_name, browser.session);
    const char *twice[] = {cookie, cookie, NULL};
    expect_answer(http_send(stand.http, "GET", STATUS, twice, NULL, 0), 401, SAYS_401);
    expect_status(browser_send(&browser, "GET", STATUS, NULL), 200);
}
END_TEST

START_TEST(neither_token_nor_refresh_token)
{
    static char line[LINE_SIZE];
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    snprintf(line, sizeof line, "Authorization: Bearer %s", browser.session);
    expect_answer(http_get(stand.http, STATUS, line), 401, SAYS_401);
    snprintf(line, sizeof line, "{\"refresh_token\":\"%s\"}", browser.session);
    expect_answer(http_post_json(stand.http, "/auth/refresh", NULL, line), 401, SAYS_401);
    snprintf(line, sizeof line, "{\"token\":\"%s\"}", browser.session);
    expect_answer(http_post_json(stand.http, "/api/token/verify/", NULL, line), 401, SAYS_401);
    snprintf(line, sizeof line, "Cookie: %s=%s", browser.session_name,
             strchr(stand.alice.bearer, 'y') - 1);
    expect_answer(http_get(stand.http, STATUS, line), 401, SAYS_401);
}
END_TEST

START_TEST(beside_another_credential)
{
    static char lines[3 * LINE_SIZE];
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    snprintf(lines, sizeof lines, "Cookie: %s=%s", browser.session_name, browser.session);
    const char *headers[] = {lines, stand.alice.bearer, NULL};
    expect_status(http_send(stand.http, "GET", STATUS, headers, NULL, 0), 200);
    /* No page elsewhere can make a browser send this one. */
    expect_status(http_send(stand.http, "POST", ENABLE, headers, NULL, 0), 200);
    /* A proxy's password is none of ours: the session counts, and has to prove itself. */
    headers[1] = "Authorization: Basic YWxpY2U6eA==";
    expect_status(http_send(stand.http, "GET", STATUS, headers, NULL, 0), 200);
    expect_answer(http_send(stand.http, "POST", ENABLE, headers, NULL, 0), 403,
                  "{\"detail\":\"CSRF Failed\"}");
    headers[1] = stand.bob.bearer;
    expect_answer(http_send(stand.http, "GET", STATUS, headers, NULL, 0), 400,
                  "{\"detail\":\"Conflicting credentials.\"}");
    /* A dead cookie is in the way once. */
    expect_status(browser_send(&browser, "POST", "/auth/logout", NULL), 200);
    headers[1] = stand.alice.bearer;
    const struct http_reply *reply = http_send(stand.http, "GET", STATUS, headers, NULL, 0);
    expect_answer(reply, 400, "{\"detail\":\"Conflicting credentials.\"}");
    ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 2);
    browser_take(&browser, reply);
    ck_assert_str_eq(browser.session, "");
}
END_TEST

/* ---- how it ends ---- */

START_TEST(logging_out)
{
    struct browser old;
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    old = browser;
    const struct http_reply *reply = browser_send(&browser, "POST", "/auth/logout", NULL);
    expect_answer(reply, 200, "{\"message\":\"Logged out\",\"tokens_revoked\":2}");
    ck_assert_str_eq(http_header(reply, "Clear-Site-Data"), "\"cache\", \"storage\"");
    ck_assert_str_eq(browser.session, "");
    ck_assert_str_eq(browser.xsrf, "");
    expect_over(&old);
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    old = browser;
    browser_open(&browser, stand.http, stand.server.base_url);
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    expect_status(browser_send(&old, "GET", STATUS, NULL), 200);
    expect_status(browser_send(&browser, "POST", "/auth/logout?all=true", NULL), 200);
    expect_over(&old);
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    expect_status(browser_send(&browser, "GET", STATUS, NULL), 200);
}
END_TEST

/* A page that needs nothing but its session is given nothing that a script could keep. */
START_TEST(a_session_alone)
{
    static const char session_only[] =
        "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\",\"session\":\"only\"}";
    struct browser old;
    expect_answer(
        http_post_json(stand.http, "/auth/login", "Origin: http://evil.example", session_only), 403,
        SAYS_CSRF);
    const struct http_reply *reply = browser_send(&browser, "POST", "/auth/login", session_only);
    expect_body_has(reply, 200, "{\"user\":{\"id\":");
    ck_assert_msg(!strstr(reply->body, "token"), "%s", reply->body);
    ck_assert_int_eq(http_header_count(reply, "Set-Cookie"), 2);
    ck_assert_int_eq(http_header_count(reply, "Clear-Site-Data"), 0);
    expect_status(browser_send(&browser, "POST", ENABLE, NULL), 200);
    /* The next sign-in and the logout end it as they do others. */
    old = browser;
    expect_status(browser_send(&browser, "POST", "/auth/login", session_only), 200);
    expect_over(&old);
    old = browser;
    expect_answer(browser_send(&browser, "POST", "/auth/logout", NULL), 200,
                  "{\"message\":\"Logged out\",\"tokens_revoked\":1}");
    expect_over(&old);
    expect_status(browser_send(&browser, "POST", "/auth/login",
                               "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD
                               "\",\"session\":\"Only\"}"),
                  400);
}
END_TEST

START_TEST(signing_in_again)
{
    struct browser old;
    browser_sign_in(&browser, "bob", STAND_PASSWORD);
    old = browser;
    /* A failed sign-in changes nothing. */
    expect_status(browser_send(&browser, "POST", "/auth/login",
                               "{\"username\":\"alice\",\"password\":\"wrong-horse\",\"session\":"
                               "true}"),
                  401);
    expect_status(browser_send(&old, "GET", STATUS, NULL), 200);
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    ck_assert_str_ne(browser.session, old.session);
    ck_assert_str_ne(browser.xsrf, old.xsrf);
    expect_over(&old);
    expect_body_has(browser_send(&browser, "GET", "/auth/me", NULL), 200, "\"username\":\"alice\"");
}
END_TEST

/* Whoever copied the cookie is out, and the page goes on with another. */
START_TEST(a_new_password)
{
    struct browser old, copied;
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    old = browser;
    browser_open(&browser, stand.http, stand.server.base_url);
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    copied = browser;
    expect_status(browser_send(&browser, "POST", "/auth/password",
                               "{\"old_password\":\"" STAND_PASSWORD
                               "\",\"new_password\":\"battery-staple-horse\"}"),
                  204);
    ck_assert_str_ne(browser.session, copied.session);
    ck_assert_str_ne(browser.xsrf, copied.xsrf);
    expect_status(browser_send(&browser, "GET", STATUS, NULL), 200);
    expect_status(browser_send(&browser, "POST", ENABLE, NULL), 200);
    expect_over(&old);
    expect_over(&copied);
    struct browser there = at_the_other();
    expect_status(browser_send(&there, "POST", ENABLE, NULL), 200);
}
END_TEST

START_TEST(a_deactivated_account)
{
    browser_sign_in(&browser, "bob", STAND_PASSWORD);
    struct browser there = at_the_other();
    expect_status(browser_send(&there, "GET", STATUS, NULL), 200);
    stand_cli_do(&stand, NULL, (const char *const[]){"user", "deactivate", "bob", NULL});
    int64_t start_ms = stand_now_ms();
    stand_wait(is_refused, &browser, "this node refuses it");
    stand_wait(is_refused, &there, "the other node refuses it");
    expect_within_ms(stand_now_ms() - start_ms, 1100);
}
END_TEST

static bool has_new_cookie(const void *with)
{
    const struct browser *old = with;
    const struct http_reply *reply = browser_send(&browser, "GET", STATUS, NULL);
    expect_status(reply, 200);
    ck_assert_str_eq(browser.xsrf, old->xsrf);
    return strcmp(browser.session, old->session) != 0;
}

static bool is_over(const void *with)
{
    (void)with;
    return browser_send(&browser, "GET", STATUS, NULL)->status == 401;
}

START_TEST(its_time)
{
    struct browser old;
    char idle[64], ttl[64];
    int64_t third_s = slowness_stretch_ms(3000) / 1000;
    snprintf(idle, sizeof idle, "CACHEWARDEN_AUTH_SESSION_IDLE_S=%lld", 2 * (long long)third_s);
    snprintf(ttl, sizeof ttl, "CACHEWARDEN_AUTH_SESSION_TTL_S=%lld", 3 * (long long)third_s);
    open_one((const char *const[]){idle, ttl, NULL});
    open_browser();
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    old = browser;
    /* Requests keep it alive, in a cookie that is renewed now and then, */
    stand_wait(has_new_cookie, &old, "a new cookie");
    expect_status(browser_send(&browser, "POST", ENABLE, NULL), 200);
    /* an old one dies by itself, */
    stand_wait(is_refused, &old, "the first cookie is over");
    /* and even one in constant use does in the end. */
    stand_wait(is_over, NULL, "the session is over");
    ck_assert_str_eq(browser.session, "");
    stand_close(&stand);
}
END_TEST

/* ---- without Redis ---- */

static bool status_works(const void *unused)
{
    (void)unused;
    return browser_send(&browser, "GET", STATUS, NULL)->status == 200;
}

START_TEST(redis_is_killed)
{
    struct browser old, ended;
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    ended = browser;
    expect_status(browser_send(&browser, "POST", "/auth/logout", NULL), 200);
    expect_over(&ended);
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    redis_server_kill(stand.redis);
    expect_status(browser_send(&browser, "GET", "/auth/me", NULL), 200);
    expect_status(browser_send(&browser, "POST", ENABLE, NULL), 500);
    /* Signing in works, and the old session ends on this node at least. */
    old = browser;
    browser_sign_in(&browser, "alice", STAND_PASSWORD);
    expect_answer(browser_send(&old, "GET", "/auth/me", NULL), 401, SAYS_401);
    /* An end that the other nodes cannot be told of is not claimed. */
    struct browser kept = browser;
    const struct http_reply *reply = browser_send(&browser, "POST", "/auth/logout", NULL);
    expect_body_has(reply, 503, "{\"detail\":\"Service temporarily unavailable");
    ck_assert_str_eq(browser.session, kept.session);
    expect_status(browser_send(&browser, "GET", "/auth/me", NULL), 200);
    redis_server_restart(stand.redis);
    stand_wait(status_works, NULL, "Redis is back");
    expect_over(&ended);
    old.http = other_http;
    stand_wait(is_refused, &old, "the other node is told");
    expect_status(browser_send(&browser, "POST", "/auth/logout", NULL), 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("browser");
    TCase *tcase = tcase_create("servers for all");
    tcase_add_unchecked_fixture(tcase, open_both, close_both);
    tcase_add_checked_fixture(tcase, open_browser, NULL);
    tcase_add_test(tcase, a_session);
    tcase_add_test(tcase, without_asking_there_is_none);
    tcase_add_test(tcase, signing_in_from_elsewhere);
    tcase_add_test(tcase, requests_from_elsewhere);
    tcase_add_test(tcase, beside_planted_cookies);
    tcase_add_test(tcase, two_at_once);
    tcase_add_test(tcase, neither_token_nor_refresh_token);
    tcase_add_test(tcase, beside_another_credential);
    tcase_add_test(tcase, a_session_alone);
    tcase_add_test(tcase, signing_in_again);
    tcase_add_test(tcase, logging_out);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("servers for each");
    tcase_add_checked_fixture(tcase, open_both, close_both);
    tcase_add_checked_fixture(tcase, open_browser, NULL);
    tcase_add_test(tcase, a_new_password);
    tcase_add_test(tcase, a_deactivated_account);
    tcase_add_test(tcase, redis_is_killed);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("other settings");
    tcase_add_test(tcase, behind_a_proxy);
    tcase_add_test(tcase, known_under_another_name);
    tcase_add_test(tcase, its_time);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
