/* Which node fetches: the marks that nodes see of each other. */
#include "gateway/mark.h"

#include "entries/entries_private.h"
#include "gateway_case.h"

#define FRESH "Cache-Control: max-age=60\n"

static struct mark marks[2];

static enum mark_turn take_on(int node, const struct gateway_key *key,
                              const struct gateway_look *look)
{
    return mark_take(&marks[node], stores[node], key, look, in_work());
}

/* As who fetches has it: what it stores ends the mark. */
static void mark_on(int node, struct gateway_look *look)
{
    look->is_marked = true;
    look->mark = marks[node].begun;
}

static void end_on(int node, enum mark_end how)
{
    mark_end(&marks[node], how, in_work());
}

static int64_t life_ms(void)
{
    return redis_server_ask_integer(
        redis, "EVAL %s 0", "return redis.call('PTTL', redis.call('KEYS', 'cw:*}:w:*')[1])");
}

static int64_t mark_count(void)
{
    return redis_server_ask_integer(redis, "EVAL %s 0", "return #redis.call('KEYS', 'cw:*}:w:*')");
}

START_TEST(one_node_has_it)
{
    const struct gateway_key key = key_of(7, "/shop/one", ""), other = key_of(8, "/shop/one", "");
    struct gateway_look first = look_on(0, &key), second = look_on(1, &key),
                        third = look_on(1, &other);
    uint64_t trips = trips_of(nodes[0].app->control);

    ck_assert_int_eq(take_on(0, &key, &first), MARK_OURS);
    ck_assert_uint_eq(trips_of(nodes[0].app->control) - trips, 1);
    ck_assert_int_eq(take_on(1, &key, &second), MARK_ELSEWHERE);
    end_on(1, MARK_LEFT); /* it has none to end */
    ck_assert_int_eq(take_on(1, &key, &second), MARK_ELSEWHERE);
    ck_assert_int_eq(take_on(1, &other, &third), MARK_OURS);
    end_on(1, MARK_LEFT);
    end_on(0, MARK_LEFT);
    ck_assert_int_eq(take_on(1, &key, &second), MARK_OURS);
    end_on(1, MARK_LEFT);
    ck_assert_int_eq(mark_count(), 0);
    gateway_look_release(&first);
    gateway_look_release(&second);
    gateway_look_release(&third);
}
END_TEST

/* With what it stores it ends the mark, and who looked before is told to look again. */
START_TEST(what_is_stored_ends_it)
{
    for (int64_t user = 0; user <= 7; user += 7) {
        const struct gateway_key key = key_of(user, "/shop/stored", "");
        struct gateway_look first = look_on(0, &key), second = look_on(1, &key);
        ck_assert_int_eq(take_on(0, &key, &first), MARK_OURS);
        mark_on(0, &first);
        uint64_t trips = trips_of(nodes[0].app->control);
        expect_ok(try_store(0, &key, &first, FRESH, "one"));
        end_on(0, MARK_STORED);
        ck_assert_uint_le(trips_of(nodes[0].app->control) - trips, 2); /* one asks for the tags */
        ck_assert_int_eq(mark_count(), 0);
        ck_assert_int_eq(take_on(1, &key, &second), MARK_CHANGED);
        ck_assert_int_eq(mark_count(), 0);
        expect_stored(1, &key, "one");
        gateway_look_release(&first);
        gateway_look_release(&second);
    }
}
END_TEST

/* What lies there and is no good was seen. */
START_TEST(what_was_cleared_is_not_new)
{
    const struct gateway_key key = key_of(7, "/shop/cleared", "");

    fill_on(0, &key, FRESH, "old");
    clear_tag_on(0, "Product", false);
    for (int node = 0; node < 2; node++) {
        struct gateway_look look = look_on(node, &key);
        ck_assert_ptr_null(look.stored);
        ck_assert_int_eq(take_on(node, &key, &look), MARK_OURS);
        end_on(node, MARK_LEFT);
        gateway_look_release(&look);
    }
}
END_TEST

static void clear_user(void)
{
    const struct entry_request request = {
        .app = nodes[0].app, .work = in_work(), .space = namespace_of_user(7)};
    int64_t version;

    expect_ok(entries_clear(&request, &version));
}

static void clear_any_tag(void)
{
    clear_tag_on(0, "anything", false);
}

static void clear_tag_softly(void)
{
    clear_tag_on(0, "Product", true);
}

