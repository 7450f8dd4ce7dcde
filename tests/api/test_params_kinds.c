/* Texts that name things in paths and queries: labels, models, namespaces. */
#include "cachewarden/params.h"

#include "routes_check.h"
#include "suite.h"

#include <stdio.h>

static struct arena *arena;
static struct call call;

static enum err do_nothing(struct call *called)
{
    (void)called;
    return ERR_OK;
}

static const struct param_spec entry[] = {
    {.name = "label", .kind = PARAM_LABEL, .place = PLACE_PATH, .help = "h"},
    {.name = "model", .kind = PARAM_MODEL, .repeats = true, .help = "h"},
    {.name = "namespace", .kind = PARAM_NAMESPACE, .help = "h"},
    {.name = "ttl",
     .kind = PARAM_INTEGER,
     .min = 1,
     .max = 315360000,
     .default_value = 3600,
     .help = "h"},
    {.name = "pattern", .kind = PARAM_LABEL, .help = "h"},
    {.kind = PARAM_END},
};
static const struct param_spec model[] = {
    {.name = "model", .kind = PARAM_MODEL, .place = PLACE_PATH, .help = "h"},
    {.kind = PARAM_END},
};
static const struct route put = {.method = METHOD_PUT,
                                 .path = "/e/{label}",
                                 .name = "e.put",
                                 .operation = do_nothing,
                                 .permit = PERMIT_ENTRIES,
                                 .effect = EFFECT_WRITE,
                                 .params = entry,
                                 .body = BODY_RAW,
                                 .summary = "s"};
static const struct route clear = {.method = METHOD_DELETE,
                                   .path = "/m/{model}",
                                   .name = "m.clear",
                                   .operation = do_nothing,
                                   .permit = PERMIT_ENTRIES,
                                   .effect = EFFECT_WRITE,
                                   .params = model,
                                   .summary = "s"};

static void open_call(void)
{
    arena = arena_new(4096, 0);
}

static void close_call(void)
{
    arena_free(&arena);
}

static enum err read_on(const struct route *route, const char *segment, const char *query)
{
    struct str value = str_from(segment);

    call_init(&call, NULL, route, arena);
    call.principal = (struct principal){.kind = PRINCIPAL_USER, .user_id = 42};
    return params_read(&call, (struct query){str_from(query), query != NULL}, &value, 1);
}

static void expect_text(const char *name, const char *text)
{
    struct str value = call_param(&call, name)->text;

    ck_assert_msg(str_eq(value, str_from(text)), "%s is \"%.*s\", not \"%s\"", name, STR_ARG(value),
                  text);
}

static void expect_refused(const struct route *route, const char *segment, const char *query,
                           const char *says)
{
    enum err err = read_on(route, segment, query);

    ck_assert_msg(err == ERR_BAD_INPUT && strstr(call.error.caller, says) != NULL,
                  "%s?%s: %s, \"%s\" does not say \"%s\"", segment, query ? query : "",
                  err_name(err), call.error.caller, says);
}

START_TEST(the_rows_of_this_test_are_sound)
{
    const struct route rows[] = {put, clear};
    const char *wrong = routes_check_rows(rows, 2);
    ck_assert_msg(wrong == NULL, "%s", wrong);
    ck_assert(route_takes_text(&put, STR("label")));
    ck_assert(route_takes_text(&clear, STR("model")));
    ck_assert(!route_takes_text(&put, STR("model"))); /* it is in the query */
    ck_assert(!route_takes_text(&put, STR("labe")));
}
END_TEST

