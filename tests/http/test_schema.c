/*
 * The OpenAPI document, held against the server it describes: every example's x-request is sent, and
 * the answer compared with the example: status, media type, headers, the body's shape, and of errors
 * the body to the byte. A document that promises something else than the server does fails here.
 */
#include "examples_player.h"
#include "json_schema.h"
#include "suite.h"

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static struct stand stand;
static struct examples examples;

static const struct stand_options hardly_any = {
    .config = "caches = ( { name = \"messages\"; keys = [ \"whatsapp:{env}:in\" ]; },"
              "  { name = \"sessions\"; prefix = \"whatsapp:session:\"; } );\n",
    .environment = (const char *const[]){
        "CACHEWARDEN_LIMITS_ENABLED=true", "CACHEWARDEN_USERS_REGISTRATION=open",
        "CACHEWARDEN_LIMITS_STATUS_PER_MINUTE=2", "CACHEWARDEN_LIMITS_TOGGLE_PER_MINUTE=2",
        "CACHEWARDEN_LIMITS_CLEAR_PER_MINUTE=2", "CACHEWARDEN_LIMITS_LOGIN_PER_MINUTE=2",
        "CACHEWARDEN_LIMITS_REGISTER_PER_MINUTE=2", "CACHEWARDEN_LIMITS_PASSWORD_PER_MINUTE=2",
        "CACHEWARDEN_LIMITS_LOGOUT_PER_MINUTE=2", "CACHEWARDEN_LIMITS_REFRESH_PER_MINUTE=2",
        "CACHEWARDEN_LIMITS_JOB_PER_MINUTE=2", "CACHEWARDEN_LIMITS_FILL_BYTES_PER_HOUR=500", NULL}};

static void open_with(const struct stand_options *options)
{
    stand_open(&stand, options);
    examples_open(&examples, &stand);
}

static void open_plenty(void)
{
    open_with(&examples_stand);
}

static void open_hardly_any(void)
{
    open_with(&hardly_any);
}

static void close_stand(void)
{
    examples_close(&examples);
    stand_close(&stand);
}

/* ---- comparing ---- */

static bool same_members(const json_t *expected, const json_t *actual)
{
    void *a = json_object_iter((json_t *)(uintptr_t)expected),
         *b = json_object_iter((json_t *)(uintptr_t)actual);
    while (a && b && strcmp(json_object_iter_key(a), json_object_iter_key(b)) == 0) {
        a = json_object_iter_next((json_t *)(uintptr_t)expected, a);
        b = json_object_iter_next((json_t *)(uintptr_t)actual, b);
    }
    return !a && !b;
}

/* The sentence of a 429 tells the seconds of the moment, and that of a 409 about a job which one it is. */
static bool is_same_error(const json_t *expected, const json_t *actual, int status)
{
    const char *wanted = text_of(expected, "detail"), *detail = text_of(actual, "detail");
    bool is_of_job = status == 409 && strncmp(wanted, "Job ", 4) == 0;
    if (status != 429 && !is_of_job)
        return json_equal(expected, actual);
    if (!same_members(expected, actual) || !detail)
        return false;
    return is_of_job ? strlen(detail) == strlen(wanted) && strcmp(detail + 36, wanted + 36) == 0
                     : strncmp(detail, "Request was throttled. Expected available in ", 45) == 0;
}

