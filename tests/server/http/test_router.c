#include "http/router.h"

#include "suite.h"

#include <stdio.h>

static enum err nothing(struct call *call)
{
    (void)call;
    return ERR_OK;
}

#define ROW(verb, row_path, row_name, ...)                                              \
    {                                                                                   \
        .method = (verb), .path = (row_path), .name = (row_name), .operation = nothing, \
        ##__VA_ARGS__                                                                   \
    }

static const struct param_spec label[] = {
    {.name = "label", .kind = PARAM_LABEL, .place = PLACE_PATH}, {.kind = PARAM_END}};

static const struct route table[] = {
    ROW(METHOD_GET, "/api/cache/status/", "status"),
    ROW(METHOD_POST, "/api/cache/clear/", "clear"),
    ROW(METHOD_DELETE, "/api/v1/cache", "flush"),
    ROW(METHOD_GET, "/api/v1/caches", "list"),
    ROW(METHOD_POST, "/api/v1/caches/{name}/flush", "flush_one"),
    ROW(METHOD_GET, "/api/v1/jobs/{id}", "job"),
    ROW(METHOD_GET, "/api/v1/jobs/latest", "latest"),
    ROW(METHOD_GET, "/api/v1/entries/{label}", "get", .params = label),
    ROW(METHOD_PUT, "/api/v1/entries/{label}", "put", .params = label),
    ROW(METHOD_HEAD, "/api/v1/entries/{label}", "head", .params = label),
    ROW(METHOD_DELETE, "/api/v1/entries/{label}", "delete", .params = label),
    ROW(METHOD_POST, "/api/v1/entries/{label}/increment", "increment", .params = label),
    ROW(METHOD_GET, "/api/v1/entries", "all"),
    ROW(METHOD_GET, "/a/{x}/b/{y}/", "two"),
};

static struct router *router;

static void open_router(void)
{
    struct error error;

    ck_assert_msg(router_new(table, sizeof table / sizeof *table, &router, &error) == ERR_OK, "%s",
                  error.caller);
}

static void close_router(void)
{
    router_free(&router);
    ck_assert_ptr_null(router);
}

/* "status", or "404", "405", "options". */
static const char *find(enum http_method method, const char *path, struct router_match *match)
{
    switch (router_find(router, method, str_from(path), match)) {
    case ROUTER_NO_PATH:
        return "404";
    case ROUTER_NO_METHOD:
        return "405";
    case ROUTER_OPTIONS:
        return "options";
    case ROUTER_FOUND:
        break;
    }
    return match->route->name;
}

static void expect_find(enum http_method method, const char *path, const char *name)
{
    struct router_match match;

    const char *found = find(method, path, &match);
    ck_assert_msg(strcmp(found, name) == 0, "%s %s: %s, expected %s", method_name(method), path,
                  found, name);
}

START_TEST(rows_are_found)
{
    expect_find(METHOD_GET, "/api/cache/status/", "status");
    expect_find(METHOD_GET, "/api/cache/status", "status");
    expect_find(METHOD_POST, "/api/cache/clear/", "clear");
    expect_find(METHOD_DELETE, "/api/v1/cache", "flush");
    expect_find(METHOD_GET, "/api/v1/caches", "list");
    expect_find(METHOD_POST, "/api/v1/caches/messages/flush", "flush_one");
    expect_find(METHOD_GET, "/api/v1/jobs/latest",
                "latest"); /* a fixed segment goes before a placeholder */
    expect_find(METHOD_GET, "/api/v1/jobs/latest2", "job");
    expect_find(METHOD_PUT, "/api/v1/entries/x", "put");
    expect_find(METHOD_GET, "/a/1/b/2", "two");
    expect_find(METHOD_GET, "/a/1/b/2/", "two");
}
END_TEST

START_TEST(head_is_get_unless_it_has_a_row)
{
    expect_find(METHOD_HEAD, "/api/cache/status/", "status");
    expect_find(METHOD_HEAD, "/api/v1/entries/x", "head");
    expect_find(METHOD_HEAD, "/api/cache/clear/", "405");
}
END_TEST

