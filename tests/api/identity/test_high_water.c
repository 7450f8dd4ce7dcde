/* Users databases that were put back, beside a Redis that knows better. */
#include "identity/high_water.h"

#include "session.h"

#include "cw_server.h"
#include "identity_case.h"
#include "patience.h"
#include "suite.h"

#include <time.h>

static struct users *copy;
static char *directory;
static struct high_water seen;

static void set_up(void)
{
    struct error error = {0};
    char url[300];

    open_all();
    directory = cw_directory_new();
    snprintf(url, sizeof url, "sqlite:%s/users.db", directory);
    ck_assert_msg(users_open(str_from(url), &copy, &error) == ERR_OK, "%s", error.caller);
    seen = (struct high_water){0};
}

static void tear_down(void)
{
    users_close(&copy);
    cw_directory_remove(&directory);
    close_all();
}

static int64_t add(const char *name)
{
    struct error error = {0};
    char email[64];
    int64_t id = 0;

    snprintf(email, sizeof email, "%s@example.org", name);
    struct user user = {.username = str_from(name),
                        .email = str_from(email),
                        .password_hash = STR("h"),
                        .is_active = true};
    ck_assert_msg(users_add(copy, &user, &id, &error) == ERR_OK, "%s", error.caller);
    return id;
}

static enum err agree(void)
{
    const struct high_water_options options = {
        .control = loopback.app->control, .users = copy, .budget_ms = PATIENCE_MS};
    struct error error = {0};

    return high_water_agree(&seen, &options, &error);
}

START_TEST(redis_holds_the_highest)
{
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:ids"), 0);
    add("alice");
    add("bob");
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 2);
    /* It forgets: the users database knows. */
    redis_server_do(redis, "DEL cw:ids");
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 2);
}
END_TEST

START_TEST(an_older_copy_gives_no_number_twice)
{
    add("alice");
    redis_server_do(redis, "SET cw:ids 7");
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 7);
    ck_assert_int_eq(seen.raised[HIGH_WATER_IDS], 7);
    ck_assert_int_eq(add("bob"), 8);
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 8);
}
END_TEST

START_TEST(an_empty_one_neither)
{
    redis_server_do(redis, "SET cw:ids 7");
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(add("alice"), 8);
}
END_TEST

/* Believed, it would leave no number for anybody, or none that is exact in JavaScript. */
START_TEST(what_cannot_be_one_is_overwritten)
{
    static const char *const texts[] = {
        "9223372036854775807", "6900000000000000000", "4503599627370497", "-1", "0", "x", "7x",
    };

    add("alice");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        redis_server_do(redis, "SET cw:ids %s", texts[i]);
        ck_assert_int_eq(agree(), ERR_OK);
        ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 1);
    }
    redis_server_do(redis, "DEL cw:ids");
    redis_server_do(redis, "RPUSH cw:ids 7");
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 1);
    ck_assert_int_eq(add("bob"), 2);
}
END_TEST

START_TEST(one_with_high_numbers_is_believed)
{
    struct error error = {0};

    ck_assert_int_eq(users_set_first_id(copy, INT64_C(1) << 60, &error), ERR_OK);
    add("alice");
    redis_server_do(redis, "SET cw:ids %lld", (1LL << 60) + 7);
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(add("bob"), (INT64_C(1) << 60) + 8);
}
END_TEST

static int64_t not_before_of(int64_t id)
{
    struct arena *arena = arena_new(1024, 0);
    struct error error = {0};
    struct user user;

    ck_assert_int_eq(users_find_by_id(copy, arena, id, &user, &error), ERR_OK);
    arena_free(&arena);
    return user.tokens_not_before_s;
}

/* What the copy does not know: that somebody has another password since, or was deactivated. */
START_TEST(a_copy_from_before_a_new_password)
{
    struct error error = {0};
    int64_t alice = add("alice"), bob = add("bob"), now_s = clock_wall_s();

    ck_assert_int_eq(users_set_password(copy, alice, STR("new"), &error), ERR_OK);
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:voided"), not_before_of(alice));
    ck_assert_int_eq(not_before_of(bob), 0);
    redis_server_do(redis, "SET cw:voided %lld", (long long)not_before_of(alice) + 1);
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_gt(not_before_of(alice), now_s);
    ck_assert_int_gt(not_before_of(bob), now_s);
    ck_assert_int_eq(agree(), ERR_OK);
    int64_t voided_s = not_before_of(bob);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:voided"), voided_s);
    /* Once. */
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(not_before_of(bob), voided_s);
}
END_TEST

