#include "ttl_cache.h"

#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct ttl_cache *cache;
static struct error error;

/* The database: what it answers, and how often it was asked. */
static struct {
    enum err err;
    atomic_int value;
    atomic_int questions;
} database;

struct record {
    int value;
    char filler[100];
};

static enum err load(void *arg, struct str key, void *record_out, struct error *why)
{
    struct record *record = record_out;

    ck_assert_ptr_eq(arg, &database);
    ck_assert_uint_gt(key.len, 0);
    atomic_fetch_add(&database.questions, 1);
    /* A failed load may leave anything behind. */
    memset(record, 0x55, sizeof *record);
    if (database.err)
        return error_set(why, database.err, "the database says no");
    record->value = atomic_load(&database.value);
    return ERR_OK;
}

static const struct ttl_cache_source source = {load, &database, TTL_CACHE_STALE_NS, false};

static void set_up(void)
{
    ck_assert_int_eq(ttl_cache_new("test", 64, sizeof(struct record), &cache), ERR_OK);
    database.err = ERR_OK;
    atomic_store(&database.value, 1);
    atomic_store(&database.questions, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    ttl_cache_free(&cache);
    ck_assert_ptr_null(cache);
    ttl_cache_free(&cache);
}

enum { START_S = 1000 };

static int fetch_at(const char *key, double after_s)
{
    struct record record;
    int64_t now_ns = START_S * NS_PER_S + (int64_t)(after_s * (double)NS_PER_S);

    ck_assert_int_eq(ttl_cache_fetch(cache, str_from(key), now_ns, &source, &record, &error),
                     ERR_OK);
    return record.value;
}

static enum err try_at(const char *key, double after_s)
{
    struct record record;
    int64_t now_ns = START_S * NS_PER_S + (int64_t)(after_s * (double)NS_PER_S);

    return ttl_cache_fetch(cache, str_from(key), now_ns, &source, &record, &error);
}

START_TEST(an_answer_is_used_for_a_second)
{
    ck_assert_int_eq(fetch_at("a", 0), 1);
    atomic_store(&database.value, 2);
    ck_assert_int_eq(fetch_at("a", 0.5), 1);
    ck_assert_int_eq(fetch_at("a", 0.999), 1);
    ck_assert_int_eq(database.questions, 1);
    ck_assert_int_eq(fetch_at("a", 1), 2);
    ck_assert_int_eq(fetch_at("a", 1.5), 2);
    ck_assert_int_eq(database.questions, 2);
}
END_TEST

START_TEST(keys_are_told_apart)
{
    ck_assert_int_eq(fetch_at("a", 0), 1);
    atomic_store(&database.value, 2);
    ck_assert_int_eq(fetch_at("b", 0), 2);
    ck_assert_int_eq(fetch_at("aa", 0), 2);
    ck_assert_int_eq(fetch_at("a", 0.1), 1);
}
END_TEST

START_TEST(an_old_answer_when_the_database_is_away)
{
    ck_assert_int_eq(fetch_at("a", 0), 1);
    database.err = ERR_UPSTREAM_DOWN;
    ck_assert_int_eq(fetch_at("a", 2), 1);
    ck_assert_int_eq(fetch_at("a", 29.9), 1);
    ck_assert_int_eq(try_at("a", 30), ERR_UPSTREAM_DOWN);
    ck_assert_str_eq(error.caller, "the database says no");
    ck_assert_int_eq(try_at("b", 2), ERR_UPSTREAM_DOWN);
    /* It comes back. */
    database.err = ERR_OK;
    atomic_store(&database.value, 2);
    ck_assert_int_eq(fetch_at("a", 32), 2);
}
END_TEST

/* A database that takes seconds to fail is not asked for every request. */
START_TEST(a_failed_database_is_left_alone_for_a_second)
{
    ck_assert_int_eq(fetch_at("a", 0), 1);
    ck_assert_int_eq(fetch_at("b", 0), 1);
    database.err = ERR_UPSTREAM_DOWN;
    ck_assert_int_eq(fetch_at("a", 2), 1);
    ck_assert_int_eq(database.questions, 3);
    ck_assert_int_eq(fetch_at("a", 2.5), 1);
    ck_assert_int_eq(fetch_at("b", 2.9), 1);
    ck_assert_int_eq(database.questions, 3);
    ck_assert_int_eq(fetch_at("b", 3), 1);
    ck_assert_int_eq(database.questions, 4);
    /* Who has no old answer asks at once. */
    ck_assert_int_eq(try_at("c", 3.1), ERR_UPSTREAM_DOWN);
    ck_assert_int_eq(database.questions, 5);
}
END_TEST

/* "There is no such account" is an answer, not an outage. */
START_TEST(other_errors_are_passed_on)
{
    ck_assert_int_eq(fetch_at("a", 0), 1);
    database.err = ERR_NOT_FOUND;
    ck_assert_int_eq(try_at("a", 2), ERR_NOT_FOUND);
    ck_assert_int_eq(try_at("a", 2), ERR_NOT_FOUND);
    database.err = ERR_INTERNAL;
    ck_assert_int_eq(try_at("a", 2), ERR_INTERNAL);
    ck_assert_int_eq(database.questions, 4);
    /* What is gone does not come back with an outage. */
    database.err = ERR_UPSTREAM_DOWN;
    ck_assert_int_eq(try_at("a", 3), ERR_UPSTREAM_DOWN);
}
END_TEST

START_TEST(forgetting)
{
    ck_assert_int_eq(fetch_at("a", 0), 1);
    ck_assert_int_eq(fetch_at("b", 0), 1);
    atomic_store(&database.value, 2);
    ttl_cache_forget(cache, STR("a"));
    ttl_cache_forget(cache, STR("never seen"));
    ck_assert_int_eq(fetch_at("a", 0.1), 2);
    ck_assert_int_eq(fetch_at("b", 0.1), 1);
    atomic_store(&database.value, 3);
    ttl_cache_forget_all(cache);
    ck_assert_int_eq(fetch_at("a", 0.2), 3);
    ck_assert_int_eq(fetch_at("b", 0.2), 3);
    /* What was forgotten is not an old answer either. */
    ttl_cache_forget(cache, STR("a"));
    database.err = ERR_UPSTREAM_DOWN;
    ck_assert_int_eq(try_at("a", 0.3), ERR_UPSTREAM_DOWN);
}
END_TEST

START_TEST(sizes_of_keys)
{
    char longest[TTL_CACHE_KEY_MAX_SIZE + 2];

    memset(longest, 'k', sizeof longest);
    longest[TTL_CACHE_KEY_MAX_SIZE + 1] = '\0';
    ck_assert_int_eq(fetch_at(longest, 0), 1);
    ck_assert_int_eq(fetch_at(longest, 0), 1);
    ck_assert_int_eq(database.questions, 2);
    ttl_cache_forget(cache, str_from(longest));
    longest[TTL_CACHE_KEY_MAX_SIZE] = '\0';
    ck_assert_int_eq(fetch_at(longest, 0), 1);
    ck_assert_int_eq(fetch_at(longest, 0), 1);
    ck_assert_int_eq(database.questions, 3);
}
END_TEST

/* More keys than places: older ones go, none is mistaken for another. */
START_TEST(more_keys_than_places)
{
    enum { KEYS = 2000 };
    char key[16];

    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "key%d", i);
            atomic_store(&database.value, i);
            ck_assert_int_eq(fetch_at(key, 0.0001 * i), i);
            ck_assert_int_eq(fetch_at(key, 0.0001 * i), i);
        }
    }
    ck_assert_int_gt(database.questions, KEYS);
}
END_TEST

