#include "gateway/rules/validation.h"

#include "fields_of.h"
#include "suite.h"

#define CAME_MS  INT64_C(784111800000)
#define MODIFIED "Sun, 06 Nov 1994 08:00:00 GMT"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(4096, 0);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static struct response_head stored(const char *lines, int status)
{
    return (struct response_head){status, fields_of(lines), CAME_MS, CAME_MS};
}

/* "Name: value\n…" */
static void expect_fields(const struct http_fields *fields, const char *wanted)
{
    struct strbuf text;

    strbuf_init(&text, arena, 256);
    for (size_t i = 0; i < fields->count; i++)
        strbuf_addf(&text, "%.*s: %.*s\n", STR_ARG(fields->items[i].name),
                    STR_ARG(fields->items[i].value));
    ck_assert_msg(str_eq(strbuf_str(&text), str_from(wanted)), "%.*s", STR_ARG(strbuf_str(&text)));
}

static bool can_be(const char *lines, int status)
{
    const struct response_head head = stored(lines, status);

    return response_can_be_validated(&head);
}

START_TEST(what_has_a_validator)
{
    ck_assert(can_be("ETag: \"a\"", 200));
    ck_assert(can_be("Last-Modified: " MODIFIED, 203));
    ck_assert(!can_be("ETag: ", 200));
    ck_assert(!can_be("Last-Modified: x", 200));
    ck_assert(!can_be("X: y", 200));
    /* A 304 says that what is there now is unchanged: no error, and no other place. */
    ck_assert(!can_be("ETag: \"a\"", 404));
    ck_assert(!can_be("ETag: \"a\"", 301));
    /* A line of its own is no value. */
    const struct response_head head = {
        200, {&(struct http_field){STR("ETag"), STR("\"a\r\nX: y\"")}, 1}, 0, 0};
    ck_assert(!response_can_be_validated(&head));
}
END_TEST

START_TEST(what_the_upstream_is_asked)
{
    const struct http_fields request = fields_of(
        "Abc: 123\nIf-None-Match: \"x\"\nIf-Modified-Since: y\nRange: bytes=0-1\nIf-Range: \"x\"");
    struct response_head head = stored("ETag: W/\"a\"\nLast-Modified: " MODIFIED, 200);
    struct http_fields fields;

    ck_assert_int_eq(validation_fields(arena, &request, &head, &fields), ERR_OK);
    expect_fields(&fields, "Abc: 123\nIf-None-Match: W/\"a\"\nIf-Modified-Since: " MODIFIED "\n");
    head = stored("Last-Modified: x", 200);
    ck_assert_int_eq(validation_fields(arena, &request, &head, &fields), ERR_OK);
    expect_fields(&fields, "Abc: 123\n");
}
END_TEST

static void expect_about(const char *received, const char *lines, bool wanted)
{
    const struct http_fields fields = fields_of(received);
    const struct response_head head = stored(lines, 200);

    ck_assert_msg(not_modified_is_about(&fields, &head) == wanted, "%s, %s", received, lines);
}

START_TEST(what_a_304_is_about)
{
    expect_about("ETag: \"a\"", "ETag: \"a\"", true);
    expect_about("ETag: W/\"a\"", "ETag: \"a\"", true);
    expect_about("ETag: \"b\"", "ETag: \"a\"", false);
    expect_about("ETag: \"b\"", "Last-Modified: " MODIFIED, false);
    expect_about("X: y", "ETag: \"a\"", true);
    expect_about("Last-Modified: " MODIFIED, "Last-Modified: " MODIFIED, true);
    expect_about("Last-Modified: Sun, 06 Nov 1994 08:00:01 GMT", "Last-Modified: " MODIFIED, false);
    expect_about("Last-Modified: x", "Last-Modified: " MODIFIED, true);
}
END_TEST

static void expect_freshened(const char *lines, const char *received, const char *wanted)
{
    const struct http_fields before = fields_of(lines), fields = fields_of(received);
    struct http_fields after;

    ck_assert_int_eq(freshened_fields(arena, &before, &fields, &after), ERR_OK);
    expect_fields(&after, wanted);
}

START_TEST(what_a_304_changes)
{
    expect_freshened("A: 1\nB: 1\na: 2", "A: 3\nA: 4", "B: 1\nA: 3\nA: 4\n");
    expect_freshened("Cache-Control: max-age=1\nTest: a", "Cache-Control: max-age=9",
                     "Test: a\nCache-Control: max-age=9\n");
    /* The body is the one that was stored. */
    expect_freshened("Content-Length: 36\nContent-Encoding: gzip\nContent-Range: x",
                     "Content-Length: 10\nContent-Encoding: br\nContent-Range: y",
                     "Content-Length: 36\nContent-Encoding: gzip\nContent-Range: x\n");
    expect_freshened(
        "A: 1", "Connection: B\nB: 1\nTransfer-Encoding: chunked\nSet-Cookie: a=b\nCache-Tag: t",
        "A: 1\n");
    /* It is as old as this answer. */
    expect_freshened("Age: 500\nDate: x\nA: 1", "B: 2", "A: 1\nB: 2\n");
    expect_freshened("Age: 500\nDate: x", "Age: 1\nDate: y", "Age: 1\nDate: y\n");
    /* What must not be kept any more goes. */
    expect_freshened("A: 1\nB: 1", "Cache-Control: no-cache=\"a\"",
                     "B: 1\nCache-Control: no-cache=\"a\"\n");
    expect_freshened("", "", "");
}
END_TEST

static void expect_head(int status, const char *received, const char *lines,
                        enum head_effect wanted)
{
    const struct http_fields fields = fields_of(received);
    const struct response_head head = stored(lines, 200);

    ck_assert_msg(head_effect_of(status, &fields, &head, 5) == wanted, "%d %s, %s", status,
                  received, lines);
}

START_TEST(what_head_says)
{
    expect_head(200, "A: 2", "A: 1", HEAD_FRESHENS);
    expect_head(200, "ETag: \"a\"\nContent-Length: 5", "ETag: \"a\"", HEAD_FRESHENS);
    expect_head(200, "ETag: \"b\"", "ETag: \"a\"", HEAD_INVALIDATES);
    expect_head(200, "ETag: \"b\"", "A: 1", HEAD_INVALIDATES);
    expect_head(200, "Content-Length: 6", "A: 1", HEAD_INVALIDATES);
    expect_head(200, "Content-Length: x", "A: 1", HEAD_INVALIDATES);
    expect_head(200, "Last-Modified: " MODIFIED, "A: 1", HEAD_INVALIDATES);
    expect_head(410, "Content-Length: 6", "A: 1", HEAD_SAYS_NOTHING);
    expect_head(304, "A: 1", "A: 1", HEAD_SAYS_NOTHING);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("validation");
    TCase *tests = tcase_create("validation");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_has_a_validator);
    tcase_add_test(tests, what_the_upstream_is_asked);
    tcase_add_test(tests, what_a_304_is_about);
    tcase_add_test(tests, what_a_304_changes);
    tcase_add_test(tests, what_head_says);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
