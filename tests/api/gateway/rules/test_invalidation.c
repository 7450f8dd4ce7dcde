#include "gateway/rules/invalidation.h"

#include "fields_of.h"
#include "suite.h"

#include <stdio.h>

static const struct str origins[] = {STR("http://example.com:8080"), STR("https://Example.com"),
                                     STR("http://127.0.0.1:9000")};

/* Targets with blanks between. */
static void expect(const char *method, int status, const char *target, const char *response,
                   const char *wanted)
{
    const struct request_target request = {str_from(target), origins, 3};
    const struct http_fields fields = fields_of(response);
    struct arena *arena = arena_new(1024, 0);
    struct invalidated found;
    struct strbuf text;

    ck_assert_int_eq(invalidated_by(arena, str_from(method), status, &request, &fields, &found),
                     ERR_OK);
    strbuf_init(&text, arena, 64);
    for (size_t i = 0; i < found.count; i++) {
        strbuf_add(&text, found.targets[i]);
        strbuf_add_char(&text, ' ');
    }
    ck_assert_msg(str_eq(strbuf_str(&text), str_from(wanted)), "%s %d %s, %s: %.*s", method, status,
                  target, response, STR_ARG(strbuf_str(&text)));
    arena_free(&arena);
}

START_TEST(what_may_have_changed_something)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND"};
    static const char *const unsafe[] = {"POST", "PUT", "PATCH", "DELETE", "M-SEARCH", "get", ""};

    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        expect(safe[i], 200, "/a", "Location: /b", "");
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++)
        expect(unsafe[i], 200, "/a?b", "X: y", "/a?b ");
}
END_TEST

START_TEST(errors_change_nothing)
{
    expect("POST", 500, "/a", "Location: /b", "");
    expect("POST", 404, "/a", "X: y", "");
    expect("POST", 103, "/a", "X: y", "");
    expect("POST", 303, "/a", "Location: /b", "/a /b ");
    expect("POST", 201, "/a", "Location: /b\nContent-Location: /c", "/a /b /c ");
    expect("POST", 201, "/a", "Location: /a\nContent-Location: /a", "/a ");
}
END_TEST

static void expect_location(const char *location, const char *wanted)
{
    char response[128], all[128];

    snprintf(response, sizeof response, "Location: %s", location);
    snprintf(all, sizeof all, "/a/b?c %s", wanted);
    expect("POST", 201, "/a/b?c", response, all);
}

START_TEST(references)
{
    expect_location("/x?y#z", "/x?y ");
    expect_location("x", "/a/x ");
    expect_location("x/y", "/a/x/y ");
    expect_location("./x", "/a/x ");
    expect_location("../x", "/x ");
    expect_location("../../../x/./y/..", "/x/ ");
    expect_location(".", "/a/ ");
    expect_location("..", "/ ");
    expect_location("?d", "/a/b?d ");
    expect_location("?", "/a/b? ");
    expect_location("#d", "");
    expect_location("", "");
    expect_location("/..", "/ ");
    expect_location("x?..", "/a/x?.. ");
}
END_TEST

START_TEST(the_same_origin)
{
    expect_location("http://example.com:8080/x", "/x ");
    expect_location("HTTP://EXAMPLE.COM:8080/x", "/x ");
    expect_location("https://example.com:443/x?y", "/x?y ");
    expect_location("https://example.com", "/ ");
    expect_location("https://example.com?x", "/?x ");
    expect_location("//example.com/x", "/x ");
    expect_location("http://127.0.0.1:9000/x", "/x ");
}
END_TEST

START_TEST(another_origin)
{
    expect_location("http://example.com/x", "");
    expect_location("https://example.com:8443/x", "");
    expect_location("https://example.com.evil/x", "");
    expect_location("https://user@example.com/x", "");
    expect_location("//evil/x", "");
    expect_location("mailto:a", "");
    expect_location("http:/x", "");
    expect_location("://x", "");
    expect_location("ftp://example.com/x", "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("invalidation");
    TCase *tests = tcase_create("invalidation");

    tcase_add_test(tests, what_may_have_changed_something);
    tcase_add_test(tests, errors_change_nothing);
    tcase_add_test(tests, references);
    tcase_add_test(tests, the_same_origin);
    tcase_add_test(tests, another_origin);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
