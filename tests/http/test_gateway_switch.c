/* Whether the cache is asked: a user switches it off and on again; a read says that it has a body, and has none. */
#include "gateway_case.h"

static void open_stand(void)
{
    gateway_stand_open("{ prefix = \"/open\"; scope = \"public\"; UPSTREAM },\n"
                       "{ prefix = \"/mine\"; UPSTREAM }",
                       "limits: { enabled = false; };");
}

#define FRESH "Cache-Control: max-age=3600\r\nContent-Length: 1\r\n"

static void expect_bob_gets(const char *path, const char *body, const char *cache)
{
    const struct http_reply *reply = http_get(stand.http, path, stand.bob.bearer);

    expect_body(reply, 200, body);
    expect_header(reply, "X-Cache", cache);
}

static void switch_bobs(const char *path)
{
    expect_status(http_post(stand.http, path, stand.bob.bearer), 200);
}

/* Who has seen something newer while it was off does not get the older one when it is on again. */
START_TEST(what_was_seen_meanwhile_is_not_followed_by_what_was_before)
{
    static const char *const answers[] = {"a", "b", "" /* of HEAD */, "c", "d"};

    for (size_t i = 0; i < 5; i++) {
        char answer[200];
        snprintf(answer, sizeof answer, OK_WITH(FRESH, "%s"), answers[i]);
        ORIGIN_SAY(origin, answer);
    }
    expect_bob_gets("/mine/seen", "a", "MISS");
    expect_bob_gets("/mine/other", "b", "MISS");
    switch_bobs("/api/cache/disable/");
    ck_assert_int_eq(http_send(stand.http, "HEAD", "/mine/other",
                               (const char *const[]){stand.bob.bearer, NULL}, NULL, 0)
                         ->status,
                     200);
    expect_bob_gets("/mine/seen", "c", "BYPASS");
    switch_bobs("/api/cache/enable/");
    expect_bob_gets("/mine/seen", "d", "MISS");
    expect_bob_gets("/mine/seen", "d", "HIT");
    expect_bob_gets("/mine/other", "b", "HIT");
}
END_TEST

static void expect_told(const struct http_reply *reply, const char *cache, bool is_bobs,
                        const char *enabled, const char *version)
{
    expect_status(reply, 200);
    expect_header(reply, "X-Cache", cache);
    expect_header(reply, "X-Cache-Enabled", enabled);
    expect_header(reply, "X-Cache-Version", version);
    char id[32];
    snprintf(id, sizeof id, "%lld", (long long)stand.bob.id);
    expect_header(reply, "X-User-Id", is_bobs ? id : NULL);
}

/* Also by what does not ask the cache. */
START_TEST(each_answer_tells_of_the_callers_cache)
{
    const char *bob = stand.bob.bearer;
    char version[32];

    /* Whoever the origin says it is. */
    scripted_origin_always(
        origin, &(struct origin_answer){.bytes = OK_WITH(FRESH "X-User-Id: 666\r\n", "a")});
    const struct http_reply *reply = http_get(stand.http, "/mine/told", bob);
    snprintf(version, sizeof version, "%s", http_header(reply, "X-Cache-Version"));
    expect_told(reply, "MISS", true, "true", version);
    expect_told(http_get(stand.http, "/mine/told", bob), "HIT", true, "true", version);
    expect_told(http_post(stand.http, "/mine/told", bob), "BYPASS", true, "true", version);
    expect_told(http_get(stand.http, "/open/told", bob), "MISS", false, "true", NULL);
    expect_told(http_post(stand.http, "/open/told", NULL), "BYPASS", false, "true", NULL);
    switch_bobs("/api/cache/disable/");
    expect_told(http_get(stand.http, "/mine/told", bob), "BYPASS", true, "false", NULL);
    expect_told(http_post(stand.http, "/mine/told", bob), "BYPASS", true, "false", NULL);
    switch_bobs("/api/cache/enable/");
}
END_TEST

START_TEST(a_read_with_an_empty_body_is_one_without)
{
    const char *const fields[] = {stand.bob.bearer, "Content-Length: 0", NULL};

    scripted_origin_always(origin, &(struct origin_answer){.bytes = OK_WITH(FRESH, "x")});
    for (int i = 0; i < 3; i++) {
        const struct http_reply *reply =
            http_send(stand.http, "GET", "/mine/empty", fields, NULL, 0);
        expect_body(reply, 200, "x");
        expect_header(reply, "X-Cache", i == 0 ? "MISS" : "HIT");
    }
    expect_bob_gets("/mine/empty", "x", "HIT");
    ck_assert_uint_eq(scripted_origin_count(origin), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http/gateway_switch");
    TCase *tcase = tcase_create("switch");

    tcase_add_unchecked_fixture(tcase, open_stand, gateway_stand_close);
    tcase_add_checked_fixture(tcase, origin_open, origin_close);
    tcase_add_test(tcase, what_was_seen_meanwhile_is_not_followed_by_what_was_before);
    tcase_add_test(tcase, each_answer_tells_of_the_callers_cache);
    tcase_add_test(tcase, a_read_with_an_empty_body_is_one_without);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