/* Two threads ask, the answer to the older question comes last: the younger one stays. */
START_TEST(late_answers)
{
    struct record old = {.value = 1}, young = {.value = 2}, found;

    ttl_cache_remember(cache, STR("a"), 5 * NS_PER_S, &young);
    ttl_cache_remember(cache, STR("a"), 3 * NS_PER_S, &old);
    ck_assert(ttl_cache_recall(cache, STR("a"), 5 * NS_PER_S, NS_PER_S, &found));
    ck_assert_int_eq(found.value, 2);
    ttl_cache_remember(cache, STR("a"), 6 * NS_PER_S, &old);
    ck_assert(ttl_cache_recall(cache, STR("a"), 6 * NS_PER_S, NS_PER_S, &found));
    ck_assert_int_eq(found.value, 1);
}
END_TEST

START_TEST(the_two_halves)
{
    char too_long[TTL_CACHE_KEY_MAX_SIZE + 1];
    struct record record = {.value = 7}, found = {0};

    memset(too_long, 'k', sizeof too_long);
    ck_assert(!ttl_cache_recall(cache, STR("a"), 100, INT64_MAX, &found));
    ttl_cache_remember(cache, STR("a"), 100, &record);
    ck_assert(ttl_cache_recall(cache, STR("a"), INT64_MAX, INT64_MAX, &found));
    ck_assert_int_eq(found.value, 7);
    ck_assert(!ttl_cache_recall(cache, STR("a"), 150, 50, &found));
    ttl_cache_remember(cache, (struct str){too_long, sizeof too_long}, 100, &record);
    ck_assert(
        !ttl_cache_recall(cache, (struct str){too_long, sizeof too_long}, 100, INT64_MAX, &found));
    ttl_cache_remember(cache, STR_NONE, 100, &record);
    ck_assert(!ttl_cache_recall(cache, STR_NONE, 100, INT64_MAX, &found));
}
END_TEST

static void *fetch_often(void *arg)
{
    int64_t seed = *(const int64_t *)arg;

    for (int64_t i = 0; i < 3000; i++) {
        struct record record;
        struct error why;
        char key[16];
        snprintf(key, sizeof key, "%d", (int)((i * 7 + seed) % 100));
        ck_assert_int_eq(ttl_cache_fetch(cache, str_from(key), (START_S + i / 100) * NS_PER_S,
                                         &source, &record, &why),
                         ERR_OK);
        ck_assert_int_eq(record.value, 1);
        if (i % 50 == 0)
            ttl_cache_forget(cache, str_from(key));
        if (i % 1000 == 0)
            ttl_cache_forget_all(cache);
    }
    return NULL;
}

START_TEST(all_threads_at_once)
{
    pthread_t threads[8];
    int64_t seeds[8];

    for (int i = 0; i < 8; i++) {
        seeds[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, fetch_often, &seeds[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/ttl_cache");
    TCase *tcase = tcase_create("ttl_cache");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_answer_is_used_for_a_second);
    tcase_add_test(tcase, keys_are_told_apart);
    tcase_add_test(tcase, an_old_answer_when_the_database_is_away);
    tcase_add_test(tcase, a_failed_database_is_left_alone_for_a_second);
    tcase_add_test(tcase, other_errors_are_passed_on);
    tcase_add_test(tcase, forgetting);
    tcase_add_test(tcase, sizes_of_keys);
    tcase_add_test(tcase, more_keys_than_places);
    tcase_add_test(tcase, late_answers);
    tcase_add_test(tcase, the_two_halves);
    tcase_add_test(tcase, all_threads_at_once);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
