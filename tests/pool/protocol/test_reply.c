#include "protocol/reply.h"

#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena *arena;
static struct reply_reader *reader;

static void set_up(void)
{
    arena = arena_new(0, 0);
    reader = reply_reader_new();
    ck_assert_ptr_nonnull(arena);
    ck_assert_ptr_nonnull(reader);
}

static void tear_down(void)
{
    reply_reader_free(&reader);
    arena_free(&arena);
}

static enum reply_status feed(struct str bytes, struct value *value_out)
{
    ck_assert(reply_reader_feed(reader, bytes.ptr, bytes.len));
    return reply_reader_next(reader, arena, value_out);
}

/* A value as text: (1 "a" +OK -ERR nil). */
static void print(struct strbuf *out, const struct value *value)
{
    switch (value->kind) {
    case VALUE_MISSING:
        strbuf_add(out, STR("missing"));
        break;
    case VALUE_NIL:
        strbuf_add(out, STR("nil"));
        break;
    case VALUE_INTEGER:
        strbuf_add_int64(out, value->integer);
        break;
    case VALUE_STRING:
        strbuf_addf(out, "\"%.*s\"", STR_ARG(value->text));
        break;
    case VALUE_STATUS:
        strbuf_addf(out, "+%.*s", STR_ARG(value->text));
        break;
    case VALUE_ERROR:
        strbuf_addf(out, "-%.*s", STR_ARG(value->text));
        break;
    case VALUE_ARRAY:
        strbuf_add_char(out, '(');
        for (size_t i = 0; i < value->count; i++) {
            if (i)
                strbuf_add_char(out, ' ');
            print(out, &value->items[i]);
        }
        strbuf_add_char(out, ')');
        break;
    }
}

static const struct {
    const char *bytes, *text;
} good[] = {
    {"+OK\r\n", "+OK"},
    {"+\r\n", "+"},
    {"-ERR no\r\n", "-ERR no"},
    {":0\r\n", "0"},
    {":-42\r\n", "-42"},
    {":9223372036854775807\r\n", "9223372036854775807"},
    {":-9223372036854775808\r\n", "-9223372036854775808"},
    {"$-1\r\n", "nil"},
    {"$0\r\n\r\n", "\"\""},
    {"$5\r\na\r\nbc\r\n", "\"a\r\nbc\""},
    {"*-1\r\n", "nil"},
    {"*0\r\n", "()"},
    {"*3\r\n:1\r\n$1\r\nx\r\n$-1\r\n", "(1 \"x\" nil)"},
    {"*2\r\n*2\r\n+a\r\n-b\r\n*1\r\n*0\r\n", "((+a -b) (()))"},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n", "(((((((7)))))))"},
};

START_TEST(every_kind_of_reply_becomes_a_value)
{
    struct value value = {0};
    struct strbuf text;

    ck_assert_int_eq(feed(str_from(good[_i].bytes), &value), REPLY_READY);
    strbuf_init(&text, arena, 64);
    print(&text, &value);
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(text.ptr, good[_i].text);
    ck_assert_uint_eq(reply_reader_left(reader), 0);
}
END_TEST

START_TEST(bytes_may_come_one_by_one)
{
    struct value value = {0};
    struct str bytes = str_from(good[_i].bytes);
    struct strbuf text;

    for (size_t i = 0; i + 1 < bytes.len; i++)
        ck_assert_int_eq(feed(str_sub(bytes, i, 1), &value), REPLY_MORE);
    ck_assert_int_eq(feed(str_sub(bytes, bytes.len - 1, 1), &value), REPLY_READY);
    strbuf_init(&text, arena, 64);
    print(&text, &value);
    strbuf_add_char(&text, '\0');
    ck_assert_str_eq(text.ptr, good[_i].text);
}
END_TEST

START_TEST(several_replies_come_out_one_after_the_other)
{
    struct value value = {0};

    ck_assert_int_eq(feed(STR(":1\r\n$2\r\nab\r\n+O"), &value), REPLY_READY);
    ck_assert_int_eq(value.integer, 1);
    ck_assert_int_eq(reply_reader_next(reader, arena, &value), REPLY_READY);
    ck_assert(str_eq(value.text, STR("ab")));
    ck_assert_uint_eq(reply_reader_left(reader), 2);
    ck_assert_int_eq(reply_reader_next(reader, arena, &value), REPLY_MORE);
    ck_assert_int_eq(feed(STR("K\r\n"), &value), REPLY_READY);
    ck_assert_int_eq(value.kind, VALUE_STATUS);
    ck_assert_int_eq(reply_reader_next(reader, arena, &value), REPLY_MORE);
}
END_TEST

