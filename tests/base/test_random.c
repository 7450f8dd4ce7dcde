#include "cachewarden/random.h"

#include "cachewarden/arena.h"
#include "suite.h"

#include <signal.h>
#include <sys/time.h>

START_TEST(fills_exactly_what_it_is_given)
{
    /* getrandom gives at most 256 bytes without being interruptible, so longer ones too. */
    static const size_t sizes[] = {0, 1, 16, 255, 256, 257, 5000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char memory[5000 + 2];
        memset(memory, 'x', sizeof memory);
        random_bytes(memory + 1, sizes[i]);
        ck_assert_int_eq(memory[0], 'x');
        ck_assert_int_eq(memory[sizes[i] + 1], 'x');
    }
}
END_TEST

START_TEST(every_byte_value_turns_up_everywhere)
{
    static unsigned char memory[64 * 1024];
    size_t seen[256] = {0};

    random_bytes(memory, sizeof memory);
    for (size_t i = 0; i < sizeof memory; i++)
        seen[memory[i]]++;
    /* 256 of each are expected; fewer than 100 or more than 500 is no chance but a fault. */
    for (size_t i = 0; i < 256; i++) {
        ck_assert_uint_gt(seen[i], 100);
        ck_assert_uint_lt(seen[i], 500);
    }
}
END_TEST

static void on_alarm(int number)
{
    (void)number;
}

/* A signal ends getrandom(2) early once it has given a page: the rest has to be asked for again. */
START_TEST(signals_leave_no_gap)
{
    enum { SIZE = 40 * 1024 * 1024, END = 64 };
    static const unsigned char zeros[END];
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{.tv_usec = 1000}, {.tv_usec = 1000}}, never = {.it_value = {0}};
    unsigned char *memory = calloc(1, SIZE);

    ck_assert_ptr_nonnull(memory);
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    random_bytes(memory, SIZE);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
    for (size_t at = 0; at < SIZE; at += END) {
        if (memcmp(memory + at, zeros, END) == 0)
            ck_abort_msg("zeros at %zu", at);
    }
    free(memory);
}
END_TEST

START_TEST(hex_is_lower_case_and_new_every_time)
{
    struct arena *arena = arena_new(1024, 0);
    struct str a = random_hex(arena, 16), b = random_hex(arena, 16);

    ck_assert_uint_eq(a.len, 32);
    ck_assert_uint_eq(strlen(a.ptr), 32);
    ck_assert_uint_eq(strspn(a.ptr, "0123456789abcdef"), 32);
    ck_assert_uint_eq(b.len, 32);
    ck_assert(!str_eq(a, b));
    ck_assert_uint_eq(random_hex(arena, 0).len, 0);
    arena_free(&arena);
}
END_TEST

START_TEST(hex_without_memory)
{
    struct arena *arena = arena_new(256, 256);

    ck_assert_ptr_null(random_hex(arena, 1000).ptr);
    ck_assert_ptr_null(random_hex(arena, 100).ptr); /* room for the bytes, not for their text */
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/random");
    TCase *tcase = tcase_create("random");

    tcase_add_test(tcase, fills_exactly_what_it_is_given);
    tcase_add_test(tcase, every_byte_value_turns_up_everywhere);
    tcase_add_test(tcase, signals_leave_no_gap);
    tcase_add_test(tcase, hex_is_lower_case_and_new_every_time);
    tcase_add_test(tcase, hex_without_memory);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
