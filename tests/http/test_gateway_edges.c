/* What is not clear at once: what a request is, whether it was done, for whom an answer is. */
#include "gateway_case.h"

static void open_stand(void)
{
    gateway_stand_open(
        "{ prefix = \"/things\"; scope = \"public\"; models = [ \"things\" ]; timeout_ms = "
        "600000; UPSTREAM },\n"
        "{ prefix = \"/strip\"; scope = \"public\"; strip_prefix = true; UPSTREAM },\n"
        "{ prefix = \"/mine\"; UPSTREAM }",
        "limits: { enabled = false; };");
}

#define CACHED "Cache-Control: max-age=3600\r\nContent-Length: 3\r\n"

/* A POST that came to the upstream and got no sound answer: what was stored before is no longer believed. */
static void expect_suspected(const struct origin_answer *answer)
{
    static int number;
    char path[64];

    snprintf(path, sizeof path, "/things/%d", number++);
    ORIGIN_SAY(origin, OK_WITH(CACHED, "old"));
    expect_body(http_get(stand.http, path, NULL), 200, "old");
    expect_header(http_get(stand.http, path, NULL), "X-Cache", "HIT");
    scripted_origin_say(origin, answer);
    expect_status(http_post(stand.http, "/things/other", NULL), 502);
    ORIGIN_SAY(origin, OK_WITH(CACHED, "new"));
    expect_body(http_get(stand.http, path, NULL), 200, "new");
}

START_TEST(a_change_that_may_have_been_done)
{
    expect_suspected(&(struct origin_answer){.then = ORIGIN_CLOSES});
    expect_suspected(&(struct origin_answer){.then = ORIGIN_RESETS});
    expect_suspected(&(struct origin_answer){.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                                                      "Content-Length: 2\r\n\r\nx",
                                             .then = ORIGIN_CLOSES});
}
END_TEST

START_TEST(a_change_that_never_came)
{
    ORIGIN_SAY(origin, OK_WITH(CACHED, "old"));
    expect_body(http_get(stand.http, "/things/kept", NULL), 200, "old");
    origin_close();
    expect_status(http_post(stand.http, "/things/other", NULL), 502);
    origin_open();
    expect_header(http_get(stand.http, "/things/kept", NULL), "X-Cache", "HIT");
}
END_TEST

/* Old clients need not say whom they ask; an upstream of HTTP/1.1 must be told. */
START_TEST(no_host)
{
    struct raw *raw = raw_open(stand.server.port);

    raw_print(raw, "GET /things/nohost HTTP/1.0\r\n\r\n");
    expect_status(raw_reply(raw, PATIENCE_MS), 200);
    expect_line(head_at(0), "Host: localhost");
    expect_no_text(head_at(0), "X-Forwarded-Host");
    raw_close(&raw);
}
END_TEST

/* What stands behind a # some do not see, and then the dots in front of it are a way out of the prefix. */
START_TEST(no_fragments)
{
    static const char *const targets[] = {"/things/..#x", "/things/#", "/things/a?b#c"};

    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct raw *raw = raw_open(stand.server.port);
        raw_print(raw, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[i]);
        expect_status(raw_reply(raw, PATIENCE_MS), 400);
        raw_close(&raw);
    }
    ck_assert_uint_eq(scripted_origin_count(origin), 0);
}
END_TEST

#define ASKS "Origin: https://a", "Access-Control-Request-Method: PUT"

static void expect_refused(const char *more, const char *body)
{
    const char *headers[] = {ASKS, more, NULL};

    expect_status(
        http_send(stand.http, "OPTIONS", "/mine/x", headers, body, body ? strlen(body) : 0), 401);
    ck_assert_uint_eq(scripted_origin_count(origin), 0);
}

/* A preflight is let through to a route of users without one. It carries nothing that could be more than a question. */
START_TEST(what_is_no_preflight)
{
    expect_refused("Authorization: Bearer x", NULL);
    expect_refused("x-api-key: x", NULL);
    expect_refused("Cookie: sessionid=x", NULL);
    expect_refused(NULL, "{}");
    const char *headers[] = {ASKS, "X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE",
                             "X-HTTP-Method: DELETE", NULL};
    expect_status(http_send(stand.http, "OPTIONS", "/mine/x", headers, NULL, 0), 200);
    expect_no_text(head_at(0), "DELETE");
    expect_line(head_at(0), "Access-Control-Request-Method: PUT");
}
END_TEST

/* A cookie is for the one who got it, and so may be the page that came with it. */
START_TEST(who_is_given_a_cookie_gets_an_answer_of_their_own)
{
    const struct origin_answer answer = {.bytes = OK_WITH(CACHED "Set-Cookie: a=b\r\n", "abc")};
    const struct http_reply *reply;

    scripted_origin_always(origin, &answer);
    expect_header(http_get(stand.http, "/things/cookie", NULL), "X-Cache", "MISS");
    reply = http_get(stand.http, "/things/cookie", NULL);
    expect_header(reply, "X-Cache", "MISS");
    expect_header(reply, "Set-Cookie", "a=b");
    reply = http_get(stand.http, "/mine/cookie", stand.alice.bearer);
    expect_header(reply, "Set-Cookie", "a=b");
    reply = http_get(stand.http, "/mine/cookie", stand.alice.bearer);
    expect_header(reply, "X-Cache", "HIT");
    expect_header(reply, "Set-Cookie", NULL);
}
END_TEST

