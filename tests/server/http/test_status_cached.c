/* Answers from a cache: content as it was stored, misses, and what goes into their heads. */
#include "http/status.h"

#include "suite.h"

#include "cachewarden/arena.h"

static struct arena *arena;
static struct exchange exchange;

static const struct route detail = {.error_format = ERROR_FORMAT_DETAIL, .no_store = true};
static const struct route problem = {.error_format = ERROR_FORMAT_PROBLEM, .no_store = true};

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

#define JSON    "application/json"
#define PROBLEM "application/problem+json"

/* A reply with all that is known of an entry. */
static void begin_cached(enum outcome outcome)
{
    begin(&problem);
    exchange.call.reply.outcome = outcome;
    exchange.call.reply.cache_version = 5;
    exchange.call.reply.cache_enabled = YES;
    exchange.call.reply.cache_result = CACHE_RESULT_HIT;
    exchange.call.reply.age_s = 3;
    exchange.call.reply.ttl_s = 57;
    exchange.call.reply.is_refresh = true;
    exchange.call.reply.lease = STR("abc");
    exchange.call.reply.etag = STR("0f");
}

static void expect_cached(enum cache_result result)
{
    const struct http_response *response = &exchange.response;

    ck_assert_int_eq(response->cache_version, 5);
    ck_assert_int_eq(response->cache_enabled, YES);
    ck_assert_int_eq(response->cache_result, result);
    ck_assert_int_eq(response->age_s, 3);
    ck_assert_int_eq(response->ttl_s, 57);
    ck_assert(response->is_refresh);
    ck_assert(str_eq(response->lease, STR("abc")));
    ck_assert(str_eq(response->etag, STR("0f")));
}

START_TEST(content_is_sent_as_it_is)
{
    begin_cached(OUTCOME_OK);
    call_give_content(&exchange.call, STR("plain"), STR("text/plain"));
    status_render(&exchange, ERR_OK);
    expect_response("content", 200, "text/plain", "plain");
    expect_cached(CACHE_RESULT_HIT);
    ck_assert(exchange.response.is_content);

    begin_cached(OUTCOME_OK);
    call_give_content(&exchange.call, STR_NONE, STR_NONE);
    status_render(&exchange, ERR_OK);
    expect_response("nothing", 200, "application/octet-stream", "");
    ck_assert(exchange.response.is_content);

    begin(&problem);
    json_open_object(&exchange.call.reply.json);
    json_close_object(&exchange.call.reply.json);
    status_render(&exchange, ERR_OK);
    ck_assert(!exchange.response.is_content); /* what we wrote ourselves */
    ck_assert_int_eq(exchange.response.cache_result, CACHE_RESULT_NONE);
}
END_TEST

START_TEST(a_miss_is_no_error_and_keeps_its_fields)
{
    begin_cached(OUTCOME_MISS);
    exchange.call.reply.cache_result = CACHE_RESULT_MISS;
    status_render(&exchange, ERR_OK);
    expect_response("miss", 404, PROBLEM,
                    "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                    "\"detail\":\"Not found.\"}");
    expect_cached(CACHE_RESULT_MISS);
    ck_assert_int_eq(exchange.result, ERR_OK);
    ck_assert(exchange.response.no_store);

    begin(&detail);
    exchange.call.reply.outcome = OUTCOME_MISS;
    status_render(&exchange, ERR_OK);
    expect_response("miss", 404, JSON, "{\"detail\":\"Not found.\"}");
}
END_TEST

START_TEST(not_modified_has_fields_alone)
{
    begin_cached(OUTCOME_NOT_MODIFIED);
    call_give_content(&exchange.call, STR("plain"), STR("text/plain"));
    status_render(&exchange, ERR_OK);
    expect_response("not modified", 304, "", "");
    expect_cached(CACHE_RESULT_HIT);
    ck_assert(exchange.response.no_store);
}
END_TEST

START_TEST(created_without_a_word)
{
    begin(&problem);
    exchange.call.reply.outcome = OUTCOME_CREATED;
    exchange.call.reply.etag = STR("0f");
    status_render(&exchange, ERR_OK);
    expect_response("created", 201, "", "");
    ck_assert(str_eq(exchange.response.etag, STR("0f")));
}
END_TEST

START_TEST(no_operation_writes_header_lines)
{
    static const char *const broken[] = {"a\r\nb", "a\nb", "a\x7f"};

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        begin_cached(OUTCOME_OK);
        exchange.call.reply.lease = str_from(broken[i]);
        status_render(&exchange, ERR_OK);
        ck_assert_int_eq(exchange.response.status, 500);
        ck_assert_uint_eq(exchange.response.lease.len, 0);
        begin_cached(OUTCOME_NOT_MODIFIED);
        exchange.call.reply.etag = str_from(broken[i]);
        status_render(&exchange, ERR_OK);
        ck_assert_int_eq(exchange.response.status, 500);
        ck_assert_uint_eq(exchange.response.etag.len, 0);
    }
    begin_cached(OUTCOME_OK);
    exchange.call.reply.etag = STR("a\"b");
    status_render(&exchange, ERR_OK);
    ck_assert_int_eq(exchange.response.status, 500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/status_cached");
    TCase *tcase = tcase_create("cached");

    tcase_add_checked_fixture(tcase, open_arena, close_arena);
    tcase_add_test(tcase, content_is_sent_as_it_is);
    tcase_add_test(tcase, a_miss_is_no_error_and_keeps_its_fields);
    tcase_add_test(tcase, not_modified_has_fields_alone);
    tcase_add_test(tcase, created_without_a_word);
    tcase_add_test(tcase, no_operation_writes_header_lines);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
