/* A fill that is refused: who waits for it, and what was there. */
#include "entries_case.h"

#include "entries/entries_private.h"

/* ---- who waits ---- */

enum refusal { USED_UP, NO_ROOM, TOO_LONG, PRESENT, CONDITION, REFUSALS };

static enum err try_refused(enum refusal refusal, struct str lease)
{
    struct entry_request request = ask_on(0, alice, "k", refusal == TOO_LONG ? MODELS("M") : NULL);
    struct entry_allowance used_up = {.is_used_up = true};
    struct entry_fill fill = {.body = STR("b"), .lease = lease, .ttl_s = ENTRY_TTL_MAX_S};
    struct entry_stored stored;

    if (refusal == USED_UP)
        request.allowance = &used_up;
    if (refusal == NO_ROOM)
        atomic_store(&nodes[0].app->entries->room.left, 0);
    fill.only_if_absent = refusal == PRESENT;
    if (refusal != CONDITION)
        return entries_put(&request, &fill, &stored);
    char text[512];
    snprintf(text, sizeof text, "%.*s", STR_ARG(lease));
    struct loopback_answer *answer =
        LOOPBACK(&nodes[0], "entries.put", loopback_user(7), .name = "k", .lease = text,
                 .if_none_match = "\"a\"", .type = "text/plain", .body = "b");
    enum err err = answer->err;
    loopback_free(&answer);
    return err;
}

START_TEST(a_fill_that_is_refused_ends_the_wait)
{
    static const enum err expected[REFUSALS] = {[USED_UP] = ERR_THROTTLED,
                                                [NO_ROOM] = ERR_UPSTREAM_REFUSED,
                                                [TOO_LONG] = ERR_BAD_INPUT,
                                                [PRESENT] = ERR_PRECONDITION,
                                                [CONDITION] = ERR_BAD_INPUT};
    struct entry_found found = get_waiting(0, 100);

    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 1);
    if (_i == PRESENT)
        put_on(1, alice, "k", NULL, "a", STR_NONE);
    ck_assert_int_eq(try_refused((enum refusal)_i, found.lease), expected[_i]);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:c:k"), 0);
}
END_TEST

/* ---- what was there ---- */

/* A reader with a lease knows of no change; who comes without one wanted to replace it. */
START_TEST(only_a_fill_without_a_lease_takes_it_along)
{
    struct str lease = get_on(0, alice, "k", NULL).lease;

    put_on(0, alice, "k", NULL, "a", STR_NONE);
    ck_assert_int_eq(try_refused(USED_UP, lease), ERR_THROTTLED);
    expect_hit(1, alice, "k", "a");
    ck_assert_int_eq(try_refused(PRESENT, STR_NONE), ERR_PRECONDITION);
    expect_hit(1, alice, "k", "a");
    ck_assert_int_eq(try_refused(TOO_LONG, STR_NONE), ERR_BAD_INPUT);
    expect_hit(1, alice, "k", "a");
    ck_assert_int_eq(try_refused(USED_UP, STR_NONE), ERR_THROTTLED);
    expect_miss(1, alice, "k");
}
END_TEST

START_TEST(a_full_redis)
{
    struct entry_stored stored;

    put_on(0, alice, "k", NULL, "a", STR_NONE);
    redis_server_do(redis, "CONFIG SET maxmemory 1");
    enum err err = try_put(0, alice, "k", NULL, (struct entry_fill){.body = STR("b")}, &stored);
    ck_assert_int_eq(err, ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(error.redis, REDIS_ERROR_OUT_OF_MEMORY);
    expect_miss(0, alice, "k"); /* who wanted to replace it knows that it is out of date */
    expect_miss(0, alice, "l");
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    put_on(0, alice, "k", NULL, "c", STR_NONE);
    expect_hit(1, alice, "k", "c");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/give_up");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes, close_two_nodes);
    tcase_add_loop_test(all, a_fill_that_is_refused_ends_the_wait, 0, REFUSALS);
    tcase_add_test(all, only_a_fill_without_a_lease_takes_it_along);
    tcase_add_test(all, a_full_redis);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
