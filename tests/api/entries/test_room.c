/* Entries leave room beside them for control data. */
#include "entries/room.h"

#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include "cachewarden/clock.h"
#include "entries/entries_private.h"

#include <stdio.h>
#include <time.h>

/* ---- what INFO says ---- */

START_TEST(what_is_left)
{
    int64_t left = 7;

    ck_assert(room_read(STR("# Memory\r\nused_memory:600\r\nmaxmemory:1000\r\n"), 80, &left));
    ck_assert_int_eq(left, 200);
    ck_assert(room_read(STR("used_memory:900\nmaxmemory:1000\n"), 80, &left));
    ck_assert_int_eq(left, -100);
    ck_assert(room_read(STR("used_memory:900\r\nmaxmemory:0\r\n"), 80, &left));
    ck_assert_int_eq(left, INT64_MAX);
    ck_assert(room_read(STR("used_memory:0\r\nmaxmemory:9223372036854775807\r\n"), 100, &left));
    ck_assert_int_gt(left, INT64_MAX / 100 * 99);
}
END_TEST

START_TEST(what_says_nothing_changes_nothing)
{
    static const char *const texts[] = {
        "",
        "used_memory:5\r\n",
        "maxmemory:5\r\n",
        "used_memory:x\r\nmaxmemory:5\r\n",
        "used_memory:-1\r\nmaxmemory:5\r\n",
        "used_memory_rss:1\r\nmaxmemory_human:2\r\n",
    };
    int64_t left = 7;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!room_read(str_from(texts[i]), 80, &left), "%s", texts[i]);
    ck_assert_int_eq(left, 7);
}
END_TEST

/* Between two looks no more is let in than was left. */
START_TEST(what_is_left_is_taken_once)
{
    struct room room;

    room_init(&room, 0);
    ck_assert(room_take(&room, (size_t)1 << 60));
    atomic_store(&room.left, 100);
    ck_assert(room_take(&room, 60));
    ck_assert(room_take(&room, 40));
    ck_assert(!room_take(&room, 1));
    ck_assert(!room_take(&room, 0));
}
END_TEST

/* ---- on a Redis with a maxmemory ---- */

enum { MIB = 1024 * 1024 };

static struct redis_server *redis, *store;
static struct loopback node, other;

static void open_with(const char *entries_url, bool is_watched)
{
    loopback_open(&node, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                    .entries_redis_url = entries_url,
                                                    .is_unwatched = !is_watched});
}

static void open_one(void)
{
    redis = redis_server_start(NULL);
    open_with(NULL, true);
}

static void open_unwatched(void)
{
    redis = redis_server_start(NULL);
    open_with(NULL, false);
}

static void open_two_unwatched(void)
{
    open_unwatched();
    loopback_open(&other, &(struct loopback_options){.redis_url = redis_server_url(redis),
                                                     .shares = &node,
                                                     .is_unwatched = true});
}

static void open_apart(void)
{
    redis = redis_server_start(NULL);
    store = redis_server_start(NULL);
    open_with(redis_server_url(store), true);
}

static void close_all(void)
{
    loopback_close(&node);
    redis_server_stop(&redis);
    if (store)
        redis_server_stop(&store);
}

static void close_two(void)
{
    loopback_close(&other);
    close_all();
}

static char big[64 * 1024];

static struct loopback_answer *put_on(struct loopback *at, int number)
{
    char label[32];

    snprintf(label, sizeof label, "k%d", number);
    memset(big, 'x', sizeof big);
    return LOOPBACK(at, "entries.put", loopback_user(7), .name = label, .type = "text/plain",
                    .body = big, .body_size = sizeof big);
}

static struct loopback_answer *put(int number)
{
    return put_on(&node, number);
}

static struct loopback_answer *increment(const char *label)
{
    return LOOPBACK(&node, "entries.increment", loopback_user(7), .name = label, .body = "{}");
}

static enum err outcome(struct loopback_answer *answer)
{
    enum err err = answer->err;

    loopback_free(&answer);
    return err;
}

static int64_t ask_memory(const char *field)
{
    char script[128];

    snprintf(script, sizeof script,
             "return tonumber(string.match(redis.call('INFO','memory'), '%s:(%%d+)'))", field);
    return redis_server_ask_integer(redis, "EVAL %s 0", script);
}

