/*
 * Clients that are in the middle of something and take their time: far more of them than workers, and
 * nobody else notices. All their deadlines are longer than this test waits for an answer.
 */
#include "patience.h"
#include "self_signed.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, SLOW = 4 * WORKERS };

static struct stand stand;
static char *certificates;
static struct http_client *secure;

static void open_stand(void)
{
    char certificate[300], key[300], url[64];

    certificates = cw_directory_new();
    self_signed_write(certificates, "node");
    snprintf(certificate, sizeof certificate, "CACHEWARDEN_SERVER_TLS_CERTIFICATE=%s/node.pem",
             certificates);
    snprintf(key, sizeof key, "CACHEWARDEN_SERVER_TLS_KEY=%s/node.key", certificates);
    stand_open(&stand, &(struct stand_options){
                           .config = "limits: { login_per_minute = 3; };\n",
                           .environment = (const char *const[]){
                               "CACHEWARDEN_LISTEN=127.0.0.1:0,127.0.0.1:0s", certificate, key,
                               "CACHEWARDEN_LIMITS_ENABLED=", "CACHEWARDEN_SERVER_THREADS=4",
                               "CACHEWARDEN_SERVER_HEADER_TIMEOUT_MS=600000",
                               "CACHEWARDEN_SERVER_BODY_TIMEOUT_MS=600000",
                               "CACHEWARDEN_SERVER_KEEP_ALIVE_TIMEOUT_MS=600000", NULL}});
    snprintf(url, sizeof url, "https://127.0.0.1:%d", cw_server_port(&stand.server, 1));
    secure = http_client_new(url);
    http_client_trust(secure, NULL);
    http_client_keep_alive(secure, false);
    http_client_keep_alive(stand.http, false);
}

static void close_stand(void)
{
    http_client_free(&secure);
    stand_close(&stand);
    cw_directory_remove(&certificates);
}

/* What each kind of client says before it falls silent. */
static const struct {
    const char *name;
    int listener; /* 1: TLS */
    int times;    /* 0: once */
    const char *text;
} kinds[] = {
    {"silence", 0, 0, ""},
    {"silence instead of a handshake", 1, 0, ""},
    {"half a greeting", 1, 0, "\x16\x03\x01"},
    {"a byte of a head", 0, 0, "G"},
    {"half a head", 0, 0, "GET /health/live HTTP/1.1\r\nHost: local"},
    {"half a body", 0, 0,
     "POST /api/token/verify/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
     "Content-Length: 60\r\n\r\n{\"token\":"},
    {"half a chunk", 0, 0,
     "POST /auth/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
     "Transfer-Encoding: chunked\r\n\r\n20\r\n{\"refresh\":"},
    {"the announcement of a body to nowhere", 0, 0,
     "POST /nosuch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"},
    {"the announcement of a body without credentials", 0, 0,
     "POST /api/cache/clear/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"},
    {"the announcement of too much", 0, 0,
     "POST /api/token/verify/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"},
    {"answers that are not taken", 0, 100, "GET /api/schema HTTP/1.1\r\nHost: localhost\r\n\r\n"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

START_TEST(nobody_else_notices)
{
    struct raw *slow[SLOW];

    for (int i = 0; i < SLOW; i++) {
        slow[i] = raw_open(cw_server_port(&stand.server, (size_t)kinds[_i].listener));
        for (int n = 0; n == 0 || n < kinds[_i].times; n++)
            raw_send(slow[i], kinds[_i].text, strlen(kinds[_i].text));
    }
    for (int n = 0; n < 3; n++) {
        const struct http_reply *reply = http_get(stand.http, "/health/live", NULL);
        ck_assert_msg(reply->status == 200, "%s: %d %s", kinds[_i].name, reply->status,
                      reply->failure);
        reply = http_get(secure, "/health/live", NULL);
        ck_assert_msg(reply->status == 200, "%s: %d %s with TLS", kinds[_i].name, reply->status,
                      reply->failure);
        reply = http_get(stand.http, "/auth/me", stand.alice.bearer);
        ck_assert_msg(reply->status == 200, "%s: %d %s", kinds[_i].name, reply->status,
                      reply->failure);
    }
    for (int i = 0; i < SLOW; i++)
        raw_close(&slow[i]);
}
END_TEST

/* Refused at once, though not a byte of the body has come, and closed. */
START_TEST(a_refusal_needs_no_body)
{
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"POST /nosuch HTTP/1.1\r\nContent-Length: 60000\r\n", 404},
        {"POST /nosuch HTTP/1.1\r\nContent-Length: 5\r\n", 404},
        {"POST /api/cache/clear/ HTTP/1.1\r\nContent-Length: 60000\r\n", 401},
        {"PUT /auth/login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", 405},
        {"POST /api/token/verify/ HTTP/1.1\r\nContent-Length: 65537\r\n", 413},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raw *raw = raw_open(stand.server.port);
        raw_print(raw, "%sHost: localhost\r\n\r\n", cases[i].request);
        const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
        expect_status(reply, cases[i].status);
        expect_header(reply, "Connection", "close");
        ck_assert(raw_is_closed(raw, PATIENCE_MS));
        raw_close(&raw);
    }
}
END_TEST