/* An upstream that does not see the prefix knows its paths without. */
START_TEST(a_change_names_a_path_without_its_prefix)
{
    ORIGIN_SAY(origin, OK_WITH(CACHED, "old"));
    expect_body(http_get(stand.http, "/strip/list", NULL), 200, "old");
    expect_header(http_get(stand.http, "/strip/list", NULL), "X-Cache", "HIT");
    ORIGIN_SAY(origin, "HTTP/1.1 303 See\r\nLocation: /list\r\nContent-Length: 0\r\n\r\n");
    expect_header(http_post(stand.http, "/strip/add", NULL), "Location", "/list");
    ORIGIN_SAY(origin, OK_WITH(CACHED, "new"));
    expect_body(http_get(stand.http, "/strip/list", NULL), 200, "new");
    expect_line(head_at(0), "X-Forwarded-Prefix: /strip");
}
END_TEST

/* ---- answers that come late ---- */

#define TAGGED "ETag: \"1\"\r\n" CACHED

/* A request that is under way while the path is changed and asked for anew. None of them waits for another one's. */
static const struct {
    const char *stored; /* before all; NULL: nothing */
    const char *request, *late;
    bool is_head;
} late_answers[] = {
    {NULL, "GET %s HTTP/1.1\r\nHost: %s\r\nIf-None-Match: \"x\"\r\n\r\n", OK_WITH(CACHED, "old"),
     false},
    {OK_WITH(CACHED, "old"), "GET %s HTTP/1.1\r\nHost: %s\r\nCache-Control: no-cache\r\n\r\n",
     OK_WITH("Vary: X-Shop\r\n" CACHED, "old"), false},
    {OK_WITH(TAGGED, "old"), "GET %s HTTP/1.1\r\nHost: %s\r\nCache-Control: no-cache\r\n\r\n",
     "HTTP/1.1 304 Not Modified\r\n" TAGGED "\r\n", false},
    {OK_WITH(TAGGED, "old"), "HEAD %s HTTP/1.1\r\nHost: %s\r\nCache-Control: no-cache\r\n\r\n",
     OK_WITH(TAGGED, ""), true},
};

/* As http_get says it: another host has other answers. */
static const char *host_of(void)
{
    static char host[64];

    snprintf(host, sizeof host, "127.0.0.1:%d", stand.server.port);
    return host;
}

static void expect_not_old(const char *path)
{
    const struct http_reply *reply = http_get(stand.http, path, NULL);

    expect_status(reply, 200);
    ck_assert_str_ne(reply->body, "old");
}

START_TEST(a_late_answer_is_not_stored_behind_a_change)
{
    struct raw *raw = raw_open(stand.server.port);
    char path[64];

    snprintf(path, sizeof path, "/strip/late/%d", _i);
    if (late_answers[_i].stored) {
        ORIGIN_SAY(origin, late_answers[_i].stored);
        expect_body(http_get(stand.http, path, NULL), 200, "old");
    }
    size_t count = scripted_origin_count(origin);
    ORIGIN_SAY(origin, late_answers[_i].late, .is_held = true);
    raw_print(raw, late_answers[_i].request, path, host_of());
    scripted_origin_wait_count(origin, count + 1);
    ORIGIN_SAY(origin, OK_WITH("Content-Length: 1\r\n", "x"));
    expect_status(http_post(stand.http, path, NULL), 200);
    ORIGIN_SAY(origin, OK_WITH(CACHED, "new"));
    expect_body(http_get(stand.http, path, NULL), 200, "new");
    expect_header(http_get(stand.http, path, NULL), "X-Cache", "HIT");
    scripted_origin_release(origin);
    expect_status(late_answers[_i].is_head ? raw_reply_to_head(raw, PATIENCE_MS)
                                           : raw_reply(raw, PATIENCE_MS),
                  200);
    raw_close(&raw);
    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(CACHED, "now")});
    expect_not_old(path);
    expect_not_old(path);
    expect_header(http_get(stand.http, path, NULL), "X-Cache", "HIT");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway edges");
    TCase *tcase = tcase_create("gateway edges");

    tcase_add_unchecked_fixture(tcase, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(tcase, origin_open, origin_close);
    tcase_add_test(tcase, a_change_that_may_have_been_done);
    tcase_add_test(tcase, a_change_that_never_came);
    tcase_add_test(tcase, no_host);
    tcase_add_test(tcase, a_change_names_a_path_without_its_prefix);
    tcase_add_loop_test(tcase, a_late_answer_is_not_stored_behind_a_change, 0,
                        sizeof late_answers / sizeof *late_answers);
    tcase_add_test(tcase, who_is_given_a_cookie_gets_an_answer_of_their_own);
    tcase_add_test(tcase, no_fragments);
    tcase_add_test(tcase, what_is_no_preflight);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
