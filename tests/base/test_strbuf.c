#include "cachewarden/str.h"

#include "cachewarden/arena.h"
#include "noise.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

/* The same bytes, gathered in a plain array. */
struct expected {
    char bytes[65536];
    size_t len;
};

static void add_noise(struct noise *noise, struct strbuf *buf, struct expected *expected)
{
    char piece[300];
    size_t len = noise_below(noise, sizeof piece);
    int64_t number = (int32_t)noise_next(noise);

    switch (noise_below(noise, 4)) {
    case 0:
        noise_fill(noise, piece, len);
        strbuf_add(buf, (struct str){piece, len});
        break;
    case 1:
        piece[0] = (char)noise_next(noise);
        len = 1;
        strbuf_add_char(buf, piece[0]);
        break;
    case 2:
        strbuf_add_int64(buf, number);
        len = (size_t)snprintf(piece, sizeof piece, "%lld", (long long)number);
        break;
    default:
        for (size_t i = 0; i < len; i++)
            piece[i] = 'f';
        strbuf_addf(buf, "%.*s", (int)len, piece);
        break;
    }
    memcpy(expected->bytes + expected->len, piece, len);
    expected->len += len;
}

static void check_growth(struct arena *arena, uint64_t seed)
{
    static struct expected expected;
    struct noise noise = {seed};
    struct strbuf buf;

    expected.len = 0;
    strbuf_init(&buf, arena, noise_below(&noise, 100));
    while (expected.len < sizeof expected.bytes - 300) {
        add_noise(&noise, &buf, &expected);
        /* Somebody else takes memory, so that growing in place is not always possible. */
        if (arena && noise_below(&noise, 20) == 0)
            memset(arena_alloc(arena, 32), 0xee, 32);
    }
    ck_assert(!buf.failed);
    ck_assert_uint_eq(buf.len, expected.len);
    ck_assert_mem_eq(buf.ptr, expected.bytes, expected.len);
    strbuf_fini(&buf);
    ck_assert_ptr_null(buf.ptr);
    ck_assert_uint_eq(buf.len, 0);
}

START_TEST(grows_on_the_heap)
{
    for (uint64_t seed = 1; seed < 10; seed++)
        check_growth(NULL, seed);
}
END_TEST

START_TEST(grows_in_an_arena)
{
    struct arena *arena = arena_new(1024, 0);

    for (uint64_t seed = 1; seed < 10; seed++) {
        check_growth(arena, seed);
        arena_reset(arena);
    }
    arena_free(&arena);
}
END_TEST

START_TEST(empty_is_nothing)
{
    struct strbuf buf;

    strbuf_init(&buf, NULL, 0);
    ck_assert_ptr_null(strbuf_str(&buf).ptr);
    ck_assert_uint_eq(strbuf_str(&buf).len, 0);
    strbuf_add(&buf, STR_NONE);
    strbuf_add(&buf, STR(""));
    strbuf_addf(&buf, "%s", "");
    ck_assert_uint_eq(buf.len, 0);
    ck_assert(!buf.failed);
    strbuf_fini(&buf);
    strbuf_fini(&buf);
}
END_TEST

START_TEST(integers_at_the_edges)
{
    struct strbuf buf;

    strbuf_init(&buf, NULL, 0);
    strbuf_add_int64(&buf, INT64_MIN);
    strbuf_add_char(&buf, ' ');
    strbuf_add_int64(&buf, INT64_MAX);
    strbuf_add_char(&buf, ' ');
    strbuf_add_int64(&buf, 0);
    strbuf_add_char(&buf, ' ');
    strbuf_add_int64(&buf, -1);
    ck_assert(str_eq(strbuf_str(&buf), STR("-9223372036854775808 9223372036854775807 0 -1")));
    strbuf_fini(&buf);
}
END_TEST

START_TEST(room_is_there_and_counts_for_nothing)
{
    struct strbuf buf;
    strbuf_init(&buf, NULL, 0);
    strbuf_add(&buf, STR("ab"));
    char *room = strbuf_room(&buf, 1000);
    ck_assert_ptr_nonnull(room);
    ck_assert_ptr_eq(room, buf.ptr + 2);
    ck_assert_uint_ge(buf.cap, 1002);
    memset(room, 'c', 1000);
    ck_assert(str_eq(strbuf_str(&buf), STR("ab")));
    buf.len += 1;
    ck_assert(str_eq(strbuf_str(&buf), STR("abc")));
    ck_assert_ptr_null(strbuf_room(&buf, SIZE_MAX / 2));
    ck_assert(buf.failed);
    ck_assert_ptr_null(strbuf_room(&buf, 1));
    strbuf_fini(&buf);
}
END_TEST

