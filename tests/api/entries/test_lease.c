#include "entries/lease.h"

#include "suite.h"

#define NOW_MS INT64_C(1769860800000)

static struct arena *arena;
static struct key_ring *key;
static const struct namespace user = {.user_id = 7}, shop = {.app = {"shop", 4}};
static const struct str label = {"products:1", 10};

static void open_all(void)
{
    arena = arena_new(4096, 0);
    ck_assert_int_eq(
        lease_keys_new(
            &(struct secrets){.current = STR("a-secret-of-some-forty-bytes-length-here")}, &key,
            NULL),
        ERR_OK);
}

static void close_all(void)
{
    key_ring_free(&key);
    arena_free(&arena);
}

static struct model_set two_models(void)
{
    return (struct model_set){.count = 2,
                              .names = {STR("Product"), STR("Order")},
                              .counts = {3, 0},
                              .base = 12345,
                              .any = 4};
}

static struct str seal(const struct model_set *models)
{
    struct lease lease;
    struct str text;

    ck_assert_int_eq(lease_fill_in(&lease, NOW_MS, 9, models), ERR_OK);
    ck_assert_int_eq(lease_seal(&(struct lease_scope){key, &user, label}, arena, &lease, &text),
                     ERR_OK);
    return text;
}

static enum err open_at(const struct namespace *space, struct str at, struct str text,
                        int64_t now_ms, struct lease *lease_out, struct error *error)
{
    error_clear(error);
    return lease_open(&(struct lease_scope){key, space, at}, (struct work){arena, 0, error}, text,
                      now_ms, lease_out);
}

static void expect_refused(const struct namespace *space, struct str at, struct str text,
                           int64_t now_ms, const char *says)
{
    struct lease lease;
    struct error error;

    ck_assert_int_eq(open_at(space, at, text, now_ms, &lease, &error), ERR_BAD_INPUT);
    ck_assert_msg(strstr(error.caller, "X-Cache-Lease"), "%s", error.caller);
    ck_assert_msg(strstr(error.caller, says), "%s", error.caller);
}

START_TEST(what_is_handed_out_comes_back)
{
    struct model_set models = two_models(), wanted = {.count = 1, .names = {STR("Order")}};
    struct lease lease;
    struct error error;

    ck_assert_int_eq(open_at(&user, label, seal(&models), NOW_MS + 1000, &lease, &error), ERR_OK);
    ck_assert_int_eq(lease.issued_at_ms, NOW_MS);
    ck_assert_int_eq(lease.version, 9);
    ck_assert_int_eq(lease.base, 12345);
    ck_assert_int_eq(lease.any, 4);
    ck_assert(lease_has_models(&lease, &wanted));
    ck_assert_int_eq(wanted.counts[0], 0);
    ck_assert_int_eq(wanted.base, 12345);
    wanted = (struct model_set){.count = 2, .names = {STR("Product"), STR("User")}};
    ck_assert(!lease_has_models(&lease, &wanted));
    wanted = (struct model_set){.count = 0};
    ck_assert(lease_has_models(&lease, &wanted));
}
END_TEST

START_TEST(without_a_hash_of_models_it_has_none)
{
    struct model_set models = two_models(), wanted = {.count = 1, .names = {STR("Product")}};
    struct lease lease;
    struct error error;

    models.base = 0;
    ck_assert_int_eq(open_at(&user, label, seal(&models), NOW_MS, &lease, &error), ERR_OK);
    ck_assert(!lease_has_models(&lease, &wanted));
}
END_TEST

START_TEST(it_is_good_for_its_label_and_namespace_only)
{
    struct model_set none = {0};
    struct str text = seal(&none);
    const struct namespace other = {.user_id = 77}, app = {.app = STR("7")};

    expect_refused(&user, STR("products:2"), text, NOW_MS, "not a lease for this label");
    expect_refused(&user, STR("products:"), text, NOW_MS, "not a lease for this label");
    expect_refused(&other, label, text, NOW_MS, "not a lease for this label");
    expect_refused(&app, label, text, NOW_MS, "not a lease for this label");
    expect_refused(&shop, label, text, NOW_MS, "not a lease for this label");
}
END_TEST

