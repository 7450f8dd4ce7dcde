/* Whatever stands in the query that is not exactly one user_id clears nothing. */
#include "control_data.h"
#include "patience.h"
#include "redis_snapshot.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUTE      "/api/server-management/clear-cache"
#define SAYS_BAD   "{\"ok\":false,\"message\":\"Invalid user_id parameter\"}"
#define SAYS_ADMIN "{\"error\":\"Superuser or Admin group membership required\"}"

static struct stand stand;

/* What stands behind the path, '?' included. None of them has a space: that would be another request line. */
static const char *const bad_queries[] = {
    "?",
    "?user_id",
    "?user_id=",
    "?user_id=0",
    "?user_id=00",
    "?user_id=-1",
    "?user_id=-0",
    "?user_id=+1",
    "?user_id=%2B1",
    "?user_id=1.0",
    "?user_id=1.",
    "?user_id=.1",
    "?user_id=1e3",
    "?user_id=1E3",
    "?user_id=0x1",
    "?user_id=0b1",
    "?user_id=0o7",
    "?user_id=1_0",
    "?user_id=1,000",
    "?user_id=1%2C2",
    "?user_id=1;2",
    "?user_id=1;",
    "?user_id=;1",
    "?user_id=abc",
    "?user_id=invalid",
    "?user_id=1a",
    "?user_id=a1",
    "?user_id=null",
    "?user_id=None",
    "?user_id=true",
    "?user_id=NaN",
    "?user_id=Infinity",
    "?user_id=*",
    "?user_id=[1]",
    "?user_id={1}",
    "?user_id=\"1\"",
    "?user_id='1'",
    "?user_id=01",
    "?user_id=0001",
    "?user_id=%31",
    "?user_id=1%32",
    "?user_id=%20",
    "?user_id=%201",
    "?user_id=1%20",
    "?user_id=+",
    "?user_id=1+",
    "?user_id=%091",
    "?user_id=1%00",
    "?user_id=%00",
    "?user_id=1%0A",
    "?user_id=1%0d%0aFLUSHALL",
    "?user_id=1%0d%0aX-Injected:%201",
    "?user_id=1%20OR%201",
    "?user_id=1+OR+1",
    "?user_id=%",
    "?user_id=1%",
    "?user_id=1%3",
    "?user_id=%zz",
    "?user_id=%EF%BC%91",
    "?user_id=%D9%A1",
    "?user_id=%ff",
    "?user_id=\xc2\xb9",
    "?user_id=9223372036854775808",
    "?user_id=18446744073709551616",
    "?user_id=18446744073709551617",
    "?user_id=99999999999999999999999999999999999999999999999999",
    "?user_id=-9223372036854775808",
    "?user_id=1&user_id=1",
    "?user_id=1&user_id=2",
    "?user_id=1&user_id=",
    "?user_id=&user_id=1",
    "?user_id[]=1",
    "?user_id%5B%5D=1",
    "?user_id[0]=1",
    "?user_id.x=1",
    "?user_id==1",
    "?=1",
    "?1",
    "?userid=5",
    "?userId=5",
    "?user-id=5",
    "?USER_ID=5",
    "?User_id=5",
    "?user=5",
    "?id=5",
    "?uid=5",
    "?user_ids=5",
    "?user_id%00=1",
    "?%75ser_id=1",
    "?user%5Fid=1",
    "?+user_id=1",
    "?user_id+=1",
    "?user_id=1&",
    "?&user_id=1",
    "?&",
    "?&&",
    "?=",
    "?user_id=1&x=2",
    "?x=2&user_id=1",
    "?x=2",
    "?user_id=1&dry_run=true",
    "??user_id=1",
    "?user_id=1?user_id=2",
    "?user_id=1/",
    "?/",
    "?user_id=1#2",
    "?user_id=../1",
    "?user_id=cw:dataset",
    "?user_id=1}",
    "?all=true",
};
#define BAD_QUERIES (sizeof bad_queries / sizeof *bad_queries)

static void open_stand(void)
{
    stand_open(&stand, NULL);
    redis_server_do(stand.redis, "HSET cw:dataset epoch 4");
    for (int id = 1; id <= 12; id++)
        control_set_clears(stand.redis, id, id + 9);
    control_set_off(stand.redis, 3);
}

static void close_stand(void)
{
    stand_close(&stand);
}

/* Sends raw bytes, so that nothing between the table above and the server can change them. */
static const struct http_reply *post(struct raw *raw, const char *path, const char *query,
                                     const char *credential)
{
    raw_print(raw, "POST %s%s HTTP/1.1\r\nHost: localhost\r\n%s%sContent-Length: 0\r\n\r\n", path,
              query, credential ? credential : "", credential ? "\r\n" : "");
    return raw_reply(raw, PATIENCE_MS);
}

