/* Bodies, as a row asks for them. */
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

static void begin(const char *route)
{
    call_init(&call, NULL, route_named(route), arena);
    call.principal = (struct principal){.kind = PRINCIPAL_USER, .user_id = 42};
}

static void expect_refused(enum err err, const char *says)
{
    ck_assert_int_eq(err, ERR_BAD_INPUT);
    ck_assert_msg(strstr(call.error.caller, says) != NULL, "\"%s\" does not say \"%s\"",
                  call.error.caller, says);
}

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
        STR("\xef\xbb\xbf{\"user_id\":5}"),
        STR("u\0\0\0s\0\0\0e\0\0\0r\0\0\0_\0\0\0i\0\0\0d\0\0\0"),
        STR("name*=utf-8''user%5Fid"),
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
        STR("\xef\xbb\xbf{}"),
        STR("caf\xc3\xa9\t\r\n"),
        STR("{\"note\":\"deploy 5\"}"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ck_assert_msg(read_body("cache.admin_clear", "application/json", bodies[i]) == ERR_OK,
                      "body %zu", i);
    /* Elsewhere nobody looks. */
    ck_assert_int_eq(read_body("cache.clear", "application/json", STR("{\"user_id\":5}")), ERR_OK);
    ck_assert_int_eq(read_body("cache.clear", "application/json", STR("\x1f\x8b")), ERR_OK);
}
END_TEST

/* Who knows whether it names somebody? */
START_TEST(bodies_that_nobody_can_read)
{
    static const struct str bodies[] = {
        STR("\x1f\x8b\x08\0\0\0\0\0\0\x03\xabV*-N-\x8a\xcfLQ\xb2\x32\xad\x05\0"), /* gzip */
        STR("x\x9c\xabV*-N-\x8a\xcfLQ\xb2\x32\xad\x05\0"),                        /* zlib */
        STR("\xa4\xa2\x85\x99\x6d\x89\x84\x7e\xf5"), /* user_id=5 in EBCDIC */
        STR("\xff\xff"),
        STR("a\0b"),
        STR("\x1b$B"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        ck_assert_msg(read_body("cache.admin_clear", "application/json", bodies[i]) ==
                          ERR_UNSUPPORTED_TYPE,
                      "body %zu", i);
    static const char *const types[] = {
        "application/json; charset=utf-7", "text/plain;charset=\"UTF-7\"",
        "text/plain; charset=", "text/plain; charset=utf-8; charset=ibm037"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ck_assert_msg(read_body("cache.admin_clear", types[i], STR("{}")) == ERR_UNSUPPORTED_TYPE,
                      "%s", types[i]);
        ck_assert_msg(read_body("cache.admin_clear", types[i], STR("")) == ERR_OK, "%s", types[i]);
    }
    static const char *const plain[] = {"text/plain; charset=ISO-8859-1", "text/plain",
                                        "application/octet-stream", "multipart/form-data",
                                        "application/json; charset=\"UTF-8\""};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        ck_assert_msg(read_body("cache.admin_clear", plain[i], STR("{}")) == ERR_OK, "%s",
                      plain[i]);
}
END_TEST

/* What was to be counted only would be flushed. */
START_TEST(a_flush_whose_body_names_a_parameter)
{
    expect_refused(read_body("caches.flush", "application/json", STR("{\"dry_run\":true}")),
                   "dry_run: Belongs in the query: ?dry_run=<value>. Nothing was done.");
    expect_refused(read_body("caches.flush", "application/json", STR("{\"dryRun\":true}")),
                   "dry_run: Belongs in the query");
    ck_assert_int_eq(read_body("caches.flush", "application/json", STR("{\"name\":\"a\"}")),
                     ERR_OK);
    ck_assert_int_eq(read_body("caches.flush", NULL, STR("{}")), ERR_OK);
}
END_TEST

/* ---- bodies that are whatever they are ---- */

static enum err read_raw(const char *type, struct str body)
{
    static const struct route raw = {.name = "raw", .body = BODY_RAW};

    call_init(&call, NULL, &raw, arena);
    call.body = body;
    return params_read_body(&call, str_from(type));
}

START_TEST(any_bytes_of_any_type)
{
    static const char *const types[] = {NULL,
                                        "",
                                        "application/json",
                                        "text/html; charset=\"utf-8\"",
                                        "application/vnd.a+b.c-1_2",
                                        "multipart/form-data;boundary=\"a b\"",
                                        "a/b;\tc=d",
                                        "application/x-www-form-urlencoded",
                                        "text/plain ; charset=utf-8"};
    static const char bytes[] = "\0\xff\r\n{";
    const struct str body = {bytes, sizeof bytes};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ck_assert_msg(read_raw(types[i], body) == ERR_OK, "%s: %s", types[i], call.error.caller);
        ck_assert(str_eq(call.content_type, str_from(types[i])));
        ck_assert(str_eq(call.body, body));
        ck_assert_ptr_null(call.fields);
    }
    ck_assert_int_eq(read_raw("text/plain", STR_NONE), ERR_OK);
}
END_TEST

/* It goes out one day as a line of a head. */
START_TEST(a_type_that_is_none)
{
    static const char *const types[] = {"text",
                                        "/",
                                        "text/",
                                        "/plain",
                                        "text/plain/x",
                                        "te xt/plain",
                                        "text/pl ain",
                                        ";",
                                        ";a=b",
                                        "text/plain\r\nSet-Cookie: a=b",
                                        "a/b;c=\x7f",
                                        "a/b;c=\xc2\x80",
                                        "a/b;c=caf\xc3\xa9",
                                        "a/b, c/d"};
    char text[300] = "text/plain;a=";

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        expect_refused(read_raw(types[i], STR("x")), "Content-Type: ");
        ck_assert_uint_eq(call.content_type.len, 0);
    }
    memset(text + strlen(text), 'x', 255 - strlen(text));
    ck_assert_int_eq(read_raw(text, STR("x")), ERR_OK);
    text[255] = 'x';
    expect_refused(read_raw(text, STR("x")), "Content-Type: ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/params_body");
    TCase *tcase = tcase_create("body");
    tcase_add_checked_fixture(tcase, open_call, close_call);
    tcase_add_test(tcase, a_body_of_fields);
    tcase_add_test(tcase, no_body_is_no_fields);
    tcase_add_test(tcase, media_types_we_do_not_take);
    tcase_add_test(tcase, bodies_that_are_not_fields);
    tcase_add_test(tcase, a_form_that_names_a_member_twice_hears_which);
    tcase_add_test(tcase, a_form_cannot_write_json);
    tcase_add_test(tcase, bodies_that_mention_a_user_id);
    tcase_add_test(tcase, bodies_that_do_not);
    tcase_add_test(tcase, bodies_that_nobody_can_read);
    tcase_add_test(tcase, a_flush_whose_body_names_a_parameter);
    tcase_add_test(tcase, any_bytes_of_any_type);
    tcase_add_test(tcase, a_type_that_is_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