/* Of Redis' memory so much more than it has in use. */
static void leave(int64_t bytes)
{
    redis_server_do(redis, "CONFIG SET maxmemory %lld",
                    (long long)(ask_memory("used_memory") + bytes));
}

/* By so much more is in use than the share of entries. */
static int64_t over(void)
{
    return ask_memory("used_memory") - ask_memory("maxmemory") / 100 * ROOM_PERCENT;
}

/* Gives how many were taken. */
static int put_until_refused(struct loopback *at, int first)
{
    enum { TRIES = 1000 };
    int count = 0;

    while (count < TRIES && outcome(put_on(at, first + count)) == ERR_OK)
        count++;
    ck_assert_int_lt(count, TRIES);
    return count;
}

static void await_outcome(enum err wanted, int number)
{
    const struct timespec moment = {.tv_nsec = 5 * NS_PER_MS};
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    while (outcome(put(number)) != wanted) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "not %s", err_name(wanted));
        nanosleep(&moment, NULL);
    }
}

/* The janitor looks when somebody fills. */
static void await_look(void)
{
    const struct timespec moment = {.tv_nsec = 5 * NS_PER_MS};
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);

    ck_assert_int_eq(outcome(put(0)), ERR_OK);
    while (atomic_load(&node.app->entries->room.left) > INT64_MAX / 2) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "nobody looks");
        nanosleep(&moment, NULL);
    }
}

