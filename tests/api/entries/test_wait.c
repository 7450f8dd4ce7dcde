/* Many who miss at once, and hits whose end is near: one goes to the source, the others wait or are served. */
#include "entries_case.h"

#include "entries/entries_private.h"
#include "entries/lease.h"
#include "keyspace.h"

#include <pthread.h>
#include <semaphore.h>

/* ---- who waits ---- */

START_TEST(only_so_many_may_wait)
{
    struct waits *waits;
    struct waiter first = {.key = STR("a")}, second = {.key = STR("a")}, third = {.key = STR("b")};

    ck_assert_int_eq(waits_new(2, &waits, &error), ERR_OK);
    ck_assert(waits_enter(waits, &first));
    ck_assert(waits_enter(waits, &second));
    ck_assert(!waits_enter(waits, &third));
    ck_assert(first.looks && !second.looks);
    waits_leave(waits, &first);
    ck_assert(second.looks); /* for itself from now on */
    ck_assert(waits_enter(waits, &third));
    ck_assert(third.looks);
    waits_wake(waits, STR("a"));
    ck_assert(second.is_woken && !third.is_woken);
    waits_sleep(waits, &second, in_time(), in_time()); /* at once */
    ck_assert(!second.is_woken);
    waits_sleep(waits, &third, clock_mono_ns(), in_time()); /* its next look is now */
    waits_leave(waits, &second);
    waits_leave(waits, &third);
    waits_wake(waits, STR("a"));
    waits_free(&waits);
}
END_TEST

/* ---- many at once ---- */

enum { READERS = 10 };

struct reader {
    pthread_t thread;
    int number;
    bool is_hit, has_lease;
    char body[16];
};

static sem_t begun; /* once for each reader */
static _Atomic int leases;

static void fill(int node, struct str lease, struct arena *own)
{
    struct error why = {0};
    const struct entry_request request = {
        .app = nodes[node].app, .work = {own, in_time(), &why}, .space = alice, .label = STR("k")};
    const struct entry_fill fill = {.body = STR("filled"), .lease = lease, .ttl_s = 3600};
    struct entry_stored stored;

    ck_assert_int_eq(entries_put(&request, &fill, &stored), ERR_OK);
}

static void *read_and_fill(void *arg)
{
    struct reader *reader = arg;
    struct arena *own = arena_new(16384, 0);
    struct error why = {0};
    int node = reader->number % 2;
    const struct entry_request request = {.app = nodes[node].app,
                                          .work = {own, in_time(), &why},
                                          .space = alice,
                                          .label = STR("k"),
                                          .wait_ms = PATIENCE_MS};
    struct entry_found found;

    sem_post(&begun);
    ck_assert_int_eq(entries_get(&request, &found), ERR_OK);
    reader->is_hit = found.is_hit;
    reader->has_lease = found.lease.len > 0;
    if (!found.is_hit) {
        leases++;
        redis_server_do(redis, "PERSIST cw:{u:7}:c:k"); /* nobody is told to be first meanwhile */
        for (int i = 0; i < READERS; i++)               /* the source takes its time */
            while (sem_wait(&begun) != 0)
                ;
        fill(node, found.lease, own);
    } else
        snprintf(reader->body, sizeof reader->body, "%.*s", STR_ARG(found.body));
    arena_free(&own);
    return NULL;
}

START_TEST(one_fills_and_the_others_wait_for_it)
{
    struct reader readers[READERS];

    leases = 0;
    ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
    for (int i = 0; i < READERS; i++) {
        readers[i].number = i;
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_and_fill, &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i].thread, NULL);
    ck_assert_int_eq(leases, 1);
    for (int i = 0; i < READERS; i++) {
        ck_assert(readers[i].is_hit != readers[i].has_lease);
        if (readers[i].is_hit)
            ck_assert_str_eq(readers[i].body, "filled");
    }
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 0);
}
END_TEST

START_TEST(who_waited_in_vain_gets_a_lease_of_its_own)
{
    ck_assert_uint_gt(get_waiting(0, 100).lease.len, 0);
    redis_server_do(redis, "PERSIST cw:{u:7}:c:k"); /* and never comes back */
    struct entry_found found = get_waiting(1, 30);
    ck_assert(!found.is_hit && found.lease.len > 0);
    found = get_on(1, alice, "k", NULL); /* who does not wait is not asked to */
    ck_assert(!found.is_hit && found.lease.len > 0);
    put_on(0, alice, "k", NULL, "filled", found.lease);
    ck_assert(get_waiting(1, 30).is_hit);
}
END_TEST

/* It tells nobody to wait for what will never be served. */
START_TEST(a_fill_that_is_void_ends_the_wait)
{
    struct entry_found found = get_waiting(0, 100);

    clear_on(0, alice);
    ck_assert(put_on(0, alice, "k", NULL, "old", found.lease).is_void);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 0);
    found = get_waiting(1, PATIENCE_MS);
    ck_assert(!found.is_hit && found.lease.len > 0);
    put_on(1, alice, "k", NULL, "new", found.lease);
    expect_hit(0, alice, "k", "new");
}
END_TEST

/* ---- before the end ---- */

/* As if the fill had taken so long. */
static struct str lease_of_slow_fill(int64_t fill_ms)
{
    struct model_set none = {0};
    struct lease lease;
    struct str text;

