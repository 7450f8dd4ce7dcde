#include "http/status.h"

#include "suite.h"

#include "cachewarden/arena.h"
#include "cachewarden/redis_error.h"

#include <stdio.h>

static struct arena *arena;
static struct exchange exchange;

static void open_arena(void)
{
    arena = arena_new(4096, 0);
    ck_assert_ptr_nonnull(arena);
}

static void close_arena(void)
{
    arena_free(&arena);
}

static void begin(const struct route *route)
{
    memset(&exchange, 0, sizeof exchange);
    call_init(&exchange.call, NULL, route, arena);
}

static void expect_response(const char *what, int status, const char *media_type, const char *body)
{
    const struct http_response *response = &exchange.response;

    ck_assert_msg(response->status == status, "%s: status %d, expected %d", what, response->status,
                  status);
    ck_assert_msg(str_eq(response->media_type, str_from(media_type)), "%s: type %.*s", what,
                  STR_ARG(response->media_type));
    ck_assert_msg(str_eq(response->body, str_from(body)), "%s: body %.*s, expected %s", what,
                  STR_ARG(response->body), body);
}

#define JSON     "application/json"
#define PROBLEM  "application/problem+json"
#define SAYS_401 "{\"detail\":\"Authentication credentials were not provided.\"}"
#define SAYS_403 "{\"detail\":\"You do not have permission to perform this action.\"}"
#define SAYS_500 "{\"detail\":\"Internal server error.\"}"
#define FLUSH_FAILED(sentence) \
    "{\"success\":false,\"error\":\"" sentence "\",\"flushed\":false,\"keysRemoved\":0}"

static const struct route control = {.error_format = ERROR_FORMAT_CONTROL,
                                     .failure = "Failed to retrieve cache status",
                                     .no_store = true};
static const struct route admin_clear = {
    .error_format = ERROR_FORMAT_ADMIN_CLEAR, .failure = "Failed to clear cache", .no_store = true};
static const struct route messages = {
    .error_format = ERROR_FORMAT_MESSAGES, .failure = "Failed to flush cache", .no_store = true};
static const struct route analytics = {
    .error_format = ERROR_FORMAT_ANALYTICS, .failure = "Failed to clear cache", .no_store = true};
static const struct route detail = {.error_format = ERROR_FORMAT_DETAIL, .no_store = true};
static const struct route anybody = {
    .error_format = ERROR_FORMAT_DETAIL, .permit = PERMIT_PUBLIC, .no_store = true};
static const struct route problem = {.error_format = ERROR_FORMAT_PROBLEM, .no_store = true};

struct row {
    const struct route *route;
    enum err err;
    const char *caller; /* error.caller, or NULL */
    int status;
    const char *media_type, *body;
};

