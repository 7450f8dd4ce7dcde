/*
 * Answers that the examples of the OpenAPI document do not show, held against its schemas: what is stored comes
 * back as what it was stored as, jobs run and end, and lists come to their last page.
 */
#include "examples_player.h"
#include "json_schema.h"
#include "suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_PATH "/api/v1/entries/{label}"
#define JOB_PATH   "/api/v1/jobs/{id}"

static struct stand stand;
static struct examples examples;

static void open_stand(void)
{
    stand_open(&stand, &examples_stand);
    examples_open(&examples, &stand);
}

static void close_stand(void)
{
    examples_close(&examples);
    stand_close(&stand);
}

static json_t *content_of(const char *path, const char *method, const struct http_reply *reply)
{
    char lower[16] = "", status[16], type[128];
    for (size_t i = 0; method[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)(method[i] - 'A' + 'a');
    snprintf(status, sizeof status, "%d", reply->status);
    snprintf(type, sizeof type, "%s", http_header(reply, "Content-Type"));
    type[strcspn(type, ";")] = '\0';
    const json_t *operation =
        json_object_get(json_object_get(json_object_get(examples.document, "paths"), path), lower);
    const json_t *response = json_object_get(json_object_get(operation, "responses"), status);
    const json_t *contents = json_object_get(response, "content");
    json_t *content = json_object_get(contents, type);
    ck_assert_msg(response != NULL, "%s %s: no %s is told", method, path, status);
    return content ? content : json_object_get(contents, "*/*");
}

/* An answer with a body. A schema without a type takes anything. */
static void expect_told(const char *path, const char *method, const struct http_reply *reply)
{
    const json_t *content = content_of(path, method, reply);
    const json_t *schema = json_object_get(content, "schema");
    ck_assert_msg(content && schema, "%s %s %d: %s is not told", method, path, reply->status,
                  http_header(reply, "Content-Type"));
    if (json_object_size(schema) == 0)
        return;
    json_t *value = json_loadb(reply->body, reply->body_size, JSON_DECODE_ANY, NULL);
    ck_assert_msg(value && json_schema_fits(schema, value), "%s %s %d: %.500s", method, path,
                  reply->status, reply->body);
    json_decref(value);
}

START_TEST(what_was_stored_is_told)
{
    static const struct {
        const char *type, *bytes;
    } stored[] = {{"text/plain", "hi"},
                  {"application/json", "[1,2]"},
                  {"application/json", "5"},
                  {"application/json", "{\"id\":1}"},
                  {"application/problem+json", "{}"},
                  {"image/png", "\x89PNG"}};
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
        char type[64];
        const char *headers[] = {stand.alice.bearer, type, NULL};
        snprintf(type, sizeof type, "Content-Type: %s", stored[i].type);
        const struct http_reply *reply =
            http_send(stand.http, "PUT", "/api/v1/entries/x?ttl=60", headers, stored[i].bytes,
                      strlen(stored[i].bytes));
        ck_assert(reply->status == 201 || reply->status == 204);
        reply = http_get(stand.http, "/api/v1/entries/x", stand.alice.bearer);
        expect_body(reply, 200, stored[i].bytes);
        expect_told(ENTRY_PATH, "GET", reply);
    }
    http_post_json(stand.http, "/api/v1/entries/n/increment", stand.alice.bearer, "{}");
    expect_told(ENTRY_PATH, "GET", http_get(stand.http, "/api/v1/entries/n", stand.alice.bearer));
}
END_TEST

/* Whatever state it is in when it is asked. */
static void follow(const char *location, const char *credential)
{
    const struct http_reply *reply;
    do {
        reply = http_get(stand.http, location, credential);
        expect_status(reply, 200);
        expect_told(JOB_PATH, "GET", reply);
    } while (strstr(reply->body, "\"running\""));
    reply = http_call(stand.http, "DELETE", location, credential);
    expect_status(reply, 200);
    expect_told(JOB_PATH, "DELETE", reply);
}

START_TEST(jobs_are_told_at_their_end)
{
    static const char *const targets[] = {"/api/v1/caches/sessions/flush",
                                          "/api/v1/caches/sessions/flush?dry_run=true"};
    char location[128];
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        const struct http_reply *reply = http_post(stand.http, targets[i], examples.flush_key);
        expect_status(reply, 202);
        snprintf(location, sizeof location, "%s", http_header(reply, "Location"));
        expect_told("/api/v1/caches/{name}/flush", "POST", reply);
        follow(location, examples.flush_key);
    }
    const struct http_reply *reply =
        http_call(stand.http, "DELETE", "/api/v1/entries?pattern=a*", stand.alice.bearer);
    expect_status(reply, 202);
    snprintf(location, sizeof location, "%s", http_header(reply, "Location"));
    follow(location, stand.alice.bearer);

    static const char running[] = "/api/v1/jobs/5f1c0e7a93b24d6f8a1e2c3d4b5a6978";
    static const char failed[] = "/api/v1/jobs/8c1c0e7a93b24d6f8a1e2c3d4b5a6978";
    expect_told(JOB_PATH, "GET", http_get(stand.http, running, stand.root.bearer));
    expect_told(JOB_PATH, "DELETE", http_call(stand.http, "DELETE", running, stand.root.bearer));
    follow(running, stand.root.bearer);
    follow(failed, stand.root.bearer);
}
END_TEST

START_TEST(each_page_of_the_trail_is_told)
{
    static const char *const pages[] = {
        "/api/v1/audit",
        "/api/v1/audit?limit=1",
        "/api/v1/audit?limit=1000",
        "/api/v1/audit?part=clears",
        "/api/v1/audit?part=changes",
        "/api/v1/audit?part=sign_ins",
        "/api/v1/audit?action=caches.flush&since=2020-01-01T00:00:00Z"};
    expect_status(http_post(stand.http, "/api/v1/caches/messages/flush", examples.flush_key), 200);
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        const struct http_reply *reply = http_get(stand.http, pages[i], stand.root.bearer);
        expect_status(reply, 200);
        expect_told("/api/v1/audit", "GET", reply);
    }
}
END_TEST

/* What has no parameter, for whoever may ask. */
START_TEST(each_plain_route_is_told)
{
    static const char *const paths[] = {"/api/schema",   "/api/v1/caches", "/api/cache/status",
                                        "/auth/me",      "/health",        "/health/live",
                                        "/health/ready", "/api/redis-test"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        expect_told(paths[i], "GET", http_get(stand.http, paths[i], stand.root.bearer));
        expect_told(paths[i], "GET", http_get(stand.http, paths[i], stand.alice.bearer));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schema_live");
    TCase *all = tcase_create("live");
    tcase_add_checked_fixture(all, open_stand, close_stand);
    tcase_add_test(all, what_was_stored_is_told);
    tcase_add_test(all, jobs_are_told_at_their_end);
    tcase_add_test(all, each_page_of_the_trail_is_told);
    tcase_add_test(all, each_plain_route_is_told);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