START_TEST(format_is_exact_at_every_room)
{
    char text[200];

    /* Every combination of what is reserved and what is written, around the edge. */
    for (size_t room = 0; room < 80; room++) {
        for (size_t len = 0; len < 100; len++) {
            struct strbuf buf;
            memset(text, 'q', len);
            text[len] = '\0';
            strbuf_init(&buf, NULL, room);
            strbuf_addf(&buf, "%s", text);
            strbuf_addf(&buf, "-%s-", text);
            ck_assert_uint_eq(buf.len, 2 * len + 2);
            ck_assert_mem_eq(buf.ptr, text, len);
            ck_assert_int_eq(buf.ptr[len], '-');
            ck_assert_mem_eq(buf.ptr + len + 1, text, len);
            strbuf_fini(&buf);
        }
    }
}
END_TEST

START_TEST(a_failure_sticks_and_keeps_what_was_there)
{
    struct arena *arena = arena_new(256, 1024);
    struct strbuf buf;
    char large[2000] = {0};

    strbuf_init(&buf, arena, 0);
    strbuf_add(&buf, STR("kept"));
    strbuf_add(&buf, (struct str){large, sizeof large});
    ck_assert(buf.failed);
    /* There would be room for these. */
    strbuf_add(&buf, STR("a"));
    strbuf_add_char(&buf, 'b');
    strbuf_add_int64(&buf, 3);
    strbuf_addf(&buf, "%s", "d");
    ck_assert(buf.failed);
    ck_assert(str_eq(strbuf_str(&buf), STR("kept")));
    strbuf_fini(&buf);
    arena_free(&arena);
}
END_TEST

START_TEST(a_long_format_fails_like_the_rest)
{
    struct arena *arena = arena_new(256, 1024);
    struct strbuf buf;

    strbuf_init(&buf, arena, 0);
    strbuf_addf(&buf, "%2000d", 1);
    ck_assert(buf.failed);
    ck_assert_uint_eq(buf.len, 0);
    arena_free(&arena);
}
END_TEST

START_TEST(a_reserve_that_cannot_be_is_a_failure)
{
    struct arena *arena = arena_new(256, 1024);
    struct strbuf buf;

    strbuf_init(&buf, arena, 4096);
    ck_assert(buf.failed);
    strbuf_init(&buf, NULL, SIZE_MAX);
    ck_assert(buf.failed);
    strbuf_add(&buf, STR("x"));
    ck_assert_uint_eq(buf.len, 0);
    strbuf_fini(&buf);
    arena_free(&arena);
}
END_TEST

START_TEST(growth_in_an_arena_is_in_place_when_nothing_is_behind)
{
    struct arena *arena = arena_new(8192, 0);
    struct strbuf buf;

    strbuf_init(&buf, arena, 16);
    const char *first = buf.ptr;
    for (int i = 0; i < 4000; i++)
        strbuf_add_char(&buf, 'x');
    ck_assert_ptr_eq(buf.ptr, first);
    ck_assert_uint_le(arena_used(arena), 8192);
    arena_free(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/strbuf");
    TCase *tcase = tcase_create("strbuf");

    tcase_add_test(tcase, grows_on_the_heap);
    tcase_add_test(tcase, grows_in_an_arena);
    tcase_add_test(tcase, empty_is_nothing);
    tcase_add_test(tcase, integers_at_the_edges);
    tcase_add_test(tcase, room_is_there_and_counts_for_nothing);
    tcase_add_test(tcase, format_is_exact_at_every_room);
    tcase_add_test(tcase, a_failure_sticks_and_keeps_what_was_there);
    tcase_add_test(tcase, a_long_format_fails_like_the_rest);
    tcase_add_test(tcase, a_reserve_that_cannot_be_is_a_failure);
    tcase_add_test(tcase, growth_in_an_arena_is_in_place_when_nothing_is_behind);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
