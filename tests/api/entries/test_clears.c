/* What a clear promises: nothing whose fill began before it is served after it, on any node, however late it comes. */
#include "cachewarden/control.h"
#include "entries_case.h"

/* ---- ways to clear what alice has under "k", filled with the model Product ---- */

static void clear_user(int node)
{
    clear_on(node, alice);
}

static void clear_by_control(int node)
{
    struct cache_state state;

    expect_ok(control_clear(nodes[node].app, (struct work){arena, in_time(), &error}, 7, &state));
}

static void clear_everybody(int node)
{
    clear_all_on(node);
}

static void clear_product(int node)
{
    clear_model_on(node, alice, "Product");
}

static void lose_all(int node)
{
    (void)node;
    redis_server_do(redis, "FLUSHALL");
}

static void restart_empty(int node)
{
    (void)node;
    redis_server_restart(redis);
}

static void (*const ways[])(int node) = {clear_user,    clear_by_control, clear_everybody,
                                         clear_product, lose_all,         restart_empty};
enum { WAYS = sizeof ways / sizeof *ways };

START_TEST(what_was_there_is_gone)
{
    put_on(0, alice, "k", MODELS("Product"), "old", STR_NONE);
    expect_hit(1, alice, "k", "old");
    ways[_i](1);
    expect_miss(0, alice, "k");
    expect_miss(1, alice, "k");
    ck_assert(!get_on(0, alice, "k", MODELS("Product")).is_hit);
    ck_assert(!put_on(0, alice, "k", MODELS("Product"), "new", STR_NONE).was_there);
    expect_hit(1, alice, "k", "new");
}
END_TEST

/* The lease names the model; the fill comes to the other node than the clear, or to the same. */
START_TEST(a_fill_that_began_before_it_is_never_served)
{
    for (int node = 0; node < 2; node++) {
        struct entry_found found = get_on(0, alice, "k", MODELS("Product"));
        ck_assert(!found.is_hit);
        ways[_i](1);
        struct entry_stored stored =
            put_on(node, alice, "k", MODELS("Product"), "old", found.lease);
        ck_assert(stored.is_void);
        expect_miss(0, alice, "k");
        expect_miss(1, alice, "k");
        ways[_i](0); /* nor after another clear: numbers do not come back */
        expect_miss(1, alice, "k");
    }
}
END_TEST

/* A lease that did not name the model. */
START_TEST(nor_one_whose_lease_named_no_model)
{
    struct entry_found found = get_on(0, alice, "k", NULL);

    ways[_i](1);
    ck_assert(put_on(0, alice, "k", MODELS("Product"), "old", found.lease).is_void);
    expect_miss(0, alice, "k");
    expect_miss(1, alice, "k");
}
END_TEST

/* The counts are there already, and any of them may have been raised: of a model that the lease does not name nobody
 * knows which. */
START_TEST(nor_one_whose_lease_knows_the_counts_but_not_the_model)
{
    put_on(0, alice, "first", MODELS("Order"), "x", STR_NONE);
    for (int node = 0; node < 2; node++) {
        struct entry_found none = get_on(0, alice, "k", NULL),
                           other = get_on(0, alice, "l", MODELS("Order"));
        clear_model_on(1, alice, "Product");
        ck_assert(put_on(node, alice, "k", MODELS("Product"), "old", none.lease).is_void);
        ck_assert(put_on(node, alice, "l", MODELS("Product"), "old", other.lease).is_void);
        ck_assert(put_on(node, alice, "l", MODELS("Order", "Product"), "old", other.lease).is_void);
        expect_miss(0, alice, "k");
        expect_miss(1, alice, "l");
        ck_assert(!put_on(node, alice, "l", MODELS("Order"), "new", other.lease).is_void);
        expect_hit(1, alice, "l", "new");
        delete_on(0, alice, "l");
    }
}
END_TEST

