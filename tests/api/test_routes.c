#include "cachewarden/routes.h"

#include "routes_check.h"
#include "suite.h"

#include <stdio.h>

static enum err do_nothing(struct call *call)
{
    (void)call;
    return ERR_OK;
}

static struct route good(void)
{
    return (struct route){
        .method = METHOD_POST,
        .path = "/api/things/",
        .name = "things.make",
        .operation = do_nothing,
        .permit = PERMIT_ADMIN,
        .effect = EFFECT_WRITE,
        .summary = "Makes a thing.",
    };
}

static void expect_sound(struct route route)
{
    const char *wrong = routes_check_rows(&route, 1);
    ck_assert_msg(wrong == NULL, "%s", wrong);
}

static void expect_wrong(struct route route, const char *says)
{
    const char *wrong = routes_check_rows(&route, 1);
    ck_assert_msg(wrong && strstr(wrong, says), "\"%s\" does not say \"%s\"",
                  wrong ? wrong : "(sound)", says);
}

START_TEST(our_table_is_sound)
{
    const char *wrong = routes_check();
    ck_assert_msg(wrong == NULL, "%s", wrong);
}
END_TEST

/* What is answered is about somebody or about now. */
START_TEST(no_answer_is_stored)
{
    size_t count;
    const struct route *table = routes_table(&count);
    ck_assert_uint_gt(count, 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(table[i].no_store, "%s", table[i].name);
}
END_TEST

START_TEST(names_of_methods_and_limits)
{
    ck_assert_str_eq(method_name(METHOD_HEAD), "HEAD");
    ck_assert_str_eq(method_name(METHOD_PUT), "PUT");
    ck_assert_str_eq(method_name(METHOD_PATCH), "PATCH");
    ck_assert_str_eq(method_name(METHOD_OPTIONS), "OPTIONS");
    ck_assert_str_eq(method_name(METHOD_OTHER), "OTHER");
    ck_assert_str_eq(limit_name(LIMIT_NONE), "none");
}
END_TEST

/* Bytes and jobs are limited, too, though no row names these limits. */
START_TEST(what_limits_a_route)
{
    size_t count, counted = 0, jobs = 0;
    const struct route *table = routes_table(&count);

    for (size_t i = 0; i < count; i++) {
        const char *name = route_limit_name(&table[i]);
        if (route_starts_jobs(&table[i])) {
            jobs++;
            ck_assert_int_eq(table[i].limit, LIMIT_NONE);
            ck_assert_str_eq(name, "job");
            continue;
        }
        if (route_counts_bytes(&table[i])) {
            counted++;
            ck_assert_int_eq(table[i].limit, LIMIT_NONE);
            ck_assert_str_eq(name, "fill_bytes");
        } else if (table[i].limit == LIMIT_NONE)
            ck_assert_ptr_null(name);
        else
            ck_assert_str_eq(name, limit_name(table[i].limit));
    }
    ck_assert_uint_eq(counted, 2);
    ck_assert_uint_eq(jobs, 1);
}
END_TEST

START_TEST(the_zero_row_is_refused)
{
    struct route route = {0};
    ck_assert_ptr_nonnull(routes_check_rows(&route, 1));
    expect_sound(good());
}
END_TEST

START_TEST(permission)
{
    struct route route = good();
    route.permit = PERMIT_DENY;
    expect_wrong(route, "no permission stated");
    route.permit = PERMIT_PUBLIC;
    expect_wrong(route, "not on the reviewed list");
    route.name = "auth.login";
    expect_sound(route);
}
END_TEST

START_TEST(credentials_of_those_who_watch)
{
    struct route route = good();
    route.accept = ACCEPT_SCRAPER;
    expect_wrong(route, "for those who watch");
    route.effect = EFFECT_READ;
    expect_sound(route);
    route.permit = PERMIT_PUBLIC;
    route.name = "health.live";
    expect_wrong(route, "for those who watch");
}
END_TEST

START_TEST(credentials_that_are_optional)
{
    struct route route = good();
    route.accept = ACCEPT_OPTIONAL;
    route.effect = EFFECT_READ;
    expect_wrong(route, "a credential is optional");
    route.permit = PERMIT_PUBLIC;
    route.name = "health.live";
    expect_sound(route);
    route.effect = EFFECT_WRITE;
    expect_wrong(route, "a credential is optional");
}
END_TEST

/* An API key in Authorization is for metrics alone: there Prometheus can send nothing else. */
START_TEST(only_metrics_are_for_those_who_watch)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg((routes[i].accept == ACCEPT_SCRAPER) ==
                          (strcmp(routes[i].name, "metrics") == 0),
                      "%s", routes[i].name);
}
END_TEST

START_TEST(limits)
{
    static const enum limit per_user[] = {LIMIT_STATUS, LIMIT_TOGGLE, LIMIT_CLEAR};
    for (size_t i = 0; i < 3; i++) {
        struct route route = good();
        route.limit = per_user[i];
        expect_wrong(route, "is for each user");
        route.permit = PERMIT_USER;
        expect_sound(route);
        route.permit = PERMIT_ENTRIES;
        expect_sound(route);
    }
    struct route route = good();
    route.limit = LIMIT_LOGIN;
    expect_sound(route);
    route.effect = EFFECT_READ;
    expect_sound(route);
}
END_TEST

