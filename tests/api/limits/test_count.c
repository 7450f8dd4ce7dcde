/* Who is counted for what, in Redis and without: writes are counted before they happen. */
#include "control_data.h"
#include "session.h"

#include "limits_fixture.h"
#include "patience.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/routes.h"
#include "limits/window.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

#define USER(route, id) LOOPBACK(&node, route, loopback_user(id))

static void open_three(void)
{
    redis = redis_server_start(NULL);
    open_node(&node, redis_server_url(redis), THREE, false);
}

static void close_all(void)
{
    loopback_close(&node);
    redis_server_stop(&redis);
}

static void free_answer(struct loopback_answer *answer)
{
    loopback_free(&answer);
}

START_TEST(a_throttled_clear_clears_nothing)
{
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(USER("cache.clear", 7), ERR_OK, 3, left);
    ck_assert_int_eq(control_version(redis, 7), 4);
    for (int i = 0; i < 5; i++)
        expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 3, 0);
    ck_assert_int_eq(control_version(redis, 7), 4);
    expect_expiry("cw:l:{u:7}:clear", LIMIT_WINDOW_MS);
    /* Others, and other things of the same user, have windows of their own. */
    expect_rate(USER("cache.clear", 8), ERR_OK, 3, 2);
    expect_rate(USER("cache.enable", 7), ERR_OK, 3, 2);
}
END_TEST

START_TEST(on_and_off_are_counted_together)
{
    expect_rate(USER("cache.disable", 7), ERR_OK, 3, 2);
    expect_rate(USER("cache.enable", 7), ERR_OK, 3, 1);
    expect_rate(USER("cache.disable", 7), ERR_OK, 3, 0);
    expect_rate(USER("cache.enable", 7), ERR_THROTTLED, 3, 0);
    ck_assert(control_is_off(redis, 7));
}
END_TEST

START_TEST(superusers_too_and_keys_for_their_owner)
{
    expect_rate(LOOPBACK(&node, "cache.clear", loopback_admin()), ERR_OK, 3, 2);
    expect_rate(LOOPBACK(&node, "cache.clear", loopback_key(SCOPE_USER, 1)), ERR_OK, 3, 1);
    expect_rate(USER("cache.clear", 1), ERR_OK, 3, 0);
    expect_rate(LOOPBACK(&node, "cache.clear", loopback_admin()), ERR_THROTTLED, 3, 0);
    expect_rate(LOOPBACK(&node, "cache.clear", loopback_key(SCOPE_USER, 1)), ERR_THROTTLED, 3, 0);
    /* Routes of operators have no limit. */
    for (int i = 0; i < 10; i++)
        expect_rate(LOOPBACK(&node, "cache.admin_clear", loopback_admin(), .query = "user_id=1"),
                    ERR_OK, 0, 0);
}
END_TEST

/* Three with one number: an account here, an issuer's user, and whom who shares our secret counts so. */
START_TEST(each_of_one_number)
{
    struct principal issuers = loopback_user(7), theirs = loopback_user(7);
    issuers.is_stranger = theirs.is_stranger = true;
    issuers.issuer = STR("0123456789abcdef0123456789abcdef");
    const struct principal who[] = {loopback_user(7), issuers, theirs};
    static const char *const routes[] = {"cache.clear", "cache.enable", "cache.status"};
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        for (size_t j = 0; j < sizeof who / sizeof *who; j++) {
            for (int64_t left = 2; left >= 0; left--)
                expect_rate(LOOPBACK(&node, routes[i], who[j]), ERR_OK, 3, left);
            expect_rate(LOOPBACK(&node, routes[i], who[j]), ERR_THROTTLED, 3, 0);
        }
    }
}
END_TEST