static void compare_body(const struct played *example, const struct http_reply *reply)
{
    if (!example->value) {
        ck_assert_msg(reply->body_size == 0, "%s %d %s: a body", example->operation,
                      example->status, example->label);
        return;
    }
    const char *type = http_header(reply, "Content-Type");
    bool is_any = strcmp(example->media_type, "*/*") == 0;
    ck_assert_msg(
        type && (is_any || strncmp(type, example->media_type, strlen(example->media_type)) == 0),
        "%s %d %s: %s, not %s", example->operation, example->status, example->label,
        type ? type : "(no type)", example->media_type);
    /* What was stored, and as what. */
    if (strcmp(example->media_type, "*/*") == 0) {
        ck_assert_str_eq(reply->body, json_string_value(example->value));
        return;
    }
    if (!strstr(example->media_type, "json")) {
        ck_assert_uint_gt(reply->body_size, 0);
        return;
    }
    json_t *actual = json_loadb(reply->body, reply->body_size, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(actual != NULL, "%s", reply->body);
    bool is_good = json_schema_fits(json_object_get(example->content, "schema"), actual);
    is_good =
        is_good && (example->status < 400 ? same_members(example->value, actual)
                                          : is_same_error(example->value, actual, example->status));
    char *wanted = json_dumps(example->value, JSON_COMPACT);
    ck_assert_msg(is_good, "%s %d %s:\nanswered   %s\nthe example %s", example->operation,
                  example->status, example->label, reply->body, wanted);
    free(wanted);
    json_decref(actual);
}

/* Those that not every answer of the response has, and whether an example of it had one. */
static struct optional {
    const char *operation, *header;
    int status;
    bool was_seen;
} optionals[1024];
static size_t optional_count;

static void note_optional(const struct played *example, const char *header, bool is_there)
{
    for (size_t i = 0; i < optional_count; i++) {
        struct optional *each = &optionals[i];
        if (each->status == example->status && strcmp(each->operation, example->operation) == 0 &&
            strcmp(each->header, header) == 0) {
            each->was_seen = each->was_seen || is_there;
            return;
        }
    }
    ck_assert_uint_lt(optional_count, sizeof optionals / sizeof *optionals);
    optionals[optional_count++] =
        (struct optional){example->operation, header, example->status, is_there};
}

/* What the document promises is there. */
static void expect_headers(const struct played *example, const struct http_reply *reply)
{
    const char *name;
    json_t *header;
    json_object_foreach(json_object_get(example->response, "headers"), name, header)
    {
        bool is_there = http_header(reply, name) != NULL;
        if (!json_object_get(header, "$ref"))
            note_optional(example, name, is_there);
        else
            ck_assert_msg(is_there, "%s %d %s: no %s\n%s", example->operation, example->status,
                          example->label, name, reply->head);
    }
}

/* And what is there, the document tells, but for what any answer of HTTP has. */
static void expect_no_others(const struct played *example, const struct http_reply *reply)
{
    static const char *const common[] = {"Date", "Content-Type", "Content-Length", "Connection"};
    const json_t *told = json_object_get(example->response, "headers");
    for (const char *line = strchr(reply->head, '\n') + 1; *line && *line != '\r';
         line = strchr(line, '\n') + 1) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, ":"), line);
        bool is_known = json_object_get(told, name) != NULL;
        for (size_t i = 0; i < 4; i++)
            is_known = is_known || strcmp(name, common[i]) == 0;
        ck_assert_msg(is_known, "%s %d %s: the document does not tell of %s\n%s",
                      example->operation, example->status, example->label, name, reply->head);
    }
}

/* Nothing is told that never comes. A browser's cookie may come with any answer to a session, now and
 * then to keep it alive; that it may be taken back, each 401 shows. A hit has a lease shortly before its end. */
static bool is_of_refresh(const char *header)
{
    return strcmp(header, "X-Cache-Refresh") == 0 || strcmp(header, "X-Cache-Lease") == 0;
}

static void expect_all_optionals(void)
{
    for (size_t i = 0; i < optional_count; i++) {
        const struct optional *each = &optionals[i];
        bool may_be_unseen = (strcmp(each->header, "Set-Cookie") == 0 && each->status != 401 &&
                              strcmp(each->operation, "auth.login") != 0) ||
                             (is_of_refresh(each->header) && each->status < 400);
        ck_assert_msg(each->was_seen || may_be_unseen, "%s %d: no example had %s", each->operation,
                      each->status, each->header);
    }
    ck_assert_uint_gt(optional_count, 0);
}

static void compare(const struct played *example, const struct http_reply *reply)
{
    ck_assert_msg(reply->status == example->status, "%s %s: %d, not %d\n%s%s", example->operation,
                  example->label, reply->status, example->status, reply->head, reply->body);
    expect_headers(example, reply);
    expect_no_others(example, reply);
    compare_body(example, reply);
}

/* ---- the tests ---- */

START_TEST(every_example_is_answered_so)
{
    ck_assert_int_gt(examples_play(&examples, "", compare), 100);
    expect_all_optionals();
}
END_TEST

START_TEST(every_example_without_redis_is_answered_so)
{
    redis_server_kill(stand.redis);
    ck_assert_int_ge(examples_play(&examples, "redis_down", compare), 16);
}
END_TEST

/* Another node has the jobs, so that none ends. */
START_TEST(every_conflict_of_jobs_is_answered_so)
{
    redis_server_do(stand.redis, "SET cw:jobs:runner elsewhere PX 3600000");
    ck_assert_int_ge(examples_play(&examples, "job_running", compare), 2);
}
END_TEST

/* Another process holds the folder. */
START_TEST(every_conflict_of_backups_is_answered_so)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/backups", stand.directory);
    int held = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_ge(examples_play(&examples, "backup_under_way", compare), 2);
    close(held);
}
END_TEST

START_TEST(every_limit_is_answered_so)
{
    examples_prepare_limits(&examples);
    ck_assert_int_ge(examples_play(&examples, "limit_used_up", compare), 8);
}
END_TEST

/* HEAD has the answers of GET, without their bodies. */
static void expect_head_of(const json_t *methods, const json_t *responses_of_get)
{
    const json_t *head = json_object_get(methods, "head");
    json_t *responses = json_object_get(head, "responses"), *response;
    const char *status;
    ck_assert_msg(head != NULL, "no head beside %s",
                  text_of(json_object_get(methods, "get"), "operationId"));
    ck_assert(same_members(responses_of_get, responses));
    json_object_foreach(responses, status, response)
    {
        ck_assert_ptr_null(json_object_get(response, "content"));
    }
}

