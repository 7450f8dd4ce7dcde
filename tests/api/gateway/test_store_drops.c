/*
 * What a drop promises: once it is acknowledged, no answer that the upstream was asked for before it is served, on any
 * node, whatever was stored under the path before and since, and in which order the stores come.
 */
#include "gateway_case.h"

#include "entries/entries_private.h"
#include "gateway/store_private.h"

#define TEXT "Content-Type: text/plain"
#define VARY "Vary: Accept-Language"

START_TEST(a_dropped_path_is_gone_with_its_variants)
{
    const struct gateway_key de = key_of(7, "/shop/v", "Accept-Language: de"),
                             en = key_of(7, "/shop/v", "Accept-Language: en"),
                             plain = key_of(7, "/shop/a", "");

    fill_on(0, &de, VARY, "deutsch");
    fill_on(0, &en, VARY, "english");
    fill_on(0, &plain, TEXT, "plain");
    expect_stored(1, &de, "deutsch");
    expect_stored(1, &plain, "plain");
    expect_ok(gateway_store_drop(stores[0], &de, in_work()));
    expect_ok(gateway_store_drop(stores[0], &plain, in_work()));
    for (int node = 0; node < 2; node++) {
        ck_assert(!is_stored_on(node, &de));
        ck_assert(!is_stored_on(node, &en));
        ck_assert(!is_stored_on(node, &plain));
    }
    fill_on(1, &de, VARY, "neu");
    fill_on(1, &plain, TEXT, "new");
    expect_stored(0, &de, "neu");
    ck_assert(!is_stored_on(0, &en));
    expect_stored(0, &plain, "new");
}
END_TEST

/* An answer that was asked for before it is not stored behind it. */
START_TEST(a_drop_while_the_upstream_is_asked)
{
    const struct gateway_key plain = key_of(7, "/shop/a", ""),
                             de = key_of(7, "/shop/v", "Accept-Language: de");
    struct gateway_look look = look_on(0, &plain), varied = look_on(0, &de);

    expect_ok(gateway_store_drop(stores[1], &plain, in_work()));
    expect_ok(gateway_store_drop(stores[1], &de, in_work()));
    ck_assert_int_eq(try_store(0, &plain, &look, TEXT, "old"), ERR_CONFLICT);
    ck_assert_int_eq(try_store(0, &de, &varied, VARY, "alt"), ERR_CONFLICT);
    gateway_look_release(&look);
    gateway_look_release(&varied);
    for (int node = 0; node < 2; node++) {
        ck_assert(!is_stored_on(node, &plain));
        ck_assert(!is_stored_on(node, &de));
    }
}
END_TEST

/* Behind a drop, and before the next one. */
START_TEST(a_drop_behind_a_drop)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");

    expect_ok(gateway_store_drop(stores[0], &key, in_work()));
    struct gateway_look look = look_on(0, &key);
    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
    ck_assert_int_eq(try_store(0, &key, &look, TEXT, "old"), ERR_CONFLICT);
    gateway_look_release(&look);
    ck_assert(!is_stored_on(1, &key));
    fill_on(0, &key, TEXT, "new");
    expect_stored(1, &key, "new");
}
END_TEST

/* The same of what is fetched anew, while the one before lies there. */
START_TEST(a_drop_while_something_is_fetched_anew)
{
    const struct gateway_key plain = key_of(7, "/shop/a", ""),
                             de = key_of(7, "/shop/v", "Accept-Language: de");

    fill_on(0, &plain, TEXT, "old");
    fill_on(0, &de, VARY, "alt");
    struct gateway_look look = look_on(0, &plain), varied = look_on(0, &de);
    expect_ok(gateway_store_drop(stores[1], &plain, in_work()));
    expect_ok(gateway_store_drop(stores[1], &de, in_work()));
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(try_store(0, &plain, &look, TEXT, "old again"), ERR_CONFLICT);
        ck_assert_int_eq(try_store(0, &plain, &look, VARY, "old and varied"), ERR_CONFLICT);
        ck_assert_int_eq(try_store(0, &de, &varied, VARY, "alt, nochmal"), ERR_CONFLICT);
        ck_assert_int_eq(try_store(0, &de, &varied, "Vary: X-Shop", "alt"), ERR_CONFLICT);
        for (int node = 0; node < 2; node++) {
            ck_assert(!is_stored_on(node, &plain));
            ck_assert(!is_stored_on(node, &de));
        }
    }
    gateway_look_release(&look);
    gateway_look_release(&varied);
    fill_on(1, &plain, TEXT, "new");
    fill_on(1, &plain, TEXT, "newer");
    expect_stored(0, &plain, "newer");
}
END_TEST