static void drop_path(void)
{
    const struct gateway_key key = key_of(7, "/shop/begun", "");

    expect_ok(gateway_store_drop(stores[0], &key, in_work()));
}

/* Whoever asks behind a clear or a drop does not find what is fetched since before. */
START_TEST(a_mark_of_before_is_not_met)
{
    static void (*const changes[])(void) = {clear_user, clear_any_tag, clear_tag_softly, drop_path};
    const struct gateway_key key = key_of(7, "/shop/begun", "");

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct gateway_look before = look_on(0, &key);
        ck_assert_int_eq(take_on(0, &key, &before), MARK_OURS);
        changes[i]();
        struct gateway_look behind = look_on(1, &key);
        ck_assert_int_eq(take_on(1, &key, &behind), MARK_OURS);
        end_on(1, MARK_LEFT);
        end_on(0, MARK_LEFT);
        ck_assert_int_eq(mark_count(), 0);
        gateway_look_release(&before);
        gateway_look_release(&behind);
    }
}
END_TEST

/* What is there, and good still, tells that a clear was about something else. */
START_TEST(clears_of_other_things_part_nobody)
{
    const struct gateway_key key = key_of(7, "/shop/stays", "");

    fill_on(0, &key, FRESH, "stays");
    struct gateway_look before = look_on(0, &key);
    ck_assert_int_eq(take_on(0, &key, &before), MARK_OURS);
    clear_any_tag();
    struct gateway_look behind = look_on(1, &key);
    ck_assert_ptr_nonnull(behind.stored);
    ck_assert_int_eq(take_on(1, &key, &behind), MARK_ELSEWHERE);
    end_on(0, MARK_LEFT);
    gateway_look_release(&before);
    gateway_look_release(&behind);
}
END_TEST

/* What is fetched for a look of before a drop could not be stored. */
START_TEST(what_was_dropped_is_looked_at_again)
{
    const struct gateway_key key = key_of(7, "/shop/dropped", "");
    struct gateway_look before = look_on(0, &key);

    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
    ck_assert_int_eq(take_on(1, &key, &before), MARK_CHANGED);
    /* Also where somebody has stored a response of before. */
    ck_assert_int_eq(try_store(0, &key, &before, FRESH, "late"), ERR_CONFLICT);
    gateway_look_release(&before);
    struct gateway_look look = look_on(0, &key);
    ck_assert_int_eq(take_on(1, &key, &look), MARK_OURS);
    end_on(1, MARK_LEFT);
    gateway_look_release(&look);
}
END_TEST

START_TEST(variants_have_their_own)
{
    const struct gateway_key de = key_of(7, "/shop/lang", "Lang: de\n"),
                             en = key_of(7, "/shop/lang", "Lang: en\n");
    struct gateway_look first = look_on(0, &de), second = look_on(1, &en);

    ck_assert_int_eq(take_on(0, &de, &first), MARK_OURS);
    mark_on(0, &first);
    ck_assert_int_eq(take_on(1, &en, &second), MARK_ELSEWHERE);
    expect_ok(try_store(0, &de, &first, FRESH "Vary: Lang\n", "de"));
    end_on(0, MARK_STORED);
    ck_assert_int_eq(take_on(1, &en, &second), MARK_CHANGED); /* now there is a list */
    gateway_look_release(&first);
    gateway_look_release(&second);
    second = look_on(1, &en);
    first = look_on(0, &de);
    ck_assert_ptr_nonnull(first.stored);
    ck_assert_int_eq(take_on(0, &de, &first), MARK_OURS);
    ck_assert_int_eq(take_on(1, &en, &second), MARK_OURS);
    end_on(0, MARK_LEFT);
    end_on(1, MARK_LEFT);
    gateway_look_release(&first);
    gateway_look_release(&second);
}
END_TEST

START_TEST(what_could_not_be_shared_is_told)
{
    const struct gateway_key key = key_of(7, "/shop/own", "");
    struct gateway_look look = look_on(0, &key);

    ck_assert_int_eq(take_on(0, &key, &look), MARK_OURS);
    end_on(0, MARK_UNSHARED);
    ck_assert_int_eq(take_on(1, &key, &look), MARK_ALONE);
    ck_assert_int_gt(life_ms(), 0); /* not for long */
    ck_assert_int_le(life_ms(), 3000);
    gateway_look_release(&look);
}
END_TEST