/* What was filled after the clear stays, when the late fill comes to a node that knows of the clear. */
START_TEST(a_late_fill_does_not_take_the_place_of_a_good_one)
{
    struct entry_found late = get_on(0, alice, "k", MODELS("Product"));

    ways[_i](1);
    struct entry_found found = get_on(0, alice, "k", MODELS("Product"));
    put_on(0, alice, "k", MODELS("Product"), "new", found.lease);
    expect_hit(1, alice, "k", "new");
    ck_assert(put_on(0, alice, "k", MODELS("Product"), "old", late.lease).is_void);
    expect_hit(1, alice, "k", "new");
}
END_TEST

/* ---- what somebody wrote by hand ---- */

static const char *const damages[] = {
    "SET cw:{u:7}:m x",
    "HSET cw:{u:7}:m base x",
    "HSET cw:{u:7}:m any -1",
    "HSET cw:{u:7}:m m:Product x",
    "HSET cw:{u:7}:m m:Product 1.5",
    "HSET cw:{u:7}:m m:Product -5",
    "HSET cw:{u:7}:m m:Product 9223372036854775807",
    "HSET cw:{u:7}:m any 9223372036854775807",
};
enum { DAMAGES = sizeof damages / sizeof *damages };

static void expect_sound(void)
{
    ck_assert_int_gt(redis_server_ask_integer(redis, "HEXISTS cw:{u:7}:m base"), 0);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{u:7}:m"), 30 * 86400);
    ck_assert_int_eq(
        redis_server_ask_integer(redis, "EVAL %s 0", "return #redis.call('KEYS', 'cw:{u:7}:s:*')"),
        0);
}

/* Nobody has to repair it: more is dropped than was asked for, and then all is as it was. */
START_TEST(damaged_counts_heal_with_a_fill)
{
    put_on(0, alice, "k", MODELS("Product"), "old", STR_NONE);
    redis_server_do(redis, damages[_i]);
    get_on(0, alice, "k", NULL);
    get_on(1, alice, "k", MODELS("Product"));
    for (int node = 0; node < 2; node++) {
        put_on(node, alice, "k", MODELS("Product"), "new", STR_NONE);
        expect_hit(0, alice, "k", "new");
        ck_assert(get_on(1, alice, "k", MODELS("Product")).is_hit);
    }
    clear_model_on(1, alice, "Product");
    expect_miss(0, alice, "k");
    expect_sound();
}
END_TEST

START_TEST(damaged_counts_heal_with_a_clear)
{
    struct entry_found late = get_on(0, alice, "k", MODELS("Product")),
                       none = get_on(0, alice, "l", NULL);

    put_on(0, alice, "k", MODELS("Product"), "old", STR_NONE);
    redis_server_do(redis, damages[_i]);
    ck_assert_int_ge(clear_model_on(1, alice, "Product"), 2);
    expect_miss(0, alice, "k");
    ck_assert(put_on(0, alice, "k", MODELS("Product"), "old", late.lease).is_void);
    ck_assert(put_on(1, alice, "l", MODELS("Product"), "old", none.lease).is_void);
    expect_miss(1, alice, "k");
    expect_miss(1, alice, "l");
    late = get_on(0, alice, "k", MODELS("Product"));
    ck_assert(!put_on(1, alice, "k", MODELS("Product"), "new", late.lease).is_void);
    expect_hit(0, alice, "k", "new");
    expect_sound();
}
END_TEST

/* A lease of before any model was cleared is void for one, however often the counts began anew. */
START_TEST(a_fill_with_a_lease_heals_them)
{
    struct entry_found found;

    put_on(0, alice, "other", MODELS("Product"), "x", STR_NONE);
    redis_server_do(redis, "SET cw:{u:7}:m x");
    found = get_on(0, alice, "k", MODELS("Product"));
    ck_assert(put_on(0, alice, "k", MODELS("Product"), "old", found.lease).is_void);
    expect_miss(1, alice, "k");
    found = get_on(1, alice, "k", MODELS("Product"));
    ck_assert(!put_on(1, alice, "k", MODELS("Product"), "new", found.lease).is_void);
    expect_hit(0, alice, "k", "new");
}
END_TEST

