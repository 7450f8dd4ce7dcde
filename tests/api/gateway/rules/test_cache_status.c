#include "gateway/rules/cache_status.h"

#include "suite.h"

static void expect(const struct cache_status *status, const char *wanted)
{
    struct arena *arena = arena_new(256, 0);
    const struct str text = cache_status_text(arena, status);

    ck_assert_msg(str_eq(text, str_from(wanted)), "%.*s, not %s", STR_ARG(text), wanted);
    arena_free(&arena);
}

START_TEST(hits)
{
    expect(&(struct cache_status){.has_ttl = true, .ttl_s = 30}, "Cachewarden; hit; ttl=30");
    expect(&(struct cache_status){.has_ttl = true, .ttl_s = -5, .stored = true, .collapsed = true},
           "Cachewarden; hit; ttl=-5");
    expect(&(struct cache_status){.forwarded_status = 200}, "Cachewarden; hit");
}
END_TEST

START_TEST(what_went_on)
{
    expect(&(struct cache_status){.forwarded = FORWARDED_URI_MISS, .stored = true, .has_ttl = true},
           "Cachewarden; fwd=uri-miss; ttl=0; stored");
    expect(&(struct cache_status){.forwarded = FORWARDED_STALE,
                                  .forwarded_status = 304,
                                  .collapsed = true},
           "Cachewarden; fwd=stale; fwd-status=304; collapsed");
    for (int i = FORWARDED_BYPASS; i <= FORWARDED_PARTIAL; i++) {
        struct arena *arena = arena_new(256, 0);
        const struct cache_status status = {.forwarded = (enum forwarded)i};
        ck_assert(str_starts(cache_status_text(arena, &status), STR("Cachewarden; fwd=")));
        arena_free(&arena);
    }
}
END_TEST

/* Whatever it is, it is a string of a structured field. */
START_TEST(details)
{
    expect(&(struct cache_status){.forwarded = FORWARDED_BYPASS, .detail = STR("no-store")},
           "Cachewarden; fwd=bypass; detail=\"no-store\"");
    expect(&(struct cache_status){.detail = STR("a\"b\\c\r\n\x7f\xc3")},
           "Cachewarden; hit; detail=\"a\\\"b\\\\c????\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_status");
    TCase *tests = tcase_create("cache_status");

    tcase_add_test(tests, hits);
    tcase_add_test(tests, what_went_on);
    tcase_add_test(tests, details);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
