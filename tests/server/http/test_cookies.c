#include "http/cookies.h"

#include "http/guard.h"
#include "suite.h"

#include "cachewarden/arena.h"

static struct cookies cookies;

/* As read from these Cookie fields; the second may be NULL. */
static void read_cookies(const char *first, const char *second)
{
    const struct http_field fields[] = {{STR("Host"), STR("a")},
                                        {STR("cookie"), str_from(first)},
                                        {STR("Cookie"), str_from(second)}};
    struct http_request request = {.fields = fields, .field_count = second ? 3 : 2};

    guard_index(&request);
    memset(&cookies, 0x55, sizeof cookies);
    cookies_read(&request, &cookies);
}

static void expect(const char *first, const char *second, bool has_session, const char *session)
{
    read_cookies(first, second);
    ck_assert_msg(cookies.has_session == has_session, "%s", first);
    ck_assert_msg(str_eq(cookies.session, str_from(session)), "%s: %.*s", first,
                  STR_ARG(cookies.session));
}

#define OURS COOKIE_SESSION "="

START_TEST(among_others)
{
    expect(OURS "a.b-c_D9", NULL, true, "a.b-c_D9");
    expect("x=1; " OURS "a; XSRF-TOKEN=b; y", NULL, true, "a");
    /* Other people's cookies may be anything. */
    expect("=; ;;;\"=\xff; theme=\"a;b\";" OURS "a;XSRF-TOKEN=b ;", NULL, true, "a");
    expect("x=1", OURS "a; XSRF-TOKEN=b", true, "a");
    expect("x=" OURS "a; y=XSRF-TOKEN=b", NULL, false, "");
    expect("", NULL, false, "");
    expect(COOKIE_SESSION, NULL, false, "");
    expect("__host-cachewarden=a; xsrf-token=b; Host-cachewarden=c; " COOKIE_SESSION "2=d", NULL,
           false, "");
}
END_TEST

START_TEST(of_two_neither)
{
    expect(OURS "a; " OURS "b", NULL, true, "");
    expect(OURS "a; " OURS "a", NULL, true, "");
    expect(OURS "a", OURS "b", true, "");
    expect(OURS "; " OURS "a", NULL, true, "");
}
END_TEST

START_TEST(what_ours_never_hold)
{
    static char longest[COOKIE_MAX_SIZE + 64];
    size_t name = strlen(OURS);

    expect(OURS, NULL, true, "");
    expect(OURS "\"a\"", NULL, true, "");
    expect(OURS "a b", NULL, true, "");
    expect(OURS "a,b", NULL, true, "");
    expect(OURS "a=", NULL, true, "");
    expect(OURS "%61", NULL, true, "");
    expect(OURS "\xc3\xa4", NULL, true, "");
    memcpy(longest, OURS, name);
    memset(longest + name, 'a', COOKIE_MAX_SIZE);
    expect(longest, NULL, true, longest + name);
    longest[name + COOKIE_MAX_SIZE] = 'a';
    expect(longest, NULL, true, "");
}
END_TEST

START_TEST(no_field_at_all)
{
    struct http_request request = {0};

    memset(&cookies, 0x55, sizeof cookies);
    cookies_read(&request, &cookies);
    ck_assert(!cookies.has_session);
    ck_assert_uint_eq(cookies.session.len, 0);
}
END_TEST

static void expect_lines(const struct reply_session *session, const char *expected)
{
    struct arena *arena = arena_new(1024, 0);
    struct strbuf head;

    strbuf_init(&head, arena, 64);
    cookies_write(&head, session);
    ck_assert_msg(str_eq(strbuf_str(&head), str_from(expected)), "%.*s",
                  STR_ARG(strbuf_str(&head)));
    arena_free(&arena);
}

START_TEST(what_is_set)
{
    struct reply_session session = {SESSION_BEGUN, STR("t.o.k"), STR("00ff")};

    expect_lines(
        &session,
        "Set-Cookie: __Host-cachewarden=t.o.k; Path=/; Secure; SameSite=Strict; HttpOnly\r\n"
        "Set-Cookie: XSRF-TOKEN=00ff; Path=/; Secure; SameSite=Strict\r\n");
    session.change = SESSION_RENEWED;
    expect_lines(
        &session,
        "Set-Cookie: __Host-cachewarden=t.o.k; Path=/; Secure; SameSite=Strict; HttpOnly\r\n");
    session.change = SESSION_ENDED;
    expect_lines(&session, "Set-Cookie: __Host-cachewarden=; Path=/; Secure; SameSite=Strict; "
                           "HttpOnly; Max-Age=0\r\n"
                           "Set-Cookie: XSRF-TOKEN=; Path=/; Secure; SameSite=Strict; "
                           "Max-Age=0\r\n");
    session.change = SESSION_LEFT;
    expect_lines(&session, "Clear-Site-Data: \"cache\", \"storage\"\r\n"
                           "Set-Cookie: __Host-cachewarden=; Path=/; Secure; SameSite=Strict; "
                           "HttpOnly; Max-Age=0\r\n"
                           "Set-Cookie: XSRF-TOKEN=; Path=/; Secure; SameSite=Strict; "
                           "Max-Age=0\r\n");
    session.change = SESSION_UNCHANGED;
    expect_lines(&session, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cookies");
    TCase *tcase = tcase_create("cookies");
    tcase_add_test(tcase, among_others);
    tcase_add_test(tcase, of_two_neither);
    tcase_add_test(tcase, what_ours_never_hold);
    tcase_add_test(tcase, no_field_at_all);
    tcase_add_test(tcase, what_is_set);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