/* Without a lease it counts from its arrival, whatever the node remembers. */
START_TEST(a_fill_without_a_lease_counts_from_its_arrival)
{
    put_on(0, alice, "k", MODELS("Product"), "one", STR_NONE);
    put_on(1, alice, "k", MODELS("Product"), "one", STR_NONE);
    ways[_i](1);
    ck_assert(!put_on(0, alice, "k", MODELS("Product"), "two", STR_NONE).was_there);
    expect_hit(1, alice, "k", "two");
    ck_assert(put_on(1, alice, "k", NULL, "three", STR_NONE).was_there);
    expect_hit(0, alice, "k", "three");
}
END_TEST

START_TEST(a_fill_with_a_good_lease_is_served)
{
    struct entry_found found = get_on(0, alice, "k", MODELS("Product", "Order"));

    ck_assert(!put_on(1, alice, "k", MODELS("Order"), "new", found.lease).is_void);
    expect_hit(0, alice, "k", "new");
    found = get_on(0, alice, "l", NULL);
    ck_assert(!put_on(1, alice, "l", MODELS("Order"), "new", found.lease).is_void);
    expect_hit(0, alice, "l", "new");
    found = get_on(0, alice, "m", MODELS("Order"));
    ck_assert(!put_on(1, alice, "m", NULL, "new", found.lease).is_void);
    expect_hit(0, alice, "m", "new");
}
END_TEST

/* ---- what a clear leaves alone ---- */

START_TEST(others_stay)
{
    put_on(0, alice, "product", MODELS("Product"), "a", STR_NONE);
    put_on(0, alice, "order", MODELS("Order"), "b", STR_NONE);
    put_on(0, alice, "both", MODELS("Order", "Product"), "c", STR_NONE);
    put_on(0, alice, "none", NULL, "d", STR_NONE);
    put_on(0, shop, "product", MODELS("Product"), "e", STR_NONE);
    put_on(0, bob, "product", MODELS("Product"), "f", STR_NONE);
    ck_assert_int_eq(clear_model_on(1, alice, "Product"), 2);
    expect_miss(0, alice, "product");
    expect_hit(0, alice, "order", "b");
    expect_miss(0, alice, "both");
    expect_hit(0, alice, "none", "d");
    expect_hit(0, shop, "product", "e");
    expect_hit(0, bob, "product", "f");
    ck_assert_int_eq(clear_model_on(0, alice, "Product"), 3);
    ck_assert_int_eq(clear_model_on(0, shop, "Product"), 2);
    ck_assert_int_eq(clear_model_on(1, alice, "never"), 2);
    expect_hit(0, alice, "order", "b");
    ck_assert_int_eq(clear_on(0, shop), 2);
    ck_assert_int_eq(clear_on(1, shop), 3);
    expect_hit(0, alice, "order", "b");
    expect_hit(1, bob, "product", "f");
}
END_TEST

/* A model may be called like a label, like a field of ours, or like another model's start. */
START_TEST(models_with_strange_names)
{
    static const char *const names[] = {"base", "any", "m:Product", "Product",
                                        "Prod", "k",   "*",         "Ürün"};
    enum { NAMES = sizeof names / sizeof *names };

    for (size_t cleared = 0; cleared < NAMES; cleared++) {
        for (size_t i = 0; i < NAMES; i++)
            put_on(0, alice, names[i], MODELS(names[i]), names[i], STR_NONE);
        clear_model_on(1, alice, names[cleared]);
        for (size_t i = 0; i < NAMES; i++) {
            if (i == cleared)
                expect_miss(0, alice, names[i]);
            else
                expect_hit(0, alice, names[i], names[i]);
        }
    }
}
END_TEST

/* ---- the hash of models ---- */

