/* Which route a path has. */
#include "gateway/gateway_private.h"
#include "gateway/service.h"

#include "suite.h"

static struct gateway *gateway;

static void open_with(const char *const *prefixes, size_t count)
{
    static const struct str upstream = STR("http://127.0.0.1:1");
    struct gateway_route_options routes[8];
    struct error error;

    for (size_t i = 0; i < count; i++)
        routes[i] = (struct gateway_route_options){.prefix = str_from(prefixes[i]),
                                                   .upstreams = &upstream,
                                                   .upstream_count = 1,
                                                   .timeout_ms = 1000,
                                                   .is_public = i % 2 == 0};
    const struct gateway_options options = {
        .routes = routes, .route_count = count, .max_waiting = 1};
    ck_assert_msg(gateway_open(NULL, &options, &gateway, &error) == ERR_OK, "%s", error.caller);
}

static void expect(const char *path, const char *name)
{
    const struct gateway_route *route = gateway_match(gateway, str_from(path));

    ck_assert_msg((route != NULL) == (name != NULL), "%s", path);
    if (route)
        ck_assert_str_eq(gateway_row(route)->name, name);
}

START_TEST(the_longest_prefix_counts)
{
    static const char *const prefixes[] = {"/app", "/app/deep/er", "/app/deep", "/b"};

    open_with(prefixes, 4);
    expect("/app", "gateway:/app");
    expect("/app/", "gateway:/app");
    expect("/app/deeper", "gateway:/app");
    expect("/app/deep", "gateway:/app/deep");
    expect("/app/deep/x", "gateway:/app/deep");
    expect("/app/deep/er/x", "gateway:/app/deep/er");
    expect("/b//", "gateway:/b");
    gateway_close(&gateway);
}
END_TEST

START_TEST(a_prefix_ends_with_a_segment)
{
    static const char *const prefixes[] = {"/app"};

    open_with(prefixes, 1);
    expect("/apple", NULL);
    expect("/ap", NULL);
    expect("/App", NULL);
    expect("/%61pp", NULL);
    expect("//app", NULL);
    expect("app", NULL);
    expect("*", NULL);
    expect("", NULL);
    gateway_close(&gateway);
}
END_TEST

START_TEST(one_may_have_all_the_rest)
{
    static const char *const prefixes[] = {"/", "/app"};

    open_with(prefixes, 2);
    expect("/", "gateway:/");
    expect("/x", "gateway:/");
    expect("/app", "gateway:/app");
    expect("*", NULL);
    gateway_close(&gateway);
}
END_TEST

START_TEST(a_route_admits_whom_its_scope_says)
{
    static const char *const prefixes[] = {"/public", "/user"};

    open_with(prefixes, 2);
    ck_assert_int_eq(gateway_row(gateway_match(gateway, STR("/public")))->permit, PERMIT_PUBLIC);
    ck_assert_int_eq(gateway_row(gateway_match(gateway, STR("/user")))->permit, PERMIT_USER);
    gateway_close(&gateway);
}
END_TEST

START_TEST(without_routes_there_is_none)
{
    ck_assert_ptr_null(gateway_match(NULL, STR("/")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway/routes");
    TCase *tcase = tcase_create("routes");

    tcase_add_test(tcase, the_longest_prefix_counts);
    tcase_add_test(tcase, a_prefix_ends_with_a_segment);
    tcase_add_test(tcase, one_may_have_all_the_rest);
    tcase_add_test(tcase, a_route_admits_whom_its_scope_says);
    tcase_add_test(tcase, without_routes_there_is_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