#define LOGIN_BODY "{\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}"

/* A login whose body comes after the server has begun to wait for it. */
static struct raw *begin_login(void)
{
    struct raw *raw = raw_open(stand.server.port);

    raw_print(raw,
              "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              "Content-Length: %zu\r\nExpect: 100-continue\r\n\r\n",
              strlen(LOGIN_BODY));
    expect_status(raw_reply(raw, PATIENCE_MS), 100);
    raw_print(raw, "%.10s", LOGIN_BODY);
    return raw;
}

/* It is begun twice, and is one request all the same: for its limit, for the log and the metrics. */
START_TEST(a_body_that_comes_late_is_one_request)
{
    char id[64], wanted[8];

    for (int left = 2; left >= 0; left--) {
        struct raw *raw = begin_login();
        raw_print(raw, "%s", &LOGIN_BODY[10]);
        const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
        expect_status(reply, 200);
        snprintf(wanted, sizeof wanted, "%d", left);
        expect_header(reply, "RateLimit-Remaining", wanted);
        snprintf(id, sizeof id, "%s", http_header(reply, "X-Request-Id"));
        raw_close(&raw);
    }
    cw_server_wait_log(&stand.server, id);

    /* The fourth is refused before it has sent a body. */
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                   "application/json\r\nContent-Length: 10\r\n\r\n");
    expect_status(raw_reply(raw, PATIENCE_MS), 429);
    raw_close(&raw);

    char *log = cw_server_log(&stand.server);
    char *found = strstr(log, id);
    ck_assert_ptr_nonnull(found);
    ck_assert_ptr_null(strstr(found + 1, id));
    free(log);
}
END_TEST

/* More of them than workers wait for their body, and each is served when it comes. */
START_TEST(slow_bodies_are_served)
{
    enum { ALLOWED = 10 }; /* a minute, and counted before the body has come */
    struct raw *slow[ALLOWED];

    for (int i = 0; i < ALLOWED; i++) {
        slow[i] = raw_open(stand.server.port);
        raw_print(slow[i],
                  "POST /api/cache/clear/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n"
                  "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
                  stand.alice.bearer);
        expect_status(raw_reply(slow[i], PATIENCE_MS), 100);
    }
    expect_status(http_post(stand.http, "/api/cache/clear/", stand.alice.bearer), 429);
    expect_body_has(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200,
                    "\"version\":1,");
    for (int i = ALLOWED - 1; i >= 0; i--) {
        raw_print(slow[i], "helloworld");
        expect_status(raw_reply(slow[i], PATIENCE_MS), 200);
        raw_close(&slow[i]);
    }
    expect_body_has(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200,
                    "\"version\":11,");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slow_clients");
    TCase *shared = tcase_create("shared"), *counted = tcase_create("counted");

    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_loop_test(shared, nobody_else_notices, 0, KINDS);
    tcase_add_test(shared, a_refusal_needs_no_body);
    suite_add_tcase(suite, shared);
    tcase_add_checked_fixture(counted, open_stand, close_stand);
    tcase_add_test(counted, a_body_that_comes_late_is_one_request);
    tcase_add_test(counted, slow_bodies_are_served);
    suite_add_tcase(suite, counted);
    return suite_run(suite);
}