START_TEST(a_hash_that_went_and_came_again_is_another)
{
    put_on(0, alice, "k", MODELS("Product"), "old", STR_NONE);
    struct entry_found found = get_on(0, alice, "l", MODELS("Product"));
    clear_model_on(0, alice, "Product");
    redis_server_do(redis, "DEL cw:{u:7}:m"); /* as its life ends */
    expect_miss(0, alice, "k");
    put_on(0, alice, "n", MODELS("Product"), "new", STR_NONE);
    expect_miss(0, alice, "k");
    ck_assert(put_on(1, alice, "l", MODELS("Product"), "old", found.lease).is_void);
    expect_miss(0, alice, "l");
    expect_hit(1, alice, "n", "new");
}
END_TEST

START_TEST(it_lives_longer_than_what_needs_it)
{
    put_on(0, alice, "k", MODELS("Product"), "a", STR_NONE);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{u:7}:m"), ENTRY_MODEL_TTL_MAX_S);
    redis_server_do(redis, "EXPIRE cw:{u:7}:m 100");
    put_on(0, alice, "l", MODELS("Product"), "a", STR_NONE);
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{u:7}:m"), ENTRY_MODEL_TTL_MAX_S);
    redis_server_do(redis, "EXPIRE cw:{u:7}:m 100");
    clear_model_on(0, alice, "Product");
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{u:7}:m"), ENTRY_MODEL_TTL_MAX_S);
    struct entry_stored stored;
    enum err err =
        try_put(0, alice, "k", MODELS("Product"),
                (struct entry_fill){.body = STR("a"), .ttl_s = ENTRY_MODEL_TTL_MAX_S + 1}, &stored);
    ck_assert_int_eq(err, ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "ttl"), "%s", error.caller);
}
END_TEST

START_TEST(too_many_models_begin_anew)
{
    char name[16];

    put_on(0, alice, "k", MODELS("Product"), "old", STR_NONE);
    put_on(0, alice, "none", NULL, "stays", STR_NONE);
    for (int i = 0; i < 1010; i++) {
        snprintf(name, sizeof name, "model%d", i);
        clear_model_on(i % 2, alice, name);
    }
    ck_assert_int_lt(redis_server_ask_integer(redis, "HLEN cw:{u:7}:m"), 1003);
    expect_miss(0, alice, "k"); /* more than was asked for */
    expect_hit(0, alice, "none", "stays");
    put_on(0, alice, "k", MODELS("Product"), "new", STR_NONE);
    expect_hit(1, alice, "k", "new");
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*open)(void))
{
    TCase *all = tcase_create(name);

    tcase_add_checked_fixture(all, open, close_two_nodes);
    tcase_add_loop_test(all, what_was_there_is_gone, 0, WAYS);
    tcase_add_loop_test(all, a_fill_that_began_before_it_is_never_served, 0, WAYS);
    tcase_add_loop_test(all, nor_one_whose_lease_named_no_model, 0, WAYS);
    tcase_add_loop_test(all, a_late_fill_does_not_take_the_place_of_a_good_one, 0, WAYS);
    tcase_add_loop_test(all, a_fill_without_a_lease_counts_from_its_arrival, 0, WAYS);
    tcase_add_test(all, a_fill_with_a_good_lease_is_served);
    tcase_add_test(all, others_stay);
    suite_add_tcase(suite, all);
}

int main(void)
{
    Suite *suite = suite_create("api/entries/clears");
    TCase *models = tcase_create("models");

    add_tests(suite, "one redis", open_two_nodes);
    add_tests(suite, "two", open_two_nodes_apart);
    tcase_add_checked_fixture(models, open_two_nodes, close_two_nodes);
    tcase_add_test(models, models_with_strange_names);
    tcase_add_test(models, a_hash_that_went_and_came_again_is_another);
    tcase_add_test(models, it_lives_longer_than_what_needs_it);
    tcase_add_test(models, too_many_models_begin_anew);
    tcase_add_test(models, nor_one_whose_lease_knows_the_counts_but_not_the_model);
    tcase_add_loop_test(models, damaged_counts_heal_with_a_fill, 0, DAMAGES);
    tcase_add_loop_test(models, damaged_counts_heal_with_a_clear, 0, DAMAGES);
    tcase_add_test(models, a_fill_with_a_lease_heals_them);
    suite_add_tcase(suite, models);
    return suite_run(suite);
}