START_TEST(method_and_effect)
{
    struct route route = good();
    route.effect = EFFECT_UNSTATED;
    expect_wrong(route, "effect is not stated");
    route = good();
    route.method = METHOD_GET;
    expect_wrong(route, "a GET must be a read");
    route.effect = EFFECT_READ;
    expect_sound(route);
    route.body = BODY_FIELDS;
    expect_wrong(route, "must not read a body");
    static const enum http_method reserved[] = {METHOD_HEAD, METHOD_OPTIONS, METHOD_OTHER};
    for (size_t i = 0; i < 3; i++) {
        route = good();
        route.method = reserved[i];
        expect_wrong(route, "the edge's own");
    }
}
END_TEST

START_TEST(name_path_summary_operation)
{
    struct route route = good();
    route.name = "";
    expect_wrong(route, "a name has");
    route.name = "Things";
    expect_wrong(route, "a name has");
    static const char *const paths[] = {NULL,    "",     "api",  "/API", "/a//b",
                                        "/a%20", "/a b", "/a;x", "/a?b"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        route = good();
        route.path = paths[i];
        expect_wrong(route, "/lower/case/segments");
    }
    route = good();
    route.summary = "";
    expect_wrong(route, "no summary");
    route = good();
    route.operation = NULL;
    expect_wrong(route, "no operation");
}
END_TEST

START_TEST(format_and_sentence)
{
    static const enum error_format with[] = {ERROR_FORMAT_CONTROL, ERROR_FORMAT_ADMIN_CLEAR,
                                             ERROR_FORMAT_MESSAGES, ERROR_FORMAT_ANALYTICS};
    for (size_t i = 0; i < 4; i++) {
        struct route route = good();
        route.error_format = with[i];
        expect_wrong(route, "needs a sentence");
        route.failure = "Failed to make a thing";
        expect_sound(route);
    }
    struct route route = good();
    route.failure = "Failed to make a thing";
    expect_wrong(route, "no use for a sentence");
    route.error_format = ERROR_FORMAT_PROBLEM;
    expect_wrong(route, "no use for a sentence");
}
END_TEST

static void expect_wrong_param(struct param_spec spec, const char *says)
{
    struct param_spec params[] = {spec, {.kind = PARAM_END}};
    struct route route = good();
    route.params = params;
    expect_wrong(route, says);
}

START_TEST(parameters)
{
    expect_wrong_param((struct param_spec){.name = "", .kind = PARAM_ID, .help = "h"},
                       "a parameter's name");
    expect_wrong_param((struct param_spec){.name = "a[]", .kind = PARAM_ID, .help = "h"},
                       "a parameter's name");
    expect_wrong_param((struct param_spec){.name = "a", .kind = PARAM_ID}, "has no help");
    expect_wrong_param(
        (struct param_spec){.name = "a", .kind = PARAM_INTEGER, .min = 2, .max = 1, .help = "h"},
        "not inside its range");
    expect_wrong_param(
        (struct param_spec){.name = "a", .kind = PARAM_INTEGER, .min = 1, .max = 9, .help = "h"},
        "not inside its range");
    expect_wrong_param(
        (struct param_spec){.name = "a", .kind = PARAM_BOOLEAN, .default_value = 2, .help = "h"},
        "neither 0 nor 1");
    expect_wrong_param((struct param_spec){.name = "a", .kind = PARAM_OWN_ID, .help = "h"},
                       "needs permission user");
    expect_wrong_param(
        (struct param_spec){.name = "a", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "h"},
        "is not in the path");
    expect_wrong_param(
        (struct param_spec){
            .name = "a", .kind = PARAM_NAME, .place = PLACE_PATH, .raw_only = true, .help = "h"},
        "raw_only is for the query");
}
END_TEST

START_TEST(what_may_repeat)
{
    static const enum param_kind numbers[] = {PARAM_ID, PARAM_INTEGER, PARAM_BOOLEAN,
                                              PARAM_STREAM_ID, PARAM_TIME};
    struct param_spec params[] = {{.name = "a", .repeats = true, .help = "h"}, {.kind = PARAM_END}};
    struct route route = good();
    route.params = params;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        params[0].kind = numbers[i];
        expect_wrong(route, "only texts in a query may repeat");
    }
    static const enum param_kind texts[] = {PARAM_NAME, PARAM_TEXT, PARAM_LABEL, PARAM_MODEL};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        params[0].kind = texts[i];
        expect_sound(route);
    }
    params[0].place = PLACE_PATH;
    route.path = "/api/things/{a}";
    expect_wrong(route, "only texts in a query may repeat");
}
END_TEST

START_TEST(whose_namespace)
{
    struct param_spec params[] = {{.name = "a", .kind = PARAM_NAMESPACE, .help = "h"},
                                  {.kind = PARAM_END}};
    struct route route = good();
    route.params = params;
    expect_wrong(route, "needs permission entries");
    route.permit = PERMIT_ENTRIES;
    expect_sound(route);
    params[0].raw_only = true;
    expect_wrong(route, "needs permission entries and a query");
}
END_TEST

