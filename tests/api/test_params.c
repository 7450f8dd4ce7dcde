#include "cachewarden/params.h"

#include "suite.h"

#include <stdio.h>

static struct arena *arena;
static struct call call;

static const struct route *route_named(const char *name)
{
    size_t count;
    const struct route *rows = routes_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    ck_abort_msg("no route %s", name);
}

static void open_call(void)
{
    arena = arena_new(4096, 0);
}

static void close_call(void)
{
    arena_free(&arena);
}

/* NULL: no '?' at all. */
static struct query query_of(const char *text)
{
    return (struct query){str_from(text), text != NULL};
}

static void begin(const char *route)
{
    call_init(&call, NULL, route_named(route), arena);
    call.principal = (struct principal){.kind = PRINCIPAL_USER, .user_id = 42};
}

static enum err read_query(const char *route, const char *query)
{
    begin(route);
    return params_read(&call, query_of(query), NULL, 0);
}

static enum err read_flush(const char *name, const char *query)
{
    struct str value = str_from(name);
    begin("caches.flush");
    return params_read(&call, query_of(query), &value, 1);
}

/* ---- the admin's clear: exactly one id, or nothing ---- */

/* Threats 45 to 50. Not one of these may ever become a clear of everything. */
static const char *const bad_user_ids[] = {
    "",
    "&",
    "=",
    "user_id",
    "user_id=",
    "user_id=0",
    "user_id=-1",
    "user_id=+1",
    "user_id=-0",
    "user_id=00",
    "user_id=01",
    "user_id=1.0",
    "user_id=1e3",
    "user_id=0x1",
    "user_id=1_0",
    "user_id=abc",
    "user_id=1a",
    "user_id=a1",
    "user_id= 1",
    "user_id=1 ",
    "user_id=%201",
    "user_id=1%20",
    "user_id=%31",
    "user_id=1%00",
    "user_id=1%0d%0aFLUSHALL",
    "user_id=*",
    "user_id=1 OR 1",
    "user_id=1+OR+1",
    "user_id=18446744073709551616",
    "user_id=9223372036854775808",
    "user_id=-9223372036854775808",
    "user_id=99999999999999999999999999",
    "user_id=1&user_id=1",
    "user_id=1&user_id=2",
    "user_id=1&",
    "&user_id=1",
    "user_id=1&x=2",
    "x=2&user_id=1",
    "user_id[]=1",
    "user_id%5B%5D=1",
    "user_id=1,2",
    "user_id=1;2",
    "user_id==1",
    "user_id=1=",
    "userid=1",
    "userId=1",
    "USER_ID=1",
    "user-id=1",
    "user%5fid=1",
    "user%5Fid=1",
    " user_id=1",
    "user_id =1",
    "id=1",
    "user=1",
    "user_id=\xd9\xa1",
    "user_id=\xef\xbc\x91",
    "user_id=1\t",
    "user_id=1\n",
    "user_id=null",
    "user_id=true",
    "user_id=NaN",
    "user_id=\"1\"",
    "user_id=1#",
    "user_id=1?",
    "?user_id=1",
    "user_id=1/",
    "a",
    "a=b",
};

START_TEST(forty_ways_to_name_nobody)
{
    size_t count = sizeof bad_user_ids / sizeof *bad_user_ids;
    ck_assert_uint_ge(count, 40);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(read_query("cache.admin_clear", bad_user_ids[i]) == ERR_BAD_INPUT, "?%s",
                      bad_user_ids[i]);
        ck_assert_msg(!call_param(&call, "user_id")->given, "?%s", bad_user_ids[i]);
        ck_assert(call.error.caller[0] != '\0');
    }
    /* With a NUL inside, which a C string above could not hold. */
    begin("cache.admin_clear");
    ck_assert_int_eq(params_read(&call, (struct query){STR("user_id=1\0"), true}, NULL, 0),
                     ERR_BAD_INPUT);
}
END_TEST

