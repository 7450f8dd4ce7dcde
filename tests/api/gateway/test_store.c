/* What is stored on one node is found on the other, in one round trip, and without its body where that is in memory. */
#include "gateway_case.h"

#include "entries/entries_private.h"

#define TEXT "Content-Type: text/plain"

START_TEST(what_was_stored_comes_back)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct gateway_look look = look_on(0, &key);

    ck_assert(look.is_enabled);
    ck_assert_int_eq(look.version, 1);
    ck_assert_ptr_null(look.stored);
    ck_assert(!look.has_variants);
    expect_ok(try_store(0, &key, &look, TEXT "\nETag: \"x\"", "hello"));
    gateway_look_release(&look);
    for (int node = 0; node < 2; node++) {
        look = look_on(node, &key);
        ck_assert_ptr_nonnull(look.stored);
        ck_assert(look.has_body);
        ck_assert(!look.is_outdated);
        ck_assert_uint_eq(look.body_length, 5);
        ck_assert_int_eq(look.stored->status, 200);
        ck_assert_int_eq(look.stored->request_time_ms, 1000);
        ck_assert_int_eq(look.stored->response_time_ms, 2000);
        ck_assert_uint_eq(look.stored->fields.count, 2);
        ck_assert(str_eq(look.stored->fields.items[1].name, STR("ETag")));
        ck_assert(str_eq(look.stored->fields.items[1].value, STR("\"x\"")));
        ck_assert(str_eq(look.stored->body, STR("hello")));
        ck_assert_uint_eq(look.stored->tag_count, 2);
        gateway_look_release(&look);
    }
}
END_TEST

/* Where each kind of answer lies. */
START_TEST(keys_of_users_and_of_everybody)
{
    const struct gateway_key users = key_of(7, "/shop/a", ""), everybody = key_of(0, "/shop/a", "");

    fill_on(0, &users, TEXT, "alice's");
    ck_assert_int_eq(
        redis_server_ask_integer(redis, "EVAL %s 0", "return #redis.call('KEYS', 'cw:{u:7}:g:*')"),
        1);
    ck_assert(!is_stored_on(1, &everybody));
    fill_on(0, &everybody, TEXT, "everybody's");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EVAL %s 0",
                                              "return #redis.call('KEYS', 'cw:{gateway}:g:*')"),
                     1);
    expect_stored(1, &users, "alice's");
    expect_stored(1, &everybody, "everybody's");
    const struct gateway_key other = key_of(8, "/shop/a", "");
    ck_assert(!is_stored_on(0, &other));
    struct gateway_look look = look_on(0, &everybody);
    ck_assert_int_eq(look.version, 0);
    gateway_look_release(&look);
}
END_TEST

static void expect_trips(int node, const struct gateway_key *key, bool is_hit, uint64_t trips)
{
    struct redis *control = nodes[node].app->control;
    uint64_t before = trips_of(control);
    struct gateway_look look = look_on(node, key);

    ck_assert_int_eq(look.stored != NULL, is_hit);
    ck_assert_uint_eq(trips_of(control) - before, trips);
    gateway_look_release(&look);
}

START_TEST(a_look_is_one_round_trip)
{
    for (int64_t user = 0; user <= 7; user += 7) {
        const struct gateway_key key = key_of(user, "/shop/trips", "");
        for (int node = 0; node < 2; node++)
            ck_assert(!is_stored_on(node, &key)); /* what a node learns at its first */
        expect_trips(0, &key, false, 1);
        fill_on(0, &key, TEXT, "body");
        expect_trips(0, &key, true, 1);
        expect_trips(1, &key, true, 1);
        expect_trips(1, &key, true, 1);
        clear_tag_on(0, "Other", false);
        expect_trips(0, &key, true, 1);
        expect_trips(1, &key, true, 1);
        clear_tag_on(0, "Shop", false);
        expect_trips(1, &key, false, 1);
    }
}
END_TEST

static int64_t sent_bytes(void)
{
    return redis_server_ask_integer(redis, "EVAL %s 0",
                                    "return tonumber(string.match(redis.call('INFO','stats'), "
                                    "'total_net_output_bytes:(%d+)'))");
}

static char large[200 * 1024 + 1];

/* A body moves once to each node. */
START_TEST(a_hit_moves_no_body)
{
    const struct gateway_key key = key_of(7, "/shop/large", "");

    memset(large, 'x', sizeof large - 1);
    fill_on(0, &key, TEXT, large);
    struct gateway_look look = look_on(1, &key);
    ck_assert_ptr_nonnull(look.stored);
    ck_assert(!look.has_body);
    ck_assert_uint_eq(look.body_length, sizeof large - 1);
    ck_assert(str_eq(fields_value(&look.stored->fields, STR("content-type")), STR("text/plain")));
    expect_ok(gateway_store_body(stores[1], &key, &look, in_work()));
    ck_assert(look.has_body);
    ck_assert(str_eq(look.stored->body, str_from(large)));
    gateway_look_release(&look);
    for (int node = 0; node < 2; node++) {
        int64_t before = sent_bytes();
        look = look_on(node, &key);
        ck_assert(look.has_body);
        gateway_look_release(&look);
        ck_assert_int_lt(sent_bytes() - before, 1024);
    }
}
END_TEST

