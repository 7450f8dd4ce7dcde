/* Memory is bounded, what was not used for longest goes first, and what somebody holds stays. */
#include "gateway/memory.h"

#include "gateway/rules/fields_of.h"
#include "suite.h"

#include <pthread.h>
#include <stdlib.h>

enum { BYTES = 1024 * 1024, BODY = 64 * 1024 };

static struct memory *memory;

static void open_memory(void)
{
    ck_assert_int_eq(memory_new(BYTES, &memory, NULL), ERR_OK);
}

static void close_memory(void)
{
    memory_free(&memory);
}

static struct gateway_digest digest_of(int number)
{
    struct gateway_digest digest = {{0}};

    memcpy(digest.bytes + 4, &number, sizeof number);
    return digest;
}

static char bytes[BYTES];
static const int64_t counts[] = {0};

static struct stored_copy *make(int number, size_t size)
{
    const struct stored_response response = {
        .status = 200 + number % 100, .fields = fields_of("A: b"), .body = {bytes, size}};
    const struct stored_numbers numbers = {.version = number, .counts = counts};
    struct stored_copy *copy = stored_copy_new(&response, &numbers, true, size, NULL);

    ck_assert_ptr_nonnull(copy);
    return copy;
}

static void put(int number, size_t size)
{
    struct gateway_digest digest = digest_of(number);
    struct stored_copy *copy = make(number, size);

    memory_put(memory, &digest, copy);
    stored_copy_release(&copy);
}

START_TEST(terms_are_those_of_the_policy)
{
    const struct cache_policy policies[] = {{.ttl_s = 5}, {.ttl_s = 7}, {.ttl_s = 5}};
    struct stored_copy *copy = make(100, 1); /* 200, and states no freshness */

    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct cache_terms terms;
        stored_copy_terms(copy, &policies[i], &terms);
        ck_assert_int_eq(terms.lifetime_s, policies[i].ttl_s == 5 ? 5 : 7);
        ck_assert_int_eq(terms.source, FRESHNESS_ROUTE);
        ck_assert_int_eq(copy->terms.lifetime_s, 5); /* of the first who asked */
    }
    stored_copy_release(&copy);
}
END_TEST

static bool has(int number)
{
    struct gateway_digest digest = digest_of(number);
    struct stored_copy *copy = memory_find(memory, &digest);
    bool is_there = copy != NULL;

    if (copy)
        ck_assert_int_eq(copy->numbers.version, number);
    stored_copy_release(&copy);
    return is_there;
}

static struct memory_use use(void)
{
    struct memory_use use;

    memory_read_use(memory, &use);
    return use;
}

START_TEST(bounded)
{
    for (int i = 0; i < 100; i++) {
        put(i, BODY);
        ck_assert_uint_le(use().bytes, BYTES);
        ck_assert(has(i));
    }
    ck_assert_uint_ge(use().count, BYTES / BODY - 2);
    ck_assert_uint_eq(use().evicted, 100 - use().count);
    for (int i = 0; i < 2000; i++)
        put(i, 10);
    ck_assert_uint_le(use().bytes, BYTES);
}
END_TEST

START_TEST(the_least_recently_used_goes)
{
    int copy = 0;

    while (use().evicted == 0) {
        put(copy++, BODY);
        ck_assert(has(0));
    }
    ck_assert(!has(1));
    for (int i = 2; i < copy; i++)
        ck_assert(has(i));
    put(copy, BODY);
    ck_assert(!has(0));
    ck_assert(has(2));
}
END_TEST

START_TEST(what_is_held_stays)
{
    struct gateway_digest digest = digest_of(0);

    memset(bytes, 'a', sizeof bytes);
    put(0, BODY);
    struct stored_copy *held = memory_find(memory, &digest);
    for (int i = 1; i < 100; i++)
        put(i, BODY);
    ck_assert(!has(0));
    ck_assert_uint_eq(held->response.body.len, BODY);
    for (size_t i = 0; i < BODY; i++)
        ck_assert_int_eq(held->response.body.ptr[i], 'a');
    memory_free(&memory);
    ck_assert_int_eq(held->response.body.ptr[0], 'a');
    stored_copy_release(&held);
    open_memory();
}
END_TEST

