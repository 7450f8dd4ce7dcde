#include "http_head.h"

#include "suite.h"

static struct arena *arena;
static struct error error;
static struct http_head head;

static void set_up(void)
{
    arena = arena_new(4096, 0);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static enum err parse(struct str text)
{
    error_clear(&error);
    return http_head_parse(arena, text, &head, &error);
}

static void expect(const char *text)
{
    ck_assert_msg(parse(str_from(text)) == ERR_OK, "%s: %s", text, error.detail);
}

static void expect_broken(struct str text, const char *why)
{
    ck_assert_msg(parse(text) == ERR_UPSTREAM_DOWN, "%.*s", STR_ARG(text));
    ck_assert_msg(strstr(error.detail, why) != NULL, "%.*s: %s", STR_ARG(text), error.detail);
}

START_TEST(fields_as_they_came)
{
    expect("HTTP/1.1 200 OK\r\nA: 1\r\nb:\t x, y \t\r\nA:\r\nC: \xc3\xa4\xff\r\n\r\n");
    ck_assert_int_eq(head.status, 200);
    ck_assert_int_eq(head.minor_version, 1);
    ck_assert_uint_eq(head.field_count, 4);
    ck_assert(str_eq(head.fields[0].name, STR("A")) && str_eq(head.fields[0].value, STR("1")));
    ck_assert(str_eq(head.fields[1].name, STR("b")) && str_eq(head.fields[1].value, STR("x, y")));
    ck_assert(str_eq(head.fields[2].name, STR("A")) && head.fields[2].value.len == 0);
    ck_assert(str_eq(head.fields[3].value, STR("\xc3\xa4\xff")));
    ck_assert_int_eq(head.length, BODY_LENGTH_UNKNOWN);
    ck_assert(!head.is_chunked && head.keeps);
    expect("HTTP/1.1 200 OK\nA: 1\n\n");
    ck_assert_uint_eq(head.field_count, 1);
    expect("HTTP/1.1 200 OK\r\nA \t: 1\r\n\r\n");
    ck_assert(str_eq(head.fields[0].name, STR("A")) && str_eq(head.fields[0].value, STR("1")));
    expect("HTTP/1.1 204\r\n\r\n");
    expect("HTTP/1.1 599 \r\n\r\n");
}
END_TEST

START_TEST(framing)
{
    expect("HTTP/1.1 200 OK\r\nContent-Length: 0012\r\ncontent-length: 12\r\n\r\n");
    ck_assert_int_eq(head.length, 12);
    expect("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n");
    ck_assert_int_eq(head.length, INT64_MAX);
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n");
    ck_assert(head.is_chunked && head.keeps);
}
END_TEST

START_TEST(the_connection_lives)
{
    expect("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n");
    ck_assert(!head.keeps);
    expect("HTTP/1.1 200 OK\r\nConnection: keep-alive, closed\r\n\r\n");
    ck_assert(head.keeps);
    expect("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n");
    ck_assert(!head.keeps);
    /* Whether a body follows, nobody knows. */
    expect("HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\n");
    ck_assert(!head.keeps);
    expect("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    ck_assert(!head.keeps);
    expect("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n");
    ck_assert(head.keeps);
    expect("HTTP/1.1 304 Not\r\nContent-Length: 3\r\n\r\n");
    ck_assert(head.keeps);
}
END_TEST

static const struct {
    struct str text;
    const char *why;
} broken[] = {
    {{"HTTP/1.2 200 OK\r\n\r\n", 19}, "status line"},
    {{"HTTP/1.1 99 OK\r\n\r\n", 18}, "status line"},
    {{"HTTP/1.1 600 OK\r\n\r\n", 19}, "status line"},
    {{"HTTP/1.1 099 OK\r\n\r\n", 19}, "status line"},
    {{"HTTP/1.1 +20 OK\r\n\r\n", 19}, "status line"},
    {{"HTTP/1.1 2000 O\r\n\r\n", 19}, "status line"},
    {{"HTTP/1.1  200 O\r\n\r\n", 19}, "status line"},
    {{"HTTP/1.1 200 O\rK\r\n\r\n", 20}, "status line"},
    {{"HTTP/1.1 200 OK\r\nA: 1\r\n b\r\n\r\n", 29}, "second line"},
    {{"HTTP/1.1 200 OK\r\n\tA: 1\r\n\r\n", 26}, "second line"},
    {{"HTTP/1.1 200 OK\r\nA b: 1\r\n\r\n", 27}, "without a name"},
    {{"HTTP/1.1 200 OK\r\nContent-Length \t: 3\r\nContent-Length: 4\r\n\r\n", 59}, "differ"},
    {{"HTTP/1.1 200 OK\r\n: 1\r\n\r\n", 24}, "without a name"},
    {{"HTTP/1.1 200 OK\r\nA\r\n\r\n", 22}, "without a name"},
    {{"HTTP/1.1 200 OK\r\nA(: 1\r\n\r\n", 26}, "without a name"},
    {{"HTTP/1.1 200 OK\r\nA: 1\r2\r\n\r\n", 27}, "control character"},
    {{"HTTP/1.1 200 OK\r\nA: 1\r\r\n\r\n", 26}, "control character"},
    {{"HTTP/1.1 200 OK\r\nA: 1\0002\r\n\r\n", 27}, "control character"},
    {{"HTTP/1.1 200 OK\r\nA: \033[0m\r\n\r\n", 28}, "control character"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 57}, "differ"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n", 41}, "Content-Length"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\n", 39}, "Content-Length"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n", 39}, "Content-Length"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\n", 39}, "Content-Length"},
    {{"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", 36}, "Content-Length"},
    {{"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", 56}, "Content-Length"},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 53}, "other than chunked"},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", 48}, "other than chunked"},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 75},
     "other than chunked"},
    {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 66},
     "Content-Length and Transfer-Encoding"},
    {{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47}, "HTTP/1.0"},
};

