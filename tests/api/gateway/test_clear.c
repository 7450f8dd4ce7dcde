/* An acknowledged clear is in force on every node at once, and what was filled before it is never served. */
#include "gateway/clear.h"

#include "gateway_case.h"
#include "redis_monitor.h"

#include <stdlib.h>

#define TEXT "Content-Type: text/plain"

static void store_with(int node, const struct gateway_key *key, const struct gateway_look *before,
                       const char *tag, enum err wanted)
{
    const struct str tags[] = {str_from(tag)};
    const struct stored_response response = {.status = 200,
                                             .fields = fields_of(TEXT),
                                             .body = STR("tagged"),
                                             .tags = tags,
                                             .tag_count = 1};

    ck_assert_int_eq(
        gateway_store_put(stores[node], key, before, &response, 3600000, in_work(), NULL), wanted);
}

static void fill_with(int node, const struct gateway_key *key, const char *tag)
{
    struct gateway_look look = look_on(node, key);

    store_with(node, key, &look, tag, ERR_OK);
    gateway_look_release(&look);
}

static void clear_everything_on(int node)
{
    int64_t generation = 0;

    expect_ok(gateway_clear_all(nodes[node].app, in_work(), &generation));
    ck_assert_int_gt(generation, 1);
}

/* What one clears is gone on both nodes, which have it in their memory, and nothing else is. */
static void expect_cleared(int clear, bool takes_alices, bool takes_bobs, bool takes_public)
{
    const struct gateway_key keys[] = {key_of(7, "/shop/a", ""), key_of(8, "/shop/a", ""),
                                       key_of(0, "/shop/a", "")};
    const bool takes[] = {takes_alices, takes_bobs, takes_public};

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            fill_with(0, &keys[i], i == 0 ? "a/b" : i == 1 ? "Bob" : "Public");
            expect_stored(1, &keys[i], "tagged");
        }
        switch (clear) {
        case 0:
            (void)clear_on(round, alice);
            break;
        case 1:
            clear_all_on(round);
            break;
        case 2:
            clear_tag_on(round, "Product", false);
            break;
        case 3:
            clear_tag_on(round, "Bob", false);
            break;
        case 4:
            clear_everything_on(round);
            break;
        case 5:
            clear_tag_on(round, "Nothing", false);
            break;
        default:
            ck_abort();
        }
        for (int node = 0; node < 2; node++) {
            for (int i = 0; i < 3; i++)
                ck_assert_msg(is_stored_on(node, &keys[i]) != takes[i],
                              "clear %d, round %d, node %d, key %d", clear, round, node, i);
        }
    }
}

START_TEST(each_clear_takes_what_is_its)
{
    expect_cleared(0, true, false, false);
    expect_cleared(1, true, true, true);
    expect_cleared(2, true, true, true);
    expect_cleared(3, false, true, false);
    expect_cleared(4, true, true, true);
    expect_cleared(5, false, false, false);
}
END_TEST

/* The upstream was asked before the clear, and answered behind it. */
START_TEST(a_fill_from_before_a_clear)
{
    for (int clear = 0; clear < 5; clear++) {
        const struct gateway_key key = key_of(7, "/shop/late", "");
        (void)is_stored_on(0, &key);
        struct gateway_look look = look_on(0, &key);
        switch (clear) {
        case 0:
            (void)clear_on(1, alice);
            break;
        case 1:
            clear_all_on(1);
            break;
        case 2:
            clear_tag_on(1, "Product", false);
            break;
        case 3:
            clear_tag_on(1, "Late", false);
            break;
        case 4:
            clear_everything_on(1);
            break;
        default:
            ck_abort();
        }
        const struct str tags[] = {STR("Late")};
        const struct stored_response response = {
            .status = 200, .body = STR("old"), .tags = tags, .tag_count = 1};
        enum err err =
            gateway_store_put(stores[0], &key, &look, &response, 3600000, in_work(), NULL);
        ck_assert_msg(err == ERR_OK || err == ERR_CONFLICT, "%s", err_name(err));
        gateway_look_release(&look);
        for (int node = 0; node < 2; node++)
            ck_assert_msg(!is_stored_on(node, &key), "clear %d, node %d", clear, node);
        fill_with(0, &key, "Late");
        expect_stored(1, &key, "tagged");
        (void)clear_on(0, alice);
    }
}
END_TEST

/* Tags are known when the upstream has answered. Where something else is cleared all the time, the second fill of a
 * path is stored: its tags were looked at before. */