static const struct row rows[] = {
    /* the words of a cache route say what it could not do */
    {&control, ERR_BUSY, "redis busy", 500, JSON,
     "{\"error\":\"Failed to retrieve cache status\"}"},
    {&control, ERR_TIMEOUT, "redis timeout", 500, JSON,
     "{\"error\":\"Failed to retrieve cache status\"}"},
    {&control, ERR_UPSTREAM_DOWN, "redis unavailable", 500, JSON,
     "{\"error\":\"Failed to retrieve cache status\"}"},
    {&control, ERR_UPSTREAM_REFUSED, "redis is loading", 500, JSON,
     "{\"error\":\"Failed to retrieve cache status\"}"},
    {&control, ERR_UNCERTAIN, "outcome unknown", 500, JSON,
     "{\"error\":\"Failed to retrieve cache status\"}"},
    {&control, ERR_NO_MEMORY, NULL, 500, JSON, "{\"error\":\"Failed to retrieve cache status\"}"},
    {&control, ERR_INTERNAL, NULL, 500, JSON, "{\"error\":\"Failed to retrieve cache status\"}"},
    {&control, ERR_FORBIDDEN, NULL, 403, JSON, SAYS_403},
    {&control, ERR_BAD_INPUT, "x: unknown parameter", 400, JSON,
     "{\"detail\":\"x: unknown parameter\"}"},
    {&control, ERR_THROTTLED, NULL, 429, JSON,
     "{\"detail\":\"Request was throttled. Expected available in 17 seconds.\"}"},
    {&admin_clear, ERR_FORBIDDEN, NULL, 403, JSON,
     "{\"error\":\"Superuser or Admin group membership required\"}"},
    {&admin_clear, ERR_BAD_INPUT, "user_id: must be …", 400, JSON,
     "{\"ok\":false,\"message\":\"Invalid user_id parameter\"}"},
    {&admin_clear, ERR_UPSTREAM_DOWN, "redis unavailable", 500, JSON,
     "{\"ok\":false,\"message\":\"Failed to clear cache\"}"},
    {&admin_clear, ERR_UNCERTAIN, "outcome unknown", 500, JSON,
     "{\"ok\":false,\"message\":\"Failed to clear cache\"}"},
    {&admin_clear, ERR_UNAUTHENTICATED, NULL, 401, JSON, SAYS_401},
    /* section 5 */
    {&messages, ERR_UPSTREAM_DOWN, "redis unavailable", 500, JSON,
     FLUSH_FAILED("Failed to flush cache")},
    {&messages, ERR_UPSTREAM_REFUSED, "redis is read-only", 500, JSON,
     FLUSH_FAILED("Failed to flush cache")},
    {&messages, ERR_UNAUTHENTICATED, NULL, 401, JSON,
     FLUSH_FAILED("Authentication credentials were not provided.")},
    {&messages, ERR_FORBIDDEN, NULL, 403, JSON,
     FLUSH_FAILED("You do not have permission to perform this action.")},
    {&messages, ERR_BAD_INPUT, "x: unknown parameter", 400, JSON,
     "{\"detail\":\"x: unknown parameter\"}"},
    {&analytics, ERR_FORBIDDEN, NULL, 403, JSON, "{\"detail\":\"Not authorized\"}"},
    {&analytics, ERR_UNAUTHENTICATED, NULL, 401, JSON, SAYS_401},
    {&analytics, ERR_UPSTREAM_DOWN, "redis unavailable", 500, JSON,
     "{\"detail\":\"Failed to clear cache: redis unavailable\"}"},
    {&analytics, ERR_TIMEOUT, "redis timeout", 500, JSON,
     "{\"detail\":\"Failed to clear cache: redis timeout\"}"},
    {&analytics, ERR_UPSTREAM_REFUSED, "redis out of memory", 500, JSON,
     "{\"detail\":\"Failed to clear cache: redis out of memory\"}"},
    {&analytics, ERR_UPSTREAM_REFUSED, "WRONGTYPE Operation against", 500, JSON,
     "{\"detail\":\"Failed to clear cache: redis refused the command\"}"},
    {&analytics, ERR_BUSY, NULL, 500, JSON, "{\"detail\":\"Failed to clear cache: redis busy\"}"},
    {&analytics, ERR_UNCERTAIN, NULL, 500, JSON,
     "{\"detail\":\"Failed to clear cache: outcome unknown\"}"},
    {&analytics, ERR_INTERNAL, "stack smashed at 0x1", 500, JSON,
     "{\"detail\":\"Failed to clear cache: internal error\"}"},
    /* section 6 and 11 */
    {&detail, ERR_BAD_INPUT, "password: too short", 400, JSON,
     "{\"detail\":\"password: too short\"}"},
    {&detail, ERR_BAD_INPUT, NULL, 400, JSON, "{\"detail\":\"Bad request.\"}"},
    {&detail, ERR_BAD_INPUT, "a \"quoted\"\nline\\", 400, JSON,
     "{\"detail\":\"a \\\"quoted\\\"\\nline\\\\\"}"},
    {&detail, ERR_UNAUTHENTICATED, NULL, 401, JSON, SAYS_401},
    {&detail, ERR_UNAUTHENTICATED, "No active account found with the given credentials", 401, JSON,
     "{\"detail\":\"No active account found with the given credentials\"}"},
    {&detail, ERR_FORBIDDEN, NULL, 403, JSON, SAYS_403},
    {&detail, ERR_FORBIDDEN, "Registration is closed.", 403, JSON,
     "{\"detail\":\"Registration is closed.\"}"},
    {&detail, ERR_NOT_FOUND, NULL, 404, JSON, "{\"detail\":\"Not found.\"}"},
    {&detail, ERR_CONFLICT, "A user with that username already exists.", 409, JSON,
     "{\"detail\":\"A user with that username already exists.\"}"},
    {&detail, ERR_PRECONDITION, NULL, 412, JSON,
     "{\"detail\":\"Precondition failed: nothing was changed.\"}"},
    {&problem, ERR_PRECONDITION, "There is an entry.", 412, PROBLEM,
     "{\"type\":\"about:blank\",\"title\":\"Precondition Failed\",\"status\":412,"
     "\"detail\":\"There is an entry.\"}"},
    {&detail, ERR_TOO_LARGE, NULL, 413, JSON, "{\"detail\":\"Request body is too large.\"}"},
    {&detail, ERR_UNSUPPORTED_TYPE, NULL, 415, JSON, "{\"detail\":\"Unsupported media type.\"}"},
    {&detail, ERR_BUSY, NULL, 503, JSON, "{\"detail\":\"Service temporarily unavailable.\"}"},
    {&detail, ERR_TIMEOUT, "redis timeout", 503, JSON,
     "{\"detail\":\"Service temporarily unavailable: redis timeout.\"}"},
    {&detail, ERR_UPSTREAM_DOWN, "redis unavailable", 503, JSON,
     "{\"detail\":\"Service temporarily unavailable: redis unavailable.\"}"},
    /* what is inside is for the log; who is signed in may know what ails Redis, strangers not */
    {&detail, ERR_UPSTREAM_DOWN, "The users database is out of reach: the disk is full.", 503, JSON,
     "{\"detail\":\"Service temporarily unavailable.\"}"},
    {&problem, ERR_BUSY, "stack smashed at 0x1", 503, PROBLEM,
     "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
     "\"detail\":\"Service temporarily unavailable.\"}"},
    {&anybody, ERR_UPSTREAM_DOWN, "The users database is out of reach: the disk is full.", 503,
     JSON, "{\"detail\":\"Service temporarily unavailable.\"}"},
    {&anybody, ERR_UPSTREAM_REFUSED, "redis out of memory", 503, JSON,
     "{\"detail\":\"Service temporarily unavailable.\"}"},
    {&anybody, ERR_UNCERTAIN, "outcome unknown", 503, JSON,
     "{\"detail\":\"Service temporarily unavailable: the outcome is unknown, the change may have "
     "been made.\"}"},
    {&anybody, ERR_INTERNAL, "our own secret", 500, JSON, SAYS_500},
    {&anybody, ERR_CONFLICT, "A user with that email already exists.", 409, JSON,
     "{\"detail\":\"A user with that email already exists.\"}"},
    {&detail, ERR_UPSTREAM_REFUSED, NULL, 503, JSON,
     "{\"detail\":\"Service temporarily unavailable.\"}"},
    {&detail, ERR_UNCERTAIN, "outcome unknown", 503, JSON,
     "{\"detail\":\"Service temporarily unavailable: the outcome is unknown, the change may have "
     "been made.\"}"},
    {&detail, ERR_NO_MEMORY, NULL, 500, JSON, SAYS_500},
    {&detail, ERR_INTERNAL, "our own secret", 500, JSON, SAYS_500},
    {&problem, ERR_UNAUTHENTICATED, NULL, 401, JSON, SAYS_401},
    {&problem, ERR_FORBIDDEN, NULL, 403, JSON, SAYS_403},
    {&problem, ERR_NOT_FOUND, NULL, 404, PROBLEM,
     "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"Not found.\"}"},
    {&problem, ERR_BAD_INPUT, "limit: 1 to 1000", 400, PROBLEM,
     "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"limit: 1 to "
     "1000\"}"},
    {&problem, ERR_UPSTREAM_DOWN, "redis unavailable", 503, PROBLEM,
     "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
     "\"detail\":\"Service temporarily unavailable: redis unavailable.\"}"},
    {&problem, ERR_UPSTREAM_REFUSED, "entries have used up their share of redis", 503, PROBLEM,
     "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
     "\"detail\":\"Service temporarily unavailable: entries have used up their share of redis.\"}"},
    {&problem, ERR_INTERNAL, NULL, 500, PROBLEM,
     "{\"type\":\"about:blank\",\"title\":\"Internal Server "
     "Error\",\"status\":500,\"detail\":\"Internal server error.\"}"},
};

