#include "gateway/rules/conditions.h"

#include "fields_of.h"
#include "suite.h"

#define CAME_MS  INT64_C(784111800000) /* Sun, 06 Nov 1994 08:50:00 GMT */
#define AT(time) "Sun, 06 Nov 1994 " time " GMT"

static struct response_head stored(const char *lines, int status)
{
    return (struct response_head){status, fields_of(lines), CAME_MS, CAME_MS};
}

static void expect(const char *request, const char *response, bool wanted)
{
    const struct http_fields fields = fields_of(request);
    const struct response_head head = stored(response, 200);

    ck_assert_msg(stored_is_not_modified(&fields, &head) == wanted, "%s, %s", request, response);
}

START_TEST(tags)
{
    expect("If-None-Match: \"a\"", "ETag: \"a\"", true);
    expect("If-None-Match: W/\"a\"", "ETag: \"a\"", true);
    expect("If-None-Match: \"b\"", "ETag: \"a\"", false);
    expect("If-None-Match: *", "X: y", true);
    expect("If-None-Match: \"a\"", "X: y", false);
    expect("X: y", "ETag: \"a\"", false);
}
END_TEST

START_TEST(dates)
{
    const char *response = "Last-Modified: " AT("08:00:00");

    expect("If-Modified-Since: " AT("08:00:00"), response, true);
    expect("If-Modified-Since: " AT("08:10:00"), response, true);
    expect("If-Modified-Since: " AT("07:59:59"), response, false);
    expect("If-Modified-Since: Sunday, 06-Nov-94 08:00:00 GMT", response, true);
    expect("If-Modified-Since: x", response, false);
    /* Without Last-Modified it is as old as it was made, or came. */
    expect("If-Modified-Since: " AT("08:30:00"), "Date: " AT("08:30:00"), true);
    expect("If-Modified-Since: " AT("08:29:59"), "Date: " AT("08:30:00"), false);
    expect("If-Modified-Since: " AT("08:50:00"), "X: y", true);
    expect("If-Modified-Since: " AT("08:49:59"), "X: y", false);
}
END_TEST

START_TEST(tags_come_first)
{
    expect("If-None-Match: \"b\"\nIf-Modified-Since: " AT("09:00:00"),
           "ETag: \"a\"\nLast-Modified: " AT("08:00:00"), false);
    expect("If-None-Match: \"a\"\nIf-Modified-Since: " AT("07:00:00"),
           "ETag: \"a\"\nLast-Modified: " AT("08:00:00"), true);
}
END_TEST

START_TEST(errors_have_no_conditions)
{
    const struct http_fields fields = fields_of("If-None-Match: *");
    const struct response_head head = stored("ETag: \"a\"", 404);

    ck_assert(!stored_is_not_modified(&fields, &head));
}
END_TEST

static void expect_in_range(const char *request, const char *response, bool wanted)
{
    const struct http_fields fields = fields_of(request);
    const struct response_head head = stored(response, 200);

    ck_assert_msg(stored_is_in_range(&fields, &head) == wanted, "%s, %s", request, response);
}

START_TEST(ranges_of_the_same)
{
    expect_in_range("X: y", "X: y", true);
    expect_in_range("If-Range: \"a\"", "ETag: \"a\"", true);
    expect_in_range("If-Range: \"b\"", "ETag: \"a\"", false);
    expect_in_range("If-Range: W/\"a\"", "ETag: W/\"a\"", false);
    expect_in_range("If-Range: ", "X: y", false);
    expect_in_range("If-Range: \"a\"\nIf-Range: \"a\"", "ETag: \"a\"", false);
    expect_in_range("If-Range: " AT("08:00:00"), "Last-Modified: " AT("08:00:00"), true);
    expect_in_range("If-Range: " AT("08:00:01"), "Last-Modified: " AT("08:00:00"), false);
    /* It may have changed again in that second. */
    expect_in_range("If-Range: " AT("08:00:00"),
                    "Last-Modified: " AT("08:00:00") "\nDate: " AT("08:00:00"), false);
}
END_TEST

START_TEST(what_a_304_has)
{
    const struct http_fields head = fields_of(
        "ETag: \"a\"\nContent-Type: a\nContent-Length: 5\nContent-Encoding: gzip\nDate: d\n"
        "Content-Location: /a\nVary: b\nContent-Security-Policy: c\nCache-Control: e");
    struct arena *arena = arena_new(1024, 0);
    struct http_fields found;

    ck_assert_int_eq(not_modified_fields(arena, &head, &found), ERR_OK);
    ck_assert_uint_eq(found.count, 6);
    ck_assert_ptr_ne(fields_find(&found, STR("etag")), NULL);
    ck_assert_ptr_eq(fields_find(&found, STR("content-length")), NULL);
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conditions");
    TCase *tests = tcase_create("conditions");

    tcase_add_test(tests, tags);
    tcase_add_test(tests, dates);
    tcase_add_test(tests, tags_come_first);
    tcase_add_test(tests, errors_have_no_conditions);
    tcase_add_test(tests, ranges_of_the_same);
    tcase_add_test(tests, what_a_304_has);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