/* Those of a user and of everybody. */
START_TEST(many_drops_are_one_round_trip)
{
    struct gateway_path paths[3];
    struct gateway_key keys[3];

    for (int i = 0; i < 3; i++) {
        keys[i] = key_of(i == 1 ? 0 : 7, i == 2 ? "/shop/b" : "/shop/a", "");
        paths[i].user_id = keys[i].user_id;
        expect_ok(gateway_key_path(&keys[i], arena, &paths[i].digest));
        fill_on(1, &keys[i], TEXT, "old"); /* then it knows how much room there is */
    }
    uint64_t trips = trips_of(nodes[1].app->control);
    expect_ok(gateway_store_drop_paths(stores[1], paths, 3, in_work()));
    ck_assert_uint_eq(trips_of(nodes[1].app->control) - trips, 1);
    for (int i = 0; i < 3; i++)
        ck_assert(!is_stored_on(0, &keys[i]));
}
END_TEST

/* ---- a late store behind a drop and a newer answer ---- */

static struct str path_key(const struct gateway_key *key)
{
    const struct namespace space = gateway_key_space(key);
    struct gateway_digest path;

    expect_ok(gateway_key_path(key, arena, &path));
    struct key name = key_response(&space, path.bytes);
    return str_dup(arena, key_str(&name));
}

static int64_t left_ms(const struct gateway_key *key)
{
    struct str name = path_key(key);

    return redis_server_ask_integer(redis, "PTTL %b", name.ptr, name.len);
}

enum before { HAS_NOTHING, HAS_RESPONSE, HAS_VARIANTS, WAS_DROPPED, BEFORES };
static const char *const kinds[] = {TEXT, VARY, "Vary: X-Shop, Accept-Language"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void prepare(enum before before, const struct gateway_key *key)
{
    switch (before) {
    case HAS_RESPONSE:
        fill_on(0, key, TEXT, "old");
        break;
    case HAS_VARIANTS:
        fill_on(0, key, VARY, "old");
        break;
    case WAS_DROPPED:
        expect_ok(gateway_store_drop(stores[0], key, in_work()));
        break;
    default:
        break;
    }
}

/* Nothing, or one of two. */
static void expect_one_of(const struct gateway_key *key, const char *one, const char *other)
{
    for (int node = 0; node < 2; node++) {
        struct str found = body_on(node, key);
        ck_assert_msg(!found.ptr || str_eq(found, str_from(one)) || str_eq(found, str_from(other)),
                      "node %d serves \"%.*s\"", node, STR_ARG(found));
    }
}

/* Two late stores: one behind the newer answer, one behind the one after that. */
static void play(enum before before, const char *late, const char *newer)
{
    static int number;
    const char *path = str_format(arena, "/shop/%d", number++).ptr;
    const struct gateway_key key = key_of(number % 2 ? 7 : 0, path, "Accept-Language: de");

    prepare(before, &key);
    struct gateway_look first = look_on(0, &key), second = look_on(1, &key);
    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
    fill_on(1, &key, newer, "new");
    expect_stored(0, &key, "new");
    expect_stored(1, &key, "new");
    ck_assert_int_eq(try_store(0, &key, &first, late, "late"), ERR_CONFLICT);
    expect_one_of(&key, "new", "new");
    forget_on(1);
    expect_one_of(&key, "new", "new");
    fill_on(0, &key, newer, "newer");
    expect_stored(0, &key, "newer");
    expect_stored(1, &key, "newer");
    ck_assert_int_eq(try_store(1, &key, &second, late, "later"), ERR_CONFLICT);
    forget_on(0);
    expect_one_of(&key, "new", "newer");
    fill_on(1, &key, newer, "newest");
    expect_stored(0, &key, "newest");
    expect_stored(1, &key, "newest");
    gateway_look_release(&first);
    gateway_look_release(&second);
}

START_TEST(a_late_store_behind_a_newer_answer)
{
    for (int before = 0; before < BEFORES; before++)
        for (int late = 0; late < KINDS; late++)
            for (int newer = 0; newer < KINDS; newer++)
                play((enum before)before, kinds[late], kinds[newer]);
}
END_TEST

/* The upstream has said 304, or told of it in an answer to HEAD: what lies there is stored anew, with other fields. */
START_TEST(a_late_confirmation)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");

    fill_on(0, &key, TEXT, "old");
    struct gateway_look look = look_on(0, &key);
    struct stored_response fresh = *look.stored;
    fresh.fields = fields_of(TEXT "\nAge: 2");
    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
    fill_on(1, &key, TEXT, "new");
    ck_assert_int_eq(gateway_store_put(stores[0], &key, &look, &fresh, 1000000, in_work(), NULL),
                     ERR_CONFLICT);
    expect_one_of(&key, "new", "new");
    /* Who holds it has it to the end. */
    ck_assert(str_eq(look.stored->body, STR("old")));
    gateway_look_release(&look);
}
END_TEST