/* As whoever failed sets it: the text of a cause of Redis comes with that cause. */
static void fail_with(enum err err, const char *text)
{
    for (int i = REDIS_ERROR_UNAVAILABLE; i <= REDIS_ERROR_UNCERTAIN; i++) {
        enum redis_error cause = (enum redis_error)i;
        if (strcmp(redis_error_text(cause), text) == 0) {
            redis_error_set(&exchange.call.error, err, cause, "for the log");
            return;
        }
    }
    error_set(&exchange.call.error, err, "%s", text);
}

START_TEST(every_error_in_every_format)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        char what[32];

        snprintf(what, sizeof what, "row %zu", i);
        begin(row->route);
        if (row->caller)
            fail_with(row->err, row->caller);
        if (row->err == ERR_THROTTLED)
            exchange.call.reply.retry_after_s = 17;
        exchange.call.reply.rate_limit = 10;
        exchange.call.reply.rate_remaining = 3;
        exchange.call.reply.rate_reset_s = 17;
        exchange.call.reply.cache_version = 5; /* half an answer leaves no trace in an error */
        exchange.call.reply.cache_enabled = YES;
        exchange.call.reply.cache_result = CACHE_RESULT_HIT;
        exchange.call.reply.lease = exchange.call.reply.etag = STR("abc");
        exchange.call.reply.is_refresh = true;
        call_give_content(&exchange.call, STR("content"), STR("text/plain"));
        json_open_object(&exchange.call.reply.json);
        json_add_bool(&exchange.call.reply.json, "enabled", true);

        status_render(&exchange, row->err);
        expect_response(what, row->status, row->media_type, row->body);
        ck_assert_int_eq(exchange.result, row->err);
        ck_assert_int_eq(exchange.response.cache_version, 0);
        ck_assert_int_eq(exchange.response.cache_enabled, UNKNOWN);
        ck_assert_int_eq(exchange.response.cache_result, CACHE_RESULT_NONE);
        ck_assert(exchange.response.lease.len == 0 && exchange.response.etag.len == 0);
        ck_assert(!exchange.response.is_content && !exchange.response.is_refresh);
        ck_assert(exchange.response.no_store);
        ck_assert_int_eq(exchange.response.challenge, row->status == 401);
        ck_assert_int_eq(exchange.response.retry_after_s, row->status == 429   ? 17
                                                          : row->status == 503 ? 1
                                                                               : 0);
        ck_assert_int_eq(exchange.response.rate_limit, 10);
        ck_assert_int_eq(exchange.response.rate_remaining, 3);
        ck_assert_int_eq(exchange.response.rate_reset_s, 17);
    }
}
END_TEST

