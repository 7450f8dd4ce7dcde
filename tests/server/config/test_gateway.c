/* gateway.routes: what is refused, with words that name the field, and what the gateway is told. */
#include "config_case.h"

#define ROUTE(fields)  "gateway: { routes = ( { " fields " } ); };"
#define TO(url)        ROUTE("prefix = \"/app\"; upstream = \"" url "\";")
#define UNDER(prefix_) ROUTE("prefix = \"" prefix_ "\"; upstream = \"http://h:1\";")
#define APP(fields)    ROUTE("prefix = \"/app\"; upstream = \"http://h:1\"; " fields)

static const struct refusal {
    const char *file;
    const char *words;
} refusals[] = {
    {ROUTE("upstream = \"http://h\";"), "gateway.routes[0].prefix is missing"},
    {ROUTE("prefix = \"/a\";"), "gateway.routes[0].upstream is missing"},
    {ROUTE("prefix = \"/a\"; upstream = [ ];"), "gateway.routes[0].upstream must not be empty"},
    {UNDER(""), "gateway.routes[0].prefix must not be empty"},
    {UNDER("a"), "gateway.routes[0].prefix must begin with /, not \"a\""},
    {UNDER("/a?b"), "prefix must be a path alone"},
    {UNDER("/a#b"), "prefix must be a path alone"},
    {UNDER("/a b"), "prefix holds a character that is percent-encoded"},
    {UNDER("/ä"), "prefix holds a character that is percent-encoded"},
    {UNDER("/a\\\\b"), "prefix holds a character that is percent-encoded"},
    {UNDER("/a/../b"), "prefix must not hold . or .."},
    {UNDER("/a/."), "prefix must not hold . or .."},
    {UNDER("/a//b"), "prefix must not hold two slashes"},
    {UNDER("//"), "prefix must not hold two slashes"},
    {"gateway: { routes = ( { prefix = \"/a\"; upstream = \"http://h\"; },\n"
     "{ prefix = \"/a/\"; upstream = \"http://i\"; } ); };",
     ":2: gateway.routes[1].prefix is \"/a\", like that of gateway.routes[0]"},
    {TO("ftp://h"), "gateway.routes[0].upstream must begin with http://, https:// or unix:/"},
    {TO("h:1"), "upstream must begin with http://"},
    {TO("http://"), "upstream must name a server"},
    {TO("http://:80"), "upstream must name a server"},
    {TO("http://h:0"), "upstream must name a server"},
    {TO("http://h:65536"), "upstream must name a server"},
    {TO("http://h:08"), "upstream must name a server"},
    {TO("http://a b"), "upstream must name a server"},
    {TO("http://*:80"), "upstream must name a server"},
    {TO("http://::1:80"), "upstream must name a server"},
    {TO("http://[fe80::1%25eth0]:80"), "upstream must name a server"},
    {TO("http://h/path"), "upstream must have no path behind the server"},
    {TO("http://h//"), "upstream must have no path behind the server"},
    {TO("http://h?q"), "upstream must have no path behind the server"},
    {TO("http://u:canary@h"), "upstream must not hold a user or a password"},
    {TO("https://u:canary@h/p"), "upstream must not hold a user or a password"},
    {TO("u:canary@h"), "upstream must begin with http://"},
    {TO("unix:"), "upstream must name a socket by its whole path"},
    {TO("unix:/"), "upstream must name a socket by its whole path"},
    {TO("unix:app.sock"), "upstream must name a socket by its whole path"},
    {TO("unix:///app.sock"), "upstream must name a socket by its whole path"},
    /* Where clouds keep the credentials of machines, in every spelling that a resolver takes. */
    {TO("http://169.254.169.254"), "upstream must not be a link-local address"},
    {TO("http://169.254.1.1:8080"), "upstream must not be a link-local address"},
    {TO("http://2852039166"), "upstream must not be a link-local address"},
    {TO("http://0xa9.254.0xa9fe"), "upstream must not be a link-local address"},
    {TO("http://0251.0376.0251.0376"), "upstream must not be a link-local address"},
    {TO("http://[::ffff:169.254.169.254]:80"), "upstream must not be a link-local address"},
    {TO("http://[::ffff:a9fe:a9fe]"), "upstream must not be a link-local address"},
    {TO("http://[fe80::1]"), "upstream must not be a link-local address"},
    {TO("http://[fd00:ec2::254]"), "upstream must not be a metadata service"},
    {TO("http://100.100.100.200"), "upstream must not be a metadata service"},
    {TO("http://metadata.google.internal"), "upstream must not be a metadata service"},
    {TO("http://Metadata.Google.Internal.:80"), "upstream must not be a metadata service"},
    {TO("http://0.0.0.0:80"), "upstream must be an address to connect to"},
    {TO("http://0"), "upstream must be an address to connect to"},
    {TO("http://[::]:80"), "upstream must be an address to connect to"},
    {ROUTE("prefix = \"/a\"; upstream = [ \"http://h\", \"http://169.254.169.254\" ];"),
     "upstream must not be a link-local address"},
    {ROUTE("prefix = \"/a\"; upstream = [ \"http://h/\", \"http://h\" ];"),
     "upstream names \"http://h\" twice"},
    {ROUTE("prefix = \"/a\"; upstream = 80;"),
     "gateway.routes[0].upstream must be a list of texts"},
    {"server: { listen = \"*:8123\"; }; " TO("http://127.0.0.1:8123"),
     "is an address of server.listen"},
    {"server: { listen = \"127.0.0.1:8123\"; }; " TO("http://localhost:8123"),
     "is an address of server.listen"},
    {APP("upstream_ca = \"/etc/passwd\";"), "upstream_ca is for upstreams with https://"},
    {ROUTE("prefix = \"/a\"; upstream = \"https://h\"; upstream_ca = \"/nonexistent\";"),
     "gateway.routes[0].upstream_ca cannot be read: /nonexistent"},
    {APP("models = [ \"a/b\" ];"), "gateway.routes[0].models must hold names"},
    {APP("models = [ \"..\" ];"), "gateway.routes[0].models must hold names"},
    {APP("models = [ \"a\", \"a\" ];"), "gateway.routes[0].models names \"a\" twice"},
    {APP("models = [ \"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\", \"9\", \"10\", "
         "\"11\", \"12\", \"13\", \"14\", \"15\", \"16\", \"17\" ];"),
     "gateway.routes[0].models must be at most 16, not 17"},
    {APP("scope = \"x\";"), "gateway.routes[0].scope must be user or public"},
    {APP("ttl_s = -1;"), "gateway.routes[0].ttl_s must be"},
    {APP("heuristic_percent = 101;"), "gateway.routes[0].heuristic_percent must be"},
    {APP("timeout_ms = 0;"), "gateway.routes[0].timeout_ms must be"},
    {APP("stale_while_revalidate_s = -1;"), "gateway.routes[0].stale_while_revalidate_s must be"},
    {APP("stale_if_error_s = \"1\";"), "gateway.routes[0].stale_if_error_s must be"},
    {APP("strip_prefix = 1;"), "gateway.routes[0].strip_prefix must be true or false"},
    {APP("pass_credentials = \"no\";"), "gateway.routes[0].pass_credentials must be true or false"},
    {APP("max_connections = -1;"), "gateway.routes[0].max_connections must be"},
    {APP("tll_s = 1;"), "there is no setting gateway.routes[0].tll_s; did you mean"},
    {"gateway: { memory_mb = -1; };", "gateway.memory_mb must be"},
    {"server: { threads = 8; }; gateway: { max_waiting = 9; };",
     "gateway.max_waiting must not be more than server.threads, which is 8"},
};

