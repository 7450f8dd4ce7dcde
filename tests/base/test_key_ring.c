#include "cachewarden/key_ring.h"

#include "suite.h"

#include <stdlib.h>

/* A key is a copy of its secret; how many there are. */
static int alive;
static bool fails;

static enum err make(struct str secret, void **key_out, struct error *error)
{
    *key_out = fails ? NULL : strndup(secret.ptr ? secret.ptr : "", secret.len);
    alive += !fails;
    return fails ? error_set(error, ERR_BAD_INPUT, "refused") : ERR_OK;
}

static void forget(void *key)
{
    alive--;
    free(key);
}

static const struct key_kind kind = {make, forget};
static const struct secrets first = {
    .current = STR("a"), .previous = {STR("b")}, .previous_count = 1};
static const struct secrets second = {
    .current = STR("c"), .previous = {STR("a"), STR("b")}, .previous_count = 2};

static void expect(const struct key_set *set, const char *keys)
{
    ck_assert_uint_eq(set->count, strlen(keys));
    for (size_t i = 0; i < set->count; i++)
        ck_assert_msg(((const char *)set->keys[i])[0] == keys[i], "%zu is %s", i,
                      (const char *)set->keys[i]);
}

START_TEST(the_current_one_comes_first)
{
    struct key_ring *ring;

    ck_assert_int_eq(key_ring_new(&kind, &first, &ring, NULL), ERR_OK);
    expect(key_ring_keys(ring), "ab");
    ck_assert_uint_eq(key_ring_keys(ring)->number, 1);
    key_ring_free(&ring);
    ck_assert_ptr_null(ring);
    ck_assert_int_eq(alive, 0);
    key_ring_free(&ring);
}
END_TEST

/* Somebody still has the set of before. */
START_TEST(another_set_takes_its_place_and_leaves_it_whole)
{
    struct key_ring *ring;
    bool changed;

    ck_assert_int_eq(key_ring_new(&kind, &first, &ring, NULL), ERR_OK);
    const struct key_set *before = key_ring_keys(ring);
    ck_assert_int_eq(key_ring_set(ring, &second, &changed, NULL), ERR_OK);
    ck_assert(changed);
    expect(key_ring_keys(ring), "cab");
    ck_assert_uint_eq(key_ring_keys(ring)->number, 2);
    expect(before, "ab");
    ck_assert_int_eq(alive, 5);
    key_ring_free(&ring);
    ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(the_same_secrets_change_nothing)
{
    const struct secrets fewer = {.current = STR("a")}, longer = {.current = STR("aa"),
                                                                  .previous = {STR("b")},
                                                                  .previous_count = 1};
    struct key_ring *ring;
    bool changed;

    ck_assert_int_eq(key_ring_new(&kind, &first, &ring, NULL), ERR_OK);
    const struct key_set *before = key_ring_keys(ring);
    ck_assert_int_eq(key_ring_set(ring, &first, &changed, NULL), ERR_OK);
    ck_assert(!changed);
    ck_assert_ptr_eq(key_ring_keys(ring), before);
    ck_assert_int_eq(key_ring_set(ring, &fewer, &changed, NULL), ERR_OK);
    ck_assert(changed);
    ck_assert_int_eq(key_ring_set(ring, &longer, &changed, NULL), ERR_OK);
    ck_assert(changed);
    key_ring_free(&ring);
}
END_TEST

START_TEST(what_cannot_be_made_changes_nothing)
{
    const struct secrets too_many = {.current = STR("a"),
                                     .previous_count = SECRETS_PREVIOUS_MAX + 1};
    struct key_ring *ring, *none;
    bool changed;

    ck_assert_int_eq(key_ring_new(&kind, &first, &ring, NULL), ERR_OK);
    fails = true;
    ck_assert_int_eq(key_ring_set(ring, &second, &changed, NULL), ERR_BAD_INPUT);
    ck_assert_int_eq(key_ring_new(&kind, &second, &none, NULL), ERR_BAD_INPUT);
    fails = false;
    ck_assert(!changed);
    ck_assert_ptr_null(none);
    expect(key_ring_keys(ring), "ab");
    ck_assert_int_eq(key_ring_set(ring, &too_many, &changed, NULL), ERR_INTERNAL);
    expect(key_ring_keys(ring), "ab");
    key_ring_free(&ring);
    ck_assert_int_eq(alive, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/key_ring");
    TCase *all = tcase_create("all");
    tcase_add_test(all, the_current_one_comes_first);
    tcase_add_test(all, another_set_takes_its_place_and_leaves_it_whole);
    tcase_add_test(all, the_same_secrets_change_nothing);
    tcase_add_test(all, what_cannot_be_made_changes_nothing);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