/* What another node has stored in its place is found, although memory has the one before. */
START_TEST(a_newer_one_on_another_node)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");

    fill_on(0, &key, TEXT, "one");
    expect_stored(1, &key, "one");
    fill_on(1, &key, TEXT, "two, and longer");
    expect_stored(0, &key, "two, and longer");
    expect_stored(1, &key, "two, and longer");
}
END_TEST

/* A 304 changes the head: another response with the same body, which is not copied. */
START_TEST(another_head_with_the_same_body)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    unsigned char id[STORED_ID_SIZE];

    fill_on(0, &key, TEXT "\nAge: 1", "the body");
    struct gateway_look look = look_on(0, &key), other = look_on(0, &key);
    struct stored_response fresh = *look.stored;
    struct stored_copy *copy = NULL;
    memcpy(id, look.stored->id, sizeof id);
    fresh.fields = fields_of(TEXT "\nAge: 2");
    expect_ok(gateway_store_put(stores[0], &key, &look, &fresh, 1000000, in_work(), &copy));
    ck_assert_ptr_eq(copy->response.body.ptr, look.stored->body.ptr);
    ck_assert_mem_ne(copy->response.id, id, sizeof id);
    stored_copy_release(&copy);
    gateway_look_release(&look);
    /* Whoever had it before has it still. */
    ck_assert(str_eq(fields_value(&other.stored->fields, STR("age")), STR("1")));
    ck_assert_mem_eq(other.stored->id, id, sizeof id);
    gateway_look_release(&other);
    for (int node = 0; node < 2; node++) {
        look = look_on(node, &key);
        ck_assert(str_eq(fields_value(&look.stored->fields, STR("age")), STR("2")));
        ck_assert(str_eq(look.stored->body, STR("the body")));
        gateway_look_release(&look);
    }
}
END_TEST

/* ---- Vary ---- */

#define VARY "Vary: Accept-Language"

START_TEST(variants_lie_side_by_side)
{
    const struct gateway_key de = key_of(7, "/shop/v", "Accept-Language: de"),
                             en = key_of(7, "/shop/v", "Accept-Language: en"),
                             none = key_of(7, "/shop/v", "");

    fill_on(0, &de, VARY, "deutsch");
    struct gateway_look look = look_on(0, &en);
    ck_assert_ptr_null(look.stored);
    ck_assert(look.has_variants);
    gateway_look_release(&look);
    fill_on(0, &en, VARY, "english");
    for (int node = 0; node < 2; node++) {
        expect_stored(node, &de, "deutsch");
        expect_stored(node, &en, "english");
        ck_assert(!is_stored_on(node, &none));
        expect_trips(node, &de, true, 1);
        expect_trips(node, &none, false, 1);
    }
}
END_TEST

/* What a node remembers of a path may be wrong: that is another round trip or a miss, and never another's answer. */
START_TEST(wrong_memory_of_names)
{
    const struct gateway_key de = key_of(7, "/shop/v", "Accept-Language: de\nX-Shop: 1"),
                             en = key_of(7, "/shop/v", "Accept-Language: en\nX-Shop: 2");

    fill_on(0, &de, VARY, "deutsch");
    expect_stored(1, &de, "deutsch");
    /* Node 1 remembers Accept-Language. */
    fill_on(0, &en, "Vary: X-Shop", "shop 2");
    ck_assert(!is_stored_on(1, &de));
    expect_stored(1, &en, "shop 2");
    expect_trips(1, &en, true, 1);
    /* And then nothing. */
    fill_on(0, &de, TEXT, "all");
    expect_stored(1, &de, "all");
    expect_stored(1, &en, "all");
    expect_trips(1, &en, true, 1);
    /* And then something again; the variant of before is not the list's. */
    fill_on(0, &en, "Vary: X-Shop", "shop 2 again");
    ck_assert(!is_stored_on(1, &de));
    expect_stored(1, &en, "shop 2 again");
    fill_on(0, &en, VARY, "english");
    ck_assert(!is_stored_on(1, &de));
    ck_assert(!is_stored_on(0, &de));
    expect_stored(1, &en, "english");
}
END_TEST