START_TEST(one_id_or_nothing)
{
    ck_assert_int_eq(read_query("cache.admin_clear", NULL), ERR_OK);
    ck_assert(!call_param(&call, "user_id")->given);
    ck_assert_int_eq(read_query("cache.admin_clear", "user_id=1"), ERR_OK);
    ck_assert(call_param(&call, "user_id")->given);
    ck_assert_int_eq(call_param(&call, "user_id")->integer, 1);
    ck_assert_int_eq(read_query("cache.admin_clear", "user_id=9223372036854775807"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "user_id")->integer, INT64_MAX);
}
END_TEST

/* ---- one's own id ---- */

START_TEST(targets)
{
    static const struct {
        const char *query;
        int64_t target;
    } cases[] = {
        {NULL, 0},
        {"", 0},
        {"user_id=42", 42},
        {"user_id=43", 43},
        {"user_id=", -1},
        {"user_id", -1},
        {"user_id=0", -1},
        {"user_id=042", -1},
        {"user_id=%34%32", -1},
        {"user_id=42&user_id=42", -1},
        {"user_id=42&user_id=43", -1},
        {"x=1&user_id=43", 43},
        {"x=1", 0},
        {"user_id=9223372036854775808", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t target = params_target(route_named("cache.clear"), query_of(cases[i].query));
        ck_assert_msg(target == cases[i].target, "?%s is %lld",
                      cases[i].query ? cases[i].query : "", (long long)target);
    }
    /* A route that does not act on somebody has no target, whatever the query says. */
    ck_assert_int_eq(params_target(route_named("cache.admin_clear"), query_of("user_id=5")), 0);
    ck_assert_int_eq(params_target(route_named("auth.me"), query_of("user_id=5")), 0);
}
END_TEST

START_TEST(an_own_id_is_ones_own)
{
    ck_assert_int_eq(read_query("cache.clear", "user_id=42"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "user_id")->integer, 42);
    ck_assert_int_eq(read_query("cache.clear", "user_id=43"), ERR_FORBIDDEN);
    ck_assert_int_eq(read_query("cache.clear", NULL), ERR_OK);
    ck_assert_int_eq(read_query("cache.clear", ""), ERR_OK);
    ck_assert_int_eq(read_query("cache.clear", "user%5fid=43"), ERR_BAD_INPUT);
}
END_TEST

/* ---- other kinds ---- */

static void expect_refused(enum err err, const char *says)
{
    ck_assert_int_eq(err, ERR_BAD_INPUT);
    ck_assert_msg(strstr(call.error.caller, says) != NULL, "\"%s\" does not say \"%s\"",
                  call.error.caller, says);
}

START_TEST(defaults_and_ranges)
{
    ck_assert_int_eq(read_query("audit.list", NULL), ERR_OK);
    ck_assert(!call_param(&call, "limit")->given);
    ck_assert_int_eq(call_param(&call, "limit")->integer, 100);
    ck_assert(!call_param(&call, "before")->given);
    ck_assert_int_eq(read_query("audit.list", "limit=1000&before=1700000000000-0"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "limit")->integer, 1000);
    ck_assert(str_eq(call_param(&call, "before")->text, STR("1700000000000-0")));
    ck_assert_int_eq(read_query("audit.list", "limit=%31"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "limit")->integer, 1);

    static const char *const limits[] = {"limit=0",   "limit=1001", "limit=-1",
                                         "limit=",    "limit",      "limit=abc",
                                         "limit=1.5", "limit=%zz",  "limit=1%00"};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        expect_refused(read_query("audit.list", limits[i]),
                       "limit: Must be a whole number from 1 to 1000.");
    static const char *const ids[] = {"before=",    "before=1",     "before=-",      "before=1-",
                                      "before=-1",  "before=1-1-1", "before=%281-1", "before=+",
                                      "before=1-a", "before=01-1"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        expect_refused(read_query("audit.list", ids[i]), "before: Must be an id");
}
END_TEST

START_TEST(repeated_and_unknown)
{
    expect_refused(read_query("audit.list", "limit=1&limit=1"), "limit: Given more than once.");
    expect_refused(read_query("audit.list", "limit=1&foo=2"),
                   "foo: Unknown parameter. This route takes limit and others.");
    expect_refused(read_query("audit.list", "limit=1&"), "Unknown parameter");
    expect_refused(read_query("audit.list", "Limit=1"), "Unknown parameter");
    expect_refused(read_query("health.status", "foo=2"),
                   "foo: Unknown parameter. This route takes none.");
    expect_refused(read_flush("messages", "dryrun=true"), "This route takes dry_run.");
    ck_assert_int_eq(read_query("health.status", ""), ERR_OK);
    char text[5000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    expect_refused(read_query("health.status", text), "Unknown parameter");
}
END_TEST

/* A flush that should only have counted cannot be taken back. */
START_TEST(a_dry_run_is_true_or_false)
{
    ck_assert_int_eq(read_flush("messages", NULL), ERR_OK);
    ck_assert_int_eq(call_param(&call, "dry_run")->integer, 0);
    ck_assert(str_eq(call_param(&call, "name")->text, STR("messages")));
    ck_assert_int_eq(read_flush("messages", "dry_run=true"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "dry_run")->integer, 1);
    ck_assert_int_eq(read_flush("messages", "dry_run=false"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "dry_run")->integer, 0);
    static const char *const bad[] = {"dry_run",      "dry_run=",    "dry_run=1",
                                      "dry_run=True", "dry_run=yes", "dry_run=true%20"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(read_flush("messages", bad[i]), "dry_run: Must be true or false.");
}
END_TEST

START_TEST(path_segments_that_name_nothing)
{
    static const char *const bad[] = {
        "",
        "a b",
        "a%20b",
        "%6d",
        "..%2f",
        "a:b",
        "*",
        "a\\b",
        "caf\xc3\xa9",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(read_flush(bad[i], NULL) == ERR_NOT_FOUND, "%s", bad[i]);
}
END_TEST

/* ---- bodies ---- */

static enum err read_body(const char *route, const char *type, struct str body)
{
    begin(route);
    call.body = body;
    return params_read_body(&call, str_from(type));
}

START_TEST(a_body_of_fields)
{
    static const struct {
        const char *type;
        struct str body;
    } cases[] = {
        {"application/json", STR("{\"username\":\"al ice\",\"password\":\"p&=%+\"}")},
        {"Application/JSON; charset=UTF-8",
         STR(" {\"password\":\"p&=%+\", \"username\":\"al\\u0020ice\"}\n")},
        {"application/json;charset=\"utf-8\"",
         STR("{\"username\":\"al ice\",\"password\":\"p&=%+\"}")},
        {"application/x-www-form-urlencoded", STR("username=al+ice&password=p%26%3D%25%2B")},
        {"application/x-www-form-urlencoded; charset=utf-8",
         STR("%75sername=al%20ice&password=p%26=%25%2b")},
        {"application/x-www-form-urlencoded;charset=utf8",
         STR("&username=al+ice&&password=p%26%3D%25%2B&")},
        {"application/json;charset=\"UTF8\"",
         STR("{\"username\":\"al ice\",\"password\":\"p&=%+\"}")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(read_body("auth.login", cases[i].type, cases[i].body) == ERR_OK,
                      "case %zu: %s", i, call.error.caller);
        ck_assert_msg(str_eq(json_string(json_get(call.fields, "username")), STR("al ice")),
                      "case %zu", i);
        ck_assert_msg(str_eq(json_string(json_get(call.fields, "password")), STR("p&=%+")),
                      "case %zu", i);
        ck_assert_uint_eq(json_count(call.fields), 2);
    }
}
END_TEST

START_TEST(no_body_is_no_fields)
{
    ck_assert_int_eq(read_body("auth.login", NULL, STR_NONE), ERR_OK);
    ck_assert_int_eq(json_kind(call.fields), JSON_OBJECT);
    ck_assert_uint_eq(json_count(call.fields), 0);
    ck_assert_int_eq(read_body("auth.login", "text/plain", STR("")), ERR_OK);
}
END_TEST

START_TEST(media_types_we_do_not_take)
{
    static const char *const types[] = {NULL,
                                        "",
                                        "text/plain",
                                        "application/jsonx",
                                        "application/json-patch+json",
                                        "text/json",
                                        "multipart/form-data; boundary=x",
                                        "application/json; charset=utf-16",
                                        "application/json;charset=latin1",
                                        "application/json;charset=",
                                        "application/json;charset=\"",
                                        "application/json;charset=\"utf-8",
                                        "application/x-www-form-urlencoded;charset=big5",
                                        "json"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        ck_assert_msg(read_body("auth.login", types[i], STR("{}")) == ERR_UNSUPPORTED_TYPE, "%s",
                      types[i] ? types[i] : "none");
}
END_TEST

START_TEST(bodies_that_are_not_fields)
{
    static const struct {
        const char *type;
        struct str body;
    } cases[] = {
        {"application/json", STR("[]")},
        {"application/json", STR("\"a\"")},
        {"application/json", STR("null")},
        {"application/json", STR("{")},
        {"application/json", STR("{}{}")},
        {"application/json", STR("{\"a\":1,\"a\":2}")},
        {"application/json", STR("{\"a\\u0000\":1}")},
        {"application/json", STR("{\"a\":\"\\ud800\"}")},
        {"application/json", STR("{\"a\":\"\xff\"}")},
        {"application/json", STR("{\"a\":1e400}")},
        {"application/json", STR("\xff\xfe{\0}\0")},
        {"application/x-www-form-urlencoded", STR("a=%")},
        {"application/x-www-form-urlencoded", STR("a=%zz")},
        {"application/x-www-form-urlencoded", STR("a=%00")},
        {"application/x-www-form-urlencoded", STR("a%00=1")},
        {"application/x-www-form-urlencoded", STR("a=\0")},
        {"application/x-www-form-urlencoded", STR("a=%ff")},
        {"application/x-www-form-urlencoded", STR("a=1&a=2")},
        {"application/x-www-form-urlencoded", STR("a=1&%61=2")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(read_body("auth.login", cases[i].type, cases[i].body) == ERR_BAD_INPUT,
                      "case %zu", i);
        ck_assert(call.error.caller[0] != '\0');
    }
}
END_TEST

START_TEST(a_form_that_names_a_member_twice_hears_which)
{
    const char *form = "application/x-www-form-urlencoded";
    ck_assert_int_eq(read_body("auth.login", form, STR("a=1&b=2&%61=3")), ERR_BAD_INPUT);
    ck_assert_str_eq(call.error.caller, "a: Given more than once.");

    char many[512];
    size_t len = 0;
    for (int i = 0; i < 33; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, "%sm%d=1", i ? "&" : "", i);
    ck_assert_int_eq(read_body("auth.login", form, str_from(many)), ERR_BAD_INPUT);
    ck_assert_str_eq(call.error.caller, "The form has more than 32 members.");
}
END_TEST

/* A form's names and values go through JSON: none may break out of its string. */
START_TEST(a_form_cannot_write_json)
{
    ck_assert_int_eq(
        read_body("auth.login", "application/x-www-form-urlencoded",
                  STR("a=%22%2C%22is_superuser%22%3Atrue%2C%22b%22%3A%22&%22%7D=\\\"")),
        ERR_OK);
    ck_assert_uint_eq(json_count(call.fields), 2);
    ck_assert(
        str_eq(json_string(json_get(call.fields, "a")), STR("\",\"is_superuser\":true,\"b\":\"")));
    ck_assert(str_eq(json_string(json_get(call.fields, "\"}")), STR("\\\"")));
}
END_TEST

/* ---- a body that names whom to clear ---- */

START_TEST(bodies_that_mention_a_user_id)
{
    static const struct str bodies[] = {
        STR("{\"user_id\":5}"),
        STR("{\"USER_ID\":5}"),
        STR("{\"user\\u005fid\":5}"),
        STR("{\"\\u0075\\u0073\\u0065\\u0072\\u005F\\u0069\\u0064\":5}"),
        STR("{\"userId\":5}"),
        STR("{\"user-id\":5}"),
        STR("{\"a\":{\"b\":[{\"user_id\":5}]}}"),
        STR("{\"user_id\":5"),
        STR("[\"user_id\",5]"),
        STR("user_id=5"),
        STR("a=1&user_id=5"),
        STR("user%5fid=5"),
        STR("%75%73%65%72%5F%69%64=5"),
        STR("user_id[]=5"),
        STR("user_id"),
        STR("\xff\xfeu\0s\0e\0r\0_\0i\0d\0"),
        STR("--x\r\nContent-Disposition: form-data; name=\"user_id\"\r\n\r\n5\r\n--x--"),
        STR("<user_id>5</user_id>"),
        STR("user_id: 5"),
        STR("uuser_id=5"),
        STR("useruser_id=5"),
        STR("%zzuser_id"),
        STR("\\u00user_id"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ck_assert_msg(read_body("cache.admin_clear", "application/json", bodies[i]) ==
                          ERR_BAD_INPUT,
                      "body %zu", i);
    ck_assert_int_eq(read_body("cache.admin_clear", NULL, bodies[0]), ERR_BAD_INPUT);
}
END_TEST

START_TEST(bodies_that_do_not)
{
    static const struct str bodies[] = {
        STR_NONE,
        STR(""),
        STR("{}"),
        STR("[]"),
        STR("null"),
        STR("{"),
        STR("not json"),
        STR("{\"user\":5}"),
        STR("{\"id\":5}"),
        STR("a=1"),
        STR("%"),
        STR("\\u"),
        STR("\\"),
        STR("%5"),
        STR("user"),
        STR("user_i"),
        STR("ser_id"),
        STR("user id"),
        STR("userxid"),
        STR("\xff\xff"),
        STR("{\"note\":\"deploy 5\"}"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ck_assert_msg(read_body("cache.admin_clear", "application/json", bodies[i]) == ERR_OK,
                      "body %zu", i);
    /* Elsewhere nobody looks. */
    ck_assert_int_eq(read_body("cache.clear", "application/json", STR("{\"user_id\":5}")), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/params");
    TCase *tcase = tcase_create("query");
    tcase_add_checked_fixture(tcase, open_call, close_call);
    tcase_add_test(tcase, forty_ways_to_name_nobody);
    tcase_add_test(tcase, one_id_or_nothing);
    tcase_add_test(tcase, targets);
    tcase_add_test(tcase, an_own_id_is_ones_own);
    tcase_add_test(tcase, defaults_and_ranges);
    tcase_add_test(tcase, repeated_and_unknown);
    tcase_add_test(tcase, a_dry_run_is_true_or_false);
    tcase_add_test(tcase, path_segments_that_name_nothing);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("body");
    tcase_add_checked_fixture(tcase, open_call, close_call);
    tcase_add_test(tcase, a_body_of_fields);
    tcase_add_test(tcase, no_body_is_no_fields);
    tcase_add_test(tcase, media_types_we_do_not_take);
    tcase_add_test(tcase, bodies_that_are_not_fields);
    tcase_add_test(tcase, a_form_that_names_a_member_twice_hears_which);
    tcase_add_test(tcase, a_form_cannot_write_json);
    tcase_add_test(tcase, bodies_that_mention_a_user_id);
    tcase_add_test(tcase, bodies_that_do_not);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
