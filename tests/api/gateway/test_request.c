/* What an upstream is sent of a request. */
#include "gateway/request.h"

#include "rules/fields_of.h"
#include "suite.h"

static struct arena *arena;
static struct call call;
static struct gateway_route route;
static struct gateway_request request;

static void set_up(void)
{
    arena = arena_new(4096, 0);
    call_init(&call, NULL, NULL, arena);
    call.client_address = STR("192.0.2.7");
    call.request_id = STR("id");
    route = (struct gateway_route){.options = {.prefix = STR("/app"), .pass_credentials = true}};
    request = (struct gateway_request){.method = STR("GET"),
                                       .path = STR("/app/x"),
                                       .host = STR("app.example"),
                                       .minor_version = 1,
                                       .peer_address = STR("192.0.2.7")};
}

static void tear_down(void)
{
    arena_free(&arena);
}

/* ---- the target ---- */

static void expect_fault(const char *path, const char *words)
{
    request.path = str_from(path);
    const char *fault = request_target_fault(&request);
    ck_assert_msg(words ? fault && strstr(fault, words) : !fault, "%s: %s", path,
                  fault ? fault : "no fault");
}

START_TEST(a_path_that_may_mean_another_is_none)
{
    static const char *const others[] = {
        "/a/..",     "/a/../b",     "/a/./b",    "/a/.",      "/..",        "/a/%2e%2e/b",
        "/a/%2E./b", "/a/.%2e",     "/a/..%2fb", "/a/..%2Fb", "/a/..\\b",   "/a\\..\\b",
        "/a/..%5cb", "/a%2f..%2fb", "/a/..;x/b", "/a/..;/b",  "/a/..%3b/b", "/a/%2e;b",
    };
    static const char *const with_nul[] = {"/a/b%00c", "/a/%00", "/%00", "/a%00"};
    static const char *const plain[] = {
        "/",      "/a",     "/a/",     "/a//b",    "/a/...",        "/a/..b",
        "/a/b..", "/a/.b",  "/a/%2eb", "/a/b;c=d", "/a/b%2fc",      "/%",
        "/%2",    "/a%3bb", "/a.b/c",  "/a/%25",   "/a/%252e%252e",
    };

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        expect_fault(others[i], "segment . or ..");
    for (size_t i = 0; i < sizeof with_nul / sizeof *with_nul; i++)
        expect_fault(with_nul[i], "%00");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        expect_fault(plain[i], NULL);
}
END_TEST

static void expect_target(const char *path, const char *query, const char *wanted)
{
    request.path = str_from(path);
    request.query = (struct query){str_from(query), query != NULL};
    struct str target = request_target(&route, &request, arena);
    ck_assert_msg(str_eq(target, str_from(wanted)), "%.*s, not %s", STR_ARG(target), wanted);
}

START_TEST(a_target_goes_on_as_it_came)
{
    expect_target("/app/%41b//c", NULL, "/app/%41b//c");
    expect_target("/app", "", "/app?");
    expect_target("/app/x", "b=%2F&a=?", "/app/x?b=%2F&a=?");
}
END_TEST

START_TEST(a_prefix_is_stripped_where_that_is_wanted)
{
    route.options.strip_prefix = true;
    expect_target("/app/x", "q", "/x?q");
    expect_target("/app", NULL, "/");
    expect_target("/app", "q", "/?q");
    expect_target("/app/", NULL, "/");
    expect_target("/app//x", NULL, "//x");
    route.options.prefix = STR("/");
    expect_target("/app/x", NULL, "/app/x");
}
END_TEST

/* ---- fields ---- */

/* "Name: value" lines of what the upstream is sent. */
static const char *sent(const char *lines)
{
    const struct http_fields came = fields_of(lines);
    struct http_fields fields;
    struct strbuf text;

    request.fields = came.items;
    request.field_count = came.count;
    ck_assert_int_eq(request_fields(&route, &request, &call, &fields), ERR_OK);
    strbuf_init(&text, arena, 256);
    for (size_t i = 0; i < fields.count; i++)
        strbuf_addf(&text, "%.*s: %.*s\n", STR_ARG(fields.items[i].name),
                    STR_ARG(fields.items[i].value));
    strbuf_add_char(&text, '\0');
    return text.ptr;
}

#define WAY                                                                                \
    "Via: 1.1 cachewarden\nForwarded: for=192.0.2.7;host=\"app.example\";proto=http\n"     \
    "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: app.example\n" \
    "X-Request-Id: id\n"

START_TEST(a_stripped_prefix_is_told)
{
    route.options.strip_prefix = true;
    ck_assert_str_eq(sent("X-Forwarded-Prefix: /evil"),
                     "Host: app.example\n" WAY "X-Forwarded-Prefix: /app\n");
}
END_TEST

START_TEST(fields_go_on_and_how_it_came_is_told)
{
    ck_assert_str_eq(sent("Host: other\nAccept: a/b\nX-Thing: 1\nX-Thing: 2"),
                     "Host: app.example\nAccept: a/b\nX-Thing: 1\nX-Thing: 2\n" WAY);
}
END_TEST