START_TEST(labels_are_any_text)
{
    static const struct {
        const char *segment, *label;
    } cases[] = {
        {"a", "a"},
        {"products%3A42", "products:42"},
        {"a%2Fb%2fc", "a/b/c"},
        {"%2Fapi%2Fitems%3Fpage%3D2", "/api/items?page=2"},
        {"https%3A%2F%2Fa.example%2F", "https://a.example/"},
        {"a%20b", "a b"},
        {"a+b", "a+b"},
        {"%25", "%"},
        {"%2541", "%41"},
        {"a%3Bb%5Cc", "a;b\\c"},
        {"caf%C3%A9", "caf\xc3\xa9"},
        {"%F0%9F%9A%80", "\xf0\x9f\x9a\x80"},
        {"...", "..."},
        {".a", ".a"},
        {"a%2F.b%2F..c%2F...", "a/.b/..c/..."},
        {"*", "*"},
        {"%7B%7D", "{}"},
        {"increment", "increment"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(read_on(&put, cases[i].segment, NULL) == ERR_OK, "%s: %s", cases[i].segment,
                      call.error.caller);
        expect_text("label", cases[i].label);
    }
}
END_TEST

START_TEST(bad_labels_are_named)
{
    static const char *const bad[] = {
        "",           "%00",       "a%00",         "%0A",   "a%0d%0aFLUSHALL",
        "%1b",        "%7f",       "%C2%80",       "%",     "a%",
        "a%2",        "%zz",       "%80",          "%C3",   "%C3%28",
        "%ED%A0%80",  "%C0%AF",    "%F5%80%80%80", ".",     "..",
        "%2e",        "%2E%2e",    ".%2e",         "..%2f", "%2F..",
        "a%2F..%2Fb", "a%2f.%2fb", "a;b",          "..;",   "a\\b",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(&put, bad[i], NULL, "label: ");
}
END_TEST

START_TEST(a_label_has_512_bytes_at_most)
{
    char segment[514];

    memset(segment, 'x', sizeof segment);
    segment[512] = '\0';
    ck_assert_int_eq(read_on(&put, segment, NULL), ERR_OK);
    ck_assert_uint_eq(call_param(&call, "label")->text.len, 512);
    segment[512] = 'x';
    segment[513] = '\0';
    expect_refused(&put, segment, NULL, "label: Must be 1 to 512 bytes");

    /* Bytes of the label, not of how it is written. */
    char encoded[513 * 3 + 1] = "";
    for (size_t i = 0; i < 512; i++)
        memcpy(encoded + 3 * i, "%2F", 4);
    ck_assert_int_eq(read_on(&put, encoded, NULL), ERR_OK);
    memcpy(encoded + 3 * (size_t)512, "%2F", 4);
    expect_refused(&put, encoded, NULL, "label: Must be 1 to 512 bytes");
}
END_TEST

START_TEST(models_in_a_path)
{
    static const char *const bad[] = {"",    "a%2Fb", "%2f", ".",  "..",   "%2e%2E", "%00",
                                      "%0a", "%ff",   "a;b", "%C", "a\\b", NULL};
    char text[130];

    ck_assert_int_eq(read_on(&clear, "shop.Product%20Line", NULL), ERR_OK);
    expect_text("model", "shop.Product Line");
    ck_assert_int_eq(read_on(&clear, "a+b", NULL), ERR_OK);
    expect_text("model", "a+b");
    for (size_t i = 0; bad[i]; i++)
        expect_refused(&clear, bad[i], NULL, "model: ");
    memset(text, 'x', sizeof text);
    text[128] = '\0';
    ck_assert_int_eq(read_on(&clear, text, NULL), ERR_OK);
    text[128] = 'x';
    text[129] = '\0';
    expect_refused(&clear, text, NULL, "model: Must be 1 to 128 bytes");
}
END_TEST

/* What a path can name is what a query can name, and nothing else: an entry that no clear could reach. */
START_TEST(models_in_a_query)
{
    static const char *const bad[] = {"model=",    "model",     "model=a/b", "model=a%2Fb",
                                      "model=.",   "model=..",  "model=%00", "model=%0a",
                                      "model=%ff", "model=%zz", NULL};

    ck_assert_int_eq(read_on(&put, "a", "model=Product"), ERR_OK);
    expect_text("model", "Product");
    for (size_t i = 0; bad[i]; i++)
        expect_refused(&put, "a", bad[i], "model: ");
}
END_TEST

/* Python's urlencode and a browser's URLSearchParams write a blank as '+', and '+' as %2B. */
START_TEST(a_plus_in_a_query_is_a_blank)
{
    ck_assert_int_eq(read_on(&put, "a", "model=Order+Line&pattern=a+b%2Bc*"), ERR_OK);
    expect_text("model", "Order Line");
    expect_text("pattern", "a b+c*");
    ck_assert_int_eq(read_on(&clear, "Order%20Line", NULL), ERR_OK);
    expect_text("model", "Order Line");
}
END_TEST

START_TEST(a_pattern_is_no_path)
{
    ck_assert_int_eq(read_on(&put, "a", "pattern=.."), ERR_OK);
    expect_text("pattern", "..");
    expect_refused(&put, "a", "pattern=", "pattern: Must be 1 to 512 bytes");
}
END_TEST

START_TEST(models_repeat)
{
    ck_assert_int_eq(read_on(&put, "a", "model=B&ttl=5&model=A&model=B&model=%41"), ERR_OK);
    const struct param_value *value = call_param(&call, "model");
    ck_assert_uint_eq(value->text_count, 2); /* each once */
    ck_assert(str_eq(value->texts[0], STR("B")));
    ck_assert(str_eq(value->texts[1], STR("A")));
    expect_text("model", "B");
    ck_assert_int_eq(call_param(&call, "ttl")->integer, 5);

    ck_assert_int_eq(read_on(&put, "a", NULL), ERR_OK);
    ck_assert(!call_param(&call, "model")->given);
    ck_assert_uint_eq(call_param(&call, "model")->text_count, 0);
    /* One that is not right among them is refused. */
    expect_refused(&put, "a", "model=A&model=", "model: Must be");
    expect_refused(&put, "a", "ttl=5&ttl=5", "ttl: Given more than once.");
    expect_refused(&put, "a", "namespace=app:a&namespace=app:a",
                   "namespace: Given more than once.");
}
END_TEST

START_TEST(not_for_ever)
{
    char query[600] = "";

    for (int i = 0; i < PARAM_REPEATS_MAX; i++)
        snprintf(query + strlen(query), sizeof query - strlen(query), "model=m%d&", i);
    query[strlen(query) - 1] = '\0';
    ck_assert_int_eq(read_on(&put, "a", query), ERR_OK);
    ck_assert_uint_eq(call_param(&call, "model")->text_count, PARAM_REPEATS_MAX);
    snprintf(query + strlen(query), sizeof query - strlen(query), "&model=m0");
    ck_assert_int_eq(read_on(&put, "a", query), ERR_OK);
    snprintf(query + strlen(query), sizeof query - strlen(query), "&model=one-more");
    expect_refused(&put, "a", query, "model: Given more than 16 times.");
}
END_TEST

START_TEST(lives)
{
    static const char *const bad[] = {"ttl=0",
                                      "ttl=-1",
                                      "ttl=9223372036854775808",
                                      "ttl=315360001",
                                      "ttl=",
                                      "ttl=1.5",
                                      "ttl=1e3",
                                      "ttl=%20",
                                      "ttl=+5",
                                      NULL};

    ck_assert_int_eq(read_on(&put, "a", "ttl=315360000"), ERR_OK);
    for (size_t i = 0; bad[i]; i++)
        expect_refused(&put, "a", bad[i], "ttl: Must be a whole number from 1 to 315360000.");
}
END_TEST

/* ---- namespaces ---- */

START_TEST(namespaces)
{
    static const char *const bad[] = {"namespace=",
                                      "namespace",
                                      "namespace=user",
                                      "namespace=user:",
                                      "namespace=user:0",
                                      "namespace=user:-1",
                                      "namespace=user:07",
                                      "namespace=user:a",
                                      "namespace=app:",
                                      "namespace=app",
                                      "namespace=shop",
                                      "namespace=App:shop",
                                      "namespace=app:a%2Fb",
                                      "namespace=app:a%20b",
                                      "namespace=app:a:b",
                                      "namespace=app:a+b",
                                      "namespace=%00",
                                      "namespace=user:9223372036854775808",
                                      NULL};

    ck_assert_int_eq(read_on(&put, "a", "namespace=user:7"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "namespace")->integer, 7);
    expect_text("namespace", "user:7");
    ck_assert_int_eq(read_on(&put, "a", "namespace=app%3Ashop"), ERR_OK);
    ck_assert_int_eq(call_param(&call, "namespace")->integer, 0);
    expect_text("namespace", "app:shop");
    for (size_t i = 0; bad[i]; i++)
        expect_refused(&put, "a", bad[i], "namespace: Must be user:<id> or app:<name>.");
}
END_TEST

START_TEST(whose_a_namespace_is)
{
    static const struct {
        const char *query;
        int64_t user_id;
        const char *app;
    } cases[] = {
        {NULL, 0, ""},
        {"", 0, ""},
        {"model=a", 0, ""},
        {"namespace=user:42", 42, ""},
        {"ttl=1&namespace=user%3A43", 43, ""},
        {"namespace=app:shop", 0, "shop"},
        {"namespace=app%3ashop", 0, "shop"},
        {"namespace=", -1, ""},
        {"namespace", -1, ""},
        {"namespace=shop", -1, ""},
        {"namespace=gateway", -1, ""}, /* not this row's */
        {"namespace=user:0", -1, ""},
        {"namespace=%zz", -1, ""},
        {"namespace=app:a/b", -1, ""},
        {"namespace=user:42&namespace=user:42", -1, ""},
        {"namespace=app:shop&namespace=app:other", -1, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query query = {str_from(cases[i].query), cases[i].query != NULL};
        struct permit_target target = params_target(&put, arena, query);
        ck_assert_msg(target.user_id == cases[i].user_id &&
                          str_eq(target.app, str_from(cases[i].app)),
                      "?%s is %lld, %.*s", cases[i].query ? cases[i].query : "",
                      (long long)target.user_id, STR_ARG(target.app));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/params_kinds");
    TCase *tcase = tcase_create("kinds");

    tcase_add_checked_fixture(tcase, open_call, close_call);
    tcase_add_test(tcase, the_rows_of_this_test_are_sound);
    tcase_add_test(tcase, labels_are_any_text);
    tcase_add_test(tcase, bad_labels_are_named);
    tcase_add_test(tcase, a_label_has_512_bytes_at_most);
    tcase_add_test(tcase, models_in_a_path);
    tcase_add_test(tcase, models_in_a_query);
    tcase_add_test(tcase, a_plus_in_a_query_is_a_blank);
    tcase_add_test(tcase, a_pattern_is_no_path);
    tcase_add_test(tcase, models_repeat);
    tcase_add_test(tcase, not_for_ever);
    tcase_add_test(tcase, lives);
    tcase_add_test(tcase, namespaces);
    tcase_add_test(tcase, whose_a_namespace_is);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
