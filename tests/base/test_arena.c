#include "cachewarden/arena.h"

#include "noise.h"
#include "suite.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#endif

START_TEST(allocations_are_aligned_apart_and_hold_what_is_written)
{
    struct arena *arena = arena_new(512, 0);
    struct noise noise = {1};
    struct piece {
        unsigned char *memory;
        size_t size;
    } pieces[500];
    enum { PIECES = sizeof pieces / sizeof *pieces };

    ck_assert_ptr_nonnull(arena);
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i].size = noise_below(&noise, i % 50 == 0 ? 5000 : 100);
        pieces[i].memory = arena_alloc(arena, pieces[i].size);
        ck_assert_ptr_nonnull(pieces[i].memory);
        ck_assert_uint_eq((uintptr_t)pieces[i].memory % 16, 0);
        memset(pieces[i].memory, (int)(i & 0xff), pieces[i].size);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < pieces[i].size; j++)
            ck_assert_uint_eq(pieces[i].memory[j], i & 0xff);
    }
    arena_free(&arena);
    ck_assert_ptr_null(arena);
}
END_TEST

START_TEST(size_zero_gives_different_valid_pointers)
{
    struct arena *arena = arena_new(0, 0);
    char *a = arena_alloc(arena, 0);
    char *b = arena_alloc(arena, 0);

    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_ne(a, b);
    arena_free(&arena);
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
    struct arena *arena = NULL;

    arena_free(&arena);
    ck_assert_ptr_null(arena);
}
END_TEST

START_TEST(reset_starts_over_in_the_first_block)
{
    struct arena *arena = arena_new(1024, 0);
    void *first = arena_alloc(arena, 100);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            ck_assert_ptr_nonnull(arena_alloc(arena, 1000));
        ck_assert_uint_gt(arena_used(arena), 100 * 1000);
        arena_reset(arena);
        ck_assert_uint_eq(arena_used(arena), 0);
        ck_assert_ptr_eq(arena_alloc(arena, 100), first);
    }
    arena_free(&arena);
}
END_TEST

START_TEST(used_counts_what_was_handed_out)
{
    struct arena *arena = arena_new(1024, 0);

    ck_assert_uint_eq(arena_used(arena), 0);
    char *text = arena_alloc(arena, 100);
    size_t used = arena_used(arena);
    ck_assert_uint_ge(used, 100);
    ck_assert_uint_lt(used, 200);
    ck_assert_ptr_eq(arena_grow(arena, text, 100, 300), text);
    ck_assert_uint_eq(arena_used(arena), used + 192); /* 112 and 304, in steps of 16 */
    arena_free(&arena);
}
END_TEST

START_TEST(the_limit_holds_and_leaves_the_arena_usable)
{
    enum { LIMIT = 64 * 1024 };
    struct arena *arena = arena_new(1024, LIMIT);

    ck_assert_ptr_null(arena_alloc(arena, LIMIT));
    ck_assert_ptr_null(arena_calloc(arena, 2, LIMIT));

    size_t handed_out = 0;
    while (arena_alloc(arena, 1000))
        handed_out += 1000;
    ck_assert_uint_le(handed_out, LIMIT);
    ck_assert_uint_ge(handed_out, LIMIT * 3 / 4);
    ck_assert_uint_le(arena_used(arena), LIMIT);

    /* The request is over; the next one has the whole limit again. */
    arena_reset(arena);
    ck_assert_ptr_nonnull(arena_alloc(arena, LIMIT / 2));
    arena_free(&arena);
}
END_TEST

