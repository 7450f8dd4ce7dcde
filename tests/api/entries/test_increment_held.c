/*
 * What comes between two steps of an increment, or cuts one in half: nothing that was acknowledged is lost or counted
 * twice (docs/design/counters.md has the table).
 */
#include "entries_held.h"
#include "entries_raised.h"
#include "slowness.h"

#include <pthread.h>
#include <unistd.h>

struct raiser {
    pthread_t thread;
    enum err err;
    int64_t value;
};

static void *raise_once(void *arg)
{
    struct raiser *raiser = arg;
    struct arena *own = arena_new(16384, 0);
    struct error why = {0};
    const struct entry_request request = {
        .app = nodes[0].app, .work = {own, in_time(), &why}, .space = shop, .label = STR("n")};
    bool is_enabled;

    raiser->err = entries_increment(&request, 1, 3600, &raiser->value, &is_enabled);
    arena_free(&own);
    return NULL;
}

/* Node 0 raises the counter, and its nth request with this text waits. */
static void raise_held_at(struct raiser *raiser, const char *request, int nth)
{
    tcp_proxy_hold(proxy, request, nth);
    ck_assert_int_eq(pthread_create(&raiser->thread, NULL, raise_once, raiser), 0);
    tcp_proxy_wait_held(proxy);
}

static void release(struct raiser *raiser)
{
    tcp_proxy_release(proxy);
    pthread_join(raiser->thread, NULL);
}

/* What is there is out of date, and node 0 knows. */
static void leave_an_old(const char *body)
{
    put_on(0, shop, "n", NULL, body, STR_NONE);
    clear_on(1, shop);
    expect_miss(0, shop, "other");
}

static void evict_it(void)
{
    redis_server_do(redis, "DEL cw:{app:shop}:e:n");
}

static void put_text(void)
{
    put_on(1, shop, "n", NULL, "text", STR_NONE);
}

static void put_number(void)
{
    put_on(1, shop, "n", NULL, "20", STR_NONE);
}

static void delete_it(void)
{
    ck_assert(delete_on(1, shop, "n"));
}

static void raise_by_5(void)
{
    (void)raise_on(1, shop, "n", 5);
}

static void delete_and_raise(void)
{
    delete_it();
    raise_by_5();
}

static void put_and_raise(void)
{
    put_number();
    raise_by_5();
}

static void clear_it(void)
{
    (void)clear_on(1, shop);
}

static void do_nothing(void)
{
}

struct window {
    void (*comes)(void);
    enum err err;
    int64_t value; /* what node 0 answers */
    int64_t
        next; /* and what node 1 is told when it raises by 10 then; 0: something else is there */
};

static void expect_counted(const struct window *window, const struct raiser *raiser)
{
    ck_assert_int_eq(raiser->err, window->err);
    if (window->err == ERR_OK)
        ck_assert_int_eq(raiser->value, window->value);
    if (window->next == 0) {
        expect_hit(1, shop, "n", "text");
        ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{app:shop}:e:n"), 3000);
        return;
    }
    ck_assert_int_eq(raise_on(1, shop, "n", 10), window->next);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{app:shop}:e:n"), 3000);
    ck_assert_int_eq(redis_server_ask_integer(redis, "HLEN cw:{app:shop}:e:n"), 3);
}

/* ---- it was raised in the hash of an earlier version, and its life is not set ---- */

static const struct window in_old_hash[] = {
    {do_nothing, ERR_OK, 1, 11},       {raise_by_5, ERR_OK, 1, 16}, {delete_it, ERR_OK, 1, 10},
    {delete_and_raise, ERR_OK, 1, 15}, {put_number, ERR_OK, 1, 30}, {put_and_raise, ERR_OK, 1, 35},
    {evict_it, ERR_OK, 1, 10},         {put_text, ERR_OK, 1, 0},    {clear_it, ERR_OK, 1, 10},
};

START_TEST(before_its_life_is_set)
{
    struct raiser raiser;

    leave_an_old("1000");
    raise_held_at(&raiser, "PEXPIRE", 2);
    in_old_hash[_i].comes();
    release(&raiser);
    expect_counted(&in_old_hash[_i], &raiser);
}
END_TEST

