/* Which fields an operation may add to the head of its answer. */
#include "suite.h"

#include "cachewarden/arena.h"
#include "cachewarden/call.h"

static bool takes(const char *name, const char *value)
{
    return call_takes_field(str_from(name), str_from(value));
}

START_TEST(takes_what_an_answer_of_others_may_say)
{
    ck_assert(takes("Cache-Control", "max-age=60, stale-while-revalidate=5"));
    ck_assert(takes("ETag", "W/\"a\\b\""));
    ck_assert(takes("Set-Cookie", "a=b; Path=/"));
    ck_assert(takes("Date", "Sat, 31 Jan 2026 12:00:00 GMT"));
    ck_assert(takes("X-Empty", ""));
    ck_assert(takes("X-Old", "caf\xe9\tau lait"));
    ck_assert(takes("x!#$%&'*+-.^_`|~9", "1"));
}
END_TEST

START_TEST(refuses_what_would_be_another_line_or_another_name)
{
    ck_assert(!takes("X-A", "1\r\nSet-Cookie: a=b"));
    ck_assert(!takes("X-A", "1\n"));
    ck_assert(!takes("X-A", "\r"));
    ck_assert(!takes("X-A", "\x7f"));
    ck_assert(!call_takes_field(STR("X-A"), STR("a\0b")));
    ck_assert(!takes("", "1"));
    ck_assert(!takes("X A", "1"));
    ck_assert(!takes("X-A:", "1"));
    ck_assert(!takes("X-A\r\nY", "1"));
    ck_assert(!takes("X-\xe9", "1"));
    ck_assert(!call_takes_field(STR("X\0A"), STR("1")));
}
END_TEST

START_TEST(refuses_what_the_edge_writes)
{
    static const char *const names[] = {
        "Connection",      "content-length",    "CONTENT-TYPE",
        "Keep-Alive",      "Proxy-Connection",  "te",
        "Trailer",         "Transfer-Encoding", "upgrade",
        "x-request-id",    "X-USER-ID",         "x-cache",
        "X-Cache-Version", "X-Cache-Enabled",   "x-cache-anything",
        "RateLimit-Limit", "ratelimit-reset",   "Access-Control-Allow-Origin",
        "WWW-Authenticate"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(!takes(names[i], "1"), "%s", names[i]);
    ck_assert(!takes("set-cookie", "__Host-cachewarden=a; Path=/"));
    ck_assert(!takes("Set-Cookie", " XSRF-TOKEN=a"));
    ck_assert(takes("Set-Cookie", "XSRF-TOKENS=a"));
    ck_assert(takes("X-Cached", "1"));
}
END_TEST

START_TEST(a_list_has_an_end)
{
    struct arena *arena = arena_new(4096, 0);
    struct call call;

    call_init(&call, NULL, NULL, arena);
    ck_assert_int_eq(call_add_field(&call, STR("X-A"), STR("\r")), ERR_INTERNAL);
    ck_assert_uint_eq(call.reply.field_count, 0);
    for (int i = 0; i < REPLY_FIELDS_MAX; i++)
        ck_assert_int_eq(call_add_field(&call, STR("X-A"), STR("1")), ERR_OK);
    ck_assert_int_eq(call_add_field(&call, STR("X-A"), STR("1")), ERR_INTERNAL);
    ck_assert_uint_eq(call.reply.field_count, REPLY_FIELDS_MAX);
    ck_assert(str_eq(call.reply.fields[REPLY_FIELDS_MAX - 1].name, STR("X-A")));
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/reply_fields");
    TCase *tcase = tcase_create("reply_fields");

    tcase_add_test(tcase, takes_what_an_answer_of_others_may_say);
    tcase_add_test(tcase, refuses_what_would_be_another_line_or_another_name);
    tcase_add_test(tcase, refuses_what_the_edge_writes);
    tcase_add_test(tcase, a_list_has_an_end);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