START_TEST(a_limit_below_the_first_block_holds_too)
{
    struct arena *arena = arena_new(100000, 512);

    ck_assert_ptr_nonnull(arena_alloc(arena, 400));
    ck_assert_ptr_null(arena_alloc(arena, 400));
    arena_free(&arena);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
    struct arena *arena = arena_new(1024, 0);
    char *text = arena_alloc(arena, 10);

    ck_assert_ptr_null(arena_new(SIZE_MAX, 0));
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX - 15));
    ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX / 2 + 1));
    ck_assert_ptr_null(arena_calloc(arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(arena_calloc(arena, SIZE_MAX, SIZE_MAX));
    ck_assert_ptr_null(arena_grow(arena, text, 10, SIZE_MAX));
    ck_assert_ptr_nonnull(arena_alloc(arena, 10));
    arena_free(&arena);
}
END_TEST

START_TEST(calloc_zeroes_used_memory)
{
    struct arena *arena = arena_new(4096, 0);

    memset(arena_alloc(arena, 1000), 0xff, 1000);
    arena_reset(arena);
    unsigned char *zeros = arena_calloc(arena, 10, 100);
    for (size_t i = 0; i < 1000; i++)
        ck_assert_uint_eq(zeros[i], 0);
    ck_assert_ptr_nonnull(arena_calloc(arena, 0, 100));
    arena_free(&arena);
}
END_TEST

START_TEST(the_newest_allocation_grows_in_place)
{
    struct arena *arena = arena_new(1024, 0);
    char *text = arena_alloc(arena, 3);

    memcpy(text, "abc", 3);
    ck_assert_ptr_eq(arena_grow(arena, text, 3, 500), text);
    ck_assert_int_eq(memcmp(text, "abc", 3), 0);
    memset(text, 'x', 500);
    ck_assert_ptr_eq(arena_grow(arena, text, 500, 500), text);
    ck_assert_ptr_eq(arena_grow(arena, text, 500, 10), text);

    /* What comes next does not lie inside. */
    char *next = arena_alloc(arena, 16);
    ck_assert(next >= text + 500);
    arena_free(&arena);
}
END_TEST

START_TEST(an_older_allocation_is_copied)
{
    struct arena *arena = arena_new(1024, 0);
    char *old = arena_alloc(arena, 16);
    char *newer = arena_alloc(arena, 16);

    memcpy(old, "0123456789abcdef", 16);
    memcpy(newer, "ABCDEFGHIJKLMNOP", 16);
    char *grown = arena_grow(arena, old, 16, 64);
    ck_assert_ptr_ne(grown, old);
    ck_assert_int_eq(memcmp(grown, "0123456789abcdef", 16), 0);
    ck_assert_int_eq(memcmp(newer, "ABCDEFGHIJKLMNOP", 16), 0);
    arena_free(&arena);
}
END_TEST

START_TEST(growing_past_the_block_copies_and_past_the_limit_fails)
{
    struct arena *arena = arena_new(256, 2048);
    char *text = arena_alloc(arena, 100);

    memset(text, 'k', 100);
    char *grown = arena_grow(arena, text, 100, 1000);
    ck_assert_ptr_nonnull(grown);
    ck_assert_ptr_ne(grown, text);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(grown[i], 'k');
    memset(grown, 'm', 1000);
    ck_assert_ptr_null(arena_grow(arena, grown, 1000, 4000));
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(grown[i], 'm');
    ck_assert_ptr_nonnull(arena_grow(arena, NULL, 0, 16));
    arena_free(&arena);
}
END_TEST

START_TEST(growing_right_after_a_reset_takes_no_memory_twice)
{
    struct arena *arena = arena_new(1024, 0);

    arena_alloc(arena, 32);
    arena_reset(arena);
    char *a = arena_grow(arena, NULL, 0, 32);
    char *b = arena_alloc(arena, 32);
    ck_assert(b >= a + 32 || a >= b + 32);
    arena_free(&arena);
}
END_TEST

struct trace {
    char letters[16];
    size_t count;
};

static struct trace trace;

static void note(void *arg)
{
    trace.letters[trace.count++] = *(const char *)arg;
}

START_TEST(deferred_calls_run_newest_first_and_once)
{
    struct arena *arena = arena_new(1024, 0);
    char a = 'a', b = 'b', c = 'c';

    trace = (struct trace){.count = 0};
    ck_assert_int_eq(arena_defer(arena, note, &a), ERR_OK);
    ck_assert_int_eq(arena_defer(arena, note, &b), ERR_OK);
    ck_assert_uint_eq(trace.count, 0);
    arena_reset(arena);
    ck_assert_str_eq(trace.letters, "ba");
    arena_reset(arena);
    ck_assert_str_eq(trace.letters, "ba");
    ck_assert_int_eq(arena_defer(arena, note, &c), ERR_OK);
    arena_free(&arena);
    ck_assert_str_eq(trace.letters, "bac");
}
END_TEST

START_TEST(a_deferred_call_that_finds_no_memory_runs_at_once)
{
    struct arena *arena = arena_new(256, 256);
    char a = 'a';

    while (arena_alloc(arena, 1))
        ;
    trace = (struct trace){.count = 0};
    ck_assert_int_eq(arena_defer(arena, note, &a), ERR_NO_MEMORY);
    ck_assert_str_eq(trace.letters, "a");
    arena_free(&arena);
    ck_assert_str_eq(trace.letters, "a");
}
END_TEST

struct again {
    struct arena *arena;
    char *message; /* lies in the arena */
    int left;
};

static void use_the_arena(void *arg)
{
    struct again *again = arg;

    ck_assert_str_eq(again->message, "still here");
    ck_assert_ptr_nonnull(arena_alloc(again->arena, 3000));
    trace.letters[trace.count++] = (char)('0' + again->left);
    if (again->left-- > 0)
        ck_assert_int_eq(arena_defer(again->arena, use_the_arena, again), ERR_OK);
}

START_TEST(a_deferred_call_may_use_the_arena)
{
    struct arena *arena = arena_new(256, 0);
    struct again *again = arena_alloc(arena, sizeof *again);

    trace = (struct trace){.count = 0};
    *again = (struct again){arena, arena_alloc(arena, 11), 3};
    memcpy(again->message, "still here", 11);
    ck_assert_int_eq(arena_defer(arena, use_the_arena, again), ERR_OK);
    arena_reset(arena);
    ck_assert_str_eq(trace.letters, "3210"); /* what it defers itself is part of the same reset */
    ck_assert_uint_eq(arena_used(arena), 0);
    arena_free(&arena);
}
END_TEST

START_TEST(what_is_not_handed_out_is_poisoned)
{
    struct arena *arena = arena_new(1024, 0);
    char *a = arena_alloc(arena, 20);
    char *b = arena_alloc(arena, 32);
    char *grown = arena_grow(arena, b, 32, 100);

    ck_assert_ptr_eq(grown, b);
#ifdef WITH_ASAN
    ck_assert(!__asan_address_is_poisoned(a + 19));
    ck_assert(__asan_address_is_poisoned(a + 20));
    ck_assert(!__asan_address_is_poisoned(b + 99));
    ck_assert(__asan_address_is_poisoned(b + 100));
    arena_reset(arena);
    ck_assert(__asan_address_is_poisoned(a));
    ck_assert(__asan_address_is_poisoned(b));
#else
    /* Without AddressSanitizer nothing lies between: memory is not spent on gaps. */
    ck_assert_ptr_eq(a + 32, b);
#endif
    arena_free(&arena);
}
END_TEST

START_TEST(secrets_are_overwritten)
{
    enum { MANY = 1000 };
    struct arena *arena = arena_new(1024, 0);
    char *first = arena_alloc(arena, 64);
    memset(first, 's', 64);
    for (int i = 0; i < MANY; i++) /* more blocks, which are given back */
        memset(arena_alloc(arena, 64), 's', 64);
    arena_wipe_at_reset(arena);
    arena_reset(arena);
    char *again = arena_alloc(arena, 64);
    ck_assert_ptr_eq(again, first);
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(again[i], 0);
    /* For once. */
    memset(again, 's', 64);
    arena_reset(arena);
    again = arena_alloc(arena, 64);
    ck_assert_int_eq(again[63], 's');
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/arena");
    TCase *tcase = tcase_create("arena");

    tcase_add_test(tcase, allocations_are_aligned_apart_and_hold_what_is_written);
    tcase_add_test(tcase, secrets_are_overwritten);
    tcase_add_test(tcase, size_zero_gives_different_valid_pointers);
    tcase_add_test(tcase, freeing_nothing_is_fine);
    tcase_add_test(tcase, reset_starts_over_in_the_first_block);
    tcase_add_test(tcase, used_counts_what_was_handed_out);
    tcase_add_test(tcase, the_limit_holds_and_leaves_the_arena_usable);
    tcase_add_test(tcase, a_limit_below_the_first_block_holds_too);
    tcase_add_test(tcase, sizes_that_overflow_are_refused);
    tcase_add_test(tcase, calloc_zeroes_used_memory);
    tcase_add_test(tcase, the_newest_allocation_grows_in_place);
    tcase_add_test(tcase, an_older_allocation_is_copied);
    tcase_add_test(tcase, growing_past_the_block_copies_and_past_the_limit_fails);
    tcase_add_test(tcase, growing_right_after_a_reset_takes_no_memory_twice);
    tcase_add_test(tcase, deferred_calls_run_newest_first_and_once);
    tcase_add_test(tcase, a_deferred_call_that_finds_no_memory_runs_at_once);
    tcase_add_test(tcase, a_deferred_call_may_use_the_arena);
    tcase_add_test(tcase, what_is_not_handed_out_is_poisoned);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