START_TEST(what_will_not_do_is_refused_with_the_name_of_the_field)
{
    case_expect_error(refusals[_i].file, NULL, refusals[_i].words);
    ck_assert_ptr_null(strstr(case_problems(), "canary"));
}
END_TEST

/* No problem of a route but this one; NULL: none at all. */
static void expect_warning(const char *file, const char *warning)
{
    case_load_well(file, NULL);
    ck_assert_msg(warning ? strstr(case_problems(), warning) != NULL
                          : strstr(case_problems(), "gateway.routes[") == NULL,
                  "%s", case_problems());
}

START_TEST(what_will_do)
{
    expect_warning(UNDER("/"), NULL);
    expect_warning(UNDER("/app/%41"), NULL);
    expect_warning(TO("http://h/"), NULL);
    expect_warning(TO("http://127.0.0.1"), NULL);
    expect_warning(TO("http://[::1]:8000"), NULL);
    expect_warning(TO("https://app.example"), NULL);
    expect_warning(TO("unix:/run/app.sock"), NULL);
    /* A user's route over plain http to another machine is the operator's choice. */
    expect_warning(APP("scope = \"user\";"), NULL);
}
END_TEST

static char *routes_to(size_t hosts, size_t *size_out)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size_out);

    fputs("gateway: { routes = (", file);
    for (size_t i = 0; i < hosts; i++)
        fprintf(file,
                "%s{ prefix = \"/p%zu\"; upstream = [ \"http://h%zu.test\", "
                "\"http://10.0.%zu.%zu:80\", \"http://all.test:%zu\" ]; }\n",
                i > 0 ? ", " : "", i, i, i / 256, i % 256, i + 1);
    fputs("); };", file);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

