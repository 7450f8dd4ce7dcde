/* What a read brings: what was put, as it was put, where it was put; else a miss with a lease. */
#include "entries_case.h"

#include "entries/envelope.h"

START_TEST(the_same_bytes_come_back)
{
    static const struct {
        struct str body, type;
    } rows[] = {
        {{"hello", 5}, {"text/plain", 10}},
        {{"", 0}, {"application/json", 16}},
        {{"a\0b\r\n\xff\xfe", 7}, {"", 0}},
        {{"{\"a\":1}", 7}, {"application/vnd.example+json; v=3", 33}},
        {{"\xc2\x01\x02", 3}, {"application/octet-stream", 24}},
        {{"12x", 3}, {"text/plain", 10}},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct entry_stored stored;
        expect_ok(try_put(0, shop, "k", NULL,
                          (struct entry_fill){.body = rows[i].body, .content_type = rows[i].type},
                          &stored));
        ck_assert_int_eq(stored.was_there, i > 0);
        struct entry_found found = get_on(1, shop, "k", NULL);
        ck_assert_msg(found.is_hit, "row %zu", i);
        ck_assert_msg(str_eq(found.body, rows[i].body), "row %zu", i);
        ck_assert_msg(str_eq(found.content_type, rows[i].type), "row %zu: %.*s", i,
                      STR_ARG(found.content_type));
        ck_assert_uint_eq(found.etag.len, 12);
        ck_assert_int_ge(found.ttl_s, 3500);
        ck_assert_int_le(found.ttl_s, 3600);
        ck_assert_int_ge(found.age_s, 0);
        ck_assert_uint_eq(found.lease.len, 0);
        ck_assert(!found.is_refresh);
    }
}
END_TEST

START_TEST(a_large_value)
{
    size_t size = 1024 * 1024;
    char *bytes = arena_alloc(arena, size);
    struct entry_stored stored;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    expect_ok(try_put(0, shop, "large", NULL, (struct entry_fill){.body = {bytes, size}}, &stored));
    struct entry_found found = get_on(1, shop, "large", NULL);
    ck_assert_uint_eq(found.body.len, size);
    ck_assert_mem_eq(found.body.ptr, bytes, size);
}
END_TEST

START_TEST(nothing_is_a_miss_with_a_lease)
{
    struct entry_found found = get_on(0, shop, "nothing", NULL);

    ck_assert(!found.is_hit);
    ck_assert(found.is_enabled);
    ck_assert_uint_gt(found.lease.len, 20);
    ck_assert_uint_eq(found.body.len, 0);
}
END_TEST

/* Labels of one namespace are not seen in another, whatever they look like. */
START_TEST(namespaces_do_not_meet)
{
    const struct namespace apps[] = {{.app = STR("7")}, {.app = STR("u")}, shop};

    put_on(0, alice, "k", NULL, "alice's", STR_NONE);
    expect_miss(0, bob, "k");
    for (size_t i = 0; i < 3; i++)
        expect_miss(0, apps[i], "k");
    put_on(0, bob, "k", NULL, "bob's", STR_NONE);
    put_on(0, shop, "}:e:k", NULL, "braces", STR_NONE);
    expect_hit(1, alice, "k", "alice's");
    expect_hit(1, bob, "k", "bob's");
    expect_hit(1, shop, "}:e:k", "braces");
    expect_miss(1, shop, "k");
    clear_on(0, bob);
    expect_miss(1, bob, "k");
    expect_hit(1, alice, "k", "alice's");
}
END_TEST

START_TEST(strange_labels_are_labels)
{
    static const char *const labels[] = {"..",
                                         "a/b/c",
                                         " ",
                                         "{x}",
                                         "*",
                                         "[a-z]?",
                                         "Ürün:1",
                                         "a\xe2\x80\x8b"
                                         "b"};
    char longest[ENTRY_LABEL_MAX + 1];

    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        put_on(0, alice, labels[i], NULL, labels[i], STR_NONE);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        expect_hit(1, alice, labels[i], labels[i]);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    put_on(0, alice, longest, NULL, "the longest", STR_NONE);
    expect_hit(1, alice, longest, "the longest");
}
END_TEST

/* Whatever others left under our key. */
START_TEST(what_is_no_entry_is_a_miss)
{
    redis_server_do(redis, "SET cw:{app:shop}:e:text hello");
    redis_server_do(redis, "SET cw:{app:shop}:e:cut %b", "\xc2\x01\x05", (size_t)3);
    redis_server_do(redis, "SET cw:{app:shop}:e:empty %b", "", (size_t)0);
    redis_server_do(redis, "RPUSH cw:{app:shop}:e:list a b");
    redis_server_do(redis, "HSET cw:{app:shop}:e:hash a b");
    expect_miss(0, shop, "text");
    expect_miss(0, shop, "cut");
    expect_miss(0, shop, "empty");
    expect_miss(0, shop, "list");
    expect_miss(0, shop, "hash");
    put_on(0, shop, "list", NULL, "ours", STR_NONE);
    expect_hit(0, shop, "list", "ours");
}
END_TEST

START_TEST(it_ends_with_its_life)
{
    struct entry_stored stored;

    expect_ok(
        try_put(0, shop, "k", NULL, (struct entry_fill){.body = STR("a"), .ttl_s = 1000}, &stored));
    int64_t life_ms = redis_server_ask_integer(redis, "PTTL cw:{app:shop}:e:k");
    ck_assert_int_gt(life_ms, 900000);
    ck_assert_int_le(life_ms, 1000000);
    /* Its own word counts, too, where Redis keeps it for longer. */
    expect_ok(try_put(0, shop, "brief", NULL, (struct entry_fill){.body = STR("a"), .ttl_s = 1},
                      &stored));
    redis_server_do(redis, "PERSIST cw:{app:shop}:e:brief");
    int64_t until_ns = clock_deadline_ns(PATIENCE_MS);
    while (get_on(0, shop, "brief", NULL).is_hit)
        ck_assert_int_lt(clock_mono_ns(), until_ns);
}
END_TEST

