#include "gateway/rules/passing.h"

#include "fields_of.h"
#include "suite.h"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(1024, 0);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static void expect_names(const struct http_fields *fields, const char *wanted)
{
    struct strbuf names;

    strbuf_init(&names, arena, 64);
    for (size_t i = 0; i < fields->count; i++) {
        strbuf_add(&names, fields->items[i].name);
        strbuf_add_char(&names, ' ');
    }
    ck_assert_msg(str_eq(strbuf_str(&names), str_from(wanted)), "%.*s, not %s",
                  STR_ARG(strbuf_str(&names)), wanted);
}

static void expect_request(const char *method, const char *lines, const char *wanted)
{
    const struct http_fields fields = fields_of(lines);
    struct http_fields passed;

    ck_assert_int_eq(request_fields_to_pass(arena, str_from(method), &fields, &passed), ERR_OK);
    expect_names(&passed, wanted);
}

/* What a client says of itself that only we can know, in every spelling that an upstream takes for the same. */
START_TEST(nobody_says_who_he_is)
{
    expect_request("GET",
                   "Accept: a\nX-User-Id: 1\nx-user-name: a\nX_USER_ID: 1\nx-user_roles: a\n"
                   "X-Authenticated-User: a\nRemote_User: a\nX-Usage: 1\nX-User: 1",
                   "Accept X-Usage X-User ");
}
END_TEST

/* What no key holds must not change what is stored. */
START_TEST(nobody_says_how_he_came)
{
    expect_request(
        "GET",
        "Forwarded: for=1\nX-Forwarded-For: 1\nX-Forwarded-Host: a\nX_Forwarded_Proto: a\n"
        "X-Forwarded: 1\nX-Real-IP: 1\nX-Original-URL: /a\nX-Rewrite-URL: /a\n"
        "X-Host: a\nProxy: a\nConnection: b\nB: 1\nHost: c",
        "Host ");
    expect_request("GET",
                   "X-Url-Scheme: a\nX-Scheme: a\nFront-End-Https: on\nX-Forward-Host: a\n"
                   "X-Forward-For: 1\nX-Host-Override: a\nX-Backend-Host: a\n"
                   "X-Envoy-Original-Path: /a\nX-Script-Name: /a\nScript-Name: /a\nBase-Url: /a\n"
                   "X-Auth-Request-User: a\nX-SSL-Client-Verify: a\nClient-IP: 1\nX-Forwarder: a",
                   "X-Forwarder ");
}
END_TEST

/* Many upstreams read it as the same name with '-'. */
START_TEST(a_name_with_an_underscore_goes_no_further)
{
    const char *lines =
        "Transfer_Encoding: chunked\nContent_Length: 5\nAccept_Language: a\nX_Any: 1\n_: 1\nA: 1";

    expect_request("GET", lines, "A ");
    expect_request("POST", lines, "A ");
}
END_TEST

START_TEST(a_safe_method_is_the_method)
{
    const char *lines = "X-HTTP-Method-Override: DELETE\nX_Method_Override: a\nA: 1";

    expect_request("GET", lines, "A ");
    expect_request("HEAD", lines, "A ");
    expect_request("OPTIONS", lines, "A ");
    expect_request("POST", lines, "X-HTTP-Method-Override A ");
}
END_TEST

START_TEST(tags_and_cookies_of_a_response)
{
    const struct http_fields fields = fields_of(
        "Cache-Control: no-cache=\"A, b\"\nA: 1\nB: 1\nC: 1\nSet-Cookie: a=b\nSet-Cookie2: a=b\n"
        "Cache-Tag: x\nSurrogate-Key: x\nX-Cache: HIT\nX-Cache-Version: 5\nX_Cache_Enabled: "
        "true\nX-User-Id: 1\nKeep-Alive: 5\nETag: \"a\"");
    struct http_fields kept;

    ck_assert_int_eq(response_fields_to_pass(arena, &fields, &kept), ERR_OK);
    expect_names(&kept, "Cache-Control A B C Set-Cookie Set-Cookie2 ETag ");
    ck_assert_int_eq(response_fields_to_store(arena, &fields, &kept), ERR_OK);
    expect_names(&kept, "Cache-Control C ETag ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("passing");
    TCase *tests = tcase_create("passing");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, nobody_says_who_he_is);
    tcase_add_test(tests, nobody_says_how_he_came);
    tcase_add_test(tests, a_name_with_an_underscore_goes_no_further);
    tcase_add_test(tests, a_safe_method_is_the_method);
    tcase_add_test(tests, tags_and_cookies_of_a_response);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