/* Each is looked up by a thread of its own; one that has none would be found out by the first request for it. */
START_TEST(hosts_that_would_not_be_looked_up_are_refused)
{
    size_t size;
    char *some = routes_to(200, &size), *many = routes_to(300, &size);

    ck_assert_msg(case_load(some, NULL) == ERR_OK, "%s", case_problems());
    case_expect_error(many, NULL, "name more than 224 hosts");
    free(some);
    free(many);
}
END_TEST

START_TEST(own_paths_below_a_prefix_are_told)
{
    expect_warning(UNDER("/api/v1"), "warning: ");
    ck_assert_ptr_nonnull(strstr(
        case_problems(), "gateway.routes[0].prefix holds paths of this server, such as /api/v1/"));
    expect_warning(UNDER("/api/v1/"), "holds paths of this server");
    expect_warning(UNDER("/health"), "holds paths of this server, such as /health");
    expect_warning(UNDER("/api/v"), NULL);
    expect_warning(UNDER("/healthy"), NULL);
}
END_TEST

static struct gateway_options options_of(struct arena *arena, const char *file)
{
    struct gateway_options options;

    case_load_well(file, NULL);
    ck_assert_int_eq(config_gateway_options(one.config, arena, &options), ERR_OK);
    return options;
}

START_TEST(the_gateway_is_told_all_of_it)
{
    struct arena *arena = arena_new(1024, 0);
    struct gateway_options options = options_of(
        arena,
        "server: { threads = 10; }; gateway: { memory_mb = 3; refill_per_s = 50; routes = (\n"
        "{ prefix = \"/a/\"; upstream = \"http://h/\"; },\n"
        "{ prefix = \"/b\"; upstream = [ \"unix:/s\", \"http://h:2\" ]; ttl_s = 5; "
        "heuristic_percent = 10; scope = "
        "\"public\"; models = [ \"m\" ]; timeout_ms = 7; stale_while_revalidate_s = 8; "
        "stale_if_error_s = 9; strip_prefix = true; max_connections = 4; "
        "pass_credentials = false; } ); };");

    ck_assert_uint_eq(options.route_count, 2);
    ck_assert_int_eq(options.memory_bytes, 3 * 1024 * 1024);
    ck_assert_int_eq(options.max_waiting, 7);
    ck_assert_int_eq(options.refill_per_s, 50);
    const struct gateway_route_options *a = &options.routes[0], *b = &options.routes[1];
    ck_assert(str_eq(a->prefix, STR("/a")) && str_eq(a->upstreams[0], STR("http://h")));
    ck_assert(a->upstream_count == 1 && !a->is_public && !a->strip_prefix && a->pass_credentials);
    ck_assert(a->ttl_s == 0 && a->timeout_ms == 10000 && a->max_connections == 0);
    ck_assert(b->upstream_count == 2 && str_eq(b->upstreams[0], STR("unix:/s")));
    ck_assert(b->is_public && b->strip_prefix && !b->pass_credentials);
    ck_assert(b->model_count == 1 && str_eq(b->models[0], STR("m")));
    ck_assert_int_eq(b->heuristic_percent, 10);
    ck_assert(b->ttl_s == 5 && b->timeout_ms == 7 && b->max_connections == 4);
    ck_assert(b->stale_while_revalidate_s == 8 && b->stale_if_error_s == 9);
    arena_free(&arena);
}
END_TEST

START_TEST(some_thread_may_always_wait)
{
    struct arena *arena = arena_new(1024, 0);

    ck_assert_int_eq(options_of(arena, "server: { threads = 1; };").max_waiting, 1);
    ck_assert_int_eq(options_of(arena, "gateway: { max_waiting = 64; };").max_waiting, 64);
    arena_free(&arena);
}
END_TEST

/* What is on by itself and was switched off would be on again for who copies what is shown. */
START_TEST(what_is_switched_off_is_shown)
{
    struct strbuf out;

    case_load_well(APP("pass_credentials = false;"), NULL);
    strbuf_init(&out, NULL, 4096);
    config_print_effective(one.config, &out);
    strbuf_add_char(&out, '\0');
    ck_assert_msg(strstr(out.ptr, "pass_credentials = false") != NULL, "%s", out.ptr);
    strbuf_fini(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_gateway");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, case_open, case_close);
    tcase_add_loop_test(all, what_will_not_do_is_refused_with_the_name_of_the_field, 0,
                        (int)(sizeof refusals / sizeof *refusals));
    tcase_add_test(all, what_will_do);
    tcase_add_test(all, hosts_that_would_not_be_looked_up_are_refused);
    tcase_add_test(all, own_paths_below_a_prefix_are_told);
    tcase_add_test(all, the_gateway_is_told_all_of_it);
    tcase_add_test(all, some_thread_may_always_wait);
    tcase_add_test(all, what_is_switched_off_is_shown);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
