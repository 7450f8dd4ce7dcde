#include "gateway/rules/range.h"

#include "fields_of.h"
#include "suite.h"

static void expect(const char *value, int64_t body_length, enum range wanted, const char *text)
{
    struct http_field field = {STR("Range"), str_from(value)};
    const struct http_fields fields = {&field, 1};
    struct arena *arena = arena_new(256, 0);
    struct byte_range range = {-1, -1};
    const enum range found = range_of(&fields, body_length, &range);

    ck_assert_msg(found == wanted, "%s of %lld: %d", value, (long long)body_length, found);
    if (found == RANGE_PART)
        ck_assert_msg(str_eq(content_range(arena, &range, body_length), str_from(text)), "%s: %.*s",
                      value, STR_ARG(content_range(arena, &range, body_length)));
    arena_free(&arena);
}

START_TEST(one_part)
{
    expect("bytes=0-1", 11, RANGE_PART, "bytes 0-1/11");
    expect("bytes=1-", 11, RANGE_PART, "bytes 1-10/11");
    expect("bytes=-1", 11, RANGE_PART, "bytes 10-10/11");
    expect("bytes=-50", 11, RANGE_PART, "bytes 0-10/11");
    expect("BYTES=10-99999999999999999999", 11, RANGE_PART, "bytes 10-10/11");
    expect("bytes=-99999999999999999999", 11, RANGE_PART, "bytes 0-10/11");
    expect("bytes= 2-3 ", 11, RANGE_PART, "bytes 2-3/11");
    expect("bytes=5-9223372036854775807", INT64_MAX, RANGE_PART,
           "bytes 5-9223372036854775806/9223372036854775807");
}
END_TEST

START_TEST(parts_that_touch_are_one)
{
    expect("bytes=0-1,2-4", 11, RANGE_PART, "bytes 0-4/11");
    expect("bytes=2-4,,0-3", 11, RANGE_PART, "bytes 0-4/11");
    expect("bytes=0-9,2-3", 11, RANGE_PART, "bytes 0-9/11");
    expect("bytes=0-4,-6", 11, RANGE_PART, "bytes 0-10/11");
    expect("bytes=0-4,50-60", 11, RANGE_PART, "bytes 0-4/11");
    expect("bytes=0-1,3-4", 11, RANGE_WHOLE, NULL);
}
END_TEST

START_TEST(nothing_of_it_is_there)
{
    expect("bytes=11-", 11, RANGE_UNSATISFIABLE, NULL);
    expect("bytes=99999999999999999999-", 11, RANGE_UNSATISFIABLE, NULL);
    expect("bytes=-0", 11, RANGE_UNSATISFIABLE, NULL);
    expect("bytes=20-30,11-12", 11, RANGE_UNSATISFIABLE, NULL);
    expect("bytes=0-", 0, RANGE_UNSATISFIABLE, NULL);
    expect("bytes=-5", 0, RANGE_WHOLE, NULL);
}
END_TEST

START_TEST(no_range)
{
    static const char *const values[] = {
        "",           "bytes",      "bytes=",      "bytes=,",    "bytes=-",     "bytes=a-b",
        "bytes=5-4",  "lines=0-1",  "bytes 0-1",   "bytes=0",    "bytes=--1",   "0-1",
        "bytes=0-1x", "bytes=1 -2", "bytes=0-1,x", "bytes=+1-2", "bytes=0-1-2",
    };
    struct strbuf many;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        expect(values[i], 11, RANGE_WHOLE, NULL);
    strbuf_init(&many, NULL, 256);
    strbuf_add(&many, STR("bytes=0-"));
    for (int i = 0; i < RANGES_MAX; i++)
        strbuf_add(&many, STR(",0-"));
    strbuf_add_char(&many, '\0');
    expect(many.ptr, 11, RANGE_WHOLE, NULL);
    strbuf_fini(&many);
}
END_TEST

START_TEST(twice_is_none)
{
    const struct http_fields twice = fields_of("Range: bytes=0-1\nRange: bytes=0-1");
    const struct http_fields absent = fields_of("X: y");
    struct byte_range range;

    ck_assert_int_eq(range_of(&twice, 11, &range), RANGE_WHOLE);
    ck_assert_int_eq(range_of(&absent, 11, &range), RANGE_WHOLE);
}
END_TEST

START_TEST(what_is_said_of_nothing)
{
    struct arena *arena = arena_new(256, 0);

    ck_assert(str_eq(content_range(arena, NULL, 11), STR("bytes */11")));
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("range");
    TCase *tests = tcase_create("range");

    tcase_add_test(tests, one_part);
    tcase_add_test(tests, parts_that_touch_are_one);
    tcase_add_test(tests, nothing_of_it_is_there);
    tcase_add_test(tests, no_range);
    tcase_add_test(tests, twice_is_none);
    tcase_add_test(tests, what_is_said_of_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
