/* Made-up keys: a few a second are looked up in the database, however many there are. */
#include "api_key_ids.h"

#include "api_key.h"
#include "ttl_cache.h"

#include "cachewarden/clock.h"
#include "cachewarden/principal.h"
#include "suite.h"
#include "users_backend.h"

enum { NOW = 1700000000, FLOOD = 500 };

static const struct users_backend *backend = &users_backends[0];
static struct users *users;
static struct key_cache *cache;
static struct arena *arena;
static struct error error;

static void set_up(void)
{
    backend->init();
    users = users_backend_open();
    arena = arena_new(4096, 0);
    ck_assert_int_eq(key_cache_new(users, &cache), ERR_OK);
}

static void tear_down(void)
{
    key_cache_free(&cache);
    arena_free(&arena);
    users_close(&users);
    backend->fini();
}

/* A good key that the database knows; its whole text. */
static struct str make_key(const char *name)
{
    struct api_key key = {.name = str_from(name), .scopes = SCOPE_FLUSH};
    struct str whole;

    ck_assert_int_eq(api_key_make(arena, &key.id, &whole, &key.secret_digest), ERR_OK);
    ck_assert_int_eq(api_keys_add(users, &key, &error), ERR_OK);
    return whole;
}

static enum err verify(struct str whole, int64_t now_ms)
{
    struct key_record record;
    struct str id;

    error_clear(&error);
    return api_key_verify(
        cache, whole,
        (struct key_times){NOW, (int64_t)NOW * NS_PER_S + now_ms * NS_PER_MS, TTL_CACHE_STALE_NS},
        &id, &record, &error);
}

static enum err verify_made_up(int64_t now_ms)
{
    struct str id, whole, digest;

    ck_assert_int_eq(api_key_make(arena, &id, &whole, &digest), ERR_OK);
    return verify(whole, now_ms);
}

static void flood(int64_t now_ms)
{
    for (int i = 0; i < FLOOD; i++)
        ck_assert_int_eq(verify_made_up(now_ms), ERR_UNAUTHENTICATED);
}

/* Whoever asked the database would learn that it is ruined. */
START_TEST(a_flood_is_told_by_memory)
{
    struct str known = make_key("known");
    flood(0);
    ck_assert_int_eq(verify(known, 0), ERR_OK);
    backend->ruin();
    flood(999);
    ck_assert_int_eq(verify(known, 999), ERR_OK);
}
END_TEST

START_TEST(a_new_key_is_good_at_once)
{
    for (int i = 0; i < API_KEY_IDS_BURST - 1; i++)
        ck_assert_int_eq(verify_made_up(0), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(verify(make_key("first"), 0), ERR_OK);
}
END_TEST

START_TEST(a_new_key_is_good_within_a_second_in_a_flood)
{
    struct str old = make_key("old");
    flood(0);
    struct str fresh = make_key("fresh");
    flood(999);
    ck_assert_int_eq(verify(old, 999), ERR_OK);
    flood(1000);
    ck_assert_int_eq(verify(fresh, 1000), ERR_OK);
    /* Its second is over, and it is asked for again. */
    ck_assert_int_eq(verify(fresh, 2500), ERR_OK);
}
END_TEST

START_TEST(without_the_database_nobody_is_told_that_a_key_is_wrong)
{
    backend->ruin();
    for (int i = 0; i < FLOOD; i++)
        ck_assert_int_eq(verify_made_up(0), ERR_UPSTREAM_DOWN);
}
END_TEST

START_TEST(what_is_known_can_be_forgotten)
{
    flood(0);
    struct str fresh = make_key("fresh");
    key_cache_forget_all(cache);
    flood(0);
    ck_assert_int_eq(verify(fresh, 0), ERR_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_key_ids");
    TCase *tcase = tcase_create("api_key_ids");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_flood_is_told_by_memory);
    tcase_add_test(tcase, a_new_key_is_good_at_once);
    tcase_add_test(tcase, a_new_key_is_good_within_a_second_in_a_flood);
    tcase_add_test(tcase, without_the_database_nobody_is_told_that_a_key_is_wrong);
    tcase_add_test(tcase, what_is_known_can_be_forgotten);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