START_TEST(what_breaks_http)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        expect_broken(broken[i].text, broken[i].why);
}
END_TEST

START_TEST(too_many_fields)
{
    struct strbuf text;

    strbuf_init(&text, arena, 0);
    strbuf_add(&text, STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < HTTP_HEAD_MAX_FIELDS; i++)
        strbuf_add(&text, STR("A: 1\r\n"));
    struct str most = str_dup(arena, strbuf_str(&text));
    strbuf_add(&text, STR("A: 1\r\n\r\n"));
    ck_assert_int_eq(parse(str_format(arena, "%.*s\r\n", STR_ARG(most))), ERR_OK);
    ck_assert_uint_eq(head.field_count, HTTP_HEAD_MAX_FIELDS);
    expect_broken(strbuf_str(&text), "too many fields");
}
END_TEST

/* However it is cut into pieces. */
START_TEST(where_it_ends)
{
    static const struct str ends[] = {{"\r\n\r\n", 4}, {"\n\n", 2}, {"\n\r\n", 3}, {"\r\n\n", 3}};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct str text = str_format(arena, "HTTP/1.1 200 OK\r\nA: b%sbody\n\nbody", ends[i].ptr);
        size_t whole = strlen("HTTP/1.1 200 OK\r\nA: b") + ends[i].len, size = 0;
        for (size_t from = 0; from < whole; from++) {
            ck_assert(http_head_find_end(str_sub(text, 0, from), 0, &size));
            ck_assert_uint_eq(size, 0);
            ck_assert(http_head_find_end(text, from, &size));
            ck_assert_uint_eq(size, whole);
        }
    }
}
END_TEST

START_TEST(no_head_begins_like_that)
{
    size_t size;

    ck_assert(http_head_find_end(STR(""), 0, &size));
    ck_assert(http_head_find_end(STR("HTT"), 0, &size));
    ck_assert(!http_head_find_end(STR("SSH-2.0"), 0, &size));
    ck_assert(!http_head_find_end(STR("\r\nHTTP/1.1 200 OK\r\n\r\n"), 0, &size));
    ck_assert(!http_head_find_end(STR("HTTP/2"), 0, &size));
    ck_assert(!http_head_find_end(STR("http/1.1 200"), 0, &size));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/http_head");
    TCase *tcase = tcase_create("http_head");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, fields_as_they_came);
    tcase_add_test(tcase, framing);
    tcase_add_test(tcase, the_connection_lives);
    tcase_add_test(tcase, what_breaks_http);
    tcase_add_test(tcase, too_many_fields);
    tcase_add_test(tcase, where_it_ends);
    tcase_add_test(tcase, no_head_begins_like_that);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