/* An API key survives what it does. It fills nothing, and its owner can do the same all the while. */
START_TEST(logouts_by_a_key_and_by_its_owner)
{
    struct principal key = loopback_key(SCOPE_USER, 7), owner = loopback_user(7);
    struct principal stranger = loopback_user(7);
    key.token_id = STR("0123456789ab");
    owner.token_id = stranger.token_id = STR("a");
    owner.expires_at_s = stranger.expires_at_s = clock_wall_s() + 1000;
    stranger.is_stranger = true;
#define LOG_OUT(who) LOOPBACK(&node, "auth.logout", who, .query = "all=true", .body = "{}")
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(LOG_OUT(key), ERR_NOT_FOUND, 3, left);
    int64_t events = redis_server_ask_integer(redis, "XLEN cw:events");
    expect_rate(LOG_OUT(key), ERR_THROTTLED, 3, 0);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:events"), events);
    expect_rate(LOOPBACK(&node, "auth.password", key, .body = "{}"), ERR_FORBIDDEN, 3, 2);
    expect_rate(LOOPBACK(&node, "auth.password", owner, .body = "{}"), ERR_BAD_INPUT, 3, 2);
    expect_rate(LOOPBACK(&node, "auth.logout", stranger, .body = "{}"), ERR_OK, 3, 2);
    expect_rate(LOOPBACK(&node, "auth.logout", owner, .body = "{}"), ERR_OK, 3, 2);
}
END_TEST

/* Whoever stole a token does not keep its owner from logging out everywhere, or changing the password. */
START_TEST(each_session_for_itself)
{
    static const char *const routes[] = {"auth.logout", "auth.password"};
    struct principal thief = loopback_user(7), owner = loopback_user(7);
    thief.token_id = owner.token_id = STR("a");
    thief.expires_at_s = owner.expires_at_s = clock_wall_s() + 1000;
    thief.family = STR("0123456789abcdef0123456789abcdef");
    owner.family = STR("fedcba9876543210fedcba9876543210");
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        for (int j = 0; j < 3; j++)
            free_answer(LOOPBACK(&node, routes[i], thief, .body = "{\"refresh_token\":\"x\"}"));
        expect_rate(LOOPBACK(&node, routes[i], thief, .body = "{}"), ERR_THROTTLED, 3, 0);
        expect_rate(LOOPBACK(&node, routes[i], owner, .body = "{\"refresh_token\":\"x\"}"),
                    ERR_BAD_INPUT, 3, 2);
    }
}
END_TEST

/* Who may flush because everybody may is counted; who has the right of an operator or a key is not. */
START_TEST(flushes_by_anybody)
{
    node.app->policy.flush_for_authenticated = true;
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(USER("messages.flush", 7), ERR_OK, 3, left);
    expect_rate(USER("messages.flush", 7), ERR_THROTTLED, 3, 0);
    expect_rate(USER("messages.flush", 8), ERR_OK, 3, 2);
    for (int i = 0; i < 5; i++) {
        expect_rate(LOOPBACK(&node, "messages.flush", loopback_admin()), ERR_OK, 0, 0);
        expect_rate(LOOPBACK(&node, "messages.flush", loopback_key(SCOPE_FLUSH, 0)), ERR_OK, 0, 0);
    }
}
END_TEST

/* An application clears as often as it works; it is no user who could be slowed down. */
START_TEST(a_key_of_no_account_where_users_are_counted)
{
    static const struct route clear = {.name = "entries.clear",
                                       .permit = PERMIT_ENTRIES,
                                       .limit = LIMIT_CLEAR,
                                       .effect = EFFECT_WRITE};
    struct arena *arena = arena_new(4096, 0);
    struct call call;

    for (int i = 1; i <= 5; i++) {
        call_init(&call, node.app, &clear, arena);
        call.deadline_ns = clock_deadline_ns(PATIENCE_MS);
        call.principal = loopback_key(SCOPE_ENTRIES, 0);
        ck_assert_int_eq(limits_check(&call), ERR_OK);
        ck_assert(call.reply.rate_limit == 0 && !call.is_limit_pending);
        call.principal = loopback_user(7);
        ck_assert_int_eq(limits_check(&call), i <= 3 ? ERR_OK : ERR_THROTTLED);
    }
    arena_free(&arena);
}
END_TEST

START_TEST(clears_of_models_with_the_others)
{
    expect_rate(USER("entries.clear", 7), ERR_OK, 3, 2);
    for (int64_t left = 1; left >= 0; left--)
        expect_rate(LOOPBACK(&node, "models.clear", loopback_user(7), .name = "Product"), ERR_OK, 3,
                    left);
    expect_rate(LOOPBACK(&node, "models.clear", loopback_user(7), .name = "Order"), ERR_THROTTLED,
                3, 0);
    expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 3, 0);
}
END_TEST

