#include "cachewarden/xsrf.h"

#include "suite.h"

static struct arena *arena;
static struct str xsrf;

static void set_up(void)
{
    arena = arena_new(1024, 0);
    ck_assert_int_eq(xsrf_of_session(arena, STR("id-1"), &xsrf), ERR_OK);
}

static void tear_down(void)
{
    arena_free(&arena);
}

START_TEST(one_for_each_session)
{
    struct str again, other;

    ck_assert_int_eq(xsrf_of_session(arena, STR("id-1"), &again), ERR_OK);
    ck_assert_int_eq(xsrf_of_session(arena, STR("id-2"), &other), ERR_OK);
    ck_assert_uint_eq(xsrf.len, 32);
    ck_assert(str_eq(xsrf, again));
    ck_assert(!str_eq(xsrf, other));
}
END_TEST

static void expect(bool is_same_origin, struct str header, const char *why)
{
    const struct xsrf_proof proof = {is_same_origin, header};
    struct error error = {0};
    enum err err = xsrf_check(arena, STR("id-1"), &proof, &error);

    if (!why) {
        ck_assert_msg(err == ERR_OK, "%s", error.detail);
        return;
    }
    ck_assert_int_eq(err, ERR_FORBIDDEN);
    ck_assert_int_eq(error.code, ERR_FORBIDDEN);
    ck_assert_str_eq(error.caller, "CSRF Failed");
    ck_assert_str_eq(error.detail, why);
}

START_TEST(all_of_it_or_nothing)
{
    static const char no_origin[] = "session: Origin is missing or not ours";
    static const char no_header[] = "session: X-XSRF-TOKEN is missing or not this session's";
    struct str other;

    ck_assert_int_eq(xsrf_of_session(arena, STR("id-2"), &other), ERR_OK);
    expect(true, xsrf, NULL);
    expect(false, xsrf, no_origin);
    expect(true, STR_NONE, no_header);
    expect(true, other, no_header);
    expect(true, str_sub(xsrf, 0, 31), no_header);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xsrf");
    TCase *tcase = tcase_create("xsrf");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, one_for_each_session);
    tcase_add_test(tcase, all_of_it_or_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
