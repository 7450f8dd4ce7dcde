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

/* Not one of these may ever become a clear of everything. */
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

static int64_t target_of(const char *route, const char *query)
{
    struct permit_target target = params_target(route_named(route), arena, query_of(query));

    ck_assert_uint_eq(target.app.len, 0);
    return target.user_id;
}

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
        int64_t target = target_of("cache.clear", cases[i].query);
        ck_assert_msg(target == cases[i].target, "?%s is %lld",
                      cases[i].query ? cases[i].query : "", (long long)target);
    }
    /* A route that does not act on somebody has no target, whatever the query says. */
    ck_assert_int_eq(target_of("cache.admin_clear", "user_id=5"), 0);
    ck_assert_int_eq(target_of("auth.me", "user_id=5"), 0);
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
                   "foo: Unknown parameter. This route takes limit, before, part, principal, "
                   "action, target, result, since, until.");
    expect_refused(read_query("audit.list", "limit=1&"), "(empty name): Unknown parameter.");
    expect_refused(read_query("audit.list", "=x"), "(empty name): Unknown parameter.");
    expect_refused(read_query("audit.list", "=x&limit=1"), "(empty name): Unknown parameter.");
    expect_refused(read_query("audit.list", "Limit=1"), "Unknown parameter");
    expect_refused(read_query("search.clear", "foo=2"),
                   "foo: Unknown parameter. This route takes none.");
    expect_refused(read_query("token.verify", "_=1"), "_: Unknown parameter.");
    expect_refused(read_query("cache.clear", "_=1700000000"), "_: Unknown parameter.");
    expect_refused(read_flush("messages", "dryrun=true"), "This route takes dry_run.");
    ck_assert_int_eq(read_query("health.status", ""), ERR_OK);
    char text[5000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    expect_refused(read_query("search.clear", text), "Unknown parameter");
}
END_TEST

/* A browser's cache buster, a monitor's mark. */
START_TEST(reads_without_parameters_ignore_a_query)
{
    static const char *const routes[] = {"cache.status", "cache.check",   "caches.list",
                                         "auth.me",      "health.status", "health.live",
                                         "health.ready", "metrics",       "api.schema"};
    static const char *const queries[] = {"_=1700000000", "x=1",     "x",    "=",        "&&",
                                          "x=%zz",        "x=1&x=2", "?x=1", "token=a.b"};
    for (size_t r = 0; r < sizeof routes / sizeof *routes; r++)
        for (size_t q = 0; q < sizeof queries / sizeof *queries; q++)
            ck_assert_msg(read_query(routes[r], queries[q]) == ERR_OK, "%s?%s: %s", routes[r],
                          queries[q], call.error.caller);
}
END_TEST

/* Who names a user means them, however it is spelt. */
START_TEST(a_read_of_ones_own_knows_a_user_id)
{
    ck_assert_int_eq(read_query("cache.status", "_=1&user_id=42"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "user_id")->integer, 42);
    ck_assert_int_eq(read_query("cache.status", "_=1&user_id=43"), ERR_FORBIDDEN);
    ck_assert_int_eq(target_of("cache.status", "_=1&user_id=43"), 43);
    static const char *const misspelt[] = {"user%5fid=43", "userId=43",     "user-id=43",
                                           "USER_ID=43",   "user_id[]=43",  "user_ids=43",
                                           "%75serid=43",  "_=1&userid=43", "x[user_id]=43"};
    for (size_t i = 0; i < sizeof misspelt / sizeof *misspelt; i++)
        expect_refused(read_query("cache.status", misspelt[i]), "Unknown parameter.");
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
    tcase_add_test(tcase, reads_without_parameters_ignore_a_query);
    tcase_add_test(tcase, a_read_of_ones_own_knows_a_user_id);
    tcase_add_test(tcase, a_dry_run_is_true_or_false);
    tcase_add_test(tcase, path_segments_that_name_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
