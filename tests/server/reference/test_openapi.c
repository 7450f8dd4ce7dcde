/* Schemas told from examples, and samples of errors. tests/http/test_schema.c has the whole document. */
#include "reference/openapi.h"
#include "reference/openapi_private.h"
#include "suite.h"

#include <check.h>
#include <string.h>

static struct arena *arena;
static struct strbuf text;

static void set_up(void)
{
    arena = arena_new(4096, 0);
    strbuf_init(&text, NULL, 256);
}

static void tear_down(void)
{
    arena_free(&arena);
    strbuf_fini(&text);
}

static const char *shape_of(const char *const *examples, size_t count, bool closed)
{
    const struct json *values[4];
    struct json_writer json;
    text.len = 0;
    json_writer_init(&json, &text);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(json_parse(arena, str_from(examples[i]), &values[i], NULL), ERR_OK);
    openapi_write_shape(&json, arena, values, count, closed);
    strbuf_add_char(&text, '\0');
    ck_assert(!text.failed);
    return text.ptr;
}

START_TEST(one_example)
{
    ck_assert_str_eq(shape_of((const char *const[]){"{\"a\":1,\"b\":[\"x\"]}"}, 1, false),
                     "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},"
                     "\"b\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},"
                     "\"required\":[\"a\",\"b\"]}");
}
END_TEST

/* What one lacks is not required; what is null in one may be null; 1 and 1.5 are numbers. */
START_TEST(several_examples)
{
    ck_assert_str_eq(shape_of((const char *const[]){"{\"a\":1,\"b\":null}",
                                                    "{\"a\":1.5,\"b\":\"x\",\"c\":true}"},
                              2, true),
                     "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"number\"},"
                     "\"b\":{\"type\":[\"null\",\"string\"]},\"c\":{\"type\":\"boolean\"}},"
                     "\"required\":[\"a\",\"b\"],\"additionalProperties\":false}");
}
END_TEST

START_TEST(values_are_written_as_they_were)
{
    static const char original[] =
        "{\"a\":[1,-2.5,\"\\\"x\\\"\",null,true,{}],\"b\":{\"c\":false}}";
    const struct json *value;
    struct json_writer json;
    json_writer_init(&json, &text);
    ck_assert_int_eq(json_parse(arena, str_from(original), &value, NULL), ERR_OK);
    openapi_write_value(&json, value);
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(text.ptr, "{\"a\":[1,-2.500,\"\\\"x\\\"\",null,true,{}],\"b\":{\"c\":false}}");
}
END_TEST

static const struct sample *sample_of(const char *route_name, const char *label)
{
    const struct sample *found = NULL;
    size_t count;
    const struct route *routes = routes_table(&count);
    for (size_t i = 0; i < count; i++) {
        struct sample *samples;
        if (strcmp(routes[i].name, route_name) != 0)
            continue;
        size_t sample_count = openapi_samples(&routes[i], arena, &samples);
        for (size_t s = 0; s < sample_count; s++)
            if (strcmp(samples[s].label, label) == 0)
                found = &samples[s];
    }
    ck_assert_msg(found != NULL, "%s has no sample %s", route_name, label);
    return found;
}

START_TEST(errors_follow_from_the_row)
{
    const struct sample *sample = sample_of("messages.flush", "not_allowed");
    ck_assert_int_eq(sample->status, 403);
    ck_assert_str_eq(sample->as, "user");
    ck_assert(str_starts(sample->reply, STR("{\"success\":false,\"error\":")));
    sample = sample_of("caches.flush", "unknown_parameter");
    ck_assert_int_eq(sample->status, 400);
    ck_assert(str_eq(sample->target, STR("/api/v1/caches/messages/flush?nonsense=1")));
    ck_assert(str_eq(sample->media_type, STR("application/problem+json")));
    sample = sample_of("auth.login", "throttled");
    ck_assert_int_eq(sample->status, 429);
    ck_assert_str_eq(sample->given, "limit_used_up");
    sample = sample_of("auth.login", "too_large");
    ck_assert_int_eq(sample->status, 413);
    ck_assert_uint_eq(sample->body_size, 64 * 1024 + 1);
}
END_TEST

START_TEST(every_sample_is_whole)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    for (size_t i = 0; i < count; i++) {
        struct sample *samples;
        size_t sample_count = openapi_samples(&routes[i], arena, &samples);
        ck_assert_msg(sample_count > 0, "%s", routes[i].name);
        for (size_t s = 0; s < sample_count; s++) {
            ck_assert_int_ge(samples[s].status, 200);
            ck_assert(samples[s].target.len > 0);
            ck_assert_msg(s == 0 || samples[s - 1].status <= samples[s].status, "%s",
                          routes[i].name);
            ck_assert_msg(s == 0 || samples[s - 1].status != samples[s].status ||
                              str_eq(samples[s - 1].media_type, samples[s].media_type),
                          "%s answers %d in two media types", routes[i].name, samples[s].status);
        }
    }
}
END_TEST

/* A route stands where its name says, not with what is left over. */
START_TEST(every_route_has_a_tag)
{
    size_t count;
    const struct route *routes = routes_table(&count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(openapi_tag(&routes[i]),
                      "%s: its prefix needs a tag in server/reference/openapi.c", routes[i].name);
    ck_assert_ptr_null(openapi_tag(&(struct route){.name = "things.list"}));
    ck_assert_str_eq(openapi_tag(&(struct route){.name = "jobs.show"}), "jobs");
    ck_assert_str_eq(openapi_tag(&(struct route){.name = "subjects.find"}), "subjects");
}
END_TEST

/* openapi_headers.c speaks of some rows by name. */
START_TEST(every_row_with_headers_of_its_own_is_there)
{
    size_t count, named = 0;
    const struct route *routes = routes_table(&count);

    for (const char *name; (name = openapi_named_row(named)); named++) {
        size_t i = 0;
        while (i < count && strcmp(routes[i].name, name) != 0)
            i++;
        ck_assert_msg(i < count, "no route is called %s", name);
    }
    ck_assert_uint_gt(named, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("openapi");
    TCase *each = tcase_create("all");
    tcase_add_checked_fixture(each, set_up, tear_down);
    tcase_add_test(each, one_example);
    tcase_add_test(each, several_examples);
    tcase_add_test(each, values_are_written_as_they_were);
    tcase_add_test(each, errors_follow_from_the_row);
    tcase_add_test(each, every_sample_is_whole);
    tcase_add_test(each, every_route_has_a_tag);
    tcase_add_test(each, every_row_with_headers_of_its_own_is_there);
    suite_add_tcase(suite, each);
    return suite_run(suite);
}