/* By the clock of a node that is ahead; this one counts no more life than the entry was given, and no age below 0. */
START_TEST(stored_by_a_clock_that_is_ahead)
{
    struct envelope envelope = {.stored_at_ms = clock_wall_ms() + 3600000,
                                .life_ms = 60000,
                                .content_type = STR("text/plain"),
                                .body = STR("ahead")};

    envelope.version = get_on(0, shop, "k", NULL).version;
    expect_ok(envelope_make_tag(envelope.content_type, envelope.body, envelope.tag));
    struct str bytes = envelope_encode(arena, &envelope);
    redis_server_do(redis, "SET cw:{app:shop}:e:k %b", bytes.ptr, bytes.len);
    struct entry_found found = get_on(0, shop, "k", NULL);
    ck_assert(found.is_hit);
    ck_assert_int_eq(found.age_s, 0);
    ck_assert_int_eq(found.ttl_s, 60);
}
END_TEST

START_TEST(switched_off_everything_is_a_miss)
{
    put_on(0, alice, "before", NULL, "a", STR_NONE);
    struct entry_found found = get_on(1, alice, "before", NULL);
    ck_assert(found.is_hit && found.is_enabled);
    switch_on(0, 7, false);
    found = get_on(1, alice, "before", NULL);
    ck_assert(!found.is_hit && !found.is_enabled);
    ck_assert_uint_eq(found.lease.len, 0);
    struct entry_stored stored = put_on(1, alice, "while", NULL, "b", STR_NONE);
    ck_assert(!stored.is_enabled);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:while"), 0);
    stored = put_on(1, alice, "before", NULL, "b", STR_NONE); /* drops what was there */
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:before"), 0);
    put_on(0, bob, "k", NULL, "bob's", STR_NONE);
    expect_hit(0, bob, "k", "bob's");
    switch_on(1, 7, true);
    expect_miss(0, alice, "before");
    put_on(0, alice, "before", NULL, "c", STR_NONE);
    expect_hit(1, alice, "before", "c");
}
END_TEST

START_TEST(one_round_trip_each)
{
    struct redis_stats before, after;

    put_on(0, shop, "k", NULL, "a", STR_NONE);
    put_on(0, shop, "with", MODELS("Product"), "a", STR_NONE);
    get_on(0, shop, "k", NULL);
    redis_stats_read(nodes[0].app->control, &before);
    get_on(0, shop, "k", NULL);
    get_on(0, shop, "nothing", NULL);
    get_on(0, shop, "with", MODELS("Product"));
    put_on(0, shop, "k", NULL, "b", STR_NONE);
    struct entry_found found = get_on(0, shop, "new", MODELS("Product", "Order"));
    put_on(0, shop, "new", MODELS("Product", "Order"), "b", found.lease);
    put_on(0, shop, "with", MODELS("Order", "Product"), "b", STR_NONE);
    delete_on(0, shop, "k");
    clear_on(0, shop);
    clear_model_on(0, shop, "Product");
    put_on(0, shop, "k", NULL, "b", STR_NONE); /* the node saw its own clear */
    redis_stats_read(nodes[0].app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 11);
    put_on(0, shop, "with", MODELS("Product"), "a", STR_NONE);
    redis_stats_read(nodes[0].app->control, &before);
    get_on(0, shop, "with", NULL); /* its models are learnt from it, and then asked for */
    redis_stats_read(nodes[0].app->control, &after);
    ck_assert_uint_eq(after.round_trips - before.round_trips, 2);
}
END_TEST

START_TEST(without_redis_it_fails_and_nothing_is_claimed)
{
    struct entry_request request = ask_on(0, shop, "k", NULL);
    struct entry_found found;
    struct entry_stored stored;
    bool was_there;

    put_on(0, shop, "k", NULL, "a", STR_NONE);
    redis_server_kill(redis);
    ck_assert_int_eq(entries_get(&request, &found), ERR_UPSTREAM_DOWN);
    ck_assert(!found.is_hit);
    enum err err = try_put(0, shop, "k", NULL, (struct entry_fill){.body = STR("b")}, &stored);
    ck_assert_int_eq(err, ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(entries_delete(&request, &was_there), ERR_UPSTREAM_DOWN);
    redis_server_restart(redis); /* empty: another version from here on */
    int64_t until_ns = in_time();
    while (entries_get(&request, &found) !=
           ERR_OK) /* a moment more, as for every Redis that was down */
        ck_assert_int_lt(clock_mono_ns(), until_ns);
    ck_assert(!found.is_hit);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/get");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes, close_two_nodes);
    tcase_add_test(all, the_same_bytes_come_back);
    tcase_add_test(all, a_large_value);
    tcase_add_test(all, nothing_is_a_miss_with_a_lease);
    tcase_add_test(all, namespaces_do_not_meet);
    tcase_add_test(all, strange_labels_are_labels);
    tcase_add_test(all, what_is_no_entry_is_a_miss);
    tcase_add_test(all, it_ends_with_its_life);
    tcase_add_test(all, stored_by_a_clock_that_is_ahead);
    tcase_add_test(all, switched_off_everything_is_a_miss);
    tcase_add_test(all, one_round_trip_each);
    tcase_add_test(all, without_redis_it_fails_and_nothing_is_claimed);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