/* No cache key has them, and they would tell the upstream something untrue. */
START_TEST(what_a_client_says_of_its_way_goes_no_further)
{
    ck_assert_str_eq(
        sent("Forwarded: for=1\nX-Forwarded-For: 1.1.1.1\nX-Forwarded-Host: evil\n"
             "X-Forwarded-Proto: https\nX-Forwarded-Port: 1\nX-Original-URL: /admin\n"
             "X-Real-IP: 1\nX-User-Id: 1\nX_User_Id: 1\nX-HTTP-Method-Override: DELETE\n"
             "X-Request-Id: theirs\nProxy: http://evil"),
        "Host: app.example\n" WAY);
}
END_TEST

START_TEST(what_is_for_one_connection_goes_no_further)
{
    ck_assert_str_eq(sent("Connection: close, X-Drop\nX-Drop: 1\nKeep-Alive: 1\nTE: trailers\n"
                          "Transfer-Encoding: chunked\nContent-Length: 5\nExpect: 100-continue\n"
                          "Upgrade: h2c\nContent-Type: a/b\nContent-Encoding: gzip"),
                     "Host: app.example\nContent-Type: a/b\nContent-Encoding: gzip\n" WAY);
}
END_TEST

START_TEST(a_proxy_that_is_trusted_is_told_beside_the_client)
{
    call.client_address = STR("2001:db8::1");
    request.peer_address = STR("10.0.0.1");
    request.is_secure = true;
    request.minor_version = 0;
    ck_assert_str_eq(sent("Via: 1.1 front"),
                     "Host: app.example\nVia: 1.1 front\nVia: 1.0 cachewarden\n"
                     "Forwarded: for=\"[2001:db8::1]\";host=\"app.example\";proto=https, "
                     "for=10.0.0.1\nX-Forwarded-For: 2001:db8::1, 10.0.0.1\n"
                     "X-Forwarded-Proto: https\nX-Forwarded-Host: app.example\n"
                     "X-Request-Id: id\n");
    ck_assert(str_eq(request_origin(&request, arena), STR("https://app.example")));
}
END_TEST

START_TEST(who_was_verified_is_told)
{
    call.principal = (struct principal){.kind = PRINCIPAL_USER, .user_id = 7, .name = STR("ann")};
    ck_assert_str_eq(sent("X-User-Id: 8\nX-User-Name: eve\nX-User-Roles: admin"),
                     "Host: app.example\n" WAY "X-User-Id: 7\nX-User-Name: ann\n");
    call.principal.name = STR("a\nX-Evil: 1");
    ck_assert_str_eq(sent(""), "Host: app.example\n" WAY "X-User-Id: 7\n");
    route.options.is_public = true; /* where nobody is asked */
    ck_assert_str_eq(sent("X-User-Id: 8"), "Host: app.example\n" WAY);
}
END_TEST

#define SECRETS "Authorization: Bearer t\nX-Api-Key: k\nCookie: a=b\nX-XSRF-TOKEN: x\n"

START_TEST(credentials_go_on_where_the_route_says_so)
{
    ck_assert_str_eq(sent(SECRETS "Accept: a"), "Host: app.example\n" SECRETS "Accept: a\n" WAY);
    route.options.pass_credentials = false;
    ck_assert_str_eq(sent(SECRETS "cookie: c\nProxy-Authorization: p\nAccept: a"),
                     "Host: app.example\nAccept: a\n" WAY);
}
END_TEST

/* With it, an upstream could act here as its user. */
START_TEST(a_session_of_ours_is_nobody_elses)
{
    ck_assert_str_eq(sent("Cookie: a=b; __Host-cachewarden=secret; c=d"),
                     "Host: app.example\nCookie: a=b; c=d\n" WAY);
    ck_assert_str_eq(sent("Cookie: __Host-cachewarden=secret"), "Host: app.example\n" WAY);
    ck_assert_str_eq(sent("Cookie: __Host-cachewarden2=x;  a=b"),
                     "Host: app.example\nCookie: __Host-cachewarden2=x;  a=b\n" WAY);
}
END_TEST

/* HTTP/1.0 need not name a host. */
START_TEST(without_a_host_none_is_told)
{
    request.host = STR_NONE;
    request.minor_version = 0;
    ck_assert_str_eq(sent(""), "Via: 1.0 cachewarden\nForwarded: for=192.0.2.7;proto=http\n"
                               "X-Forwarded-For: 192.0.2.7\nX-Forwarded-Proto: http\n"
                               "X-Request-Id: id\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway/request");
    TCase *tcase = tcase_create("request");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_path_that_may_mean_another_is_none);
    tcase_add_test(tcase, a_target_goes_on_as_it_came);
    tcase_add_test(tcase, a_prefix_is_stripped_where_that_is_wanted);
    tcase_add_test(tcase, fields_go_on_and_how_it_came_is_told);
    tcase_add_test(tcase, a_stripped_prefix_is_told);
    tcase_add_test(tcase, what_a_client_says_of_its_way_goes_no_further);
    tcase_add_test(tcase, what_is_for_one_connection_goes_no_further);
    tcase_add_test(tcase, a_proxy_that_is_trusted_is_told_beside_the_client);
    tcase_add_test(tcase, who_was_verified_is_told);
    tcase_add_test(tcase, credentials_go_on_where_the_route_says_so);
    tcase_add_test(tcase, a_session_of_ours_is_nobody_elses);
    tcase_add_test(tcase, without_a_host_none_is_told);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
