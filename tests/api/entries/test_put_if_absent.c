/* A fill that is taken only where nothing is, or something out of date: If-None-Match: *. */
#include "entries_held.h"

#include <pthread.h>

static enum err put_if_absent(int node, const char *label, const char *const *models,
                              const char *body, struct entry_stored *stored_out)
{
    return try_put(node, alice, label, models,
                   (struct entry_fill){.body = str_from(body), .only_if_absent = true}, stored_out);
}

static void expect_stored_if_absent(int node, const char *label, const char *const *models,
                                    const char *body)
{
    struct entry_stored stored;

    expect_ok(put_if_absent(node, label, models, body, &stored));
    ck_assert(!stored.was_there);
    expect_hit(1 - node, alice, label, body);
}

static void expect_refused(int node, const char *label, const char *const *models, const char *has)
{
    struct entry_stored stored;

    ck_assert_int_eq(put_if_absent(node, label, models, "refused", &stored), ERR_PRECONDITION);
    expect_hit(1 - node, alice, label, has);
}

/* ---- only where nothing is ---- */

START_TEST(only_where_nothing_is)
{
    expect_stored_if_absent(0, "k", NULL, "a");
    expect_refused(1, "k", NULL, "a");
    expect_refused(0, "k", MODELS("Product"), "a");
    delete_on(0, alice, "k");
    expect_stored_if_absent(1, "k", MODELS("Product"), "b");
    expect_refused(0, "k", NULL, "b");
    /* What is out of date is nothing. */
    clear_model_on(0, alice, "Product");
    expect_stored_if_absent(0, "k", MODELS("Product"), "c");
    expect_refused(1, "k", MODELS("Product"), "c");
    clear_on(0, alice);
    expect_stored_if_absent(1, "k", NULL, "d");
    clear_all_on(0);
    expect_stored_if_absent(1, "k", NULL, "12");
    expect_refused(1, "k", NULL, "12");
    clear_on(0, alice);
    expect_stored_if_absent(1, "k", NULL, "13");
    clear_on(0, alice);
    expect_stored_if_absent(0, "k", NULL, "e");
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:t:k"), 0);
}
END_TEST

enum { RIVALS = 8 };

struct rival {
    pthread_t thread;
    int number;
    const char *says; /* NULL: what is its own */
    struct str model; /* what it names */
    struct str lease;
    bool replaces;
    enum err err;
    bool was_there;
    bool is_enabled, is_void; /* as it was told */
    char body[16];
};

static void *put_as_rival(void *arg)
{
    struct rival *rival = arg;
    struct arena *own = arena_new(16384, 0);
    struct error why = {0};
    const struct entry_request request = {.app = nodes[rival->number % 2].app,
                                          .work = {own, in_time(), &why},
                                          .space = alice,
                                          .label = STR("k"),
                                          .models = &rival->model,
                                          .model_count = rival->model.len > 0};
    struct entry_stored stored;

    snprintf(rival->body, sizeof rival->body, "rival %d", rival->number);
    const struct entry_fill fill = {.body = str_from(rival->says ? rival->says : rival->body),
                                    .ttl_s = 3600,
                                    .lease = rival->lease,
                                    .only_if_absent = !rival->replaces};
    rival->err = entries_put(&request, &fill, &stored);
    rival->was_there = stored.was_there;
    rival->is_enabled = stored.is_enabled;
    rival->is_void = stored.is_void;
    arena_free(&own);
    return NULL;
}

/* Of many at once one is taken, and it is there; nothing was there before, or something out of date. */
START_TEST(of_many_at_once_one_is_taken)
{
    struct rival rivals[RIVALS];

    for (int round = 0; round < 3; round++) {
        const char *taken = NULL;
        for (int i = 0; i < RIVALS; i++) {
            rivals[i] = (struct rival){.number = i};
            ck_assert_int_eq(pthread_create(&rivals[i].thread, NULL, put_as_rival, &rivals[i]), 0);
        }
        for (int i = 0; i < RIVALS; i++) {
            pthread_join(rivals[i].thread, NULL);
            if (rivals[i].err == ERR_OK) {
                ck_assert_msg(!taken, "%s and %s", taken, rivals[i].body);
                taken = rivals[i].body;
            } else
                ck_assert_int_eq(rivals[i].err, ERR_PRECONDITION);
        }
        ck_assert_ptr_nonnull(taken);
        expect_hit(0, alice, "k", taken);
        clear_on(round % 2, alice); /* from here on what is there is out of date */
    }
}
END_TEST

