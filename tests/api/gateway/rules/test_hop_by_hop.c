#include "gateway/rules/hop_by_hop.h"

#include "fields_of.h"
#include "suite.h"

/* Names that are passed on, joined with blanks. */
static void expect_passed(const char *lines, const char *wanted)
{
    const struct http_fields fields = fields_of(lines);
    struct arena *arena = arena_new(1024, 0);
    struct http_fields passed;
    struct strbuf names;

    ck_assert_int_eq(fields_end_to_end(arena, &fields, &passed), ERR_OK);
    strbuf_init(&names, arena, 64);
    for (size_t i = 0; i < passed.count; i++) {
        strbuf_add(&names, passed.items[i].name);
        strbuf_add_char(&names, ' ');
    }
    ck_assert_msg(str_eq(strbuf_str(&names), str_from(wanted)), "%s: %.*s", lines,
                  STR_ARG(strbuf_str(&names)));
    arena_free(&arena);
}

START_TEST(some_never_go_further)
{
    expect_passed("A: 1\nConnection: close\nKeep-Alive: 5\nProxy-Connection: x\nTE: trailers\n"
                  "Trailer: x\nTransfer-Encoding: chunked\nUPGRADE: h2c\nProxy-Authenticate: x\n"
                  "Proxy-Authorization: x\nProxy-Authentication-Info: x\nB: 2",
                  "A B ");
    expect_passed("", "");
}
END_TEST

START_TEST(connection_names_others)
{
    expect_passed("Connection: a, B\na: 1\nb: 2\nc: 3", "c ");
    expect_passed("a: 1\nConnection: x\nConnection: close,A", "");
}
END_TEST

/* Else a sender could have its message mean another thing behind us than it does here. */
START_TEST(connection_cannot_take_what_a_message_means)
{
    expect_passed("Connection: host, content-length, cache-control, vary, authorization\nHost: a\n"
                  "Content-Length: 1\nCache-Control: no-store\nVary: a\nAuthorization: b",
                  "Host Content-Length Cache-Control Vary Authorization ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hop_by_hop");
    TCase *tests = tcase_create("hop_by_hop");

    tcase_add_test(tests, some_never_go_further);
    tcase_add_test(tests, connection_names_others);
    tcase_add_test(tests, connection_cannot_take_what_a_message_means);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
