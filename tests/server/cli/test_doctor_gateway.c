/* `doctor` about the gateway: upstreams that answer, do not, or will not for long, and settings of no use. */
#include "cli_case.h"

#include "certificates.h"
#include "scripted_origin.h"

static struct scripted_origin *plain, *secure;

static void open_all(void)
{
    char path[400];

    cli_open();
    certificates_authority(cli_test.directory, "ca");
    certificates_issue(cli_test.directory, &(struct certificate){.name = "shop",
                                                                 .authority = "ca",
                                                                 .hosts = "IP:127.0.0.1",
                                                                 .from_s = -60,
                                                                 .until_s = 3 * 86400 + 3600});
    snprintf(path, sizeof path, "%s/shop", cli_test.directory);
    plain = scripted_origin_start(NULL);
    secure = scripted_origin_start(&(struct scripted_origin_options){.certificate = path});
}

static void close_all(void)
{
    scripted_origin_stop(&plain);
    scripted_origin_stop(&secure);
    cli_close();
}

static void examine(const char *routes)
{
    char path[400];

    snprintf(path, sizeof path, "%s/doctor.conf", cli_test.directory);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "gateway: { routes = ( %s ); };\n", routes);
    ck_assert_int_eq(fclose(file), 0);
    cli_run("doctor", "--config", "doctor.conf");
}

static void expect_line(const char *line)
{
    ck_assert_msg(strstr(cli_test.result.out, line) != NULL, "no line \"%s\" in\n%s%s", line,
                  cli_test.result.out, cli_test.result.err);
}

START_TEST(upstreams_that_can_be_reached)
{
    char routes[800];

    snprintf(routes, sizeof routes,
             "{ prefix = \"/shop\"; upstream = \"%s\"; },"
             "{ prefix = \"/safe\"; scope = \"public\"; upstream = \"%s\"; upstream_ca = "
             "\"%s/ca.pem\"; }",
             scripted_origin_url(plain), scripted_origin_url(secure), cli_test.directory);
    examine(routes);
    expect_line("ok       gateway: /shop, of users: 1 of 1 upstreams can be connected to\n");
    expect_line("ok       gateway: /safe, public: 1 of 1 upstreams can be connected to\n");
    expect_line(": its certificate ends in 3 days; renew it there");
    /* It only connects. */
    ck_assert_uint_eq(scripted_origin_count(plain) + scripted_origin_count(secure), 0);
}
END_TEST

START_TEST(upstreams_that_cannot)
{
    char routes[800];

    snprintf(routes, sizeof routes,
             "{ prefix = \"/some\"; upstream = [ \"%s\", \"unix:/nonexistent/a.sock\" ]; },"
             "{ prefix = \"/none\"; upstream = [ \"unix:/nonexistent/b.sock\", "
             "\"unix:/nonexistent/c.sock\" ]; },"
             "{ prefix = \"/one\"; upstream = \"unix:/nonexistent/d.sock\"; },"
             "{ prefix = \"/unknown\"; upstream = \"%s\"; }",
             scripted_origin_url(plain), scripted_origin_url(secure));
    examine(routes);
    ck_assert_int_eq(cli_test.result.status, 1);
    expect_line("warning  gateway: /some: no connection to unix:/nonexistent/a.sock: ");
    expect_line("ok       gateway: /some, of users: 1 of 2 upstreams can be connected to\n");
    expect_line("FAILED   gateway: /none: no upstream can be connected to");
    expect_line("FAILED   gateway: /one: no connection to unix:/nonexistent/d.sock: ");
    /* Whose certificate nobody knows. */
    expect_line("FAILED   gateway: /unknown: no connection to https://127.0.0.1:");
    expect_line("ertificate");
}
END_TEST

START_TEST(settings_of_no_use)
{
    examine("{ prefix = \"/a\"; upstream = \"unix:/nonexistent/a.sock\"; models = [ \"products:7\" "
            "]; }");
    expect_line("warning  gateway: /a: the model \"products:7\" looks like a label or a pattern");
}
END_TEST

START_TEST(no_gateway)
{
    cli_run("doctor");
    ck_assert_ptr_null(strstr(cli_test.result.out, "gateway"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doctor gateway");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_add_test(tests, upstreams_that_can_be_reached);
    tcase_add_test(tests, upstreams_that_cannot);
    tcase_add_test(tests, settings_of_no_use);
    tcase_add_test(tests, no_gateway);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