/* Redis takes a store, and its reply is lost: nobody can look back. */
START_TEST(a_late_store_whose_reply_is_lost)
{
    const struct gateway_key key = key_of(7, "/shop/a", ""),
                             de = key_of(0, "/shop/v", "Accept-Language: de");
    const struct gateway_key *keys[] = {&key, &de};
    const struct stored_response response = {
        .status = 200, .fields = fields_of(TEXT), .body = STR("late")};

    for (size_t i = 0; i < 2; i++) {
        fill_on(0, keys[i], i == 0 ? TEXT : VARY, "old");
        struct gateway_look look = look_on(0, keys[i]);
        expect_ok(gateway_store_drop(stores[1], keys[i], in_work()));
        redis_server_pause(redis);
        struct work work = in_work();
        work.deadline_ns = clock_deadline_ns(200);
        ck_assert_int_eq(
            gateway_store_put(stores[0], keys[i], &look, &response, 1000000, work, NULL),
            ERR_UNCERTAIN);
        redis_server_resume(redis);
        redis_server_wait_calls(redis, "exec", 1);
        gateway_look_release(&look);
        for (int node = 0; node < 2; node++)
            ck_assert(!is_stored_on(node, keys[i]));
        fill_on(1, keys[i], TEXT, "new");
        expect_stored(0, keys[i], "new");
    }
}
END_TEST

/* However short the life of what is stored behind a drop, or is refused there: the drop is remembered for longer than a
 * look is good for. */
START_TEST(a_drop_is_remembered)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    const struct stored_response response = {
        .status = 200, .fields = fields_of(TEXT), .body = STR("x")};
    const struct gateway_key de = key_of(7, "/shop/v", "Accept-Language: de");
    struct gateway_look late = look_on(0, &key);

    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
    ck_assert_int_gt(left_ms(&key), 200000);
    struct gateway_look look = look_on(1, &key);
    expect_ok(gateway_store_put(stores[1], &key, &look, &response, 1, in_work(), NULL));
    ck_assert_int_gt(left_ms(&key), 200000);
    ck_assert_int_eq(gateway_store_put(stores[0], &key, &late, &response, 1, in_work(), NULL),
                     ERR_CONFLICT);
    ck_assert_int_gt(left_ms(&key), 200000);
    gateway_look_release(&look);
    gateway_look_release(&late);
    /* A list that was about to end, and a variant of it. */
    fill_on(0, &de, VARY, "deutsch");
    late = look_on(0, &de);
    late.list_left_ms = 0;
    expect_ok(gateway_store_drop(stores[1], &de, in_work()));
    const struct stored_response varied = {
        .status = 200, .fields = fields_of(VARY), .body = STR("x")};
    ck_assert_int_eq(gateway_store_put(stores[0], &de, &late, &varied, 1, in_work(), NULL),
                     ERR_CONFLICT);
    ck_assert_int_gt(left_ms(&de), 200000);
    gateway_look_release(&late);
    /* And it is forgotten with all that was stored there. */
    ck_assert_int_lt(left_ms(&key), 400000);
    struct str name = path_key(&key);
    redis_server_do(redis, "PEXPIRE %b 0", name.ptr, name.len);
    fill_on(0, &key, TEXT, "again");
    expect_stored(1, &key, "again");
}
END_TEST

/* Longer than that no drop is remembered for sure. It is no clear: who fetches it the next time need not wait for
 * it. */
START_TEST(a_look_that_is_too_old)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct gateway_look look = look_on(0, &key);

    look.looked_ns = clock_mono_ns() - (STORE_LOOK_MAX_MS + 1) * NS_PER_MS;
    ck_assert_int_eq(try_store(0, &key, &look, TEXT, "late"), ERR_PRECONDITION);
    ck_assert(!is_stored_on(1, &key));
    look.looked_ns = clock_mono_ns() - STORE_LOOK_MAX_MS / 2 * NS_PER_MS;
    expect_ok(try_store(0, &key, &look, TEXT, "in time"));
    expect_stored(1, &key, "in time");
    gateway_look_release(&look);
    ck_assert_int_ge(STORE_LIFE_MIN_MS, 2 * STORE_LOOK_MAX_MS);
}
END_TEST

static void clear_all(const struct gateway_key *key)
{
    int64_t epoch;

    (void)key;
    expect_ok(control_clear_all(nodes[1].app, in_work(), &epoch));
}

static void clear_tag(const struct gateway_key *key)
{
    (void)key;
    clear_tag_on(1, "Product", false);
}

static void drop_it(const struct gateway_key *key)
{
    expect_ok(gateway_store_drop(stores[1], key, in_work()));
}