    expect_ok(lease_fill_in(&lease, clock_wall_ms() - fill_ms, get_on(0, alice, "k", NULL).version,
                            &none));
    const struct lease_scope scope = {nodes[0].app->entries->lease_keys, &alice, STR("k")};
    expect_ok(lease_seal(&scope, arena, &lease, &text));
    return text;
}

static void put_slowly(int64_t fill_ms, int64_t ttl_s)
{
    struct entry_stored stored;

    expect_ok(try_put(0, alice, "k", NULL,
                      (struct entry_fill){.body = STR("slow"),
                                          .lease = lease_of_slow_fill(fill_ms),
                                          .ttl_s = ttl_s},
                      &stored));
}

START_TEST(one_reader_of_many_fills_anew)
{
    struct entry_found found;

    put_slowly(3000000, 600); /* the chance is four in five at every read */
    do
        found = get_on(0, alice, "k", NULL);
    while (!found.is_refresh);
    ck_assert(found.is_hit && found.lease.len > 0);
    ck_assert(str_eq(found.body, STR("slow")));
    for (int i = 0; i < 20; i++) {
        struct entry_found other = get_on(i % 2, alice, "k", NULL);
        ck_assert(other.is_hit && !other.is_refresh && other.lease.len == 0);
    }
    put_on(1, alice, "k", NULL, "fresh", found.lease);
    expect_hit(0, alice, "k", "fresh");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 0);
}
END_TEST

static struct entry_found ask_whether(int node, int64_t wait_ms)
{
    struct entry_request request = ask_on(node, alice, "k", NULL);
    struct entry_found found;

    request.is_question = true;
    request.wait_ms = wait_ms;
    expect_ok(entries_get(&request, &found));
    return found;
}

/* Who only asks whether it is there would keep others from filling it. */
START_TEST(a_question_is_not_asked_to_fill)
{
    struct entry_found found = ask_whether(0, PATIENCE_MS);

    ck_assert(!found.is_hit && found.lease.len > 0);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 0);
    found = get_waiting(1, PATIENCE_MS); /* the first of those who fill */
    ck_assert(!found.is_hit);
    ck_assert(!ask_whether(0, PATIENCE_MS).is_hit); /* and does not wait for it */

    put_slowly(3000000, 600);
    for (int i = 0; i < 20; i++) {
        found = ask_whether(i % 2, 0);
        ck_assert(found.is_hit && !found.is_refresh && found.lease.len == 0);
    }
}
END_TEST

START_TEST(long_before_the_end_nobody_does)
{
    put_slowly(100, 3600);
    for (int i = 0; i < 50; i++)
        ck_assert(!get_on(i % 2, alice, "k", NULL).is_refresh);
    put_on(0, alice, "k", NULL, "without a lease", STR_NONE);
    for (int i = 0; i < 50; i++)
        ck_assert(!get_on(i % 2, alice, "k", NULL).is_refresh);
}
END_TEST

START_TEST(a_lease_of_a_refresh_is_one_like_any_other)
{
    struct entry_found found;

    put_slowly(3000000, 600);
    do
        found = get_on(0, alice, "k", NULL);
    while (!found.is_refresh);
    clear_on(1, alice);
    ck_assert(put_on(0, alice, "k", NULL, "old", found.lease).is_void);
    expect_miss(0, alice, "k");
    expect_miss(1, alice, "k");
}
END_TEST

START_TEST(a_redis_that_takes_no_writes_still_serves)
{
    put_slowly(3000000, 600);
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    for (int i = 0; i < 10; i++) {
        struct entry_found found = get_on(0, alice, "k", NULL);
        ck_assert(found.is_hit && !found.is_refresh);
    }
}
END_TEST

/* Nobody can be told to wait there: it is the miss of one who does not. */
START_TEST(a_redis_that_takes_no_writes_makes_nobody_wait)
{
    static const char *const reasons[] = {"CONFIG SET maxmemory 1", "REPLICAOF 127.0.0.1 1"};

    expect_miss(0, alice, "k");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        redis_server_do(redis, reasons[i]);
        struct entry_found found = get_waiting(0, PATIENCE_MS);
        ck_assert(!found.is_hit && found.is_enabled && found.lease.len > 0);
        ck_assert_int_eq(error.code, ERR_OK);
        redis_server_do(redis, "CONFIG SET maxmemory 0");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/wait");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes, close_two_nodes);
    tcase_add_test(all, only_so_many_may_wait);
    tcase_add_test(all, one_fills_and_the_others_wait_for_it);
    tcase_add_test(all, who_waited_in_vain_gets_a_lease_of_its_own);
    tcase_add_test(all, a_fill_that_is_void_ends_the_wait);
    tcase_add_test(all, one_reader_of_many_fills_anew);
    tcase_add_test(all, a_question_is_not_asked_to_fill);
    tcase_add_test(all, long_before_the_end_nobody_does);
    tcase_add_test(all, a_lease_of_a_refresh_is_one_like_any_other);
    tcase_add_test(all, a_redis_that_takes_no_writes_still_serves);
    tcase_add_test(all, a_redis_that_takes_no_writes_makes_nobody_wait);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