/* Each job is some work for Redis, and a record. One that is refused because another is at work counts, too. */
START_TEST(jobs_that_a_key_of_no_account_starts)
{
    struct principal key = loopback_key(SCOPE_ENTRIES, 0), other = key;
    key.space = other.space = STR("shop");
    key.token_id = STR("0123456789ab");
    other.token_id = STR("ba9876543210");
#define START(who) LOOPBACK(&node, "entries.clear", who, .query = "pattern=a*")
    expect_rate(START(key), ERR_OK, 3, 2);
    expect_rate(START(key), ERR_CONFLICT, 3, 1);
    expect_rate(START(key), ERR_CONFLICT, 3, 0);
    expect_rate(START(key), ERR_THROTTLED, 3, 0);
    expect_rate(START(other), ERR_CONFLICT, 3, 2);
    for (int i = 0; i < 5; i++)
        expect_rate(LOOPBACK(&node, "entries.clear", key), ERR_OK, 0, 0);
    /* Whom the row has counted is not counted twice. */
    expect_rate(START(loopback_user(7)), ERR_OK, 3, 2);
    expect_rate(START(loopback_key(SCOPE_USER, 7)), ERR_CONFLICT, 3, 1);
    expect_rate(USER("cache.clear", 7), ERR_OK, 3, 0);
}
END_TEST

/* A key that flushes, too, and together with what it clears. Admins look after it all. */
START_TEST(jobs_on_a_prefix)
{
    const struct cache_spec sessions = {
        .name = STR("sessions"), .kind = CACHE_PREFIX, .prefix = STR("sess:")};
    struct principal key = loopback_key(SCOPE_FLUSH | SCOPE_ENTRIES, 0);

    key.space = STR("shop");
    key.token_id = STR("0123456789ab");
    loopback_close(&node);
    loopback_open(&node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .limits = THREE,
                                                    .caches = &sessions,
                                                    .cache_count = 1,
                                                    .is_unwatched = true});
#define FLUSH(who, how) LOOPBACK(&node, "caches.flush", who, .name = "sessions", .query = how)
    expect_rate(FLUSH(key, ""), ERR_OK, 3, 2);
    expect_rate(FLUSH(key, "dry_run=true"), ERR_OK, 3, 1);
    expect_rate(LOOPBACK(&node, "entries.clear", key, .query = "pattern=a*"), ERR_OK, 3, 0);
    int64_t records = redis_server_ask_integer(redis, "XLEN cw:audit:clears");
    expect_rate(FLUSH(key, ""), ERR_THROTTLED, 3, 0);
    ck_assert_int_eq(redis_server_ask_integer(redis, "XLEN cw:audit:clears"), records);
    for (int i = 0; i < 5; i++)
        expect_rate(FLUSH(loopback_admin(), ""), ERR_CONFLICT, 0, 0);
}
END_TEST

START_TEST(a_window_that_is_over)
{
    for (int i = 0; i < 4; i++)
        free_answer(USER("cache.clear", 7));
    expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 3, 0);
    redis_server_do(redis, "PEXPIRE cw:l:{u:7}:clear 1");
    while (redis_server_ask_integer(redis, "EXISTS cw:l:{u:7}:clear"))
        continue;
    expect_rate(USER("cache.clear", 7), ERR_OK, 3, 2);
}
END_TEST

/* Redis may remove the key between two of the commands that count, and then it had no expiry. */
START_TEST(nobody_is_locked_out_for_ever)
{
    redis_server_do(redis, "SET cw:l:{u:7}:clear 99");
    expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 3, 0);
    expect_expiry("cw:l:{u:7}:clear", LIMIT_WINDOW_MS);
}
END_TEST

START_TEST(a_counter_that_is_none)
{
    redis_server_do(redis, "HSET cw:l:{u:7}:clear a b");
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(USER("cache.clear", 7), ERR_OK, 3, left);
    expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 3, 0);
}
END_TEST