/* Runs all bad queries with that credential; each is answered that way, and nothing in Redis moves. */
static void refuse_all(const char *credential, int status, const char *body)
{
    static const char *const paths[] = {ROUTE "/", ROUTE};
    char *before = redis_snapshot(stand.redis, "cw:audit");
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < BAD_QUERIES; i++) {
            /* A connection each: one that the server closes must not hide the next query. */
            struct raw *raw = raw_open(stand.server.port);
            const struct http_reply *reply = post(raw, paths[p], bad_queries[i], credential);
            ck_assert_msg(reply && reply->status != 0, "no answer to %s", bad_queries[i]);
            bool is_ascii = strpbrk(bad_queries[i], "\xc2\xb9") == NULL;
            /* Bytes that cannot stand in a request line are refused before anybody asks who it is. */
            if (is_ascii)
                ck_assert_msg(reply->status == status && strcmp(reply->body, body) == 0,
                              "%s: wanted %d %s\n%s%s", bad_queries[i], status, body, reply->head,
                              reply->body);
            else
                ck_assert_msg(reply->status == 400, "%s: %d %s", bad_queries[i], reply->status,
                              reply->body);
            ck_assert_msg(strstr(reply->head, "X-Injected") == NULL, "%s", reply->head);
            raw_close(&raw);
        }
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}

START_TEST(an_admin_is_told_400)
{
    ck_assert_uint_ge(BAD_QUERIES, 40);
    refuse_all(stand.root.bearer, 400, SAYS_BAD);
}
END_TEST

START_TEST(a_user_is_told_403)
{
    refuse_all(stand.alice.bearer, 403, SAYS_ADMIN);
}
END_TEST

START_TEST(a_stranger_is_told_401)
{
    refuse_all(NULL, 401, SAYS_401);
}
END_TEST

/* The admin who puts the id where nobody looks must not clear everybody. */
START_TEST(an_id_in_the_body_is_refused)
{
    static const char *const bodies[][2] = {
        {"application/json", "{\"user_id\":123}"},
        {"application/json", "{\"user_id\":\"123\"}"},
        {"application/json", "{\"user_id\":null}"},
        {"application/json; charset=utf-8", "{\"a\":1,\"user_id\":123}"},
        {"application/json", "{\"user\\u005fid\":123}"},
        {"application/x-www-form-urlencoded", "user_id=123"},
        {"application/x-www-form-urlencoded", "a=1&user_id=123"},
        {"application/x-www-form-urlencoded", "user%5Fid=123"},
        {"text/plain", "{\"user_id\":123}"},
        {NULL, "{\"user_id\":123}"},
        {NULL, "user_id=123"},
    };
    char *before = redis_snapshot(stand.redis, "cw:audit"), type[128];
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(type, sizeof type, "Content-Type: %s",
                 bodies[i][0] ? bodies[i][0] : "application/octet-stream");
        const char *headers[] = {stand.root.bearer, type, NULL};
        expect_answer(
            http_send(stand.http, "POST", ROUTE "/", headers, bodies[i][1], strlen(bodies[i][1])),
            400, SAYS_BAD);
        expect_answer(http_send(stand.http, "POST", ROUTE "/?user_id=5", headers, bodies[i][1],
                                strlen(bodies[i][1])),
                      400, SAYS_BAD);
    }
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

#define GZIP                                                                                   \
    "\x1f\x8b\x08\0\0\0\0\0\x02\x03\xab\x56\x2a\x2d\x4e\x2d\x8a\xcf\x4c\x51\xb2\x32\xad\x05\0" \
    "\x6b\x8c\x5f\xf5\x0d\0\0\0"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

/* Sends such a request with an admin's credential, field lines and all; nobody's cache is cleared. */
static void expect_not_cleared(const char *fields, const char *body, size_t size, int status,
                               const char *says)
{
    struct raw *raw = raw_open(stand.server.port);
    raw_print(raw, "POST " ROUTE "/ HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s", stand.root.bearer,
              fields);
    if (strstr(fields, "chunked") == NULL)
        raw_print(raw, "Content-Length: %zu\r\n\r\n", size);
    else
        raw_print(raw, "%zx\r\n", size);
    raw_send(raw, body, size);
    if (strstr(fields, "chunked") != NULL)
        raw_print(raw, "\r\n0\r\n\r\n");
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_msg(reply && reply->status == status && strcmp(reply->body, says) == 0,
                  "%s: wanted %d %s\n%s%s", fields, status, says, reply ? reply->head : "",
                  reply ? reply->body : "");
    raw_close(&raw);
}

