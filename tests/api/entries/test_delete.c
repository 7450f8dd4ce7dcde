/* Taking one entry away. */
#include "entries_held.h"

#include <pthread.h>

static void *delete_as_other(void *was_there_out)
{
    struct arena *own = arena_new(16384, 0);
    struct error why = {0};
    const struct entry_request request = {
        .app = nodes[0].app, .work = {own, in_time(), &why}, .space = alice, .label = STR("k")};

    ck_assert_int_eq(entries_delete(&request, was_there_out), ERR_OK);
    arena_free(&own);
    return NULL;
}

/* Something comes, or goes, between its look and its removal: it tells what it removed. */
START_TEST(looking_and_removing_is_one_step)
{
    static const char *const bodies[] = {"text", "17"};
    const char *body = bodies[_i % 2];
    bool comes = _i / 2 != 0, was_there = !comes;
    pthread_t thread;

    if (!comes)
        put_on(1, alice, "k", NULL, body, STR_NONE);
    tcp_proxy_hold_from(proxy, "UNLINK");
    ck_assert_int_eq(pthread_create(&thread, NULL, delete_as_other, &was_there), 0);
    tcp_proxy_wait_held(proxy);
    if (comes)
        put_on(1, alice, "k", NULL, body, STR_NONE);
    else
        ck_assert(delete_on(1, alice, "k"));
    tcp_proxy_release(proxy);
    pthread_join(thread, NULL);
    ck_assert_int_eq(was_there, comes);
    expect_miss(1, alice, "k");
}
END_TEST

/* Who had promised may never come back: nobody waits for it any longer. */
START_TEST(it_ends_a_promise_to_fill)
{
    struct entry_found first = get_waiting(0, PATIENCE_MS);

    ck_assert(!first.is_hit);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 1);
    redis_server_do(redis, "PERSIST cw:{u:7}:c:k");
    ck_assert(!delete_on(1, alice, "k"));
    struct entry_found second = get_waiting(1, PATIENCE_MS);
    ck_assert(!second.is_hit && second.lease.len > 0);
    put_on(1, alice, "k", NULL, "filled", second.lease);
    expect_hit(0, alice, "k", "filled");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/delete");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes_and_proxy, close_two_nodes_and_proxy);
    tcase_add_loop_test(all, looking_and_removing_is_one_step, 0, 4);
    tcase_add_test(all, it_ends_a_promise_to_fill);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