START_TEST(one_in_the_place_of_another)
{
    struct gateway_digest digest = digest_of(5);
    struct stored_copy *older = make(1, 10), *newer = make(2, 20), *found;

    memory_put(memory, &digest, older);
    memory_put(memory, &digest, newer);
    memory_put(memory, &digest, newer);
    ck_assert_uint_eq(use().count, 1);
    memory_forget(memory, &digest, older);
    found = memory_find(memory, &digest);
    ck_assert_ptr_eq(found, newer);
    stored_copy_release(&found);
    memory_forget(memory, &digest, newer);
    ck_assert_ptr_null(memory_find(memory, &digest));
    ck_assert_uint_eq(use().bytes, 0);
    stored_copy_release(&older);
    stored_copy_release(&newer);
}
END_TEST

/* The body of the first outlives it, and the one between. */
START_TEST(a_body_that_is_shared)
{
    memset(bytes, 'b', sizeof bytes);
    struct stored_copy *first = make(1, 100);
    struct stored_response response = first->response;
    struct stored_copy *second = stored_copy_new(&response, &first->numbers, true, 100, first);
    struct stored_copy *third = stored_copy_new(&response, &second->numbers, true, 100, second);

    ck_assert_ptr_eq(third->response.body.ptr, first->response.body.ptr);
    ck_assert_ptr_eq(third->body_of, first);
    ck_assert_uint_gt(third->size, 100);
    stored_copy_release(&second);
    stored_copy_release(&first);
    memset(bytes, 'c', sizeof bytes);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(third->response.body.ptr[i], 'b');
    stored_copy_release(&third);
}
END_TEST

START_TEST(what_is_too_large)
{
    put(1, BYTES / 4);
    ck_assert(!has(1));
    ck_assert_uint_eq(use().count, 0);
    struct memory *none;
    struct gateway_digest digest = digest_of(1);
    struct stored_copy *copy = make(1, 0);
    ck_assert_int_eq(memory_new(0, &none, NULL), ERR_OK);
    memory_put(none, &digest, copy);
    ck_assert_ptr_null(memory_find(none, &digest));
    stored_copy_release(&copy);
    memory_free(&none);
}
END_TEST

static void *work(void *with)
{
    unsigned seed = (unsigned)(uintptr_t)with;

    for (int i = 0; i < 3000; i++) {
        seed = seed * 1103515245 + 12345;
        int number = (int)(seed >> 16) % 40;
        struct gateway_digest digest = digest_of(number);
        struct stored_copy *copy = memory_find(memory, &digest);
        if (!copy) {
            copy = make(number, BODY);
            memory_put(memory, &digest, copy);
        } else if (i % 7 == 0) {
            memory_forget(memory, &digest, copy);
        }
        ck_assert_int_eq(copy->numbers.version, number);
        ck_assert_uint_eq(copy->response.body.len, BODY);
        stored_copy_release(&copy);
    }
    return NULL;
}

START_TEST(many_threads)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_le(use().bytes, BYTES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/gateway/memory");
    TCase *tcase = tcase_create("one");

    tcase_add_checked_fixture(tcase, open_memory, close_memory);
    tcase_add_test(tcase, terms_are_those_of_the_policy);
    tcase_add_test(tcase, bounded);
    tcase_add_test(tcase, the_least_recently_used_goes);
    tcase_add_test(tcase, what_is_held_stays);
    tcase_add_test(tcase, one_in_the_place_of_another);
    tcase_add_test(tcase, a_body_that_is_shared);
    tcase_add_test(tcase, what_is_too_large);
    tcase_add_test(tcase, many_threads);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
