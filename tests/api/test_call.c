#include "cachewarden/call.h"

#include "cachewarden/routes.h"
#include "suite.h"

#include <signal.h>

static struct arena *arena;
static struct call call;
static const struct route route = {.name = "test.route"};

static void open_call(void)
{
    arena = arena_new(4096, 0);
    call_init(&call, NULL, &route, arena);
}

static void close_call(void)
{
    arena_free(&arena);
}

static void give_body(const char *json)
{
    ck_assert_int_eq(json_parse(arena, str_from(json), &call.fields, &call.error), ERR_OK);
}

START_TEST(a_new_call_says_nothing)
{
    ck_assert_int_eq(call.principal.kind, PRINCIPAL_ANONYMOUS);
    ck_assert_int_eq(call.reply.cache_enabled, UNKNOWN);
    ck_assert_int_eq(call.reply.cache_version, 0);
    ck_assert_int_eq(call.reply.outcome, OUTCOME_OK);
    ck_assert_uint_eq(call.reply.body.len, 0);
    ck_assert_ptr_eq(call.reply.json.out, &call.reply.body);
    ck_assert_int_eq(call_finish(&call), ERR_OK);
}
END_TEST

START_TEST(an_answer_without_room_is_no_answer)
{
    struct arena *small = arena_new(64, 1024);
    call_init(&call, NULL, &route, small);
    char text[2000];
    memset(text, 'x', sizeof text);
    json_write_string(&call.reply.json, (struct str){text, sizeof text});
    ck_assert_int_eq(call_finish(&call), ERR_NO_MEMORY);
    ck_assert_int_eq(call.error.code, ERR_NO_MEMORY);
    arena_free(&small);
}
END_TEST

START_TEST(parameters_by_name)
{
    call.params[0] = (struct param_value){.name = "limit", .integer = 7};
    call.params[1] = (struct param_value){.name = "before", .given = true};
    call.param_count = 2;
    ck_assert_int_eq(call_param(&call, "limit")->integer, 7);
    ck_assert(call_param(&call, "before")->given);
}
END_TEST

START_TEST(an_undeclared_parameter_aborts)
{
    (void)call_param(&call, "limit");
}
END_TEST

START_TEST(fields_that_are_strings)
{
    struct str value;
    give_body("{\"username\":\"alice\",\"e\":\"caf\\u00e9\"}");
    ck_assert_int_eq(call_field_string(&call, "username", &value), ERR_OK);
    ck_assert(str_eq(value, STR("alice")));
    ck_assert_int_eq(call_field_optional(&call, "e", &value), ERR_OK);
    ck_assert(str_eq(value, STR("caf\xc3\xa9")));
    ck_assert_int_eq(call_field_optional(&call, "absent", &value), ERR_OK);
    ck_assert_ptr_null(value.ptr);
}
END_TEST

START_TEST(fields_that_are_not)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"{}", "name: This field is required."},
        {"{\"Name\":\"a\"}", "name: This field is required."},
        {"{\"name\":\"\"}", "name: This field may not be blank."},
        {"{\"name\":null}", "name: This field must be a string."},
        {"{\"name\":1}", "name: This field must be a string."},
        {"{\"name\":true}", "name: This field must be a string."},
        {"{\"name\":[\"a\"]}", "name: This field must be a string."},
        {"{\"name\":{\"a\":\"b\"}}", "name: This field must be a string."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str value = STR("untouched");
        give_body(cases[i].body);
        ck_assert_msg(call_field_string(&call, "name", &value) == ERR_BAD_INPUT, "%s",
                      cases[i].body);
        ck_assert_str_eq(call.error.caller, cases[i].says);
        ck_assert_uint_eq(value.len, 0);
    }
}
END_TEST

START_TEST(true_or_false)
{
    static const char *const good[] = {"{}", "{\"session\":false}", "{\"session\":\"false\"}",
                                       "{\"session\":true}", "{\"session\":\"true\"}"};
    static const char *const bad[] = {"{\"session\":1}",      "{\"session\":null}",
                                      "{\"session\":\"\"}",   "{\"session\":\"True\"}",
                                      "{\"session\":[true]}", "{\"session\":{}}"};
    bool value;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        give_body(good[i]);
        value = i < 3;
        ck_assert_int_eq(call_field_boolean(&call, "session", &value), ERR_OK);
        ck_assert_msg(value == (i >= 3), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        give_body(bad[i]);
        value = true;
        ck_assert_msg(call_field_boolean(&call, "session", &value) == ERR_BAD_INPUT, "%s", bad[i]);
        ck_assert_str_eq(call.error.caller, "session: This field must be true or false.");
        ck_assert(!value);
    }
}
END_TEST

START_TEST(only_known_fields)
{
    static const char *const names[] = {"username", "password", NULL};
    give_body("{}");
    ck_assert_int_eq(call_fields_only(&call, names), ERR_OK);
    give_body("{\"password\":\"p\",\"username\":\"u\"}");
    ck_assert_int_eq(call_fields_only(&call, names), ERR_OK);
    give_body("{\"username\":\"u\",\"is_superuser\":true,\"groups\":[]}");
    ck_assert_int_eq(call_fields_only(&call, names), ERR_BAD_INPUT);
    ck_assert_str_eq(call.error.caller, "is_superuser: Unknown field. Leave it out.");
    ck_assert_ptr_null(strstr(call.error.detail, "is_superuser"));
    give_body("{\"\":1}");
    ck_assert_int_eq(call_fields_only(&call, names), ERR_BAD_INPUT);
    give_body("{\"Username\":\"u\"}");
    ck_assert_int_eq(call_fields_only(&call, names), ERR_BAD_INPUT);
}
END_TEST

START_TEST(a_long_unknown_field_is_cut)
{
    static const char *const names[] = {NULL};
    char body[2000];
    memset(body, 'x', sizeof body);
    memcpy(body, "{\"", 2);
    memcpy(body + sizeof body - 5, "\":1}", 5);
    give_body(body);
    ck_assert_int_eq(call_fields_only(&call, names), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(call.error.caller, ": Unknown field."));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/call");
    TCase *tcase = tcase_create("call");
    tcase_add_checked_fixture(tcase, open_call, close_call);
    tcase_add_test(tcase, a_new_call_says_nothing);
    tcase_add_test(tcase, an_answer_without_room_is_no_answer);
    tcase_add_test(tcase, parameters_by_name);
    tcase_add_test_raise_signal(tcase, an_undeclared_parameter_aborts, SIGABRT);
    tcase_add_test(tcase, fields_that_are_strings);
    tcase_add_test(tcase, fields_that_are_not);
    tcase_add_test(tcase, true_or_false);
    tcase_add_test(tcase, only_known_fields);
    tcase_add_test(tcase, a_long_unknown_field_is_cut);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
