/* Bodies that are too big, too deep, or not what they say. */
#include "patience.h"
#include "redis_snapshot.h"
#include "slowness.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY (1024 * 1024) /* the default of server.max_body */
#define CLEAR    "/api/cache/clear/"

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

static void expect_closed_after(struct raw *raw, int status)
{
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    expect_status(reply, status);
    expect_header(reply, "Connection", "close");
    ck_assert(raw_is_closed(raw, PATIENCE_MS));
}

START_TEST(a_body_over_the_limit)
{
    char *before = redis_snapshot(stand.redis, NULL);
    static const char *const lengths[] = {"1048577", "99999999", "9223372036854775807"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct raw *raw = raw_open(stand.server.port);
        /* Refused on its word: not a byte of the body is sent. */
        raw_print(raw,
                  "POST " CLEAR " HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: %s\r\n\r\n",
                  stand.alice.bearer, lengths[i]);
        expect_closed_after(raw, 413);
        raw_close(&raw);
    }
    char *after = redis_snapshot(stand.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(a_chunked_body_over_the_limit)
{
    static char chunk[65536];
    memset(chunk, 'x', sizeof chunk);
    char *before = redis_snapshot(stand.redis, NULL);
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw,
              "POST " CLEAR
              " HTTP/1.1\r\nHost: localhost\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n",
              stand.alice.bearer);
    for (int i = 0; i < MAX_BODY / (int)sizeof chunk + 1; i++) {
        raw_print(raw, "%zx\r\n", sizeof chunk);
        raw_send(raw, chunk, sizeof chunk);
        raw_print(raw, "\r\n");
    }
    /* No last chunk: the server must not wait for it. */
    expect_closed_after(raw, 413);
    raw_close(&raw);
    /* In one chunk that never ends. */
    raw = raw_open(stand.server.port);
    raw_print(
        raw,
        "POST " CLEAR
        " HTTP/1.1\r\nHost: localhost\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
        stand.alice.bearer);
    for (int i = 0; i < MAX_BODY / (int)sizeof chunk + 1; i++)
        raw_send(raw, chunk, sizeof chunk);
    expect_closed_after(raw, 413);
    raw_close(&raw);
    char *after = redis_snapshot(stand.redis, NULL);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

START_TEST(a_body_of_just_the_limit)
{
    char *body = calloc(1, MAX_BODY);
    ck_assert_ptr_nonnull(body);
    const char *headers[] = {stand.alice.bearer, NULL};
    const struct http_reply *reply =
        http_send(stand.http, "POST", "/api/cache/enable/", headers, body, MAX_BODY);
    expect_status(reply, 200);
    free(body);
    expect_status(http_get(stand.http, "/api/cache/status/", stand.alice.bearer), 200);
    ck_assert(http_get(stand.http, "/api/cache/status/", stand.alice.bearer)->is_reused);
}
END_TEST

START_TEST(expect_continue_is_answered)
{
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                   "application/json\r\nContent-Length: 2\r\n"
                   "Expect: 100-continue\r\n\r\n");
    expect_status(raw_reply(raw, PATIENCE_MS), 100);
    raw_print(raw, "{}");
    expect_status(raw_reply(raw, PATIENCE_MS), 400);
    raw_close(&raw);
    raw = raw_open(stand.server.port);
    raw_print(raw,
              "POST " CLEAR " HTTP/1.1\r\nHost: localhost\r\n%s\r\nContent-Length: "
              "1048577\r\nExpect: 100-continue\r\n\r\n",
              stand.alice.bearer);
    expect_closed_after(raw, 413);
    raw_close(&raw);
}
END_TEST

/* ---- JSON ---- */

/* A login with this body, and what the answer says. */
static const struct http_reply *login(const char *type, const void *body, size_t size)
{
    const char *headers[] = {type, NULL};
    return http_send(stand.http, "POST", "/auth/login", headers, body, size);
}

#define JSON "Content-Type: application/json"
#define GOOD "\"username\":\"alice\",\"password\":\"" STAND_PASSWORD "\""

/* {"username":…,"password":…,"x":[[[…1…]]]} of that depth; the brackets are closed again, or not. */
static char *nested(int depth, const char *open, const char *close)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs("{" GOOD ",\"x\":", out);
    for (int i = 0; i < depth; i++)
        fputs(open, out);
    fputs("1", out);
    for (int i = 0; i < depth; i++)
        fputs(close, out);
    fputs("}", out);
    fclose(out);
    return text;
}

START_TEST(deep_json)
{
    const int depths[] = {33, 100, 1100, 2049, 30000, 100000};
    static const char *const kinds[][2] = {
        {"[", ""}, {"[", "]"}, {"{\"a\":", ""}, {"{\"a\":", "}"}};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
            char *text = nested(depths[i], kinds[kind][0], kinds[kind][1]);
            const struct http_reply *reply = login(JSON, text, strlen(text));
            /* Over 64 KiB the size refuses it before anybody looks for brackets. */
            ck_assert_msg(reply->status == (strlen(text) > 65536 ? 413 : 400), "depth %d: %d %s",
                          depths[i], reply->status, reply->body);
            expect_within_ms(reply->elapsed_ms, 1000);
            free(text);
        }
    expect_status(http_get(stand.http, "/health/live", NULL), 200);
}
END_TEST