START_TEST(every_error_has_an_answer)
{
    static const struct route *const all[] = {&control,   &admin_clear, &messages,
                                              &analytics, &detail,      &problem};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        for (int err = ERR_OK + 1; err < ERR_COUNT; err++) {
            begin(all[i]);
            status_render(&exchange, (enum err)err);
            ck_assert_int_ge(exchange.response.status, 400);
            ck_assert_int_le(exchange.response.status, 503);
            ck_assert_uint_gt(exchange.response.body.len, 2);
            ck_assert_str_ne(status_phrase(exchange.response.status), "Unknown");
            /* The log has a cause for each failure, even for one without words. */
            ck_assert(exchange.response.status < 500 || exchange.call.error.detail[0] != '\0');
        }
    }
}
END_TEST

START_TEST(refusals_without_a_row_have_their_cause)
{
    begin(NULL);
    status_refused(&exchange, 505, STR("Only HTTP/1.0 and HTTP/1.1 are spoken here."));
    ck_assert_int_eq(exchange.result, ERR_BAD_INPUT); /* not ours */
    ck_assert_str_eq(exchange.call.error.detail, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    begin(&detail);
    status_body_refused(&exchange, 503);
    ck_assert_int_eq(exchange.result, ERR_BUSY);
    ck_assert_str_eq(exchange.call.error.detail, STATUS_MADE_ROOM);
}
END_TEST

START_TEST(success_is_the_reply)
{
    begin(&control);
    json_open_object(&exchange.call.reply.json);
    json_add_bool(&exchange.call.reply.json, "enabled", true);
    json_close_object(&exchange.call.reply.json);
    exchange.call.reply.cache_version = 5;
    exchange.call.reply.cache_enabled = NO;
    exchange.call.reply.user_id = 7;
    status_render(&exchange, ERR_OK);
    expect_response("ok", 200, JSON, "{\"enabled\":true}");
    ck_assert_int_eq(exchange.response.cache_version, 5);
    ck_assert_int_eq(exchange.response.cache_enabled, NO);
    ck_assert_int_eq(exchange.response.user_id, 7);
    ck_assert(!exchange.response.challenge);
    ck_assert(exchange.response.no_store);

    begin(&(const struct route){.no_store = false});
    exchange.call.reply.outcome = OUTCOME_CREATED;
    exchange.call.reply.media_type = STR("text/plain");
    exchange.call.reply.location = STR("/x");
    strbuf_add(&exchange.call.reply.body, STR("hello"));
    status_render(&exchange, ERR_OK);
    expect_response("created", 201, "text/plain", "hello");
    ck_assert(str_eq(exchange.response.location, STR("/x")));
    ck_assert(!exchange.response.no_store);

    begin(&detail);
    exchange.call.reply.outcome = OUTCOME_ACCEPTED;
    status_render(&exchange, ERR_OK);
    ck_assert_int_eq(exchange.response.status, 202);

    begin(&detail);
    exchange.call.reply.outcome = OUTCOME_NO_CONTENT;
    exchange.call.reply.cache_enabled = NO;
    strbuf_add(&exchange.call.reply.body, STR("ignored"));
    status_render(&exchange, ERR_OK);
    expect_response("no content", 204, "", "");
    ck_assert_int_eq(exchange.response.cache_enabled, NO);
}
END_TEST

START_TEST(no_operation_writes_header_lines)
{
    begin(&detail);
    exchange.call.reply.media_type = STR("text/plain\r\nSet-Cookie: a=b");
    status_render(&exchange, ERR_OK);
    expect_response("media type", 500, JSON, SAYS_500);

    begin(&detail);
    exchange.call.reply.location = STR("/x\nSet-Cookie: a=b");
    status_render(&exchange, ERR_OK);
    expect_response("location", 500, JSON, SAYS_500);
    ck_assert_uint_eq(exchange.response.location.len, 0);
}
END_TEST

START_TEST(identity_failures_tell_nothing)
{
    begin(&control);
    error_set(&exchange.call.error, ERR_UNAUTHENTICATED, "token expired 3 s ago");
    status_identity_failed(&exchange, ERR_UNAUTHENTICATED);
    expect_response("401", 401, JSON, SAYS_401);
    ck_assert(exchange.response.challenge);
    ck_assert_str_eq(exchange.call.error.detail, "token expired 3 s ago"); /* the log's */

    begin(&messages);
    status_identity_failed(&exchange, ERR_UNAUTHENTICATED);
    expect_response("messages 401", 401, JSON,
                    FLUSH_FAILED("Authentication credentials were not provided."));
    ck_assert(exchange.response.challenge);

    begin(&admin_clear); /* not its own 400, which is about user_id */
    error_set(&exchange.call.error, ERR_BAD_INPUT, "Conflicting credentials.");
    status_identity_failed(&exchange, ERR_BAD_INPUT);
    expect_response("conflict", 400, JSON, "{\"detail\":\"Conflicting credentials.\"}");

    begin(&problem); /* the same bytes here */
    error_set(&exchange.call.error, ERR_BAD_INPUT, "Conflicting credentials.");
    status_identity_failed(&exchange, ERR_BAD_INPUT);
    expect_response("conflict", 400, JSON, "{\"detail\":\"Conflicting credentials.\"}");

    begin(&control); /* not its own 500, which is about Redis */
    error_set(&exchange.call.error, ERR_UPSTREAM_DOWN, "disk I/O error");
    status_identity_failed(&exchange, ERR_UPSTREAM_DOWN);
    expect_response("users down", 503, JSON, "{\"detail\":\"Service temporarily unavailable.\"}");
    ck_assert_int_eq(exchange.response.retry_after_s, 1);

    begin(&detail); /* nor the cause, where Redis was asked about the caller */
    fail_with(ERR_UPSTREAM_DOWN, "redis is loading");
    status_identity_failed(&exchange, ERR_UPSTREAM_DOWN);
    expect_response("redis down", 503, JSON, "{\"detail\":\"Service temporarily unavailable.\"}");
}
END_TEST

START_TEST(denials_have_the_format_of_the_row)
{
    begin(&control);
    status_denied(&exchange, PERMIT_NO);
    expect_response("control", 403, JSON, SAYS_403);
    ck_assert(!exchange.response.challenge);
    begin(&admin_clear);
    status_denied(&exchange, PERMIT_NO);
    expect_response("admin", 403, JSON,
                    "{\"error\":\"Superuser or Admin group membership required\"}");
    begin(&analytics);
    status_denied(&exchange, PERMIT_NO);
    expect_response("analytics", 403, JSON, "{\"detail\":\"Not authorized\"}");
    begin(&messages);
    status_denied(&exchange, PERMIT_NO);
    expect_response("messages", 403, JSON,
                    FLUSH_FAILED("You do not have permission to perform this action."));
    begin(&admin_clear);
    status_denied(&exchange, PERMIT_NO_CREDENTIAL);
    expect_response("anonymous", 401, JSON, SAYS_401);
    ck_assert(exchange.response.challenge);
}
END_TEST

START_TEST(the_routers_answers)
{
    begin(NULL);
    status_not_found(&exchange);
    expect_response("404", 404, JSON, "{\"detail\":\"Not found.\"}");
    ck_assert_int_eq(exchange.result, ERR_NOT_FOUND);

    begin(NULL);
    exchange.request.method_name = STR("TRACE");
    status_not_allowed(&exchange, ERROR_FORMAT_DETAIL, STR("GET, HEAD, OPTIONS"));
    expect_response("405", 405, JSON, "{\"detail\":\"Method \\\"TRACE\\\" not allowed.\"}");
    ck_assert(str_eq(exchange.response.allow, STR("GET, HEAD, OPTIONS")));

    begin(NULL);
    exchange.request.method_name = STR("PUT");
    status_not_allowed(&exchange, ERROR_FORMAT_PROBLEM, STR("GET, HEAD, OPTIONS"));
    expect_response("405 of a new route", 405, PROBLEM,
                    "{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\",\"status\":405,"
                    "\"detail\":\"Method \\\"PUT\\\" not allowed.\"}");

    begin(NULL);
    status_options(&exchange, STR("OPTIONS, POST"));
    expect_response("options", 204, "", "");
    ck_assert(str_eq(exchange.response.allow, STR("OPTIONS, POST")));
}
END_TEST

START_TEST(refusals_close)
{
    static const int statuses[] = {400, 408, 413, 503};

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        begin(&control);
        status_body_refused(&exchange, statuses[i]);
        ck_assert_int_eq(exchange.response.status, statuses[i]);
        ck_assert(exchange.response.close);
        ck_assert(str_starts(exchange.response.body, STR("{\"detail\":\"")));
    }
    begin(&problem);
    status_body_refused(&exchange, 413);
    expect_response("413 of a new route", 413, PROBLEM,
                    "{\"type\":\"about:blank\",\"title\":\"Content Too Large\",\"status\":413,"
                    "\"detail\":\"Request body is too large.\"}");
    ck_assert(exchange.response.close);
    begin(NULL);
    status_refused(&exchange, 431, STR("Too many header fields."));
    expect_response("431", 431, JSON, "{\"detail\":\"Too many header fields.\"}");
    ck_assert(exchange.response.close);
}
END_TEST