START_TEST(off_is_off)
{
    struct limit_settings off = THREE;
    off.enabled = false;
    limits_set(node.app->limits, &off);
    for (int i = 0; i < 10; i++) {
        expect_rate(USER("cache.clear", 7), ERR_OK, 0, 0);
        expect_rate(USER("cache.status", 7), ERR_OK, 0, 0);
    }
    redisReply *keys = redis_server_ask(redis, "KEYS cw:l:*");
    ck_assert_uint_eq(keys->elements, 0);
    freeReplyObject(keys);

    struct limit_settings more = THREE;
    more.clear_per_minute = 5;
    limits_set(node.app->limits, &more);
    for (int64_t left = 4; left >= 0; left--)
        expect_rate(USER("cache.clear", 7), ERR_OK, 5, left);
    limits_set(node.app->limits, &(struct limit_settings){.enabled = true, .clear_per_minute = 2});
    expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 2, 0);
}
END_TEST

/* ---- exactly as many as are allowed ---- */

static struct loopback other_node;
enum { THREADS = 20, CALLS = 10, ALLOWED = 50 };
static atomic_int allowed, throttled;

static void *clear_on(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        struct loopback_answer *answer =
            LOOPBACK((struct loopback *)arg, "cache.clear", loopback_user(7));
        if (answer->err == ERR_OK)
            atomic_fetch_add(&allowed, 1);
        else if (answer->err == ERR_THROTTLED)
            atomic_fetch_add(&throttled, 1);
        loopback_free(&answer);
    }
    return NULL;
}

static void clear_from_all_sides(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, clear_on, i % 2 ? &node : &other_node),
                         0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(two_nodes_share_one_window)
{
    struct limit_settings fifty = THREE;
    fifty.clear_per_minute = ALLOWED;
    limits_set(node.app->limits, &fifty);
    open_node_beside(&other_node, &node, redis_server_url(redis), fifty, false);
    clear_from_all_sides();
    ck_assert_int_eq(allowed, ALLOWED);
    ck_assert_int_eq(throttled, THREADS * CALLS - ALLOWED);
    ck_assert_int_eq(control_version(redis, 7), 1 + ALLOWED);
    loopback_close(&other_node);
}
END_TEST

/* ---- without Redis ---- */

static void open_without_redis(void)
{
    open_node(&node, LOOPBACK_NO_REDIS, THREE, true);
}

static void close_without_redis(void)
{
    loopback_close(&node);
}

START_TEST(the_gate_stays_shut)
{
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(USER("cache.clear", 7), ERR_UPSTREAM_DOWN, 3, left);
    expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 3, 0);
    expect_rate(USER("cache.clear", 8), ERR_UPSTREAM_DOWN, 3, 2);
}
END_TEST

#define LOGIN(from)                                                     \
    LOOPBACK(&node, "auth.login", loopback_nobody(), .address = (from), \
             .body = "{\"username\":\"alice\",\"password\":\"" LOOPBACK_PASSWORD "\"}")
#define REGISTER(from) \
    LOOPBACK(&node, "auth.register", loopback_nobody(), .address = (from), .body = "{}")

START_TEST(and_nobody_is_kept_out)
{
    free_answer(LOOPBACK(
        &node, "auth.register", loopback_nobody(),
        .body =
            "{\"username\":\"alice\",\"email\":\"a@example.org\",\"password\":\"" LOOPBACK_PASSWORD
            "\"}"));
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(LOGIN("192.0.2.7"), ERR_OK, 3, left);
    expect_rate(LOGIN("192.0.2.7"), ERR_THROTTLED, 3, 0);
    expect_rate(LOGIN("192.0.2.8"), ERR_OK, 3, 2);
}
END_TEST

START_TEST(an_address_is_a_64_and_each_limit_counts_for_itself)
{
    static const char *const neighbours[] = {"2001:db8:0:1::1", "2001:db8:0:1::2",
                                             "2001:db8:0:1:ffff::9"};
    for (int64_t i = 0; i < 3; i++)
        expect_rate(REGISTER(neighbours[i]), ERR_BAD_INPUT, 3, 2 - i);
    expect_rate(REGISTER("2001:db8:0:1:abcd::"), ERR_THROTTLED, 3, 0);
    expect_rate(REGISTER("2001:db8:0:2::1"), ERR_BAD_INPUT, 3, 2);
    expect_rate(LOGIN("2001:db8:0:1::1"), ERR_UNAUTHENTICATED, 3, 2);
}
END_TEST

