#include "entries/recent.h"

#include "suite.h"

static struct recent *recent;

static void open_recent(void)
{
    struct error error = {0};

    ck_assert_int_eq(recent_new(&recent, &error), ERR_OK);
}

static void close_recent(void)
{
    recent_free(&recent);
}

static void note(struct namespace space, int64_t version, bool is_enabled)
{
    recent_note(recent, &space, &(struct recent_state){version, is_enabled});
}

static void expect_known(struct namespace space, int64_t version, bool is_enabled)
{
    struct recent_state state;

    ck_assert(recent_find(recent, &space, &state));
    ck_assert_int_eq(state.version, version);
    ck_assert_int_eq(state.is_enabled, is_enabled);
}

static void expect_unknown(struct namespace space)
{
    struct recent_state state;

    ck_assert(!recent_find(recent, &space, &state));
}

START_TEST(what_was_seen_last)
{
    char name[] = "shop";
    struct namespace shop = {.app = {name, 4}};

    expect_unknown(shop);
    expect_unknown(namespace_of_user(7));
    note(shop, 3, true);
    note(namespace_of_user(7), 9, false);
    expect_known(shop, 3, true);
    expect_known(namespace_of_user(7), 9, false);
    name[0] = 'x'; /* it was copied */
    expect_unknown(shop);
    expect_known(namespace_of_app(STR("shop")), 3, true);
    expect_unknown(namespace_of_app(STR("sho")));
    expect_unknown(namespace_of_user(8));
}
END_TEST

/* Threads come as they like. */
START_TEST(a_version_does_not_go_back)
{
    note(namespace_of_user(7), 9, true);
    note(namespace_of_user(7), 8, false);
    expect_known(namespace_of_user(7), 9, true);
    note(namespace_of_user(7), 9, false);
    expect_known(namespace_of_user(7), 9, false);
    note(namespace_of_user(7), 10, true);
    expect_known(namespace_of_user(7), 10, true);
}
END_TEST

/* Forgotten, perhaps; but nobody is taken for somebody else. */
START_TEST(many_more_than_there_is_room_for)
{
    int known = 0;

    for (int64_t id = 1; id <= 20000; id++)
        note(namespace_of_user(id), id + 1, true);
    for (int64_t id = 1; id <= 20000; id++) {
        struct recent_state state;
        struct namespace space = namespace_of_user(id);
        if (!recent_find(recent, &space, &state))
            continue;
        ck_assert_int_eq(state.version, id + 1);
        known++;
    }
    ck_assert_int_gt(known, 1000);
}
END_TEST

static struct model_set two_models(int64_t base, int64_t first, int64_t second)
{
    return (struct model_set){.count = 2,
                              .names = {STR("Product"), STR("Order")},
                              .counts = {first, second},
                              .base = base};
}

START_TEST(models_are_known_together)
{
    const struct namespace shop = {.app = STR("shop")};
    struct model_set models = two_models(5, 3, 0), found = two_models(0, 0, 0);

    ck_assert(!recent_find_models(recent, &shop, &found));
    recent_note_models(recent, &shop, &models);
    ck_assert(recent_find_models(recent, &shop, &found));
    ck_assert_int_eq(found.base, 5);
    ck_assert_int_eq(found.counts[0], 3);
    ck_assert_int_eq(found.counts[1], 0);
    struct namespace other = namespace_of_user(7);
    ck_assert(!recent_find_models(recent, &other, &found));
    /* counts of one base do not go back; another base is another hash */
    models = two_models(5, 2, 1);
    recent_note_models(recent, &shop, &models);
    ck_assert(recent_find_models(recent, &shop, &found));
    ck_assert_int_eq(found.counts[0], 3);
    ck_assert_int_eq(found.counts[1], 1);
    models = (struct model_set){.count = 1, .names = {STR("Order")}, .base = 4};
    recent_note_models(recent, &shop, &models);
    ck_assert(!recent_find_models(recent, &shop, &found)); /* of two bases */
    models = two_models(0, 0, 0);
    recent_note_models(recent, &shop, &models); /* there is no hash */
    found = (struct model_set){.count = 1, .names = {STR("Product")}};
    ck_assert(recent_find_models(recent, &shop, &found));
    ck_assert_int_eq(found.base, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/recent");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_recent, close_recent);
    tcase_add_test(all, what_was_seen_last);
    tcase_add_test(all, a_version_does_not_go_back);
    tcase_add_test(all, models_are_known_together);
    tcase_add_test(all, many_more_than_there_is_room_for);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