START_TEST(an_hour_and_no_longer)
{
    struct model_set none = {0};
    struct str text = seal(&none);
    struct lease lease;
    struct error error;

    ck_assert_int_eq(open_at(&user, label, text, NOW_MS + 3600000, &lease, &error), ERR_OK);
    /* handed out by a node whose clock is ahead */
    ck_assert_int_eq(open_at(&user, label, text, NOW_MS - 5000, &lease, &error), ERR_OK);
    expect_refused(&user, label, text, NOW_MS + 3600001, "older than an hour");
}
END_TEST

/* Every byte of it is signed; what is no base64url is refused as it is. */
START_TEST(a_changed_one_is_none)
{
    struct model_set models = two_models();
    struct str text = seal(&models);
    char *changed = arena_alloc(arena, text.len);

    for (size_t i = 0; i < text.len; i++) {
        memcpy(changed, text.ptr, text.len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        expect_refused(&user, label, (struct str){changed, text.len}, NOW_MS, "not a lease");
        expect_refused(&user, label, str_sub(text, 0, i), NOW_MS, "not a lease");
    }
    expect_refused(&user, label, STR("="), NOW_MS, "not a lease");
    expect_refused(&user, label, STR("\r\nx"), NOW_MS, "not a lease");
    char longer[1024];
    memset(longer, 'A', sizeof longer);
    expect_refused(&user, label, (struct str){longer, sizeof longer}, NOW_MS, "not a lease");
}
END_TEST

START_TEST(the_most_that_one_can_name_fits)
{
    struct model_set models = {.count = ENTRY_MODELS_MAX, .base = INT64_MAX, .any = INT64_MAX};
    char names[ENTRY_MODELS_MAX];
    struct lease lease;
    struct error error;

    for (size_t i = 0; i < ENTRY_MODELS_MAX; i++) {
        names[i] = (char)('a' + i);
        models.names[i] = (struct str){&names[i], 1};
        models.counts[i] = INT64_MAX;
    }
    ck_assert_int_eq(open_at(&user, label, seal(&models), NOW_MS, &lease, &error), ERR_OK);
    ck_assert(lease_has_models(&lease, &models));
}
END_TEST

START_TEST(another_secret_signs_otherwise)
{
    struct model_set none = {0};
    struct str text = seal(&none);

    key_ring_free(&key);
    ck_assert_int_eq(
        lease_keys_new(
            &(struct secrets){.current = STR("b-secret-of-some-forty-bytes-length-here")}, &key,
            NULL),
        ERR_OK);
    expect_refused(&user, label, text, NOW_MS, "not a lease");
}
END_TEST

/* Of a node that signs with the next secret already, or of a moment before the change. */
START_TEST(one_of_a_previous_secret_is_good)
{
    const struct secrets next = {.current = STR("b-secret-of-some-forty-bytes-length-here"),
                                 .previous = {STR("a-secret-of-some-forty-bytes-length-here")},
                                 .previous_count = 1};
    struct model_set none = {0};
    struct str text = seal(&none);
    struct lease lease;
    struct error error;
    bool changed;

    ck_assert_int_eq(key_ring_set(key, &next, &changed, NULL), ERR_OK);
    ck_assert_int_eq(open_at(&user, label, text, NOW_MS, &lease, &error), ERR_OK);
    ck_assert(!str_eq(seal(&none), text));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/lease");
    TCase *all = tcase_create("all");

    tcase_add_checked_fixture(all, open_all, close_all);
    tcase_add_test(all, what_is_handed_out_comes_back);
    tcase_add_test(all, without_a_hash_of_models_it_has_none);
    tcase_add_test(all, it_is_good_for_its_label_and_namespace_only);
    tcase_add_test(all, an_hour_and_no_longer);
    tcase_add_test(all, a_changed_one_is_none);
    tcase_add_test(all, the_most_that_one_can_name_fits);
    tcase_add_test(all, another_secret_signs_otherwise);
    tcase_add_test(all, one_of_a_previous_secret_is_good);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