START_TEST(it_lives_while_its_node_does)
{
    const struct gateway_key key = key_of(7, "/shop/alive", "");
    struct gateway_look look = look_on(0, &key);

    ck_assert_int_eq(take_on(0, &key, &look), MARK_OURS);
    ck_assert_int_gt(life_ms(), 0);
    ck_assert_int_le(life_ms(), 5000);
    redis_server_do(redis, "EVAL %s 0",
                    "return redis.call('PEXPIRE', redis.call('KEYS', 'cw:*}:w:*')[1], 3600000)");
    mark_renew(&marks[0], arena, 1000);
    ck_assert_int_gt(life_ms(), 5000); /* it was made to live a moment ago */
    marks[0].renewed_ns -= 2 * NS_PER_S;
    mark_renew(&marks[0], arena, PATIENCE_MS);
    ck_assert_int_le(life_ms(), 5000);
    gateway_look_release(&look);
}
END_TEST

/* They take room as entries do, and without it there are none. */
START_TEST(without_room_there_is_none)
{
    const struct gateway_key key = key_of(7, "/shop/full", "");
    struct gateway_look look = look_on(0, &key);
    struct room *room = &nodes[0].app->entries->room;
    int64_t before = atomic_load(&room->left);

    atomic_store(&room->left, 100000);
    ck_assert_int_eq(take_on(0, &key, &look), MARK_OURS);
    ck_assert_int_lt(atomic_load(&room->left), 100000 - 160);
    end_on(0, MARK_LEFT);
    atomic_store(&room->left, 10);
    ck_assert_int_eq(take_on(0, &key, &look), MARK_NONE);
    ck_assert_int_eq(mark_count(), 0);
    atomic_store(&room->left, before);
    gateway_look_release(&look);
}
END_TEST

START_TEST(without_redis_there_is_none)
{
    const struct gateway_key key = key_of(7, "/shop/gone", "");
    struct gateway_look look = look_on(0, &key);

    redis_server_do(redis, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(take_on(0, &key, &look), MARK_NONE);
    redis_server_do(redis, "CONFIG SET maxmemory 0");
    ck_assert_int_eq(take_on(0, &key, &look), MARK_OURS);
    redis_server_kill(redis);
    end_on(0, MARK_LEFT);
    ck_assert_int_eq(take_on(0, &key, &look), MARK_NONE);
    mark_renew(&marks[0], arena, 1000); /* there is nothing to renew */
    gateway_look_release(&look);
}
END_TEST

START_TEST(it_lies_where_responses_do)
{
    const struct gateway_key key = key_of(0, "/shop/apart", "");
    struct gateway_look look = look_on(0, &key);

    ck_assert_int_eq(take_on(0, &key, &look), MARK_OURS);
    mark_on(0, &look);
    ck_assert_int_eq(
        redis_server_ask_integer(store, "EVAL %s 0", "return #redis.call('KEYS', 'cw:*}:w:*')"), 1);
    expect_ok(try_store(0, &key, &look, FRESH, "one"));
    ck_assert_int_eq(
        redis_server_ask_integer(store, "EVAL %s 0", "return #redis.call('KEYS', 'cw:*}:w:*')"), 0);
    gateway_look_release(&look);
}
END_TEST

static void add_all(TCase *tcase)
{
    tcase_add_test(tcase, one_node_has_it);
    tcase_add_test(tcase, what_is_stored_ends_it);
    tcase_add_test(tcase, what_was_cleared_is_not_new);
    tcase_add_test(tcase, a_mark_of_before_is_not_met);
    tcase_add_test(tcase, clears_of_other_things_part_nobody);
    tcase_add_test(tcase, what_was_dropped_is_looked_at_again);
    tcase_add_test(tcase, variants_have_their_own);
    tcase_add_test(tcase, what_could_not_be_shared_is_told);
    tcase_add_test(tcase, it_lives_while_its_node_does);
    tcase_add_test(tcase, without_room_there_is_none);
    tcase_add_test(tcase, without_redis_there_is_none);
}

int main(void)
{
    Suite *suite = suite_create("gateway/mark");
    TCase *one = tcase_create("one Redis"), *two = tcase_create("two Redis");

    tcase_add_checked_fixture(one, open_two_stores, close_two_stores);
    add_all(one);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(two, open_two_stores_apart, close_two_stores);
    tcase_add_test(two, it_lies_where_responses_do);
    suite_add_tcase(suite, two);
    return suite_run(suite);
}