/* Node 1's sum has ours in it, and the hash is gone before we look again. */
START_TEST(others_were_told_of_it)
{
    struct raiser raiser;

    leave_an_old("1000");
    raise_held_at(&raiser, "PEXPIRE", 2);
    ck_assert_int_eq(raise_on(1, shop, "n", 5), 6);
    delete_it();
    release(&raiser);
    expect_counted(&(struct window){.value = 1, .next = 10}, &raiser);
}
END_TEST

/* The time of the earlier hash is over, before its life is set. */
static const struct window in_dying_hash[] = {{do_nothing, ERR_UNCERTAIN, 0, 10},
                                              {raise_by_5, ERR_UNCERTAIN, 0, 15}};

START_TEST(before_its_time_is_over)
{
    struct raiser raiser;

    leave_an_old("1000");
    redis_server_do(redis, "PEXPIRE cw:{app:shop}:e:n %lld", (long long)slowness_stretch_ms(1000));
    raise_held_at(&raiser, "PEXPIRE", 2);
    while (redis_server_ask_integer(redis, "EXISTS cw:{app:shop}:e:n"))
        usleep(10000);
    in_dying_hash[_i].comes();
    release(&raiser);
    expect_counted(&in_dying_hash[_i], &raiser);
}
END_TEST

/* The same, and nobody can tell it from that: node 1's sum has ours in it and lived on, until it was deleted. */
START_TEST(others_were_told_and_its_time_is_over)
{
    struct raiser raiser;
    long long left_ms = slowness_stretch_ms(1000);

    leave_an_old("1000");
    redis_server_do(redis, "PEXPIRE cw:{app:shop}:e:n %lld", left_ms);
    raise_held_at(&raiser, "PEXPIRE", 2);
    ck_assert_int_eq(raise_on(1, shop, "n", 5), 6);
    delete_it();
    redis_server_do(redis, "SET ends x PX %lld", left_ms);
    while (redis_server_ask_integer(redis, "EXISTS ends"))
        usleep(10000);
    release(&raiser);
    expect_counted(&(struct window){.err = ERR_UNCERTAIN, .next = 10}, &raiser);
}
END_TEST

/* Its node dies, or Redis is full by then: the caller is not told that it was not counted, and it counts once. */
START_TEST(what_is_uncertain_is_said_to_be)
{
    struct raiser raiser;

    leave_an_old("1000");
    raise_held_at(&raiser, "PEXPIRE", 2);
    if (_i == 0)
        redis_server_do(redis, "CLIENT KILL TYPE normal SKIPME yes");
    else
        redis_server_do(redis, "CONFIG SET maxmemory 1");
    release(&raiser);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    expect_counted(&(struct window){.err = ERR_UNCERTAIN, .next = 11}, &raiser);
}
END_TEST

/* ---- a text that is out of date is to go ---- */

static const struct window on_old_text[] = {
    {do_nothing, ERR_OK, 1, 11},  {raise_by_5, ERR_OK, 6, 16},     {evict_it, ERR_OK, 1, 11},
    {put_number, ERR_OK, 21, 31}, {put_and_raise, ERR_OK, 26, 36}, {put_text, ERR_CONFLICT, 0, 0},
};

START_TEST(before_an_old_text_is_taken)
{
    struct raiser raiser;

    leave_an_old("old");
    raise_held_at(&raiser, "GETDEL", 1);
    on_old_text[_i].comes();
    release(&raiser);
    expect_counted(&on_old_text[_i], &raiser);
}
END_TEST

/* It has a good text in its hands, and what comes now stays. */
static const struct window with_text_in_hand[] = {
    {do_nothing, ERR_CONFLICT, 0, 0},
    {raise_by_5, ERR_OK, 6, 16},
    {put_number, ERR_OK, 21, 31},
    {put_text, ERR_CONFLICT, 0, 0},
};

START_TEST(before_a_good_text_is_put_back)
{
    struct raiser raiser;

    leave_an_old("old");
    raise_held_at(&raiser, "GETDEL", 1);
    put_text();
    tcp_proxy_hold(proxy, "text", 1);
    tcp_proxy_wait_held(proxy);
    with_text_in_hand[_i].comes();
    release(&raiser);
    expect_counted(&with_text_in_hand[_i], &raiser);
}
END_TEST