/* ---- something good comes in the place of what is out of date, meanwhile ---- */

/* Which request waits: that tries first, tries again, takes its turn, tries in turn, removes, and tries once more. */
static const struct {
    const char *request;
    int nth;
} windows[] = {{"HGETALL", 1}, {"HGETALL", 2}, {"cw:{u:7}:t:k", 1},
               {"HGETALL", 3}, {"GETDEL", 1},  {"HGETALL", 4}};
enum { WINDOWS = sizeof windows / sizeof *windows, OLDS = 2, COMES = 3 };

static void start_rival_held_at(struct rival *rival, const char *request, int nth)
{
    tcp_proxy_hold(proxy, request, nth);
    ck_assert_int_eq(pthread_create(&rival->thread, NULL, put_as_rival, rival), 0);
    tcp_proxy_wait_held(proxy);
}

static void raise_on_node_1(int64_t by, int64_t expected)
{
    struct entry_request request = ask_on(1, alice, "k", NULL);
    bool is_enabled;
    int64_t value;

    expect_ok(entries_increment(&request, by, 3600, &value, &is_enabled));
    ck_assert_int_eq(value, expected);
}

/* A text, a number, or one that is counted. */
static void let_come_on_node_1(int what)
{
    if (what < 2)
        put_on(1, alice, "k", NULL, what == 0 ? "text" : "7", STR_NONE);
    else
        raise_on_node_1(7, 7);
}

static void expect_it_stayed(int what)
{
    expect_hit(1, alice, "k", what == 0 ? "text" : "7");
    ck_assert_int_gt(redis_server_ask_integer(redis, "TTL cw:{u:7}:e:k"), 3000);
    ck_assert_int_eq(redis_server_ask_integer(redis, "EXISTS cw:{u:7}:t:k"), 0);
    if (what > 0)
        raise_on_node_1(1, 8);
}

START_TEST(it_does_not_replace_what_came_meanwhile)
{
    int window = _i / (OLDS * COMES), what = _i % COMES;
    bool is_counter = _i / COMES % OLDS != 0;
    struct rival rival = {.number = 0};
    const char *request = windows[window].request;

    put_on(0, alice, "k", NULL, is_counter ? "1000" : "old", STR_NONE);
    clear_on(1, alice);
    expect_miss(0, alice, "other"); /* from here on node 0 knows of it */
    start_rival_held_at(&rival, is_counter && strcmp(request, "GETDEL") == 0 ? "HDEL" : request,
                        windows[window].nth);
    let_come_on_node_1(what);
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_PRECONDITION);
    expect_it_stayed(what);
}
END_TEST

/* A good text is in its hands, and before it can put that back something else comes: that stays. */
START_TEST(what_it_puts_back_replaces_nothing)
{
    struct rival rival = {.number = 0};

    put_on(0, alice, "k", NULL, "old", STR_NONE);
    clear_on(1, alice);
    expect_miss(0, alice, "other");
    start_rival_held_at(&rival, "GETDEL", 1);
    put_on(1, alice, "k", NULL, "taken by mistake", STR_NONE);
    tcp_proxy_hold(proxy, "taken by mistake", 1);
    tcp_proxy_wait_held(proxy);
    let_come_on_node_1(_i);
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_PRECONDITION);
    expect_it_stayed(_i);
}
END_TEST

/* Whose turn it was died at it: who comes next waits, and is told to come again, not that something is there. */
START_TEST(a_turn_that_is_left_over)
{
    struct entry_request request = ask_on(0, alice, "k", NULL);
    const struct entry_fill fill = {.body = STR("new"), .ttl_s = 3600, .only_if_absent = true};
    struct entry_stored stored;

    put_on(0, alice, "k", NULL, "old", STR_NONE);
    clear_on(1, alice);
    redis_server_do(redis, "SET cw:{u:7}:t:k 1 PX 600000");
    /* It keeps a quarter of the budget for what it does in its turn, so it has no time to wait. */
    request.work.deadline_ns = clock_deadline_ns(nodes[0].app->budget_ms / 4);
    ck_assert_int_eq(entries_put(&request, &fill, &stored), ERR_BUSY);
    redis_server_do(redis, "PEXPIRE cw:{u:7}:t:k 100");
    expect_stored_if_absent(0, "k", NULL, "new");
    expect_refused(1, "k", NULL, "new");
}
END_TEST