START_TEST(parameters_together)
{
    struct param_spec params[CALL_MAX_PARAMS + 2] = {{0}};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g",
                                        "h", "i", "j", "k", "l", "m"};
    struct route route = good();
    route.params = params;
    for (size_t i = 0; i < CALL_MAX_PARAMS; i++)
        params[i] = (struct param_spec){.name = names[i], .kind = PARAM_NAME, .help = "h"};
    expect_sound(route);
    params[CALL_MAX_PARAMS] = (struct param_spec){.name = "m", .kind = PARAM_NAME, .help = "h"};
    expect_wrong(route, "more than 12 parameters");
    params[2].kind = PARAM_END;
    params[1].name = "a";
    expect_wrong(route, "is there twice");
    params[1].name = "b";
    params[1].raw_only = true;
    expect_wrong(route, "the only parameter");
}
END_TEST

START_TEST(placeholders)
{
    struct param_spec params[] = {
        {.name = "name", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "h"},
        {.kind = PARAM_END}};
    struct route route = good();
    static const char *const sound[] = {"/a/{name}", "/a/{name}/", "/a/{name}/b", "/{name}"};
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
        route.path = sound[i];
        route.params = params;
        expect_sound(route);
        route.params = NULL;
        expect_wrong(route, "path parameters differ");
    }
    route.params = params;
    static const char *const wrong[][2] = {{"/a/{other}", "path parameters differ"},
                                           {"/a/x{name}", "not a whole segment"},
                                           {"/a/{name}x", "not a whole segment"},
                                           {"/a/{name", "unpaired brace"},
                                           {"/a/name}", "unpaired brace"},
                                           {"/a/{name}/{name}", "path parameters differ"},
                                           {"/a", "is not in the path"},
                                           {"/a/{name}/}", "unpaired brace"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        route.path = wrong[i][0];
        expect_wrong(route, wrong[i][1]);
    }
}
END_TEST

START_TEST(two_rows_for_one_request)
{
    struct param_spec params[] = {
        {.name = "name", .kind = PARAM_NAME, .place = PLACE_PATH, .help = "h"},
        {.kind = PARAM_END}};
    static const struct {
        const char *a, *b;
        bool overlap;
    } cases[] = {
        {"/a", "/a", true},
        {"/a", "/a/", true},
        {"/a/", "/a/", true},
        {"/a", "/b", false},
        {"/a", "/ab", false},
        {"/a/b", "/a", false},
        {"/a/{name}", "/a/b", true},
        {"/a/{name}/", "/a/b", true},
        {"/a/{name}/c", "/a/b/c", true},
        {"/a/{name}/c", "/a/b/d", false},
        {"/a/{name}", "/a/b/c", false},
        {"/a/{name}", "/a", false},
        {"/a/{name}", "/a/", false},
        {"/{name}/b", "/a/{name}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct route rows[2] = {good(), good()};
        rows[0].path = cases[i].a;
        rows[0].params = strchr(cases[i].a, '{') ? params : NULL;
        rows[1].path = cases[i].b;
        rows[1].params = strchr(cases[i].b, '{') ? params : NULL;
        rows[1].name = "things.other";
        const char *wrong = routes_check_rows(rows, 2);
        ck_assert_msg((wrong != NULL) == cases[i].overlap, "%s %s: %s", cases[i].a, cases[i].b,
                      wrong ? wrong : "sound");
        rows[1].method = METHOD_DELETE;
        ck_assert_ptr_null(routes_check_rows(rows, 2));
        rows[1].name = rows[0].name;
        wrong = routes_check_rows(rows, 2);
        ck_assert_ptr_nonnull(wrong);
        ck_assert_ptr_nonnull(strstr(wrong, "two rows of this name"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/routes");
    TCase *tcase = tcase_create("table");
    tcase_add_test(tcase, our_table_is_sound);
    tcase_add_test(tcase, no_answer_is_stored);
    tcase_add_test(tcase, names_of_methods_and_limits);
    tcase_add_test(tcase, what_limits_a_route);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("rules");
    tcase_add_test(tcase, the_zero_row_is_refused);
    tcase_add_test(tcase, permission);
    tcase_add_test(tcase, credentials_of_those_who_watch);
    tcase_add_test(tcase, credentials_that_are_optional);
    tcase_add_test(tcase, only_metrics_are_for_those_who_watch);
    tcase_add_test(tcase, limits);
    tcase_add_test(tcase, method_and_effect);
    tcase_add_test(tcase, name_path_summary_operation);
    tcase_add_test(tcase, format_and_sentence);
    tcase_add_test(tcase, parameters);
    tcase_add_test(tcase, what_may_repeat);
    tcase_add_test(tcase, whose_namespace);
    tcase_add_test(tcase, parameters_together);
    tcase_add_test(tcase, placeholders);
    tcase_add_test(tcase, two_rows_for_one_request);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