/* ---- the node dies in the middle of a step ---- */

static const char *const commands[] = {"GETRANGE", "HSET",   "PEXPIRE", "RENAMENX", "UNLINK",
                                       "HINCRBY",  "HSETNX", "HGETALL", "PTTL",     "EXEC"};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* Nothing of it is done, and no key without an end is left. */
START_TEST(of_a_step_that_breaks_nothing_is_left)
{
    struct raiser raiser;
    int64_t keys;

    raise_on(1, shop, "other", 1);
    expect_hit(0, shop, "other", "1");
    keys = redis_server_ask_integer(redis, "DBSIZE");
    tcp_proxy_cut(proxy, commands[_i]);
    (void)raise_once(&raiser);
    ck_assert_int_eq(raiser.err, ERR_UNCERTAIN);
    ck_assert_int_eq(redis_server_ask_integer(redis, "DBSIZE"), keys);
    ck_assert_int_eq(raise_on(1, shop, "n", 10), 10);
}
END_TEST

START_TEST(of_a_number_that_breaks_nothing_is_left)
{
    static const char *const parts[] = {"UNLINK", "HSET", "PEXPIRE", "EXEC"};
    struct entry_stored stored;

    expect_miss(0, shop, "n");
    raise_on(1, shop, "n", 5);
    tcp_proxy_cut(proxy, parts[_i]);
    ck_assert_int_eq(try_put(0, shop, "n", NULL, (struct entry_fill){.body = STR("20")}, &stored),
                     ERR_UNCERTAIN);
    ck_assert_int_eq(raise_on(1, shop, "n", 10), 15);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{app:shop}:e:n"), 3000);
}
END_TEST

/* One that somebody else has robbed of its end gets one. */
START_TEST(one_that_would_live_for_ever_does_not)
{
    raise_on(0, shop, "n", 1);
    ck_assert_int_eq(redis_server_ask_integer(redis, "PERSIST cw:{app:shop}:e:n"), 1);
    ck_assert_int_eq(raise_on(1, shop, "n", 1), 2);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{app:shop}:e:n"), 3000);
}
END_TEST

#define CASES(windows) (sizeof(windows) / sizeof *(windows))

/* A clear comes between the raise and its look at the version, and then a text: it is refused, so nobody may have read
 * its count. */
START_TEST(what_is_refused_was_never_counted)
{
    struct raiser raiser = {0};

    expect_miss(0, shop, "n");
    tcp_proxy_hold_from(proxy, "\r\nHMGET\r\n");
    ck_assert_int_eq(pthread_create(&raiser.thread, NULL, raise_once, &raiser), 0);
    tcp_proxy_wait_held(proxy);
    expect_miss(1, shop, "n");
    clear_it();
    put_text();
    release(&raiser);
    ck_assert_int_eq(raiser.err, ERR_CONFLICT);
    expect_hit(1, shop, "n", "text");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/increment_held");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes_and_proxy, close_two_nodes_and_proxy);
    tcase_add_loop_test(all, before_its_life_is_set, 0, CASES(in_old_hash));
    tcase_add_test(all, others_were_told_of_it);
    tcase_add_loop_test(all, before_its_time_is_over, 0, CASES(in_dying_hash));
    tcase_add_test(all, others_were_told_and_its_time_is_over);
    tcase_add_loop_test(all, what_is_uncertain_is_said_to_be, 0, 2);
    tcase_add_loop_test(all, before_an_old_text_is_taken, 0, CASES(on_old_text));
    tcase_add_loop_test(all, before_a_good_text_is_put_back, 0, CASES(with_text_in_hand));
    tcase_add_loop_test(all, of_a_step_that_breaks_nothing_is_left, 0, COMMANDS);
    tcase_add_loop_test(all, of_a_number_that_breaks_nothing_is_left, 0, 4);
    tcase_add_test(all, one_that_would_live_for_ever_does_not);
    tcase_add_test(all, what_is_refused_was_never_counted);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