START_TEST(other_spellings_are_other_paths)
{
    static const char *const paths[] = {
        "",
        "/",
        "//",
        "*",
        "api/cache/status/",
        "/api/cache/status//",
        "//api/cache/status/",
        "/api//cache/status/",
        "/API/cache/status/",
        "/api/cache/Status/",
        "/api/cache/status/x",
        "/api/cache/statu",
        "/api/cache/status.css",
        "/api/cache/status;x",
        "/api/cache/status/;x",
        "/api/cache/%73tatus/",
        "/api/cache%2fstatus/",
        "/api/cache/status%00",
        "/api/cache/status%2f",
        "/api/cache/./status/",
        "/api/cache/../cache/status/",
        "/api/cache/x/..%2fstatus/",
        "/api\\cache\\status\\",
        "/api/cache/status/%20",
        "/api/cache/",
        "/api/v1/cache/",
        "/api/v1/caches/",
        "/api/v1/caches//flush",
        "/api/v1/caches/messages/flush/",
        "/api/v1/caches/messages",
        "/api/v1/caches/a/b/flush",
        "/api/v1/caches/./flush",
        "/api/v1/caches/../flush",
        "/api/v1/caches/%2e/flush",
        "/api/v1/caches/%2E./flush",
        "/api/v1/caches/.%2e/flush",
        "/api/v1/caches/a%2fb/flush",
        "/api/v1/caches/a%2Fb/flush",
        "/api/v1/caches/a;b/flush",
        "/api/v1/caches/a%00/flush",
        "/api/v1/caches/a\\b/flush",
        "/api/v1/caches/a%5cb/flush",
        "/api/v1/entries/a/b",
        "/api/v1/entries/a/",
        "/api/v1/entries//",
        "/api/v1/entries/../increment/",
        "/api/v1/jobs/",
        "/a/1/b/2//",
        "/a/1/b//",
        "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q",
        "/api/cache/status/?",
        "/{x}",
        "/a/{x}/b",
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        expect_find(METHOD_GET, paths[i], "404");
        expect_find(METHOD_POST, paths[i], "404");
    }
}
END_TEST

START_TEST(placeholders_give_raw_values)
{
    struct router_match match;

    ck_assert_str_eq(find(METHOD_GET, "/a/x%20y/b/..z/", &match), "two");
    ck_assert_uint_eq(match.value_count, 2);
    ck_assert(str_eq(match.values[0], STR("x%20y")));
    ck_assert(str_eq(match.values[1], STR("..z")));

    ck_assert_str_eq(find(METHOD_GET, "/api/v1/caches", &match), "list");
    ck_assert_uint_eq(match.value_count, 0);
}
END_TEST

/* Whatever it is: what is wrong with it is said by whoever reads it. */
START_TEST(a_text_is_any_segment)
{
    static const char *const segments[] = {"x",    "a%2Fb%2fc", "..", "%2e%2E", ".",   "%00", "a;b",
                                           "a\\b", "a%5Cb",     "%",  "%zz",    "...", ""};
    struct router_match match;

    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++) {
        char path[64];
        snprintf(path, sizeof path, "/api/v1/entries/%s", segments[i]);
        ck_assert_str_eq(find(METHOD_GET, path, &match), "get");
        ck_assert_uint_eq(match.value_count, 1);
        ck_assert(str_eq(match.values[0], str_from(segments[i])));
        snprintf(path, sizeof path, "/api/v1/entries/%s/increment", segments[i]);
        ck_assert_str_eq(find(METHOD_POST, path, &match), "increment");
        ck_assert(str_eq(match.values[0], str_from(segments[i])));
    }
    /* An empty label is never taken for no label. */
    expect_find(METHOD_GET, "/api/v1/entries", "all");
    expect_find(METHOD_DELETE, "/api/v1/entries/", "delete");
    expect_find(METHOD_DELETE, "/api/v1/entries", "405");
}
END_TEST