START_TEST(a_string_holds_any_byte_and_ends_with_nul)
{
    struct value value = {0};

    ck_assert_int_eq(feed(STR("$4\r\n\0\xff\r\n\r\n"), &value), REPLY_READY);
    ck_assert_uint_eq(value.text.len, 4);
    ck_assert_int_eq(memcmp(value.text.ptr, "\0\xff\r\n", 5), 0);
}
END_TEST

static const char *const garbage[] = {
    "hello\r\n",
    "\r\n",
    "$3\r\nabcde\r\n", /* more bytes than said: hiredis alone takes "abc" */
    "$3\r\nabc\n\n+OK\r\n",
    "$-2\r\n",
    "$abc\r\n",
    "$1x\r\na\r\n",
    "$9223372036854775808\r\n",
    ":\r\n",
    ":12a\r\n",
    ":9223372036854775808\r\n",
    "*-2\r\n",
    "*x\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n",
    "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n",
    /* RESP3 */
    "_\r\n",
    "#t\r\n",
    ",1.5\r\n",
    "(12345678901234567890\r\n",
    "=7\r\ntxt:abc\r\n",
    "~1\r\n+a\r\n",
    ">1\r\n+a\r\n",
    "|1\r\n+a\r\n+b\r\n:1\r\n",
    "%1\r\n+a\r\n+b\r\n",
    "*1\r\n_\r\n",
    "*1\r\n#t\r\n",
    "*1\r\n,1.5\r\n",
    "*2\r\n(1\r\n=7\r\ntxt:abc\r\n",
    "*1\r\n%1\r\n+a\r\n+b\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
};

START_TEST(garbage_is_refused_for_good)
{
    struct value value = {0};

    ck_assert_int_eq(feed(str_from(garbage[_i]), &value), REPLY_PROTOCOL_ERROR);
    ck_assert(!reply_reader_feed(reader, "+OK\r\n", 5));
    ck_assert_int_eq(reply_reader_next(reader, arena, &value), REPLY_PROTOCOL_ERROR);
}
END_TEST

START_TEST(an_array_larger_than_allowed_is_refused_before_memory_is_taken)
{
    struct value value = {0};
    size_t before = arena_used(arena);

    ck_assert_int_eq(feed(STR("*2147483647\r\n"), &value), REPLY_TOO_LARGE);
    ck_assert_uint_eq(arena_used(arena), before);
}
END_TEST

START_TEST(arrays_nest_as_deep_as_redis_makes_them)
{
    struct value value = {0};

    ck_assert_int_eq(feed(STR("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n"), &value),
                     REPLY_READY);
    const struct value *inner = &value;
    for (size_t i = 0; i < REPLY_DEPTH_MAX; i++) {
        ck_assert_uint_eq(inner->count, 1);
        inner = inner->items;
    }
    ck_assert_int_eq(inner->kind, VALUE_ARRAY);
    ck_assert_uint_eq(inner->count, 0);
}
END_TEST

START_TEST(nested_arrays_share_one_allowance)
{
    struct value value = {0};
    char head[64];

    snprintf(head, sizeof head, "*%u\r\n*%u\r\n", REPLY_ITEMS_MAX / 2, REPLY_ITEMS_MAX / 2 + 1);
    ck_assert_int_eq(feed(str_from(head), &value), REPLY_MORE);
    /* It is passed over; what comes behind it is read. */
    for (unsigned i = 1; i < REPLY_ITEMS_MAX / 2 + REPLY_ITEMS_MAX / 2; i++)
        ck_assert_int_eq(feed(STR("$3\r\na\nb\r\n"), &value), REPLY_MORE);
    ck_assert_int_eq(feed(STR("*-1\r\n:7\r\n+OK\r\n"), &value), REPLY_READY);
    ck_assert_int_eq(value_fault(&value), REDIS_FAULT_TOO_LARGE);
    ck_assert_int_eq(reply_reader_next(reader, arena, &value), REPLY_READY);
    ck_assert_int_eq(value.integer, 7);
    ck_assert_int_eq(reply_reader_next(reader, arena, &value), REPLY_READY);
    ck_assert_int_eq(reply_reader_next(reader, arena, &value), REPLY_MORE);
    ck_assert_uint_eq(reply_reader_left(reader), 0);
}
END_TEST