/* However the id is put, it must not be overlooked. */
START_TEST(an_id_in_a_body_of_any_form_is_refused)
{
    static const struct {
        const char *fields, *body;
        size_t size;
    } named[] = {
#define NAMED(fields, body) {fields, body, sizeof(body) - 1}
        NAMED("Content-Type: application/json\r\n", "\xef\xbb\xbf{\"user_id\":5}"),
        NAMED("Content-Type: application/json; charset=utf-16\r\n",
              "\xff\xfe{\0\"\0u\0s\0e\0r\0_\0i\0d\0\"\0:\0"
              "5\0}\0"),
        NAMED("Content-Type: application/json; charset=utf-16be\r\n",
              "\0{\0\"\0u\0s\0e\0r\0_\0i\0d\0\"\0:\0"
              "5\0}"),
        NAMED("Content-Type: application/json; charset=iso-8859-1\r\n", "{\"user_id\":5}"),
        NAMED("Content-Type: application/x-www-form-urlencoded\r\n", "user_id=5"),
        NAMED("Content-Type: multipart/form-data; boundary=x\r\n",
              "--x\r\nContent-Disposition: form-data; name=\"user_id\"\r\n\r\n5\r\n--x--\r\n"),
        NAMED("Content-Type: application/xml\r\n", "<user_id>5</user_id>"),
        NAMED("Content-Type: \r\n", "user_id=5"),
        NAMED("", "{\"user_id\":5}"),
        NAMED("", "\xff\xfe\x01user_id\0"),
        NAMED("Content-Encoding: identity\r\n", "{\"user_id\":5}"),
        NAMED(CHUNKED, "{\"user_id\":5}"),
        NAMED("Content-Type: application/json\r\n" CHUNKED, "{\"userId\":5}"),
#undef NAMED
    };
    char *before = redis_snapshot(stand.redis, "cw:audit");
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        expect_not_cleared(named[i].fields, named[i].body, named[i].size, 400, SAYS_BAD);
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* Nor may one that nobody can see. */
START_TEST(a_body_that_cannot_be_read_is_refused)
{
    static const char coded[] =
        "{\"detail\":\"Send the body as it is: a Content-Encoding is not taken here.\"}";
    static const char no_text[] =
        "{\"detail\":\"Send no body, or text in UTF-8. Nothing was done.\"}";
    static const struct {
        const char *fields, *body;
        size_t size;
        const char *says;
    } rows[] = {
#define ROW(fields, body, says) {fields, body, sizeof(body) - 1, says}
        ROW("Content-Encoding: gzip\r\nContent-Type: application/json\r\n", GZIP, coded),
        ROW("Content-Encoding: gzip\r\n" CHUNKED, GZIP, coded),
        ROW("Content-Encoding: x-gzip\r\n", GZIP, coded),
        ROW("Content-Encoding: br\r\n", "{}", coded),
        ROW("Content-Encoding: identity, gzip\r\n", GZIP, coded),
        ROW("Content-Encoding: gzip\r\nContent-Encoding: identity\r\n", GZIP, coded),
        ROW("Content-Encoding: identity\r\n", GZIP, no_text),
        ROW("Content-Type: application/json\r\n", GZIP, no_text),
        ROW("Content-Type: application/gzip\r\n" CHUNKED, GZIP, no_text),
        ROW("Content-Type: text/plain; charset=ibm037\r\n", "\xa4\xa2\x85\x99\x6d\x89\x84\x7e\xf5",
            no_text),
        ROW("Content-Type: text/plain; charset=utf-7\r\n", "user+AF8-id=5", no_text),
#undef ROW
    };
    char *before = redis_snapshot(stand.redis, "cw:audit");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_not_cleared(rows[i].fields, rows[i].body, rows[i].size, 415, rows[i].says);
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* The tests above would pass on a server that refuses everything. */
START_TEST(good_ids_are_taken)
{
    static const char *const good[] = {"1", "7", "123", "1000000000", "9223372036854775807"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char target[128], body[256];
        snprintf(target, sizeof target, ROUTE "/?user_id=%s", good[i]);
        int64_t id = strtoll(good[i], NULL, 10), before = control_version(stand.redis, id);
        const struct http_reply *reply = http_post(stand.http, target, stand.root.bearer);
        int64_t after = control_version(stand.redis, id);
        ck_assert_int_eq(after, before + 1);
        snprintf(body, sizeof body,
                 "{\"ok\":true,\"message\":\"Cache cleared for user "
                 "%s\",\"user_id\":%s,\"new_version\":%lld}",
                 good[i], good[i], (long long)after);
        expect_answer(reply, 200, body);
        expect_answer(http_post(stand.http, target, stand.alice.bearer), 403, SAYS_ADMIN);
    }
}
END_TEST

/* On the routes for one's own cache everything that is not one's own id is 403, and changes nothing. */
START_TEST(own_routes_refuse_other_ids)
{
    static const char *const calls[][2] = {{"GET", "/api/cache/status/"},
                                           {"POST", "/api/cache/enable/"},
                                           {"POST", "/api/cache/disable/"},
                                           {"POST", "/api/cache/clear/"}};
    static const char *const queries[] = {
        "?user_id=0",     "?user_id=-1",          "?user_id=abc",
        "?user_id=",      "?user_id=1&user_id=2", "?user_id=9223372036854775808",
        "?user_id=999999"};
    char *before = redis_snapshot(stand.redis, "cw:audit"), target[128];
    for (size_t c = 0; c < 4; c++)
        for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
            snprintf(target, sizeof target, "%s%s", calls[c][1], queries[q]);
            expect_answer(http_call(stand.http, calls[c][0], target, stand.alice.bearer), 403,
                          SAYS_403);
            expect_answer(http_call(stand.http, calls[c][0], target, stand.root.bearer), 403,
                          SAYS_403);
            expect_answer(http_call(stand.http, calls[c][0], target, NULL), 401, SAYS_401);
        }
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* What a browser or a monitor adds to a read means nothing; a write takes nothing it does not know. */
START_TEST(own_routes_and_what_they_do_not_know)
{
    static const char *const ignored[] = {"?_=1700000000", "?x=1", "?x", "?", "?&", "?=", "?x=%zz"};
    static const char *const reads[] = {"/api/cache/status/", "/api/cache/status",
                                        "/api/cache/check/"};
    static const char *const writes[] = {"/api/cache/enable/", "/api/cache/disable/",
                                         "/api/cache/clear/"};
    char target[128];
    for (size_t q = 0; q < sizeof ignored / sizeof *ignored; q++)
        for (size_t r = 0; r < 3; r++) {
            snprintf(target, sizeof target, "%s%s", reads[r], ignored[q]);
            int status = http_get(stand.http, target, stand.alice.bearer)->status;
            ck_assert_msg(status == (r == 2 ? 204 : 200), "%s: %d", target, status);
            expect_answer(http_get(stand.http, target, NULL), 401, SAYS_401);
        }
    static const char *const foreign[] = {"?_=1&user_id=999999", "?user_id=999999&_=1",
                                          "?x&user_id=abc"};
    for (size_t q = 0; q < 3; q++) {
        snprintf(target, sizeof target, "%s%s", reads[0], foreign[q]);
        expect_answer(http_get(stand.http, target, stand.root.bearer), 403, SAYS_403);
    }
    snprintf(target, sizeof target, "%s?_=1&user_id=%lld", reads[0], (long long)stand.alice.id);
    expect_status(http_get(stand.http, target, stand.alice.bearer), 200);
    char *before = redis_snapshot(stand.redis, "cw:audit");
    for (size_t w = 0; w < 3; w++) {
        snprintf(target, sizeof target, "%s?_=1700000000", writes[w]);
        expect_status(http_post(stand.http, target, stand.alice.bearer), 400);
        snprintf(target, sizeof target, "%s?userId=5", writes[w]);
        expect_status(http_post(stand.http, target, stand.alice.bearer), 400);
    }
    expect_status(http_get(stand.http, "/api/cache/status/?userId=5", stand.alice.bearer), 400);
    char *after = redis_snapshot(stand.redis, "cw:audit");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad user_id");
    TCase *shared = tcase_create("all");
    tcase_add_unchecked_fixture(shared, open_stand, close_stand);
    tcase_add_test(shared, an_admin_is_told_400);
    tcase_add_test(shared, a_user_is_told_403);
    tcase_add_test(shared, a_stranger_is_told_401);
    tcase_add_test(shared, an_id_in_the_body_is_refused);
    tcase_add_test(shared, an_id_in_a_body_of_any_form_is_refused);
    tcase_add_test(shared, a_body_that_cannot_be_read_is_refused);
    tcase_add_test(shared, own_routes_and_what_they_do_not_know);
    tcase_add_test(shared, good_ids_are_taken);
    tcase_add_test(shared, own_routes_refuse_other_ids);
    suite_add_tcase(suite, shared);
    return suite_run(suite);
}