START_TEST(a_fill_among_other_clears)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");

    clear_tag_on(0, "Other", false);
    for (int i = 0; i < 2; i++) {
        struct gateway_look look = look_on(0, &key);
        clear_tag_on(1, "Other", false);
        store_with(0, &key, &look, "Tagged", i == 0 ? ERR_CONFLICT : ERR_OK);
        gateway_look_release(&look);
    }
    expect_stored(1, &key, "tagged");
    clear_tag_on(1, "Tagged", false);
    ck_assert(!is_stored_on(0, &key));
}
END_TEST

START_TEST(a_soft_clear_makes_stale)
{
    const struct gateway_key key = key_of(7, "/shop/a", ""), other = key_of(0, "/shop/b", "");

    fill_with(0, &key, "Soft");
    fill_with(0, &other, "Other");
    expect_stored(1, &key, "tagged");
    clear_tag_on(1, "Soft", true);
    for (int node = 0; node < 2; node++) {
        for (int i = 0; i < 2; i++) {
            ck_assert(is_outdated_on(node, &key));
            ck_assert(is_stored_on(node, &other) && !is_outdated_on(node, &other));
        }
    }
    /* A node that has nothing in its memory sees it, too. */
    forget_on(1);
    ck_assert(is_outdated_on(1, &key));
    /* What is stored in its place is fresh. */
    fill_with(1, &key, "Soft");
    for (int node = 0; node < 2; node++)
        ck_assert(is_stored_on(node, &key) && !is_outdated_on(node, &key));
    clear_tag_on(0, "Soft", true);
    clear_tag_on(0, "Soft", false);
    ck_assert(!is_stored_on(1, &key));
}
END_TEST

/* A fill from before a soft clear is stale as soon as it is stored. */
START_TEST(a_fill_from_before_a_soft_clear)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");

    clear_tag_on(0, "Other", false);
    struct gateway_look look = look_on(0, &key);
    clear_tag_on(1, "Product", true);
    expect_ok(try_store(0, &key, &look, TEXT, "old"));
    gateway_look_release(&look);
    ck_assert(is_outdated_on(0, &key));
    ck_assert(is_outdated_on(1, &key));
}
END_TEST

/* More tags than one command asks for: the next look after a clear asks once more, and then no more. */
START_TEST(many_tags)
{
    enum { TAGS = STORED_TAGS_MAX - 2 };
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct str tags[TAGS];
    const struct stored_response response = {
        .status = 200, .body = STR("many"), .tags = tags, .tag_count = TAGS};

    for (size_t i = 0; i < TAGS; i++)
        tags[i] = str_format(arena, "tag%zu", i);
    for (int round = 0; round < 3; round++) {
        struct gateway_look look = look_on(0, &key);
        expect_ok(gateway_store_put(stores[0], &key, &look, &response, 3600000, in_work(), NULL));
        gateway_look_release(&look);
        expect_stored(1, &key, "many");
        clear_tag_on(0, "tag99", false);
        struct redis *control = nodes[1].app->control;
        for (uint64_t trips = 2; trips >= 1; trips--) {
            uint64_t before = trips_of(control);
            ck_assert(is_stored_on(1, &key));
            ck_assert_uint_eq(trips_of(control) - before, trips);
        }
        clear_tag_on(0, round == 0 ? "tag0" : "tag61", round == 2);
        ck_assert_int_eq(is_stored_on(1, &key), round == 2);
        ck_assert_int_eq(is_outdated_on(1, &key), round == 2);
        ck_assert_int_eq(is_outdated_on(1, &key), round == 2);
    }
}
END_TEST

/* What remembers the clears went away, and came again: nothing of before is good. */
START_TEST(numbers_that_were_lost)
{
    static const char *const harms[] = {
        "DEL cw:{gateway}:m",          "SET cw:{gateway}:m x",
        "HSET cw:{gateway}:m any x",   "HSET cw:{gateway}:m m:Product 99999999999999999999",
        "HSET cw:{gateway}:m base 17", "FLUSHALL",
    };
    const struct gateway_key key = key_of(7, "/shop/a", "");

    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        fill_with(0, &key, "Tagged");
        expect_stored(1, &key, "tagged");
        clear_tag_on(0, "Other", false);
        struct gateway_look before = look_on(0, &key);
        redis_server_do(redis, harms[i]);
        for (int node = 0; node < 2; node++)
            ck_assert_msg(!is_stored_on(node, &key), "harm %zu, node %d", i, node);
        /* Neither is what the upstream was asked for before. */
        enum err err = try_store(0, &key, &before, TEXT, "old");
        ck_assert_msg(err != ERR_OK || !is_stored_on(1, &key), "harm %zu", i);
        gateway_look_release(&before);
        /* It heals: at the second fill, where the first had to repair it. */
        for (int again = 0; again < 3 && !is_stored_on(1, &key); again++) {
            struct gateway_look look = look_on(0, &key);
            err = try_store(0, &key, &look, TEXT, "new");
            ck_assert_msg(err == ERR_OK || err == ERR_CONFLICT, "harm %zu: %s", i, err_name(err));
            gateway_look_release(&look);
        }
        expect_stored(1, &key, "new");
        (void)clear_on(0, alice);
    }
}
END_TEST