START_TEST(a_list_lives_as_long_as_its_variants)
{
    const struct gateway_key de = key_of(0, "/shop/v", "Accept-Language: de"),
                             en = key_of(0, "/shop/v", "Accept-Language: en");
    const struct stored_response response = {
        .status = 200, .fields = fields_of(VARY), .body = STR("x")};
    struct gateway_look look = look_on(0, &de);
    struct gateway_digest path;

    expect_ok(gateway_key_path(&de, arena, &path));
    const struct namespace space = namespace_of_gateway();
    struct key list = key_response(&space, path.bytes);
    expect_ok(gateway_store_put(stores[0], &de, &look, &response, 5000, in_work(), NULL));
    gateway_look_release(&look);
    ck_assert_int_le(redis_server_ask_integer(redis, "PTTL %b", list.bytes, list.len), 5000000);
    look = look_on(1, &en);
    expect_ok(gateway_store_put(stores[1], &en, &look, &response, 9000000, in_work(), NULL));
    gateway_look_release(&look);
    ck_assert_int_gt(redis_server_ask_integer(redis, "PTTL %b", list.bytes, list.len), 5000000);
    look = look_on(1, &de);
    expect_ok(gateway_store_put(stores[1], &de, &look, &response, 5000, in_work(), NULL));
    gateway_look_release(&look);
    ck_assert_int_gt(redis_server_ask_integer(redis, "PTTL %b", list.bytes, list.len), 5000000);
}
END_TEST

/* Another fill has made it live for longer since the look of this one; or a drop has left its mark. */
START_TEST(a_list_never_lives_for_shorter)
{
    const struct gateway_key de = key_of(0, "/shop/v", "Accept-Language: de"),
                             en = key_of(0, "/shop/v", "Accept-Language: en");
    const struct stored_response response = {
        .status = 200, .fields = fields_of(VARY), .body = STR("x")};
    const struct namespace space = namespace_of_gateway();
    struct gateway_look look = look_on(0, &de);
    struct gateway_digest path;

    expect_ok(gateway_key_path(&de, arena, &path));
    struct key list = key_response(&space, path.bytes);
    expect_ok(gateway_store_put(stores[0], &de, &look, &response, 1000000, in_work(), NULL));
    gateway_look_release(&look);
    redis_server_do(redis, "PEXPIRE %b 100000", list.bytes, list.len);
    struct gateway_look before = look_on(1, &en);
    look = look_on(0, &de);
    expect_ok(gateway_store_put(stores[0], &de, &look, &response, 9000000, in_work(), NULL));
    gateway_look_release(&look);
    expect_ok(gateway_store_put(stores[1], &en, &before, &response, 200000, in_work(), NULL));
    ck_assert_int_gt(redis_server_ask_integer(redis, "PTTL %b", list.bytes, list.len), 5000000);
    expect_stored(0, &en, "x");
    expect_ok(gateway_store_drop(stores[0], &de, in_work()));
    redis_server_do(redis, "PEXPIRE %b 400000", list.bytes, list.len);
    ck_assert_int_eq(gateway_store_put(stores[1], &en, &before, &response, 200000, in_work(), NULL),
                     ERR_CONFLICT);
    ck_assert_int_gt(redis_server_ask_integer(redis, "PTTL %b", list.bytes, list.len), 300000);
    ck_assert(!is_stored_on(0, &en));
    gateway_look_release(&before);
}
END_TEST

START_TEST(vary_that_fits_nobody)
{
    const struct gateway_key key = key_of(7, "/shop/v", "");
    struct gateway_look look = look_on(0, &key);

    ck_assert_int_eq(try_store(0, &key, &look, "Vary: *", "x"), ERR_BAD_INPUT);
    gateway_look_release(&look);
    ck_assert(!is_stored_on(0, &key));
}
END_TEST

/* ---- how much ---- */

START_TEST(what_is_stored_takes_room)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct room *room = &nodes[0].app->entries->room;
    struct gateway_look look = look_on(0, &key);

    atomic_store(&room->left, 100000);
    expect_ok(try_store(0, &key, &look, TEXT, "hello"));
    ck_assert_int_lt(atomic_load(&room->left), 100000 - 100);
    atomic_store(&room->left, 10);
    ck_assert_int_eq(try_store(0, &key, &look, TEXT, "other"), ERR_UPSTREAM_REFUSED);
    gateway_look_release(&look);
    expect_stored(0, &key, "hello");
    /* What is to go goes. */
    expect_ok(gateway_store_drop(stores[0], &key, in_work()));
    ck_assert(!is_stored_on(0, &key));
}
END_TEST

