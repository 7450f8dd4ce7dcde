/* What an operation says in the head of its answer stands there once, in the place of what the edge would say. */
#include "http_case.h"

#include "cachewarden/call.h"
#include "cachewarden/routes.h"

#include <stdio.h>

/* Those that the edge writes by itself, or for members of the reply. */
static const struct http_field said[] = {
    {STR("Date"), STR("Sat, 31 Jan 2026 11:00:00 GMT")},
    {STR("aGE"), STR("77")},
    {STR("etag"), STR("W/\"theirs\"")},
    {STR("Location"), STR("/theirs")},
    {STR("CACHE-CONTROL"), STR("public, max-age=9")},
    {STR("x-content-type-options"), STR("theirs")},
    {STR("Content-Security-Policy"), STR("default-src 'self'")},
};
enum { SAID = sizeof said / sizeof *said };

static void say_our_own(struct call *call)
{
    call->reply.cache_result = CACHE_RESULT_HIT;
    call->reply.age_s = 5;
    call->reply.etag = STR("ours");
    call->reply.location = STR("/ours");
}

static enum err op_ours(struct call *call)
{
    say_our_own(call);
    call_give_content(call, STR("a,b"), STR("text/csv"));
    return call_finish(call);
}

static enum err op_theirs(struct call *call)
{
    say_our_own(call);
    call_give_content(call, STR("a,b"), STR("text/csv"));
    for (size_t i = 0; i < SAID; i++) {
        enum err err = call_add_field(call, said[i].name, said[i].value);
        if (err != ERR_OK)
            return err;
    }
    return call_finish(call);
}

/* Lines of a list: each of them is meant. */
static enum err op_list(struct call *call)
{
    enum err err = call_add_field(call, STR("Vary"), STR("Accept"));

    if (err == ERR_OK)
        err = call_add_field(call, STR("Vary"), STR("Accept-Language"));
    call_give_content(call, STR_NONE, STR_NONE);
    return err == ERR_OK ? call_finish(call) : err;
}

/* The type is the reply's media_type, and no field. */
static enum err op_type(struct call *call)
{
    call_give_content(call, STR("a,b"), STR("text/csv"));
    return call_add_field(call, STR("Content-Type"), STR("text/html"));
}

static enum err op_fails(struct call *call)
{
    enum err err = op_theirs(call);

    return err == ERR_OK ? error_set(&call->error, ERR_CONFLICT, "It changed.") : err;
}

#define GET_ROW(row_path, function)                                                            \
    {                                                                                          \
        .method = METHOD_GET, .path = "/" row_path, .name = row_path, .operation = (function), \
        .permit = PERMIT_PUBLIC, .effect = EFFECT_READ, .no_store = true                       \
    }

static const struct route routes[] = {
    GET_ROW("ours", op_ours), GET_ROW("theirs", op_theirs), GET_ROW("list", op_list),
    GET_ROW("type", op_type), GET_ROW("fails", op_fails),
};

static void open_with_fields(void)
{
    struct http_options options = edge_options();

    options.routes = routes;
    options.route_count = sizeof routes / sizeof *routes;
    edge_open(&options);
    raw = raw_open(edge_port());
}

static const struct http_reply *get(const char *path)
{
    raw_print(raw, "GET /%s HTTP/1.1\r\n" H "\r\n", path);
    return reply();
}

static void expect_once(const struct http_reply *got, const char *name, const char *value)
{
    ck_assert_msg(http_header_count(got, name) == 1, "%s:\n%s", name, got->head);
    if (value)
        expect_header(got, name, value);
}

START_TEST(what_an_operation_says_stands_once)
{
    const struct http_reply *got = get("theirs");

    expect_body(got, 200, "a,b");
    for (size_t i = 0; i < SAID; i++)
        expect_once(got, said[i].name.ptr, said[i].value.ptr);
    expect_once(got, "Content-Type", "text/csv");
    expect_once(got, "Content-Length", "3");
    expect_once(got, "X-Cache", "HIT");
}
END_TEST

/* Else the edge says it. */
START_TEST(what_it_does_not_say_stands_once_too)
{
    const struct http_reply *got = get("ours");

    expect_body(got, 200, "a,b");
    expect_once(got, "Date", NULL);
    expect_once(got, "Age", "5");
    expect_once(got, "ETag", "\"ours\"");
    expect_once(got, "Location", "/ours");
    expect_once(got, "Cache-Control", "no-store");
    expect_once(got, "X-Content-Type-Options", "nosniff");
    expect_once(got, "Content-Security-Policy", "sandbox");
    expect_once(got, "Content-Type", "text/csv");
}
END_TEST

START_TEST(each_line_of_a_list_stands)
{
    const struct http_reply *got = get("list");

    expect_status(got, 200);
    ck_assert_int_eq(http_header_count(got, "Vary"), 2);
    expect_once(got, "Content-Type", "application/octet-stream");
}
END_TEST

START_TEST(there_are_never_two_types)
{
    const struct http_reply *got = get("type");

    expect_status(got, 500);
    expect_once(got, "Content-Type", "application/json");
}
END_TEST

/* What was said of the answer that did not come is not said of the error. */
START_TEST(an_error_has_none_of_it)
{
    const struct http_reply *got = get("fails");

    expect_body(got, 409, "{\"detail\":\"It changed.\"}");
    expect_once(got, "Date", NULL);
    ck_assert_str_ne(http_header(got, "Date"), said[0].value.ptr);
    expect_once(got, "Cache-Control", "no-store");
    expect_header(got, "ETag", NULL);
    expect_header(got, "Age", NULL);
    expect_header(got, "Location", NULL);
    expect_header(got, "X-Cache", NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/http/reply_fields");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_with_fields, close_edge);
    tcase_add_test(all, what_an_operation_says_stands_once);
    tcase_add_test(all, what_it_does_not_say_stands_once_too);
    tcase_add_test(all, each_line_of_a_list_stands);
    tcase_add_test(all, there_are_never_two_types);
    tcase_add_test(all, an_error_has_none_of_it);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