/* While a user's cache is off nothing is looked for; what lay there is still good when it is on again. */
START_TEST(a_cache_that_is_off)
{
    const struct gateway_key key = key_of(7, "/shop/a", ""), everybody = key_of(0, "/shop/a", "");

    fill_on(0, &key, TEXT, "x");
    fill_on(0, &everybody, TEXT, "y");
    expect_stored(1, &key, "x");
    struct gateway_look before = look_on(0, &key);
    switch_on(0, 7, false);
    for (int node = 0; node < 2; node++) {
        struct gateway_look look = look_on(node, &key);
        ck_assert(!look.is_enabled);
        ck_assert_ptr_null(look.stored);
        ck_assert_int_eq(try_store(node, &key, &look, TEXT, "z"), ERR_CONFLICT);
        gateway_look_release(&look);
        expect_stored(node, &everybody, "y");
    }
    gateway_look_release(&before);
    switch_on(1, 7, true);
    expect_stored(0, &key, "x");
    switch_on(1, 7, false);
    expect_ok(gateway_store_drop(stores[0], &key, in_work()));
    switch_on(1, 7, true);
    ck_assert(!is_stored_on(0, &key));
}
END_TEST

/* What was told to Redis by `act`, and that it was one step. */
static void expect_one_step(void (*act)(void), const char *first, const char *last)
{
    struct redis_monitor *monitor = redis_monitor_open(redis);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    act();
    redis_monitor_write(monitor, out);
    redis_monitor_close(&monitor);
    fclose(out);
    const char *from = strstr(text, first), *to = from ? strstr(from, last) : NULL;
    const char *end = from ? strstr(from, "EXEC") : NULL, *begin = NULL;
    for (const char *at = text; from && (at = strstr(at, "MULTI")) && at < from; at++)
        begin = at;
    ck_assert_msg(to && end && begin && to < end, "%s", text);
    for (const char *at = begin; at < from; at++)
        ck_assert_msg(strncmp(at, "EXEC", 4) != 0, "%s", text);
    free(text);
}

static void clear_two_models(void)
{
    const struct str both[] = {STR("Product"), STR("Shop")};

    expect_ok(gateway_clear_models(nodes[0].app, both, 2, in_work()));
}

static void fill_with_many_tags(void)
{
    const struct gateway_key key = key_of(7, "/shop/many", "");
    struct str tags[20];
    const struct stored_response response = {
        .status = 200, .body = STR("many"), .tags = tags, .tag_count = 20};
    struct gateway_look look = look_on(0, &key);

    for (size_t i = 0; i < 20; i++)
        tags[i] = str_format(arena, "tag%zu", i);
    expect_ok(gateway_store_put(stores[0], &key, &look, &response, 3600000, in_work(), NULL));
    gateway_look_release(&look);
}

/* Nobody sees one of the numbers that a clear raises without the others. */
START_TEST(a_clear_is_one_step)
{
    expect_one_step(clear_two_models, "HINCRBY cw:{gateway}:m m:Product",
                    "HINCRBY cw:{gateway}:m any");
}
END_TEST

/* Behind a fetch the numbers of all tags are those of one moment, however many commands ask for them. */
START_TEST(the_question_behind_a_fetch_is_one_step)
{
    clear_tag_on(0, "Other", false);
    (void)is_stored_on(0, &(struct gateway_key){.user_id = 7, .route = STR("/")});
    expect_one_step(fill_with_many_tags, "m:tag0 ", "m:/tag19");
}
END_TEST

START_TEST(several_models_at_once)
{
    const struct str both[] = {STR("Tagged"), STR("Other")};
    const struct gateway_key keys[] = {key_of(7, "/shop/a", ""), key_of(0, "/shop/b", ""),
                                       key_of(0, "/shop/c", "")};
    static const char *const tags[] = {"Tagged", "Other", "Third"};

    for (int i = 0; i < 3; i++)
        fill_with(0, &keys[i], tags[i]);
    uint64_t before = trips_of(nodes[0].app->control);
    expect_ok(gateway_clear_models(nodes[0].app, both, 2, in_work()));
    ck_assert_uint_eq(trips_of(nodes[0].app->control) - before, 1);
    expect_ok(gateway_clear_models(nodes[0].app, both, 0, in_work()));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(is_stored_on(1, &keys[i]), i == 2);
}
END_TEST