START_TEST(too_much_is_not_stored)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct gateway_look look = look_on(0, &key);
    struct str tags[STORED_TAGS_MAX];
    struct stored_response response = {.status = 200, .body = STR("x"), .tags = tags};

    for (size_t i = 0; i < STORED_TAGS_MAX; i++)
        tags[i] = str_format(arena, "tag%zu", i);
    response.tag_count = STORED_TAGS_MAX - 2; /* and the route's two */
    expect_ok(gateway_store_put(stores[0], &key, &look, &response, 1000, in_work(), NULL));
    response.tag_count++;
    ck_assert_int_eq(gateway_store_put(stores[0], &key, &look, &response, 1000, in_work(), NULL),
                     ERR_TOO_LARGE);
    struct http_field field = {STR("X"), {large, sizeof large - 1}};
    struct http_field fields[] = {field, field};
    memset(large, 'x', sizeof large - 1);
    response.tag_count = 0;
    response.fields = (struct http_fields){fields, 2};
    ck_assert_int_eq(gateway_store_put(stores[0], &key, &look, &response, 1000, in_work(), NULL),
                     ERR_TOO_LARGE);
    gateway_look_release(&look);
}
END_TEST

/* A head that is longer than what is asked for at first. */
START_TEST(a_long_head)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct http_field field = {STR("X"), {large, 100000}};
    const struct stored_response response = {
        .status = 200, .body = STR("the body"), .fields = {&field, 1}};
    struct gateway_look look = look_on(0, &key);

    memset(large, 'x', sizeof large - 1);
    expect_ok(gateway_store_put(stores[0], &key, &look, &response, 100000, in_work(), NULL));
    gateway_look_release(&look);
    look = look_on(1, &key);
    ck_assert_uint_eq(look.stored->fields.items[0].value.len, 100000);
    ck_assert(str_eq(look.stored->body, STR("the body")));
    gateway_look_release(&look);
}
END_TEST

/* ---- where entries have a Redis of their own ---- */

START_TEST(responses_lie_where_entries_do)
{
    const struct gateway_key key = key_of(7, "/shop/a", ""),
                             de = key_of(0, "/shop/v", "Accept-Language: de");

    fill_on(0, &key, TEXT, "one");
    fill_on(0, &de, VARY, "deutsch");
    ck_assert_int_eq(redis_server_ask_integer(store, "DBSIZE"), 3);
    ck_assert_int_eq(
        redis_server_ask_integer(redis, "EVAL %s 0", "return #redis.call('KEYS', 'cw:*}:g:*')"), 0);
    expect_stored(1, &key, "one");
    expect_stored(1, &de, "deutsch");
    uint64_t control = trips_of(nodes[1].app->control),
             own = trips_of(nodes[1].app->entries->redis);
    ck_assert(is_stored_on(1, &key));
    ck_assert_uint_eq(trips_of(nodes[1].app->control) - control, 1);
    ck_assert_uint_eq(trips_of(nodes[1].app->entries->redis) - own, 1);
    clear_tag_on(0, "Product", false);
    ck_assert(!is_stored_on(1, &key));
    ck_assert(!is_stored_on(1, &de));
    fill_on(0, &key, TEXT, "two");
    expect_stored(1, &key, "two");
    expect_ok(gateway_store_drop(stores[0], &key, in_work()));
    ck_assert(!is_stored_on(1, &key));
    struct gateway_look look = look_on(0, &de), failed;
    redis_server_kill(store);
    ck_assert_int_ne(gateway_store_look(stores[1], &key, in_work(), &failed), ERR_OK);
    gateway_look_release(&failed);
    ck_assert_int_ne(try_store(0, &de, &look, VARY, "x"), ERR_OK);
    gateway_look_release(&look);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/store");
    TCase *one = tcase_create("one"), *apart = tcase_create("apart");

    tcase_add_checked_fixture(one, open_two_stores, close_two_stores);
    tcase_add_test(one, what_was_stored_comes_back);
    tcase_add_test(one, keys_of_users_and_of_everybody);
    tcase_add_test(one, a_look_is_one_round_trip);
    tcase_add_test(one, a_hit_moves_no_body);
    tcase_add_test(one, a_newer_one_on_another_node);
    tcase_add_test(one, another_head_with_the_same_body);
    tcase_add_test(one, variants_lie_side_by_side);
    tcase_add_test(one, wrong_memory_of_names);
    tcase_add_test(one, a_list_lives_as_long_as_its_variants);
    tcase_add_test(one, a_list_never_lives_for_shorter);
    tcase_add_test(one, vary_that_fits_nobody);
    tcase_add_test(one, what_is_stored_takes_room);
    tcase_add_test(one, too_much_is_not_stored);
    tcase_add_test(one, a_long_head);
    suite_add_tcase(suite, one);
    tcase_add_checked_fixture(apart, open_two_stores_apart, close_two_stores);
    tcase_add_test(apart, responses_lie_where_entries_do);
    suite_add_tcase(suite, apart);
    return suite_run(suite);
}