START_TEST(allow_is_sorted_and_whole)
{
    static const struct {
        const char *path, *allow;
    } rows[] = {
        {"/api/cache/status/", "GET, HEAD, OPTIONS"},
        {"/api/cache/clear", "OPTIONS, POST"},
        {"/api/v1/cache", "DELETE, OPTIONS"},
        {"/api/v1/entries/x", "DELETE, GET, HEAD, OPTIONS, PUT"},
        {"/api/v1/entries/", "DELETE, GET, HEAD, OPTIONS, PUT"},
        {"/api/v1/caches/x/flush", "OPTIONS, POST"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct router_match match;
        ck_assert_str_eq(find(METHOD_PATCH, rows[i].path, &match), "405");
        ck_assert(str_eq(match.allow, str_from(rows[i].allow)));
        ck_assert_str_eq(find(METHOD_OTHER, rows[i].path, &match), "405");
        ck_assert(str_eq(match.allow, str_from(rows[i].allow)));
        ck_assert_str_eq(find(METHOD_OPTIONS, rows[i].path, &match), "options");
        ck_assert(str_eq(match.allow, str_from(rows[i].allow)));
    }
}
END_TEST

START_TEST(the_asterisk_is_the_whole_server)
{
    struct router_match match;

    ck_assert_str_eq(find(METHOD_OPTIONS, "*", &match), "options");
    ck_assert(str_eq(match.allow, STR("DELETE, GET, HEAD, OPTIONS, POST, PUT")));
}
END_TEST

START_TEST(methods_are_case_sensitive)
{
    ck_assert_int_eq(router_method(STR("GET")), METHOD_GET);
    ck_assert_int_eq(router_method(STR("HEAD")), METHOD_HEAD);
    ck_assert_int_eq(router_method(STR("POST")), METHOD_POST);
    ck_assert_int_eq(router_method(STR("PUT")), METHOD_PUT);
    ck_assert_int_eq(router_method(STR("DELETE")), METHOD_DELETE);
    ck_assert_int_eq(router_method(STR("PATCH")), METHOD_PATCH);
    ck_assert_int_eq(router_method(STR("OPTIONS")), METHOD_OPTIONS);
    ck_assert_int_eq(router_method(STR("get")), METHOD_OTHER);
    ck_assert_int_eq(router_method(STR("GETS")), METHOD_OTHER);
    ck_assert_int_eq(router_method(STR("TRACE")), METHOD_OTHER);
    ck_assert_int_eq(router_method(STR_NONE), METHOD_OTHER);
}
END_TEST

static void expect_no_router(const struct route *routes, size_t count, const char *what)
{
    struct router *none = NULL;
    struct error error = {0};

    ck_assert_int_eq(router_new(routes, count, &none, &error), ERR_INTERNAL);
    ck_assert_ptr_null(none);
    ck_assert_msg(strstr(error.caller, what) != NULL, "\"%s\" does not say \"%s\"", error.caller,
                  what);
}

START_TEST(tables_that_cannot_be_are_refused)
{
    const struct route twice[] = {ROW(METHOD_GET, "/a", "one"), ROW(METHOD_GET, "/a", "two")};
    const struct route both[] = {ROW(METHOD_GET, "/a", "one"), ROW(METHOD_POST, "/a/", "two")};
    const struct route names[] = {ROW(METHOD_GET, "/a/{x}", "one"),
                                  ROW(METHOD_POST, "/a/{y}", "two")};
    const struct route texts[] = {ROW(METHOD_GET, "/a/{label}", "one", .params = label),
                                  ROW(METHOD_POST, "/a/{label}", "two")};
    const struct route bare[] = {ROW(METHOD_GET, "a", "one")};
    const struct route many[] = {ROW(METHOD_GET, "/{a}/{b}/{c}/{d}/{e}", "one")};
    const struct route deep[] = {ROW(METHOD_GET, "/a/b/c/d/e/f/g/h/i/j/k/l/m/n", "one")};
    const struct route options[] = {ROW(METHOD_OPTIONS, "/a", "one")};

    expect_no_router(twice, 2, "route two");
    expect_no_router(both, 2, "spelt differently");
    expect_no_router(names, 2, "spelt differently");
    expect_no_router(texts, 2, "spelt differently");
    expect_no_router(bare, 1, "slash");
    expect_no_router(many, 1, "placeholders");
    expect_no_router(deep, 1, "segments");
    expect_no_router(options, 1, "OPTIONS");
}
END_TEST

START_TEST(the_real_table_fits)
{
    struct router *real = NULL;
    struct error error;
    struct router_match match;
    size_t count;
    const struct route *routes = routes_table(&count);

    ck_assert_msg(router_new(routes, count, &real, &error) == ERR_OK, "%s", error.caller);
    for (size_t i = 0; i < count; i++) {
        if (strchr(routes[i].path, '{'))
            continue;
        ck_assert_int_eq(router_find(real, routes[i].method, str_from(routes[i].path), &match),
                         ROUTER_FOUND);
        ck_assert_ptr_eq(match.route, &routes[i]);
    }
    router_free(&real);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("server/router");
    TCase *tcase = tcase_create("router");

    tcase_add_checked_fixture(tcase, open_router, close_router);
    tcase_add_test(tcase, rows_are_found);
    tcase_add_test(tcase, head_is_get_unless_it_has_a_row);
    tcase_add_test(tcase, other_spellings_are_other_paths);
    tcase_add_test(tcase, placeholders_give_raw_values);
    tcase_add_test(tcase, a_text_is_any_segment);
    tcase_add_test(tcase, allow_is_sorted_and_whole);
    tcase_add_test(tcase, the_asterisk_is_the_whole_server);
    tcase_add_test(tcase, methods_are_case_sensitive);
    tcase_add_test(tcase, tables_that_cannot_be_are_refused);
    tcase_add_test(tcase, the_real_table_fits);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