/* What it saw goes, or comes, before it stores: what it answers is true of the moment in which it stored. */
START_TEST(looking_and_storing_is_one_step)
{
    const char *body = _i % 2 ? "17" : "text";
    struct rival rival = {.number = 0, .says = body, .replaces = _i / 2 % 2 != 0};
    bool comes = _i / 4 != 0;

    put_on(0, alice, "k", NULL, "before", STR_NONE); /* node 0 knows all it needs to try at once */
    if (comes)
        delete_on(0, alice, "k");
    tcp_proxy_hold_from(proxy, _i % 2 ? "\r\nHSET\r\n" : "\r\nSET\r\n");
    ck_assert_int_eq(pthread_create(&rival.thread, NULL, put_as_rival, &rival), 0);
    tcp_proxy_wait_held(proxy);
    if (comes)
        put_on(1, alice, "k", NULL, "meanwhile", STR_NONE);
    else
        ck_assert(delete_on(1, alice, "k"));
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    bool is_refused = comes && !rival.replaces;
    ck_assert_int_eq(rival.err, is_refused ? ERR_PRECONDITION : ERR_OK);
    if (!is_refused)
        ck_assert_int_eq(rival.was_there, comes);
    expect_hit(1, alice, "k", is_refused ? "meanwhile" : body);
}
END_TEST

/* One that is too large to be sent on a guess is looked for first. */
START_TEST(so_it_is_for_a_large_value)
{
    size_t size = 1024 * 1024 + 1;
    char *body = malloc(size + 1);
    struct rival rival = {.number = 0, .says = body, .replaces = true};

    memset(body, 'x', size);
    body[size] = '\0';
    if (_i == 0)
        put_on(0, alice, "k", NULL, "before", STR_NONE);
    start_rival_held_at(&rival, "HGETALL", 2);
    if (_i == 0)
        ck_assert(delete_on(1, alice, "k"));
    else
        put_on(1, alice, "k", NULL, "meanwhile", STR_NONE);
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_OK);
    ck_assert_int_eq(rival.was_there, _i != 0);
    expect_hit(1, alice, "k", body);
    free(body);
}
END_TEST

/* Its first try was made under an old version, so another one that saw it took it for out of date. */
START_TEST(a_try_on_an_old_version_is_no_claim)
{
    struct rival rival = {.number = 0};

    expect_miss(0, alice, "k");
    clear_on(1, alice); /* node 0 does not know */
    start_rival_held_at(&rival, "HGETALL", 2);
    expect_stored_if_absent(1, "k", NULL, _i ? "7" : "first");
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_PRECONDITION);
    expect_hit(1, alice, "k", _i ? "7" : "first");
}
END_TEST

/* ---- what came since it looked ---- */

static bool has_sent(const char *text)
{
    size_t count = tcp_proxy_count(proxy);

    for (size_t i = 0; i < count; i++) {
        struct proxy_segment segment = tcp_proxy_segment(proxy, i);
        if (segment.is_request && strstr(segment.bytes, text))
            return true;
    }
    return false;
}

static void clear_somehow_on_node_1(int way)
{
    if (way == 0)
        clear_on(1, alice);
    else if (way == 1)
        clear_model_on(1, alice, "Product");
    else
        clear_all_on(1);
}

/* By the numbers that it knows, something good is out of date: it is not taken away, not even for a moment. */
START_TEST(what_came_after_a_clear_is_not_taken_in_hand)
{
    struct rival rival = {.number = 0, .model = STR("Product")};

    put_on(0, alice, "k", MODELS("Product"), "old", STR_NONE);
    clear_on(1, alice);
    expect_miss(0, alice, "other");
    start_rival_held_at(&rival, "HGETALL", 2);
    clear_somehow_on_node_1(_i);
    put_on(1, alice, "k", MODELS("Product"), "good", STR_NONE);
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_PRECONDITION);
    ck_assert(!has_sent("GETDEL"));
    expect_hit(1, alice, "k", "good");
}
END_TEST

/* The cache is switched off while it looks at what is there: that is not out of date, so it stores nothing. */
START_TEST(one_that_a_switch_overtakes_stores_nothing)
{
    struct rival rival = {.number = 0};

    put_on(1, alice, "k", MODELS("Product"), "good", STR_NONE);
    expect_miss(0, alice, "other");
    start_rival_held_at(&rival, "m:Product", 1); /* it asks for the model of what it met */
    switch_on(1, alice.user_id, false);
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_OK);
    ck_assert(!rival.is_enabled);
    switch_on(1, alice.user_id, true);
    expect_miss(1, alice, "k");
}
END_TEST