START_TEST(the_allowance_is_a_replys_not_the_connections)
{
    enum { ITEMS = REPLY_ITEMS_MAX / 2 + 1, AT_ONCE = 4096 };
    static char empty[4 * AT_ONCE];
    struct value value = {0};
    char head[64];

    for (size_t i = 0; i < AT_ONCE; i++)
        memcpy(empty + 4 * i, "*0\r\n", 4);
    snprintf(head, sizeof head, "*%d\r\n", ITEMS);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(feed(str_from(head), &value), REPLY_MORE);
        for (size_t left = ITEMS, now; left > 0; left -= now) {
            now = left < AT_ONCE ? left : AT_ONCE;
            ck_assert_int_eq(feed((struct str){empty, 4 * now}, &value),
                             now < left ? REPLY_MORE : REPLY_READY);
        }
        arena_reset(arena);
    }
}
END_TEST

START_TEST(a_string_larger_than_allowed_is_refused_though_it_never_ends)
{
    enum { PART = 16 << 20 }; /* few and large: hiredis may move all it has for each */
    struct value value = {0};
    char *part = calloc(1, PART);
    enum reply_status status = feed(STR("$10000000000\r\n"), &value);
    size_t parts = 0;

    while (status == REPLY_MORE && parts < 2 * REPLY_BYTES_MAX / PART) {
        status = feed((struct str){part, PART}, &value);
        parts++;
    }
    free(part);
    ck_assert_int_eq(status, REPLY_TOO_LARGE);
    ck_assert_uint_le(parts, REPLY_BYTES_MAX / PART + 1);
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
    static const char *const starts[] = {"+", "-", ":", "$", "*"};
    struct value value = {0};
    char part[1024];
    enum reply_status status = feed(str_from(starts[_i]), &value);

    memset(part, '1', sizeof part);
    for (size_t i = 0; status == REPLY_MORE && i < 2 * REPLY_LINE_MAX / sizeof part; i++)
        status = feed((struct str){part, sizeof part}, &value);
    ck_assert_int_eq(status, REPLY_TOO_LARGE);
}
END_TEST

START_TEST(an_arena_that_is_full_is_no_garbage)
{
    struct arena *small = arena_new(256, 512);
    struct value value = {0};
    char bytes[2048];
    int head = snprintf(bytes, sizeof bytes, "$1024\r\n");

    memset(bytes + head, 'x', 1024);
    memcpy(bytes + head + 1024, "\r\n", 2);
    ck_assert(reply_reader_feed(reader, bytes, (size_t)head + 1026));
    ck_assert_int_eq(reply_reader_next(reader, small, &value), REPLY_NO_MEMORY);
    arena_free(&small);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, every_kind_of_reply_becomes_a_value, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, bytes_may_come_one_by_one, 0, sizeof good / sizeof *good);
    tcase_add_test(tcase, several_replies_come_out_one_after_the_other);
    tcase_add_test(tcase, a_string_holds_any_byte_and_ends_with_nul);
    tcase_add_loop_test(tcase, garbage_is_refused_for_good, 0, sizeof garbage / sizeof *garbage);
    tcase_add_test(tcase, an_array_larger_than_allowed_is_refused_before_memory_is_taken);
    tcase_add_test(tcase, arrays_nest_as_deep_as_redis_makes_them);
    tcase_add_test(tcase, nested_arrays_share_one_allowance);
    tcase_add_test(tcase, the_allowance_is_a_replys_not_the_connections);
    tcase_add_test(tcase, a_string_larger_than_allowed_is_refused_though_it_never_ends);
    tcase_add_loop_test(tcase, a_line_without_end_is_refused, 0, 5);
    tcase_add_test(tcase, an_arena_that_is_full_is_no_garbage);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