START_TEST(an_answer_that_does_not_fit_is_a_failure)
{
    struct arena *tiny = arena_new(1024, 1024);

    memset(&exchange, 0, sizeof exchange);
    call_init(&exchange.call, NULL, &control, tiny);
    for (int i = 0; i < 200; i++)
        strbuf_add(&exchange.call.reply.body, STR("0123456789"));
    ck_assert(exchange.call.reply.body.failed);
    status_render(&exchange, ERR_OK);
    ck_assert_int_eq(exchange.response.status, 500);
    ck_assert_int_eq(exchange.result, ERR_NO_MEMORY);
    ck_assert_uint_gt(exchange.response.body.len, 0);
    arena_free(&tiny);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/status");
    TCase *tcase = tcase_create("status");

    tcase_add_checked_fixture(tcase, open_arena, close_arena);
    tcase_add_test(tcase, every_error_in_every_format);
    tcase_add_test(tcase, every_error_has_an_answer);
    tcase_add_test(tcase, refusals_without_a_row_have_their_cause);
    tcase_add_test(tcase, success_is_the_reply);
    tcase_add_test(tcase, no_operation_writes_header_lines);
    tcase_add_test(tcase, identity_failures_tell_nothing);
    tcase_add_test(tcase, denials_have_the_format_of_the_row);
    tcase_add_test(tcase, the_routers_answers);
    tcase_add_test(tcase, refusals_close);
    tcase_add_test(tcase, an_answer_that_does_not_fit_is_a_failure);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
