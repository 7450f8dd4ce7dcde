#include "cachewarden/json.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "noise.h"
#include "slowness.h"
#include "suite.h"

#include <pthread.h>

static struct arena *arena;

static void setup(void)
{
    arena = arena_new(4096, 0);
    ck_assert_ptr_nonnull(arena);
}

static void teardown(void)
{
    arena_free(&arena);
}

/* The root of a document that has to be good. */
static const struct json *parsed(const char *text)
{
    const struct json *root = NULL;
    struct error error;

    error_clear(&error);
    ck_assert_msg(json_parse(arena, str_from(text), &root, &error) == ERR_OK, "%s: %s", text,
                  error.caller);
    ck_assert_ptr_nonnull(root);
    return root;
}

START_TEST(every_kind_at_the_top)
{
    static const struct {
        const char *text;
        enum json_kind kind;
    } cases[] = {
        {"null", JSON_NULL},
        {"true", JSON_BOOL},
        {"false", JSON_BOOL},
        {"0", JSON_INTEGER},
        {"-0", JSON_INTEGER},
        {"-5", JSON_INTEGER},
        {"1.0", JSON_REAL},
        {"1e3", JSON_REAL},
        {"-1.5E-3", JSON_REAL},
        {"\"\"", JSON_STRING},
        {"[]", JSON_ARRAY},
        {"{}", JSON_OBJECT},
        {" \t\r\n[ ] \n", JSON_ARRAY},
        {"{\"a\":[{}]}", JSON_OBJECT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(json_kind(parsed(cases[i].text)) == cases[i].kind, "%s", cases[i].text);
}
END_TEST

struct refusal {
    struct str text;
    const char *says;
};

static void check_refusal(const struct refusal *refusal, size_t number)
{
    const struct json *root = NULL;
    struct error error;

    error_clear(&error);
    ck_assert_msg(json_parse(arena, refusal->text, &root, &error) == ERR_BAD_INPUT,
                  "case %zu: %.*s", number, STR_ARG(refusal->text));
    ck_assert_int_eq(error.code, ERR_BAD_INPUT);
    ck_assert_ptr_null(root);
    ck_assert_msg(strstr(error.caller, refusal->says) != NULL, "case %zu: %s", number,
                  error.caller);
    ck_assert_msg(strstr(error.caller, "line ") && strstr(error.caller, "column "), "case %zu: %s",
                  number, error.caller);
    /* No error to fill is fine, too. */
    ck_assert_int_eq(json_parse(arena, refusal->text, &root, NULL), ERR_BAD_INPUT);
}

START_TEST(refused_with_a_reason)
{
    static const struct refusal cases[] = {
        {STR_NONE, "ends too early"},
        {STR(""), "ends too early"},
        {STR("  \n"), "ends too early"},
        {STR("["), "ends too early"},
        {STR("[1,"), "ends too early"},
        {STR("{\"a\":"), "ends too early"},
        {STR("\"abc"), "ends too early"},
        {STR("[1]]"), "follows the end"},
        {STR("{} {}"), "follows the end"},
        {STR("1 2"), "follows the end"},
        {STR("null\0"), "NUL byte"},
        {STR("[1\0,2]"), "NUL byte"},
        {STR("\0"), "NUL byte"},
        {STR("\0[]"), "NUL byte"},
        {STR("\"a\0b\""), "NUL byte"},
        {STR("\"\\\0\""), "NUL byte"},
        {STR("{\"a\":1,\"a\":1}"), "same name twice"},
        {STR("{\"a\":1,\"b\":{\"c\":1,\"c\":null}}"), "same name twice"},
        {STR("{\"a\":1,\"\\u0061\":2}"), "same name twice"},
        {STR("\"\\u0000\""), "\\u0000"},
        {STR("{\"\\u0000\":1}"), "\\u0000"},
        {STR("{\"a\\u0000b\":1}"), "\\u0000"},
        {STR("9223372036854775808"), "too large"},
        {STR("-9223372036854775809"), "too large"},
        {STR("123456789012345678901234567890"), "too large"},
        {STR("1e400"), "too large"},
        {STR("-1e400"), "too large"},
        {STR("\"\xff\""), "UTF-8"},
        {STR("\"\xc0\x80\""), "UTF-8"},
        {STR("\"\xed\xa0\x80\""), "UTF-8"},
        {STR("\"\xf4\x90\x80\x80\""), "UTF-8"},
        {STR("\"\xe2\x82\""), "UTF-8"},
        {STR("{\"\xff\":1}"), "UTF-8"},
        {STR("\xff"), "UTF-8"},
        {STR("\"\\ud800\""), "syntax"},
        {STR("\"\\ud800x\""), "syntax"},
        {STR("\"\\ud800\\ud800\""), "syntax"},
        {STR("\"\\ud800\\u0041\""), "syntax"},
        {STR("\"\\udc00\""), "syntax"},
        {STR("\"\\udc00\\ud800\""), "syntax"},
        {STR("\xef\xbb\xbf{}"), "syntax"},
        {STR("[1,]"), "syntax"},
        {STR("[,1]"), "syntax"},
        {STR("[1 2]"), "syntax"},
        {STR("{\"a\":1,}"), "syntax"},
        {STR("{\"a\" 1}"), "syntax"},
        {STR("{a:1}"), "syntax"},
        {STR("{1:1}"), "syntax"},
        {STR("{'a':1}"), "syntax"},
        {STR("[}"), "syntax"},
        {STR("]"), "syntax"},
        {STR("nul"), "syntax"},
        {STR("NULL"), "syntax"},
        {STR("True"), "syntax"},
        {STR("NaN"), "syntax"},
        {STR("Infinity"), "syntax"},
        {STR("-"), "syntax"},
        {STR("+1"), "syntax"},
        {STR("01"), "syntax"},
        {STR("-01"), "syntax"},
        {STR("1."), "syntax"},
        {STR(".5"), "syntax"},
        {STR("1e"), "syntax"},
        {STR("0x10"), ""},
        {STR("\"\\x41\""), "syntax"},
        {STR("\"\\u12\""), "syntax"},
        {STR("\"a\nb\""), "syntax"},
        {STR("\"a\tb\""), "syntax"},
        {STR("// comment\n1"), "syntax"},
        {STR("/* */1"), "syntax"},
        {STR("'a'"), "syntax"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refusal(&cases[i], i);
}
END_TEST

START_TEST(lines_and_columns_are_told)
{
    static const struct refusal cases[] = {
        {STR("{\"a\":\n 1 2}"), "line 2"},
        {STR("{\n\"a\": 1,\n\"a\": 2\n}"), "line 3"},
        {STR("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]"), "line 1, column 33:"},
        {STR("\n\n [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]"), "line 3, column 34:"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refusal(&cases[i], i);
}
END_TEST

/* Passwords arrive in documents, and error texts go to the log. */
START_TEST(error_texts_never_quote_the_document)
{
    static const char *const texts[] = {
        "{\"password\":\"hunter2\" \"x\":1}",
        "{\"password\":hunter2}",
        "hunter2",
        "{\"hunter2\":1,\"hunter2\":1}",
        "{\"password\":\"hunter2",
        "[1] hunter2",
        "{\"p\":\"hunter2\\u0000\"}",
        "{\"p\":\"hunter2\xff\"}",
        "{\"p\":\"hunter2\n\"}",
        "{\"hunter2\\u0000\":1}",
        "{\"p\":\"hunter2\\ud800\"}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct json *root;
        struct error error;
        ck_assert_int_eq(json_parse(arena, str_from(texts[i]), &root, &error), ERR_BAD_INPUT);
        ck_assert_msg(!strstr(error.caller, "hunter"), "%s", error.caller);
        ck_assert_msg(!strstr(error.detail, "hunter"), "%s", error.detail);
    }
}
END_TEST

/* `depth` opening brackets and as many closing ones. */
static struct str nested(int depth, const char *open, const char *inside, char close)
{
    struct strbuf buf;

    strbuf_init(&buf, arena, 0);
    for (int i = 0; i < depth; i++)
        strbuf_add(&buf, str_from(open));
    strbuf_add(&buf, str_from(inside));
    for (int i = 0; i < depth; i++)
        strbuf_add_char(&buf, close);
    return strbuf_str(&buf);
}

START_TEST(nul_is_taken_from_values_for_who_asks)
{
    const struct json *root;

    ck_assert_int_eq(json_parse_nul(arena, STR("{\"a\":\"b\\u0000c\"}"), &root, NULL), ERR_OK);
    struct str value = json_string(json_get(root, "a"));
    ck_assert_uint_eq(value.len, 3);
    ck_assert_mem_eq(value.ptr, "b\0c", 4);
    ck_assert_int_eq(json_parse_nul(arena, STR("{\"a\\u0000\":1}"), &root, NULL), ERR_BAD_INPUT);
    ck_assert_int_eq(json_parse_nul(arena, STR("{\"a\":\"\0\"}"), &root, NULL), ERR_BAD_INPUT);
}
END_TEST

START_TEST(depth_is_limited_exactly)
{
    const struct json *root;

    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        enum err expected = depth <= JSON_MAX_DEPTH ? ERR_OK : ERR_BAD_INPUT;
        struct str arrays = nested(depth, "[", "", ']');
        struct str objects = nested(depth, "{\"a\":", "1", '}');
        ck_assert_int_eq(json_parse(arena, arrays, &root, NULL), expected);
        ck_assert_int_eq(json_parse(arena, objects, &root, NULL), expected);
    }
    /* Wide is not deep. */
    struct strbuf buf;
    strbuf_init(&buf, arena, 0);
    strbuf_add_char(&buf, '[');
    for (int i = 0; i < 1000; i++)
        strbuf_add(&buf, STR("[{}],"));
    strbuf_add(&buf, STR("[]]"));
    ck_assert_int_eq(json_parse(arena, strbuf_str(&buf), &root, NULL), ERR_OK);
    ck_assert_uint_eq(json_count(root), 1001);
}
END_TEST

START_TEST(brackets_in_strings_are_not_levels)
{
    static const char *const insides[] = {"[[[[", "\\\"[[[[", "\\\\\\\"{{{{", "]]]]", ",,,,"};

    for (size_t i = 0; i < sizeof insides / sizeof *insides; i++) {
        struct strbuf buf;
        const struct json *root;
        strbuf_init(&buf, arena, 0);
        strbuf_add(&buf, STR("[\"\\\\\",\""));
        for (int j = 0; j < 100; j++)
            strbuf_add(&buf, str_from(insides[i]));
        strbuf_add(&buf, STR("\"]"));
        ck_assert_int_eq(json_parse(arena, strbuf_str(&buf), &root, NULL), ERR_OK);
        ck_assert_uint_eq(json_count(root), 2);
    }
    /* And a string that is over hides nothing. */
    check_refusal(&(struct refusal){nested(40, "[\"]\\\\\",", "", ']'), "too deeply"}, 0);
}
END_TEST

static void *parse_on_a_small_stack(void *arg)
{
    const struct str *text = arg;
    const struct json *root;
    struct arena *own = arena_new(4096, 0);

    enum err err = json_parse(own, *text, &root, NULL);
    arena_free(&own);
    return err == ERR_BAD_INPUT || err == ERR_OK ? NULL : own;
}

static void on_a_small_stack(struct str text)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *result;

    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, parse_on_a_small_stack, &text), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_null(result);
    pthread_attr_destroy(&attributes);
}

START_TEST(a_worker_s_stack_is_enough)
{
    on_a_small_stack(nested(JSON_MAX_DEPTH, "{\"a\":", "[1.5]", '}'));
    on_a_small_stack(nested(JSON_MAX_DEPTH, "[", "", ']'));
    on_a_small_stack(nested(100000, "[", "", ']'));
    on_a_small_stack(nested(100000, "{\"a\":", "1", '}'));
}
END_TEST

START_TEST(deep_garbage_costs_nothing)
{
    struct str deep = nested(1000000, "[", "", ']');
    int64_t before_ns = clock_mono_ns();

    for (int i = 0; i < 2000; i++)
        check_refusal(&(struct refusal){deep, "too deeply"}, 0);
    /* It ends at the 33rd bracket; reading all these 8 GB would take far longer. */
    expect_within_ms((clock_mono_ns() - before_ns) / NS_PER_MS, 2 * 1000);
}
END_TEST

START_TEST(the_number_of_values_is_limited)
{
    static const char *const pieces[] = {"{},", "[],", "1,", "\"\","};

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        for (int over = 0; over < 2; over++) {
            struct strbuf buf;
            const struct json *root;
            strbuf_init(&buf, NULL, 0);
            strbuf_add_char(&buf, '[');
            /* The array and a comma are counted: brackets and commas, not what is between. */
            int each = pieces[i][0] == '{' || pieces[i][0] == '[' ? 2 : 1;
            int count = (JSON_MAX_VALUES - 2) / each + over;
            for (int n = 0; n < count; n++)
                strbuf_add(&buf, str_from(pieces[i]));
            strbuf_add(&buf, STR("1]"));
            if (over)
                check_refusal(&(struct refusal){strbuf_str(&buf), "too many values"}, i);
            else
                ck_assert_int_eq(json_parse(arena, strbuf_str(&buf), &root, NULL), ERR_OK);
            strbuf_fini(&buf);
        }
    }
}
END_TEST

START_TEST(scalars)
{
    ck_assert_int_eq(json_integer(parsed("9223372036854775807")), INT64_MAX);
    ck_assert_int_eq(json_integer(parsed("-9223372036854775808")), INT64_MIN);
    ck_assert_int_eq(json_integer(parsed("9007199254740993")), INT64_C(9007199254740993));
    ck_assert_double_eq(json_real(parsed("1.5")), 1.5);
    ck_assert_double_eq(json_real(parsed("-2")), -2.0);
    ck_assert(json_bool(parsed("true")));
    ck_assert(!json_bool(parsed("false")));

    struct str text = json_string(parsed("\"\\u00e9\\n\\ud83d\\ude00\\/\\\"\""));
    ck_assert(str_eq(text, STR("é\n😀/\"")));
    ck_assert_int_eq(text.ptr[text.len], '\0');
    text = json_string(parsed("\"\""));
    ck_assert_ptr_nonnull(text.ptr);
    ck_assert_uint_eq(text.len, 0);
}
END_TEST

START_TEST(readers_of_the_wrong_kind)
{
    static const char *const texts[] = {"null", "true", "7", "7.5", "\"7\"", "[7]", "{\"a\":7}"};

    for (size_t i = 0; i <= sizeof texts / sizeof *texts; i++) {
        const struct json *value = i == 0 ? NULL : parsed(texts[i - 1]);
        enum json_kind kind = json_kind(value);
        ck_assert_int_eq(json_bool(value), kind == JSON_BOOL);
        ck_assert_int_eq(json_integer(value), kind == JSON_INTEGER ? 7 : 0);
        ck_assert_double_eq(json_real(value), kind == JSON_INTEGER ? 7.0
                                              : kind == JSON_REAL  ? 7.5
                                                                   : 0.0);
        ck_assert_int_eq(json_string(value).ptr != NULL, kind == JSON_STRING);
        ck_assert_int_eq(json_get(value, "a") != NULL, kind == JSON_OBJECT);
        ck_assert_int_eq(json_at(value, 0) != NULL, kind == JSON_ARRAY);
        ck_assert_uint_eq(json_count(value), kind == JSON_ARRAY || kind == JSON_OBJECT ? 1 : 0);
    }
    ck_assert_int_eq(json_kind(NULL), JSON_NULL);
}
END_TEST

START_TEST(members_and_elements)
{
    const struct json *root = parsed("{\"a\":{\"b\":[10,null,\"x\"]},\"\":1,\"n\":null}");
    const struct json *list = json_get(json_get(root, "a"), "b");

    ck_assert_uint_eq(json_count(root), 3);
    ck_assert_uint_eq(json_count(list), 3);
    ck_assert_int_eq(json_integer(json_at(list, 0)), 10);
    ck_assert_int_eq(json_kind(json_at(list, 1)), JSON_NULL);
    ck_assert_ptr_nonnull(json_at(list, 1));
    ck_assert(str_eq(json_string(json_at(list, 2)), STR("x")));
    ck_assert_ptr_null(json_at(list, 3));
    ck_assert_ptr_null(json_at(list, SIZE_MAX));
    ck_assert_int_eq(json_integer(json_get(root, "")), 1);
    ck_assert_ptr_nonnull(json_get(root, "n"));
    ck_assert_ptr_null(json_get(root, "A"));
    ck_assert_ptr_null(json_get(root, "missing"));
    ck_assert_ptr_null(json_get(json_get(root, "missing"), "b"));
}
END_TEST

struct walk {
    struct strbuf names;
    int64_t sum;
    int left;
};

static bool gather(struct str name, const struct json *value, void *arg)
{
    struct walk *walk = arg;

    strbuf_add(&walk->names, name);
    walk->sum += json_integer(value);
    return --walk->left > 0;
}

START_TEST(each_goes_through_in_the_order_of_the_text)
{
    const struct json *root = parsed("{\"z\":1,\"a\":2,\"m\":4,\"é\":8,\"b\":16}");
    struct walk walk = {.names = {.arena = arena}, .left = 100};

    json_each(root, gather, &walk);
    ck_assert(str_eq(strbuf_str(&walk.names), STR("zaméb")));
    ck_assert_int_eq(walk.sum, 31);

    walk = (struct walk){.names = {.arena = arena}, .left = 2};
    json_each(root, gather, &walk);
    ck_assert(str_eq(strbuf_str(&walk.names), STR("za")));

    walk = (struct walk){.names = {.arena = arena}, .left = 100};
    json_each(NULL, gather, &walk);
    json_each(parsed("[1]"), gather, &walk);
    json_each(parsed("{}"), gather, &walk);
    ck_assert_uint_eq(walk.names.len, 0);
}
END_TEST

START_TEST(a_document_lives_until_the_reset)
{
    const struct json *first = parsed("{\"a\":\"first\"}");

    for (int i = 0; i < 1000; i++)
        parsed("[1,2,{\"b\":\"second\"}]");
    ck_assert(str_eq(json_string(json_get(first, "a")), STR("first")));
    arena_reset(arena); /* what is not freed here, LeakSanitizer reports */
    parsed("[]");
}
END_TEST

/* jansson overruns a buffer when an allocation fails, or calls it a syntax error. We must not. */
START_TEST(memory_that_runs_out_anywhere_is_no_fault_of_the_client)
{
    static const char text[] =
        "{\"name\":\"J\\u00f6rg, a longer string\",\"list\":[1,2.5,true,null,3,4,5,6,"
        "7,8,9],\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7}";
    size_t limit = 0;
    enum err err;

    do {
        const struct json *root = NULL;
        struct error error;
        limit += 16; /* each allocation in turn is the one too many */
        struct arena *small = arena_new(limit, limit);
        error_clear(&error);
        err = json_parse(small, str_from(text), &root, &error);
        if (err == ERR_OK) {
            ck_assert_int_eq(json_integer(json_get(root, "g")), 7);
        } else {
            ck_assert_msg(err == ERR_NO_MEMORY, "limit %zu: %s %s", limit, err_name(err),
                          error.caller);
            ck_assert_int_eq(error.code, ERR_NO_MEMORY);
            ck_assert_str_eq(error.caller, "");
            ck_assert_ptr_null(root);
        }
        arena_free(&small);
    } while (err != ERR_OK);
    ck_assert_uint_gt(limit, 1000);
    ck_assert_uint_lt(limit, 10000);
}
END_TEST

START_TEST(the_largest_document_takes_what_the_header_says)
{
    static const char *const pieces[] = {"{},", "[],", "{\"a\":1},", "[1],", "1.5,", "\"\","};

    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct strbuf buf;
        struct arena *small = arena_new(4096, 0);
        const struct json *root;
        strbuf_init(&buf, NULL, 0);
        strbuf_add_char(&buf, '[');
        int each = strpbrk(pieces[i], "{[") ? 2 : 1;
        for (int n = 0; n < (JSON_MAX_VALUES - 2) / each; n++)
            strbuf_add(&buf, str_from(pieces[i]));
        strbuf_add(&buf, STR("1]"));
        ck_assert_int_eq(json_parse(small, strbuf_str(&buf), &root, NULL), ERR_OK);
        /* 200, and the gaps an arena has under AddressSanitizer. */
        ck_assert_msg(arena_used(small) < 240 * JSON_MAX_VALUES, "%s: %zu", pieces[i],
                      arena_used(small));
        strbuf_fini(&buf);
        arena_free(&small);
    }
}
END_TEST

/* Documents with one byte changed: refused with words, or read to the last value. */
static bool read_everything(struct str name, const struct json *value, void *arg)
{
    size_t *bytes = arg;

    *bytes += name.len + json_string(value).len;
    ck_assert(str_is_utf8(name));
    ck_assert(str_is_utf8(json_string(value)));
    ck_assert(!json_string(value).ptr || strlen(json_string(value).ptr) == json_string(value).len);
    json_each(value, read_everything, arg);
    for (size_t i = 0; json_kind(value) == JSON_ARRAY && i < json_count(value); i++)
        read_everything(STR_NONE, json_at(value, i), arg);
    return true;
}

START_TEST(changed_bytes_are_refused_or_read)
{
    static const char original[] =
        "{\"user_id\":123,\"name\":\"J\\u00f6rg \\ud83d\\ude00\",\"é\":[1.5e3,"
        "-7,true,false,null,{\"a\":{},\"b\":[]}],\"exp\":9223372036854775807}";
    static const char likely[] = "[]{},:\"\\u0dD8eE+-.019 \n\x80\xc3\xff";
    struct noise noise = {6};

    for (int round = 0; round < 50000; round++) {
        char text[sizeof original];
        memcpy(text, original, sizeof text);
        for (size_t i = 0; i <= noise_below(&noise, 3); i++)
            text[noise_below(&noise, sizeof text - 1)] = likely[noise_below(&noise, sizeof likely)];

        const struct json *root = NULL;
        struct error error;
        struct str whole = {text, sizeof text - 1};
        error_clear(&error);
        if (json_parse(arena, whole, &root, &error) == ERR_OK) {
            size_t bytes = 0;
            read_everything(STR_NONE, root, &bytes);
        } else {
            ck_assert_int_eq(error.code, ERR_BAD_INPUT);
            ck_assert_ptr_null(root);
            ck_assert_int_eq(strncmp(error.caller, "Invalid JSON at line ", 21), 0);
        }
        arena_reset(arena);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/json");
    TCase *tcase = tcase_create("json");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_kind_at_the_top);
    tcase_add_test(tcase, refused_with_a_reason);
    tcase_add_test(tcase, lines_and_columns_are_told);
    tcase_add_test(tcase, error_texts_never_quote_the_document);
    tcase_add_test(tcase, nul_is_taken_from_values_for_who_asks);
    tcase_add_test(tcase, depth_is_limited_exactly);
    tcase_add_test(tcase, brackets_in_strings_are_not_levels);
    tcase_add_test(tcase, a_worker_s_stack_is_enough);
    tcase_add_test(tcase, deep_garbage_costs_nothing);
    tcase_add_test(tcase, the_number_of_values_is_limited);
    tcase_add_test(tcase, scalars);
    tcase_add_test(tcase, readers_of_the_wrong_kind);
    tcase_add_test(tcase, members_and_elements);
    tcase_add_test(tcase, each_goes_through_in_the_order_of_the_text);
    tcase_add_test(tcase, a_document_lives_until_the_reset);
    tcase_add_test(tcase, the_largest_document_takes_what_the_header_says);
    tcase_add_test(tcase, memory_that_runs_out_anywhere_is_no_fault_of_the_client);
    tcase_add_test(tcase, changed_bytes_are_refused_or_read);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