/* Not even the place of what was fetched behind a clear, by a fetch that began before it and took longer. */
static void expect_newer_stays(const struct gateway_key *key, const char *fields)
{
    static void (*const changes[])(const struct gateway_key *) = {clear_all, clear_tag, drop_it};

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct gateway_look slow = look_on(0, key);
        changes[i](key);
        fill_on(1, key, fields, "newer");
        slow.looked_ns = clock_mono_ns() - NS_PER_S;
        ck_assert_int_eq(try_store(0, key, &slow, fields, "older"), ERR_CONFLICT);
        gateway_look_release(&slow);
        expect_stored(0, key, "newer");
        expect_stored(1, key, "newer");
    }
}

START_TEST(what_is_older_takes_no_place)
{
    const struct gateway_key users = key_of(7, "/shop/slow", "Accept-Language: de"),
                             public = key_of(0, "/shop/slow", "Accept-Language: de");

    expect_newer_stays(&users, TEXT);
    expect_newer_stays(&public, VARY);
    /* Nothing was cleared: what took long is stored. */
    struct gateway_look slow = look_on(0, &users);
    slow.looked_ns = clock_mono_ns() - NS_PER_S;
    clear_tag_on(1, "another", false);
    expect_ok(try_store(0, &users, &slow, TEXT, "slow"));
    gateway_look_release(&slow);
    expect_stored(1, &users, "slow");
}
END_TEST

/* What was asked for behind a drop is good, although Redis has forgotten the drop meanwhile. */
START_TEST(a_drop_that_is_forgotten)
{
    const struct gateway_key plain = key_of(7, "/shop/a", ""),
                             de = key_of(7, "/shop/v", "Accept-Language: de");

    expect_ok(gateway_store_drop(stores[0], &plain, in_work()));
    expect_ok(gateway_store_drop(stores[0], &de, in_work()));
    struct gateway_look look = look_on(0, &plain), varied = look_on(0, &de);
    redis_server_do(redis, "DEL %b", path_key(&plain).ptr, path_key(&plain).len);
    redis_server_do(redis, "DEL %b", path_key(&de).ptr, path_key(&de).len);
    expect_ok(try_store(0, &plain, &look, TEXT, "new"));
    expect_ok(try_store(0, &de, &varied, VARY, "neu"));
    expect_stored(1, &plain, "new");
    expect_stored(1, &de, "neu");
    gateway_look_release(&look);
    gateway_look_release(&varied);
}
END_TEST

/* Also where there is no room for what is stored. */
START_TEST(a_drop_without_room)
{
    const struct gateway_key key = key_of(7, "/shop/a", "");
    struct room *room = &nodes[1].app->entries->room;

    fill_on(0, &key, TEXT, "old");
    struct gateway_look late = look_on(0, &key);
    atomic_store(&room->left, 0);
    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
    ck_assert_int_eq(try_store(0, &key, &late, TEXT, "late"), ERR_CONFLICT);
    ck_assert(!is_stored_on(0, &key));
    gateway_look_release(&late);
    /* So many, and no more: who drops has to see to it that nothing late is served. */
    atomic_store(&room->left, INT64_MAX);
    fill_on(1, &key, TEXT, "new");
    atomic_store(&room->left, 0);
    atomic_store(&stores[1]->unroomed, STORE_UNROOMED_MAX - 1);
    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
    ck_assert(left_ms(&key) > 0);
    ck_assert_int_eq(gateway_store_drop(stores[1], &key, in_work()), ERR_UPSTREAM_REFUSED);
    ck_assert_int_eq(left_ms(&key), -2);
    ck_assert(!is_stored_on(0, &key));
    /* It counts anew when those are forgotten. */
    atomic_store(&stores[1]->unroomed_since_ns,
                 clock_mono_ns() - STORE_LIFE_MIN_MS * 2 * NS_PER_MS);
    expect_ok(gateway_store_drop(stores[1], &key, in_work()));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/store_drops");
    TCase *one = tcase_create("one");

    tcase_add_checked_fixture(one, open_two_stores, close_two_stores);
    tcase_add_test(one, a_dropped_path_is_gone_with_its_variants);
    tcase_add_test(one, a_drop_while_the_upstream_is_asked);
    tcase_add_test(one, a_drop_behind_a_drop);
    tcase_add_test(one, a_drop_while_something_is_fetched_anew);
    tcase_add_test(one, many_drops_are_one_round_trip);
    tcase_add_test(one, a_late_store_behind_a_newer_answer);
    tcase_add_test(one, a_late_confirmation);
    tcase_add_test(one, a_late_store_whose_reply_is_lost);
    tcase_add_test(one, a_drop_is_remembered);
    tcase_add_test(one, a_look_that_is_too_old);
    tcase_add_test(one, what_is_older_takes_no_place);
    tcase_add_test(one, a_drop_that_is_forgotten);
    tcase_add_test(one, a_drop_without_room);
    suite_add_tcase(suite, one);
    return suite_run(suite);
}