/* Whoever fills as much as they can gets no further than the entries' share: what must always be possible is. */
START_TEST(a_user_who_fills_keeps_nobody_from_clearing)
{
    leave(32 * MIB);
    await_look();
    int taken = put_until_refused(&node, 0);
    ck_assert_int_gt(taken, 0);
    /* What room there is for something smaller, others take. */
    redis_server_do(redis, "CONFIG SET maxmemory %lld",
                    (long long)(ask_memory("used_memory") / 9 * 10));
    await_outcome(ERR_UPSTREAM_REFUSED, taken);
    struct loopback_answer *answer = put(taken);
    ck_assert_int_eq(answer->err, ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(answer->error.redis, REDIS_ERROR_NO_ROOM);
    loopback_free(&answer);
    ck_assert_int_eq(outcome(increment("n")), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:n"), 0);
    /* What is not for entries goes on. */
    ck_assert_int_eq(outcome(LOOPBACK(&node, "models.clear", loopback_user(7), .name = "Product")),
                     ERR_OK);
    ck_assert_int_eq(outcome(LOOPBACK(&node, "cache.clear", loopback_user(8))), ERR_OK);
    ck_assert_int_eq(
        outcome(LOOPBACK(&node, "entries.clear", loopback_user(7), .query = "pattern=k*")), ERR_OK);
    ck_assert_uint_ge(
        entries_metrics_read(node.app->entries->metrics, ENTRY_OF_USER, ENTRY_FILLS_NO_ROOM), 3);
    /* The job makes room, and that is noticed. */
    await_outcome(ERR_OK, 0);
}
END_TEST

static bool tells_lease(const char *label, const char *query)
{
    struct loopback_answer *answer =
        LOOPBACK(&node, "entries.get", loopback_user(7), .name = label, .query = query);
    bool has_lease = answer->reply.outcome == OUTCOME_MISS && answer->reply.lease.len > 0;

    loopback_free(&answer);
    return has_lease;
}

/* Who reads what is not there, and would wait, promises nothing where there is no room: it is a miss like any other. */
START_TEST(a_promise_takes_room)
{
    struct room *room = &node.app->entries->room;
    int64_t before = 1024 * 1024;

    atomic_store(&room->left, before);
    ck_assert(tells_lease("a", "wait_ms=60000"));
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:a"), 1);
    ck_assert_int_lt(atomic_load(&room->left), before);
    before = atomic_load(&room->left);
    ck_assert(tells_lease("a", "wait_ms=50")); /* looks more than once, and takes nothing */
    ck_assert_int_eq(atomic_load(&room->left), before);
    atomic_store(&room->left, 0);
    for (int i = 0; i < 2; i++)
        ck_assert(tells_lease("b", "wait_ms=60000"));
    ck_assert(tells_lease("b", ""));
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:b"), 0);
    ck_assert_int_lt(atomic_load(&room->left), 0); /* so that somebody looks */
}
END_TEST

static uint64_t trips(void)
{
    struct redis_stats stats;

    redis_stats_read(node.app->control, &stats);
    return stats.round_trips;
}

static uint64_t trips_of_a_look(void)
{
    uint64_t before = trips();

    entries_look_for_room(node.app->entries, clock_deadline_ns(PATIENCE_MS));
    return trips() - before;
}

/* Whoever fills goes by the last look for as long as it is new: these say how old it is. */
static void make_look_old(void)
{
    atomic_store(&node.app->entries->room.looked_ns, 1);
}

static void make_look_new(void)
{
    atomic_store(&node.app->entries->room.looked_ns, clock_deadline_ns(PATIENCE_MS));
}

/* Nobody looked while nobody filled: the first promise goes by no old look. */
START_TEST(the_first_promise_after_a_quiet_time)
{
    ck_assert_uint_eq(trips_of_a_look(), 1);
    redis_server_do(redis, "SETRANGE others 16777215 x");
    leave(2 * 1024 * 1024); /* Redis takes more; the share of entries is used up */
    make_look_old();
    ck_assert(tells_lease("a", "wait_ms=60000"));
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:a"), 0);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    make_look_old();
    ck_assert(tells_lease("a", "wait_ms=60000"));
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:a"), 1);
}
END_TEST

START_TEST(room_that_comes_by_itself_is_noticed)
{
    leave(0);
    await_outcome(ERR_UPSTREAM_REFUSED, 0);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    await_outcome(ERR_OK, 0);
}
END_TEST

/* Who fills nothing asks nothing, unless there is no room. */
START_TEST(a_quiet_node_does_not_look)
{
    struct room *room = &node.app->entries->room;

    ck_assert_uint_eq(trips_of_a_look(), 1);
    ck_assert_uint_eq(trips_of_a_look(), 0);
    ck_assert(room_take(room, 1));
    ck_assert_uint_eq(trips_of_a_look(), 1);
    ck_assert_uint_eq(trips_of_a_look(), 0);
    leave(0);
    ck_assert(room_take(room, 1));
    ck_assert_uint_eq(trips_of_a_look(), 1);
    ck_assert_uint_eq(trips_of_a_look(), 1);
    ck_assert(!room_take(room, 1));
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    ck_assert_uint_eq(trips_of_a_look(), 1);
    ck_assert(room_take(room, 1));
}
END_TEST

/* The first fill after it looks itself: the janitor did not. */
START_TEST(the_first_fill_after_a_quiet_time)
{
    struct room *room = &node.app->entries->room;

    ck_assert_uint_eq(trips_of_a_look(), 1);
    redis_server_do(redis, "SETRANGE others 16777215 x");
    leave(2 * 1024 * 1024); /* Redis takes more; the share of entries is used up */
    make_look_new();
    ck_assert_int_eq(outcome(put(0)), ERR_OK);
    make_look_old();
    int64_t asked_ns = clock_mono_ns();
    ck_assert_int_eq(outcome(put(1)), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:k1"), 0);
    ck_assert_int_ge(atomic_load(&room->looked_ns), asked_ns);
    make_look_new();
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(outcome(put(1)), ERR_UPSTREAM_REFUSED);
    make_look_old();
    ck_assert_int_eq(outcome(put(1)), ERR_OK);
    make_look_new();
    uint64_t before = trips();
    ck_assert_int_eq(outcome(put(1)), ERR_OK);
    ck_assert_uint_eq(trips() - before, 1);
}
END_TEST

static void look_and_keep_it_new(struct loopback *at)
{
    entries_look_for_room(at->app->entries, clock_deadline_ns(PATIENCE_MS));
    atomic_store(&at->app->entries->room.looked_ns, clock_deadline_ns(PATIENCE_MS));
}

/* Also between two looks of the janitor entries stay within their share: what Redis needs for them is more than they
 * are large. */
START_TEST(what_is_let_in_fits)
{
    leave(32 * MIB);
    look_and_keep_it_new(&node);
    ck_assert_int_gt(put_until_refused(&node, 0), 0);
    ck_assert_int_le(over(), MIB); /* buffers of connections are in use, too */
    ck_assert_int_ge(over(), -MIB);
}
END_TEST

/* A look of before another node's fills is good for an eighth of what was left. */
START_TEST(another_node_fills_as_well)
{
    leave(32 * MIB);
    look_and_keep_it_new(&other);
    look_and_keep_it_new(&node);
    int taken = put_until_refused(&node, 0);
    (void)put_until_refused(&other, taken);
    ck_assert_int_le(over(), 32 * MIB / 8 + MIB);
    ck_assert_int_eq(outcome(LOOPBACK(&node, "cache.clear", loopback_user(8))), ERR_OK);
}
END_TEST

/* What stores nothing takes no room; what it would replace goes. */
START_TEST(what_goes_on_without_room)
{
    struct room *room = &node.app->entries->room;

    ck_assert_int_eq(outcome(put(0)), ERR_OK);
    ck_assert_int_eq(outcome(put(1)), ERR_OK);
    ck_assert_int_eq(outcome(increment("n")), ERR_OK);
    atomic_store(&room->left, 0);
    ck_assert_int_eq(outcome(increment("n")), ERR_OK);
    ck_assert_int_eq(outcome(increment("m")), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(outcome(put(0)), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:k0"), 0);
    ck_assert_int_eq(outcome(LOOPBACK(&node, "cache.disable", loopback_user(7))), ERR_OK);
    ck_assert_int_eq(outcome(put(1)), ERR_OK);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:k1"), 0);
}
END_TEST

/* What Redis does not tell now is as it was. */
START_TEST(a_redis_that_is_away)
{
    struct room *room = &node.app->entries->room;

    leave(0);
    ck_assert_uint_eq(trips_of_a_look(), 1);
    redis_server_kill(redis);
    entries_look_for_room(node.app->entries, clock_deadline_ns(PATIENCE_MS));
    ck_assert(!room_take(room, 1));
}
END_TEST

/* A Redis for entries may be as full as it likes: no clear needs it. */
START_TEST(not_on_a_redis_of_their_own)
{
    ck_assert_int_eq(outcome(put(0)), ERR_OK);
    leave(1024 * 1024);
    for (int i = 0; i < 40; i++)
        ck_assert_int_eq(outcome(put(i)), ERR_OK);
    ck_assert_uint_eq(
        entries_metrics_read(node.app->entries->metrics, ENTRY_OF_USER, ENTRY_FILLS_NO_ROOM), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/room");
    TCase *pure = tcase_create("pure"), *one = tcase_create("one"), *apart = tcase_create("apart");

    tcase_add_test(pure, what_is_left);
    tcase_add_test(pure, what_says_nothing_changes_nothing);
    tcase_add_test(pure, what_is_left_is_taken_once);
    suite_add_tcase(suite, pure);
    tcase_add_checked_fixture(one, open_one, close_all);
    tcase_add_test(one, a_user_who_fills_keeps_nobody_from_clearing);
    tcase_add_test(one, room_that_comes_by_itself_is_noticed);
    suite_add_tcase(suite, one);

    TCase *unwatched = tcase_create("unwatched");
    tcase_add_checked_fixture(unwatched, open_unwatched, close_all);
    tcase_add_test(unwatched, a_quiet_node_does_not_look);
    tcase_add_test(unwatched, the_first_fill_after_a_quiet_time);
    tcase_add_test(unwatched, what_is_let_in_fits);
    tcase_add_test(unwatched, what_goes_on_without_room);
    tcase_add_test(unwatched, a_redis_that_is_away);
    tcase_add_test(unwatched, a_promise_takes_room);
    tcase_add_test(unwatched, the_first_promise_after_a_quiet_time);
    suite_add_tcase(suite, unwatched);

    TCase *two = tcase_create("two");
    tcase_add_checked_fixture(two, open_two_unwatched, close_two);
    tcase_add_test(two, another_node_fills_as_well);
    suite_add_tcase(suite, two);
    tcase_add_checked_fixture(apart, open_apart, close_all);
    tcase_add_test(apart, not_on_a_redis_of_their_own);
    suite_add_tcase(suite, apart);
    return suite_run(suite);
}