START_TEST(redis_goes_and_comes_back)
{
    redis = redis_server_start(NULL);
    loopback_close(&node);
    open_node(&node, redis_server_url(redis), THREE, false);
    expect_rate(USER("cache.clear", 7), ERR_OK, 3, 2);
    redis_server_kill(redis);
    for (int i = 0; i < 3; i++)
        free_answer(USER("cache.clear", 7));
    expect_rate(USER("cache.clear", 7), ERR_THROTTLED, 3, 0);
    redis_server_restart(redis);
    struct loopback_answer *answer = NULL;
    do { /* the breaker tries once a second */
        if (answer)
            loopback_free(&answer);
        answer = USER("cache.clear", 7);
    } while (answer->err != ERR_OK);
    loopback_free(&answer);
    ck_assert_int_ge(redis_server_ask_integer(redis, "GET cw:l:{u:7}:clear"), 1);
    redis_server_stop(&redis);
}
END_TEST

static void open_with_users(void)
{
    redis = redis_server_start(NULL);
    open_node(&node, redis_server_url(redis), THREE, true);
}

/* Whatever token of the family it is that comes next, and whether it is good. */
START_TEST(refreshes_of_one_session)
{
    struct session now, next, other;
    session_register(&node, "alice");
    session_open(&node, "alice", &now);
    session_open(&node, "alice", &other);
    for (int64_t left = 2; left >= 0; left--) {
        struct loopback_answer *answer = session_refresh(&node, now.refresh);
        ck_assert_int_eq(answer->reply.rate_remaining, left);
        session_read(&node, answer, &next);
        session_free(&now);
        now = next;
    }
    expect_rate(session_refresh(&node, now.refresh), ERR_THROTTLED, 3, 0);
    ck_assert_int_eq(session_try_refresh(&node, now.refresh), ERR_THROTTLED);
    ck_assert_int_eq(session_try_refresh(&node, "no-token"), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(session_try_refresh(&node, other.refresh), ERR_OK);
    session_free(&now);
    session_free(&other);
}
END_TEST

START_TEST(passwords_of_a_user)
{
    for (int64_t left = 2; left >= 0; left--)
        expect_rate(LOOPBACK(&node, "auth.password", loopback_user(7), .body = "{}"), ERR_BAD_INPUT,
                    3, left);
    expect_rate(LOOPBACK(&node, "auth.password", loopback_user(7), .body = "{}"), ERR_THROTTLED, 3,
                0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/limits/count");
    TCase *tcase = tcase_create("with Redis");
    tcase_add_checked_fixture(tcase, open_three, close_all);
    tcase_add_test(tcase, a_throttled_clear_clears_nothing);
    tcase_add_test(tcase, on_and_off_are_counted_together);
    tcase_add_test(tcase, superusers_too_and_keys_for_their_owner);
    tcase_add_test(tcase, each_of_one_number);
    tcase_add_test(tcase, logouts_by_a_key_and_by_its_owner);
    tcase_add_test(tcase, each_session_for_itself);
    tcase_add_test(tcase, flushes_by_anybody);
    tcase_add_test(tcase, a_key_of_no_account_where_users_are_counted);
    tcase_add_test(tcase, clears_of_models_with_the_others);
    tcase_add_test(tcase, jobs_that_a_key_of_no_account_starts);
    tcase_add_test(tcase, jobs_on_a_prefix);
    tcase_add_test(tcase, a_window_that_is_over);
    tcase_add_test(tcase, nobody_is_locked_out_for_ever);
    tcase_add_test(tcase, a_counter_that_is_none);
    tcase_add_test(tcase, off_is_off);
    tcase_add_test(tcase, two_nodes_share_one_window);
    suite_add_tcase(suite, tcase);

    tcase = tcase_create("without Redis");
    tcase_add_checked_fixture(tcase, open_without_redis, close_without_redis);
    tcase_add_test(tcase, the_gate_stays_shut);
    tcase_add_test(tcase, and_nobody_is_kept_out);
    tcase_add_test(tcase, an_address_is_a_64_and_each_limit_counts_for_itself);
    tcase_add_test(tcase, redis_goes_and_comes_back);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("accounts");
    tcase_add_checked_fixture(tcase, open_with_users, close_all);
    tcase_add_test(tcase, refreshes_of_one_session);
    tcase_add_test(tcase, passwords_of_a_user);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
