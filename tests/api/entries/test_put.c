/* What a fill says, and what it refuses. */
#include "entries_case.h"

static enum err put_if_absent(int node, const char *label, const char *const *models,
                              const char *body, struct entry_stored *stored_out)
{
    return try_put(node, alice, label, models,
                   (struct entry_fill){.body = str_from(body), .only_if_absent = true}, stored_out);
}

static void expect_refused(int node, const char *label, const char *const *models, const char *has)
{
    struct entry_stored stored;

    ck_assert_int_eq(put_if_absent(node, label, models, "refused", &stored), ERR_PRECONDITION);
    expect_hit(1 - node, alice, label, has);
}

/* Beside a plain SET under the same key: what the head needs, and no more than the next size of Redis' allocator. */
START_TEST(an_entry_takes_little_more_than_its_value)
{
    static const char key[] = "cw:{u:7}:e:products:00000000001";
    char body[101] = "";

    memset(body, 'v', sizeof body - 1);
    put_on(0, alice, "products:00000000001", NULL, body, STR_NONE);
    int64_t ours = redis_server_ask_integer(store, "MEMORY USAGE %s", key);
    redis_server_do(store, "SET %s %s PX 3600000", key, body);
    int64_t plain = redis_server_ask_integer(store, "MEMORY USAGE %s", key);
    ck_assert_msg(ours - plain <= 32, "%lld beside %lld", (long long)ours, (long long)plain);
}
END_TEST

START_TEST(new_or_replaced)
{
    ck_assert(!put_on(0, alice, "k", NULL, "a", STR_NONE).was_there);
    ck_assert(put_on(1, alice, "k", NULL, "b", STR_NONE).was_there);
    ck_assert(put_on(0, alice, "k", MODELS("Product"), "c", STR_NONE).was_there);
    ck_assert(put_on(0, alice, "k", NULL, "d", STR_NONE).was_there); /* its model is asked for */
    put_on(0, alice, "k", MODELS("Product"), "e", STR_NONE);
    clear_model_on(1, alice, "Product");
    ck_assert(!put_on(0, alice, "k", NULL, "f", STR_NONE).was_there);
    clear_on(1, alice);
    ck_assert(!put_on(0, alice, "k", NULL, "g", STR_NONE).was_there);
    ck_assert(put_on(0, alice, "k", NULL, "7", STR_NONE).was_there);
    ck_assert(put_on(0, alice, "k", NULL, "8", STR_NONE).was_there);
    clear_on(1, alice);
    ck_assert(!put_on(0, alice, "k", NULL, "9", STR_NONE).was_there);
    ck_assert(delete_on(0, alice, "k"));
    ck_assert(!delete_on(1, alice, "k"));
    put_on(0, alice, "k", MODELS("Product"), "h", STR_NONE);
    clear_model_on(1, alice, "Product");
    ck_assert(!delete_on(0, alice, "k"));
}
END_TEST

/* ---- what a node remembers is out of date ---- */

/* Node 1 saw the switch off, and not that it is on again. */
static void let_node_1_believe_it_is_off(void)
{
    switch_on(0, 7, false);
    ck_assert(!get_on(1, alice, "k", NULL).is_enabled);
    switch_on(0, 7, true);
}

START_TEST(who_believes_it_is_off_drops_nothing)
{
    let_node_1_believe_it_is_off();
    put_on(0, alice, "k", NULL, "good", STR_NONE);
    expect_refused(1, "k", NULL, "good");
    let_node_1_believe_it_is_off();
    ck_assert(put_on(1, alice, "k", NULL, "new", STR_NONE).was_there);
    expect_hit(0, alice, "k", "new");
    switch_on(0, 7, false);
    for (int i = 0; i < 2; i++) { /* unknown to this node, and known */
        redis_server_do(redis, "SET cw:{u:7}:e:k left");
        ck_assert(!put_on(1, alice, "k", NULL, "off", STR_NONE).is_enabled);
        ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:e:k"), 0);
    }
}
END_TEST