START_TEST(json_two_parsers_could_disagree_about)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
#define BAD(literal) {literal, sizeof(literal) - 1}
        BAD("{" GOOD ",\"username\":\"root\"}"),
        BAD("{" GOOD ",\"user\\u006eame\":\"root\"}"),
        BAD("{" GOOD ",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"alice\\u0000\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\\u0000\":\"alice\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"alice\0\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"\\ud800\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"\\udc00\\ud800\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"\xff\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"\xc0\xaf\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"\xed\xa0\x80\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"\xf5\x80\x80\x80\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{" GOOD "} {" GOOD "}"),
        BAD("{" GOOD "}x"),
        BAD("{" GOOD ",}"),
        BAD("{" GOOD),
        BAD("\xef\xbb\xbf{" GOOD "}"),
        BAD("{'username':'alice','password':'" STAND_PASSWORD "'}"),
        BAD("{username:\"alice\",\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{" GOOD "/**/}"),
        BAD("[" GOOD "]"),
        BAD("[{" GOOD "}]"),
        BAD("\"alice\""),
        BAD("null"),
        BAD("1"),
        BAD("{\"username\":[\"alice\"],\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":1,\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":null,\"password\":\"" STAND_PASSWORD "\"}"),
        BAD("{\"username\":\"alice\"}"),
        BAD("{}"),
        BAD("username=alice&password=" STAND_PASSWORD),
#undef BAD
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct http_reply *reply = login(JSON, bad[i].bytes, bad[i].size);
        ck_assert_msg(reply->status == 400, "%s: %d %s", bad[i].bytes, reply->status, reply->body);
        ck_assert_msg(strncmp(reply->body, "{\"detail\":\"", 11) == 0, "%s: %s", bad[i].bytes,
                      reply->body);
        ck_assert_msg(strstr(reply->body, STAND_PASSWORD) == NULL, "%s", reply->body);
    }
    expect_status(login(JSON, "{" GOOD "}", strlen("{" GOOD "}")), 200);
}
END_TEST

START_TEST(a_nul_is_told_with_its_member)
{
    const char *json = "{\"username\":\"alice\",\"password\":\"correct\\u0000horse\"}";
    expect_body(login(JSON, json, strlen(json)), 400,
                "{\"detail\":\"password: This field may not contain NUL.\"}");
    const char *form = "username=alice&password=correct%00horse";
    expect_body(login("Content-Type: application/x-www-form-urlencoded", form, strlen(form)), 400,
                "{\"detail\":\"password: This field has a NUL or a bad percent-escape, or is not "
                "UTF-8.\"}");
}
END_TEST

START_TEST(other_media_types)
{
    static const char *const types[] = {
        "Content-Type: text/plain",
        "Content-Type: application/x-json",
        "Content-Type: text/json",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Type: application/json; charset=utf-16",
        "Content-Type: application/jsonx",
        "Content-Type: application",
        "X-None: 1",
        "Content-Type: text/plain; application/json",
        "Content-Type: application/json, text/plain",
    };
    const char *body = "{" GOOD "}";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct http_reply *reply = login(types[i], body, strlen(body));
        ck_assert_msg(reply->status == 415, "%s: %d %s", types[i], reply->status, reply->body);
    }
    expect_status(login("Content-Type: Application/JSON; charset=\"UTF-8\"", body, strlen(body)),
                  200);
    const char *form = "username=alice&password=correct%2Dhorse-battery";
    expect_status(login("Content-Type: application/x-www-form-urlencoded", form, strlen(form)),
                  200);
}
END_TEST

START_TEST(bad_forms)
{
    static const char *const bad[] = {
        "username=alice&username=root&password=" STAND_PASSWORD,
        "username=alice%00&password=" STAND_PASSWORD,
        "username=%ff&password=" STAND_PASSWORD,
        "username=alice&password=%zz",
        "username=alice&password=%4",
        "username=alice",
        "password=x",
        "=alice",
        "&&&",
        "username[]=alice&password=" STAND_PASSWORD,
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct http_reply *reply =
            login("Content-Type: application/x-www-form-urlencoded", bad[i], strlen(bad[i]));
        ck_assert_msg(reply->status == 400, "%s: %d %s", bad[i], reply->status, reply->body);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bodies");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, a_body_over_the_limit);
    tcase_add_test(shared, a_chunked_body_over_the_limit);
    tcase_add_test(shared, a_body_of_just_the_limit);
    tcase_add_test(shared, expect_continue_is_answered);
    tcase_add_test(shared, deep_json);
    tcase_add_test(shared, json_two_parsers_could_disagree_about);
    tcase_add_test(shared, a_nul_is_told_with_its_member);
    tcase_add_test(shared, other_media_types);
    tcase_add_test(shared, bad_forms);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