/* A hand, or a clock that is wrong: what was voided by it may have to be, and nobody is locked out. */
START_TEST(a_date_far_ahead_counts_as_now)
{
    static const int64_t ahead_s[] = {USERS_VOID_AHEAD_S + 60, 1800, 3000, INT64_C(30000000000)};
    int64_t alice = add("alice");

    for (size_t i = 0; i < sizeof ahead_s / sizeof *ahead_s; i++) {
        int64_t before_s = not_before_of(alice), now_s = clock_wall_s();
        redis_server_do(redis, "SET cw:voided %lld", (long long)(now_s + ahead_s[i]));
        ck_assert_int_eq(agree(), ERR_OK);
        ck_assert_int_gt(not_before_of(alice), before_s);
        ck_assert_int_gt(not_before_of(alice), now_s);
        int64_t redis_s = redis_server_ask_integer(redis, "GET cw:voided");
        ck_assert_int_le(redis_s, clock_wall_s() + 1);
        ck_assert_int_gt(redis_s, now_s);
        /* Another node, or this one after a restart, has nothing more to do. */
        int64_t voided_s = not_before_of(alice);
        seen = (struct high_water){0};
        ck_assert_int_eq(agree(), ERR_OK);
        ck_assert_int_eq(not_before_of(alice), voided_s);
        while (clock_wall_s() <= voided_s)
            nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    }
}
END_TEST

/* A wrong clock has voided an account ahead of time: Redis holds a date that the others believe. */
START_TEST(a_date_far_ahead_is_not_passed_on)
{
    struct error error = {0};
    int64_t now_s = clock_wall_s();

    add("alice");
    ck_assert_int_eq(users_void_all_tokens(copy, now_s + 1800, &error), ERR_OK);
    ck_assert_int_eq(agree(), ERR_OK);
    int64_t told_s = redis_server_ask_integer(redis, "GET cw:voided");
    ck_assert_int_ge(told_s, now_s);
    ck_assert_int_le(told_s, clock_wall_s() + USERS_VOID_AHEAD_S);
}
END_TEST

/* The other one is looked after all the same. */
START_TEST(one_that_was_overwritten)
{
    static const char *const commands[] = {"SET cw:ids x", "DEL cw:ids", "LPUSH cw:ids x"};
    struct error error = {0};
    int64_t alice = add("alice");

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        redis_server_do(redis, commands[i]);
        ck_assert_int_eq(users_set_password(copy, alice, STR("new"), &error), ERR_OK);
        ck_assert_int_eq(agree(), ERR_OK);
        ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:voided"), not_before_of(alice));
        redis_server_do(redis, "DEL cw:ids");
    }
    redis_server_do(redis, "SET cw:voided x");
    add("bob");
    ck_assert_int_eq(agree(), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 2);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:voided"), not_before_of(alice));
}
END_TEST

/* Signing in is what a date far ahead would end. */
START_TEST(nobody_is_locked_out)
{
    struct session session;
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    make_account("alice");
    int64_t far_s = clock_wall_s() + 3000;
    redis_server_do(redis, "SET cw:voided %lld", (long long)far_s);
    while (redis_server_ask_integer(redis, "GET cw:voided") >= far_s &&
           clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    session_open(&loopback, "alice", &session);
    ck_assert_int_eq(session_try_access(&loopback, session.access), ERR_OK);
    ck_assert_int_eq(session_try_refresh(&loopback, session.refresh), ERR_OK);
    session_free(&session);
}
END_TEST

/* The thread of a node that serves does it, without being asked. */
START_TEST(a_node_looks_after_it)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    make_account("alice");
    while (redis_server_ask_integer(redis, "EXISTS cw:ids") == 0 && clock_mono_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    ck_assert_int_eq(redis_server_ask_integer(redis, "GET cw:ids"), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/identity/high_water");
    TCase *tcase = tcase_create("high_water");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, redis_holds_the_highest);
    tcase_add_test(tcase, an_older_copy_gives_no_number_twice);
    tcase_add_test(tcase, an_empty_one_neither);
    tcase_add_test(tcase, what_cannot_be_one_is_overwritten);
    tcase_add_test(tcase, one_with_high_numbers_is_believed);
    tcase_add_test(tcase, a_copy_from_before_a_new_password);
    tcase_add_test(tcase, a_date_far_ahead_counts_as_now);
    tcase_add_test(tcase, a_date_far_ahead_is_not_passed_on);
    tcase_add_test(tcase, one_that_was_overwritten);
    tcase_add_test(tcase, nobody_is_locked_out);
    tcase_add_test(tcase, a_node_looks_after_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