/* What a wrong guess of another node has put there is nothing, also by the numbers of now: by those of a look before
 * it would be good. */
START_TEST(what_is_dead_is_no_reason_to_refuse)
{
    struct rival rival = {.number = 0, .model = STR("Product")}; /* which it asks for first */

    put_on(1, alice, "k", NULL, _i ? "7" : "dead", STR_NONE);
    redis_server_do(redis, "RENAME cw:{u:7}:e:k cw:{u:7}:e:away");
    expect_miss(0, alice, "k");
    start_rival_held_at(&rival, "HGETALL", 2);
    redis_server_do(redis, "HINCRBY cw:{u:7} clears 1");
    redis_server_do(redis, "RENAME cw:{u:7}:e:away cw:{u:7}:e:k");
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_OK);
    expect_hit(1, alice, "k", rival.body);
}
END_TEST

/* Its lease named no model, and one is cleared between its look and its next try: it is void, or it is served, if the
 * other model was cleared. */
START_TEST(what_is_void_is_not_served)
{
    struct rival rival = {.number = 0, .model = STR("Product")};

    put_on(0, alice, "k", NULL, "old", STR_NONE);
    clear_on(1, alice);
    rival.lease = get_on(0, alice, "k", NULL).lease;
    start_rival_held_at(&rival, "HGETALL", 2);
    clear_model_on(1, alice, _i ? "Product" : "Order");
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_OK);
    ck_assert_int_eq(rival.is_void, _i);
    if (_i)
        expect_miss(1, alice, "k");
    else
        expect_hit(1, alice, "k", rival.body);
}
END_TEST

/* A clear comes between its value and its look at the numbers, and then something else: it is refused, so nobody may
 * have been served its value. */
START_TEST(what_is_refused_was_never_there)
{
    struct rival rival = {.number = 0, .says = _i ? "17" : "refused"};

    expect_miss(0, alice, "k");
    tcp_proxy_hold_from(proxy, "\r\nHMGET\r\n");
    ck_assert_int_eq(pthread_create(&rival.thread, NULL, put_as_rival, &rival), 0);
    tcp_proxy_wait_held(proxy);
    expect_miss(1, alice, "k");
    clear_on(1, alice);
    expect_stored_if_absent(1, "k", NULL, "taken");
    tcp_proxy_release(proxy);
    pthread_join(rival.thread, NULL);
    ck_assert_int_eq(rival.err, ERR_PRECONDITION);
    expect_hit(1, alice, "k", "taken");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/put_if_absent");
    TCase *all = tcase_create("all"), *held = tcase_create("held"), *apart = tcase_create("apart");

    tcase_add_checked_fixture(all, open_two_nodes, close_two_nodes);
    tcase_add_test(all, only_where_nothing_is);
    tcase_add_test(all, of_many_at_once_one_is_taken);
    tcase_add_test(all, a_turn_that_is_left_over);
    suite_add_tcase(suite, all);
    tcase_add_checked_fixture(held, open_two_nodes_and_proxy, close_two_nodes_and_proxy);
    tcase_add_loop_test(held, it_does_not_replace_what_came_meanwhile, 0, WINDOWS * OLDS * COMES);
    tcase_add_loop_test(held, what_it_puts_back_replaces_nothing, 0, COMES);
    tcase_add_loop_test(held, looking_and_storing_is_one_step, 0, 8);
    tcase_add_loop_test(held, so_it_is_for_a_large_value, 0, 2);
    tcase_add_loop_test(held, a_try_on_an_old_version_is_no_claim, 0, 2);
    tcase_add_loop_test(held, what_came_after_a_clear_is_not_taken_in_hand, 0, 3);
    tcase_add_test(held, one_that_a_switch_overtakes_stores_nothing);
    tcase_add_loop_test(held, what_is_dead_is_no_reason_to_refuse, 0, 2);
    tcase_add_loop_test(held, what_is_refused_was_never_there, 0, 2);
    tcase_add_loop_test(held, what_is_void_is_not_served, 0, 2);
    suite_add_tcase(suite, held);
    tcase_add_checked_fixture(apart, open_two_nodes_apart_and_proxy, close_two_nodes_and_proxy);
    tcase_add_loop_test(apart, what_is_refused_was_never_there, 0, 2);
    suite_add_tcase(suite, apart);
    return suite_run(suite);
}