/* Filled late: what the lease names was cleared since, this node saw it, and something good is there. */
START_TEST(a_fill_known_to_be_void_replaces_nothing)
{
    const char *const *models = _i ? MODELS("Product", "Order") : MODELS("Product");

    put_on(0, alice, "other", models, "a hash of models", STR_NONE);
    struct entry_found found = get_on(0, alice, "k", models);
    clear_model_on(1, alice, "Product");
    put_on(0, alice, "k", models, "good", STR_NONE);
    ck_assert(put_on(0, alice, "k", models, "late", found.lease).is_void);
    expect_hit(1, alice, "k", "good");
    /* One of now is taken. */
    delete_on(1, alice, "k");
    found = get_on(1, alice, "k", models);
    ck_assert(!put_on(0, alice, "k", models, "new", found.lease).is_void);
    expect_hit(1, alice, "k", "new");
}
END_TEST

/* ---- large values ---- */

/* The edge gives a request 8 MiB and four times the largest body; it may have used two of those to read it. */
START_TEST(a_large_value_takes_no_more_than_a_request_has)
{
    size_t size = (size_t)(_i ? 16 : 1) * 1024 * 1024;
    char *bytes = calloc(1, size);
    struct arena *own = arena_new(16 * 1024, 8 * 1024 * 1024 + 2 * size);
    struct entry_stored stored;

    for (int i = 0; i < 3; i++) {
        struct entry_request request = ask_on(0, alice, "k", NULL);
        const struct entry_fill fill = {.body = {bytes, size}, .ttl_s = 3600};
        request.work.arena = own;
        expect_ok(entries_put(&request, &fill, &stored));
        ck_assert_int_eq(stored.was_there, i == 1);
        arena_reset(own);
        if (i == 1)
            clear_on(1, alice); /* what node 0 believes is wrong from here on */
    }
    struct entry_request request = ask_on(0, alice, "k", NULL);
    struct entry_found found;
    request.work.arena = own;
    expect_ok(entries_get(&request, &found));
    ck_assert(found.is_hit && found.body.len == size);
    arena_free(&own);
    free(bytes);
}
END_TEST

/* ---- leases that are none ---- */

static void expect_bad_lease(struct namespace space, const char *label, struct str lease)
{
    struct entry_stored stored;
    enum err err = try_put(0, space, label, NULL,
                           (struct entry_fill){.body = STR("bad"), .lease = lease}, &stored);

    ck_assert_int_eq(err, ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "X-Cache-Lease"), "%s", error.caller);
}

START_TEST(a_lease_of_elsewhere_changes_nothing)
{
    struct entry_found found = get_on(0, alice, "other", NULL);

    put_on(0, alice, "k", NULL, "good", STR_NONE);
    put_on(0, bob, "other", NULL, "good", STR_NONE);
    expect_bad_lease(alice, "k", found.lease);
    expect_bad_lease(bob, "other", found.lease);
    expect_bad_lease(alice, "k", STR("forged"));
    expect_bad_lease(alice, "other", str_sub(found.lease, 0, found.lease.len - 1));
    expect_hit(0, alice, "k", "good");
    expect_hit(1, bob, "other", "good");
    expect_miss(1, alice, "other");
    put_on(1, alice, "other", NULL, "good", found.lease); /* the other node takes it */
    expect_hit(0, alice, "other", "good");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/put");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_two_nodes, close_two_nodes);
    tcase_add_test(all, an_entry_takes_little_more_than_its_value);
    tcase_add_test(all, new_or_replaced);
    tcase_add_test(all, who_believes_it_is_off_drops_nothing);
    tcase_add_loop_test(all, a_fill_known_to_be_void_replaces_nothing, 0, 2);
    tcase_add_loop_test(all, a_large_value_takes_no_more_than_a_request_has, 0, 2);
    tcase_add_test(all, a_lease_of_elsewhere_changes_nothing);
    suite_add_tcase(suite, all);

    return suite_run(suite);
}