/* Numbers that somebody has set by hand: a clear holds all the same. */
START_TEST(the_largest_numbers)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");

    clear_tag_on(0, "Other", false);
    redis_server_do(redis, "HSET cw:{gateway}:m any 9223372036854775807 m:Tagged "
                           "9223372036854775806 base 9223372036854775807");
    fill_with(0, &key, "Tagged");
    for (int again = 0; again < 2; again++) {
        ck_assert(is_stored_on(0, &key) && !is_outdated_on(0, &key));
        ck_assert(is_stored_on(1, &key) && !is_outdated_on(1, &key));
    }
    clear_tag_on(1, "Tagged", false);
    for (int node = 0; node < 2; node++)
        ck_assert(!is_stored_on(node, &key));
    fill_with(1, &key, "Tagged");
    expect_stored(0, &key, "tagged");
}
END_TEST

/* The routes, on one node, and what comes of it on the other. */
START_TEST(routes)
{
    const struct gateway_key key = key_of(7, "/shop/a", ""), everybody = key_of(0, "/shop/b", "");
    struct principal app = loopback_key(SCOPE_ENTRIES, 0);

    fill_with(0, &key, "Tagged");
    fill_with(0, &everybody, "Other");
    loopback_expect(LOOPBACK(&nodes[0], "models.clear", app, .name = "Tagged",
                             .query = "namespace=gateway&soft=true"),
                    "{\"model\":\"Tagged\",\"cleared\":true,\"generation\":2}");
    ck_assert(is_outdated_on(1, &key));
    loopback_expect(LOOPBACK(&nodes[0], "models.clear", loopback_admin(), .name = "Tagged",
                             .query = "namespace=gateway&soft=false"),
                    "{\"model\":\"Tagged\",\"cleared\":true,\"generation\":2}");
    ck_assert(!is_stored_on(1, &key));
    ck_assert(is_stored_on(1, &everybody));
    fill_with(0, &key, "Tagged");
    loopback_expect(
        LOOPBACK(&nodes[1], "entries.clear", loopback_admin(), .query = "namespace=gateway"),
        "{\"cleared\":true,\"generation\":2}");
    for (int node = 0; node < 2; node++) {
        ck_assert(!is_stored_on(node, &key));
        ck_assert(!is_stored_on(node, &everybody));
    }
    /* A model of somebody's own is another one. */
    fill_with(0, &key, "Tagged");
    loopback_expect(LOOPBACK(&nodes[0], "models.clear", loopback_user(7), .name = "Tagged"),
                    "{\"model\":\"Tagged\",\"cleared\":true,\"generation\":2}");
    ck_assert(is_stored_on(1, &key));
    loopback_expect_error(LOOPBACK(&nodes[0], "models.clear", loopback_user(7), .name = "Tagged",
                                   .query = "soft=true"),
                          ERR_BAD_INPUT, NULL);
    loopback_expect_error(LOOPBACK(&nodes[0], "entries.clear", loopback_admin(),
                                   .query = "namespace=gateway&pattern=*"),
                          ERR_BAD_INPUT, NULL);
    loopback_expect_error(LOOPBACK(&nodes[0], "models.clear", loopback_user(7), .name = "Tagged",
                                   .query = "namespace=gateway"),
                          ERR_FORBIDDEN, NULL);
    loopback_expect_error(LOOPBACK(&nodes[0], "entries.get", loopback_admin(), .name = "x",
                                   .query = "namespace=gateway"),
                          ERR_BAD_INPUT, NULL);
    ck_assert(is_stored_on(1, &key));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/clear");
    TCase *tcase = tcase_create("one"), *apart = tcase_create("apart");

    tcase_add_checked_fixture(tcase, open_two_stores, close_two_stores);
    tcase_add_test(tcase, each_clear_takes_what_is_its);
    tcase_add_test(tcase, a_fill_from_before_a_clear);
    tcase_add_test(tcase, a_fill_among_other_clears);
    tcase_add_test(tcase, a_soft_clear_makes_stale);
    tcase_add_test(tcase, a_fill_from_before_a_soft_clear);
    tcase_add_test(tcase, many_tags);
    tcase_add_test(tcase, numbers_that_were_lost);
    tcase_add_test(tcase, a_cache_that_is_off);
    tcase_add_test(tcase, a_clear_is_one_step);
    tcase_add_test(tcase, the_question_behind_a_fetch_is_one_step);
    tcase_add_test(tcase, several_models_at_once);
    tcase_add_test(tcase, the_largest_numbers);
    tcase_add_test(tcase, routes);
    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(apart, open_two_stores_apart, close_two_stores);
    tcase_add_test(apart, each_clear_takes_what_is_its);
    tcase_add_test(apart, a_fill_from_before_a_clear);
    suite_add_tcase(suite, apart);
    return suite_run(suite);
}