/* Nothing is missing: each row of the table is an operation, and has an answer that went well. */
START_TEST(every_route_is_in_it)
{
    struct cw_result result;
    json_t *route, *routes, *paths = json_object_get(examples.document, "paths");
    size_t i, operations = 0, heads = 0;
    const char *name;
    stand_cli(&stand, NULL, (const char *const[]){"routes", "--json", NULL}, &result);
    routes = json_loads(result.out, 0, NULL);
    json_array_foreach(routes, i, route)
    {
        char path[256], method[16] = "";
        snprintf(path, sizeof path, "%s", text_of(route, "path"));
        if (path[strlen(path) - 1] == '/')
            path[strlen(path) - 1] = '\0';
        for (size_t c = 0; text_of(route, "method")[c]; c++)
            method[c] = (char)(text_of(route, "method")[c] - 'A' + 'a');
        const json_t *operation = json_object_get(json_object_get(paths, path), method);
        ck_assert_msg(operation != NULL, "%s %s is not in it", method, path);
        ck_assert_str_eq(text_of(operation, "operationId"), text_of(route, "name"));
        ck_assert_str_eq(text_of(operation, "x-permission"), text_of(route, "permission"));
        const json_t *responses = json_object_get(operation, "responses");
        ck_assert_msg(json_object_get(responses, "200") || json_object_get(responses, "201") ||
                          json_object_get(responses, "204"),
                      "%s", path);
        bool is_probe = strncmp(path, "/health", 7) == 0 || strcmp(path, "/api/schema") == 0;
        ck_assert_msg(is_probe || json_object_get(responses, "503"), "%s %s: no 503", method, path);
        bool is_get = strcmp(method, "get") == 0;
        ck_assert_msg(is_get || json_object_get(responses, "415"), "%s %s: no 415", method, path);
        heads += is_get;
        if (is_get)
            expect_head_of(json_object_get(paths, path), responses);
    }
    json_object_foreach(paths, name, route) operations += json_object_size(route);
    ck_assert_uint_eq(operations, json_array_size(routes) + heads);
    json_decref(routes);
    cw_result_fini(&result);
}
END_TEST

static const json_t *operation_of(const char *path, const char *method)
{
    const json_t *paths = json_object_get(examples.document, "paths");
    const json_t *operation = json_object_get(json_object_get(paths, path), method);
    ck_assert_msg(operation != NULL, "%s %s is not in it", method, path);
    return operation;
}

static bool takes_field(const json_t *operation, const char *name)
{
    const json_t *each;
    size_t i;
    bool is_told = false;
    json_array_foreach(json_object_get(operation, "parameters"), i, each)
    {
        is_told = is_told || (strcmp(text_of(each, "in"), "header") == 0 &&
                              strcmp(text_of(each, "name"), name) == 0 &&
                              json_is_false(json_object_get(each, "required")));
    }
    return is_told;
}

/* What a request may carry in its head, and what its body may leave out. */
START_TEST(what_is_optional_is_told)
{
    static const char entry[] = "/api/v1/entries/{label}";
    ck_assert(takes_field(operation_of(entry, "get"), "If-None-Match"));
    ck_assert(!takes_field(operation_of(entry, "get"), "X-Cache-Lease"));
    ck_assert(takes_field(operation_of(entry, "put"), "If-None-Match"));
    ck_assert(takes_field(operation_of(entry, "put"), "X-Cache-Lease"));
    ck_assert(!takes_field(operation_of(entry, "delete"), "If-None-Match"));

    const json_t *body =
        json_object_get(operation_of("/api/v1/entries/{label}/increment", "post"), "requestBody");
    ck_assert(json_is_false(json_object_get(body, "required")));
    const json_t *content = json_object_get(json_object_get(body, "content"), "application/json");
    const json_t *schema = json_object_get(content, "schema");
    ck_assert_uint_eq(json_array_size(json_object_get(schema, "required")), 0);
    ck_assert_uint_eq(json_object_size(json_object_get(schema, "properties")), 2);
}
END_TEST

START_TEST(the_command_prints_the_same)
{
    struct cw_result result;
    stand_cli(&stand, NULL, (const char *const[]){"routes", "--openapi", NULL}, &result);
    ck_assert_int_eq(result.status, 0);
    json_t *printed = json_loads(result.out, JSON_REJECT_DUPLICATES, NULL);
    ck_assert(json_equal(printed, examples.document));
    json_decref(printed);
    cw_result_fini(&result);
}
END_TEST

static void add_case(Suite *suite, const char *name, SFun open, const TTest **tests, size_t count)
{
    TCase *each = tcase_create(name);
    tcase_add_checked_fixture(each, open, close_stand);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(each, tests[i]);
    suite_add_tcase(suite, each);
}

int main(void)
{
    Suite *suite = suite_create("schema");
    add_case(suite, "plenty", open_plenty,
             (const TTest *[]){every_example_is_answered_so,
                               every_example_without_redis_is_answered_so, every_route_is_in_it,
                               every_conflict_of_jobs_is_answered_so,
                               every_conflict_of_backups_is_answered_so, what_is_optional_is_told,
                               the_command_prints_the_same},
             7);
    add_case(suite, "limits", open_hardly_any, (const TTest *[]){every_limit_is_answered_so}, 1);
    return suite_run(suite);
}
