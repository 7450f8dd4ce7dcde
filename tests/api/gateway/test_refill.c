/* How many misses may ask an upstream: over all nodes, and in which order on one. */
#include "gateway/refill.h"

#include "cachewarden/digest.h"
#include "gateway_case.h"

#include <unistd.h>

enum { PER_S = 100, IN_WINDOW = 5 };

static struct refill *refills[2];

static void open_refills(void)
{
    open_two_nodes();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(refill_new(nodes[i].app, STR("/shop"), PER_S, &refills[i]), ERR_OK);
}

static void close_refills(void)
{
    refill_free(&refills[0]);
    refill_free(&refills[1]);
    close_two_nodes();
}

static struct refill_caller patient(void)
{
    return (struct refill_caller){.latest_ns = INT64_MAX};
}

static bool take_on(int node, struct refill_caller *caller)
{
    return refill_take(refills[node], caller, in_work());
}

/* Of the count in Redis; -3: there is none. */
static int64_t on_count(const char *what)
{
    char script[200];

    snprintf(script, sizeof script,
             "local k = redis.call('KEYS', 'cw:{gateway}:r:*')[1] if not k then return -3 end %s",
             what);
    return redis_server_ask_integer(redis, "EVAL %s 0", script);
}

/* In which so many were taken, and which does not end while the test runs. */
static void open_long_window(int taken)
{
    const struct namespace space = namespace_of_gateway();
    unsigned char digest[DIGEST_SHA256_SIZE];

    ck_assert_int_eq(digest_sha256(STR("/shop"), digest), ERR_OK);
    struct key key = key_refill(&space, digest);
    redis_server_do(redis, "SET %b %d PX 3600000", key.bytes, key.len, taken);
}

static void wait_gone(void)
{
    while (on_count("return redis.call('PTTL', k)") != -3)
        usleep(1000);
}

START_TEST(a_window_is_for_all_nodes)
{
    open_long_window(0);
    for (int i = 0; i < IN_WINDOW; i++) {
        struct refill_caller caller = patient();
        ck_assert(refill_may_ask(refills[i % 2], &caller));
        ck_assert(take_on(i % 2, &caller));
    }
    for (int node = 0; node < 2; node++) {
        struct refill_caller caller = patient();
        /* Who took the last one knows, the other one does not yet. */
        bool knows = node == (IN_WINDOW - 1) % 2;
        ck_assert_int_eq(refill_may_ask(refills[node], &caller), !knows);
        if (!knows)
            ck_assert(!take_on(node, &caller));
        ck_assert_int_gt(caller.turn_ns, clock_deadline_ns(3000000));
        ck_assert(!refill_may_ask(refills[node], &caller));
    }
}
END_TEST

START_TEST(it_ends_by_itself)
{
    struct refill_caller caller = patient();

    ck_assert(take_on(0, &caller));
    wait_gone();
    /* One that has lost its end gets one. */
    open_long_window(IN_WINDOW);
    ck_assert_int_eq(on_count("return redis.call('PERSIST', k)"), 1);
    ck_assert(!take_on(1, &caller));
    wait_gone();
}
END_TEST

START_TEST(who_has_no_place_stands_in_a_queue)
{
    struct refill_caller first = patient(), second = patient(), hasty = {.latest_ns = 0};

    open_long_window(IN_WINDOW);
    ck_assert(!take_on(0, &first));
    ck_assert(!refill_may_ask(refills[0], &second));
    int64_t step_ns = second.turn_ns - first.turn_ns; /* windows are a little longer */
    ck_assert_int_ge(step_ns, NS_PER_S / PER_S);
    ck_assert_int_lt(step_ns, NS_PER_S / PER_S * 11 / 10);
    /* Who does not wait takes no turn from others, and is told when there might be one. */
    for (int i = 0; i < 2; i++) {
        ck_assert(!refill_may_ask(refills[0], &hasty));
        ck_assert_int_eq(hasty.turn_ns - second.turn_ns, step_ns);
    }
    /* Nobody comes before the window of now is over. */
    ck_assert(!refill_may_ask(refills[0], &first));
}
END_TEST

/* It waits until those before it have had their turns; who has waited does not. */
START_TEST(who_is_new_goes_behind_those_who_wait)
{
    struct refill_caller caller = patient();

    refill_free(&refills[0]);
    ck_assert_int_eq(refill_new(nodes[0].app, STR("/shop"), 1, &refills[0]), ERR_OK);
    while (take_on(0, &caller))
        ;
    for (int i = 0; i < PATIENCE_S; i++) { /* so many stand there, for a second each */
        struct refill_caller behind = patient();
        ck_assert(!refill_may_ask(refills[0], &behind));
    }
    while (clock_mono_ns() < caller.turn_ns)
        usleep(1000);
    struct refill_caller next = patient();
    ck_assert(!refill_may_ask(refills[0], &next));
    ck_assert(refill_may_ask(refills[0], &caller));
}
END_TEST

START_TEST(without_redis_nobody_is_held_up)
{
    struct refill_caller caller = patient();

    redis_server_kill(redis);
    for (int i = 0; i < 2 * IN_WINDOW; i++)
        ck_assert(take_on(0, &caller));
}
END_TEST

START_TEST(without_a_bound_there_is_none)
{
    struct refill *none;
    struct refill_caller caller = {.latest_ns = 0};

    ck_assert_int_eq(refill_new(nodes[0].app, STR("/shop"), 0, &none), ERR_OK);
    ck_assert_ptr_null(none);
    ck_assert(refill_may_ask(none, &caller));
    ck_assert(refill_take(none, &caller, in_work()));
    refill_free(&none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway/refill");
    TCase *tcase = tcase_create("refill");

    tcase_add_checked_fixture(tcase, open_refills, close_refills);
    tcase_add_test(tcase, a_window_is_for_all_nodes);
    tcase_add_test(tcase, it_ends_by_itself);
    tcase_add_test(tcase, who_has_no_place_stands_in_a_queue);
    tcase_add_test(tcase, who_is_new_goes_behind_those_who_wait);
    tcase_add_test(tcase, without_redis_nobody_is_held_up);
    tcase_add_test(tcase, without_a_bound_there_is_none);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
