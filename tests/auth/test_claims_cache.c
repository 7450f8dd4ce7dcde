#include "claims_cache.h"

#include "cachewarden/arena.h"
#include "suite.h"

enum { NOW = 1700000000 };

static const struct str signature = {"0123456789abcdef0123456789abcde\0", 32};
static struct claims_cache *cache;
static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(4096, 0);
    ck_assert_int_eq(claims_cache_new(&cache), ERR_OK);
}

static void tear_down(void)
{
    claims_cache_free(&cache);
    ck_assert_ptr_null(cache);
    arena_free(&arena);
}

static struct claims some_claims(struct str subject)
{
    return (struct claims){
        .token = {.use = TOKEN_REFRESH,
                  .user_id = 42,
                  .subject = subject,
                  .id = STR("the id"),
                  .family = STR("the family"),
                  .unrecorded = STR("control data"),
                  .issued_at_s = 5,
                  .expires_at_s = 6,
                  .is_own = true},
        .not_before_s = 4,
    };
}

START_TEST(what_was_remembered)
{
    struct claims in = some_claims(STR("alice")), out;

    ck_assert(!claims_recall(cache, arena, signature, NOW, &out));
    claims_remember(cache, signature, NOW, &in);
    ck_assert(claims_recall(cache, arena, signature, NOW + 1000000, &out));
    ck_assert_int_eq(out.token.use, TOKEN_REFRESH);
    ck_assert_int_eq(out.token.user_id, 42);
    ck_assert(str_eq(out.token.subject, STR("alice")));
    ck_assert(str_eq(out.token.id, STR("the id")));
    ck_assert(str_eq(out.token.family, STR("the family")));
    ck_assert(str_eq(out.token.unrecorded, STR("control data")));
    ck_assert_int_eq(out.token.issued_at_s, 5);
    ck_assert_int_eq(out.token.expires_at_s, 6);
    ck_assert(out.token.is_own);
    ck_assert_int_eq(out.not_before_s, 4);
}
END_TEST

START_TEST(every_byte_of_the_signature_counts)
{
    struct claims in = some_claims(STR("alice")), out;
    char other[32];

    claims_remember(cache, signature, NOW, &in);
    for (size_t i = 0; i < 32; i++) {
        memcpy(other, signature.ptr, 32);
        other[i] ^= 1;
        ck_assert(!claims_recall(cache, arena, (struct str){other, 32}, NOW, &out));
        ck_assert(!claims_recall(cache, arena, (struct str){signature.ptr, i}, NOW, &out));
    }
}
END_TEST

START_TEST(absent_texts_stay_absent)
{
    struct claims in = {.token = {.user_id = 1, .expires_at_s = 6}}, out;

    claims_remember(cache, signature, NOW, &in);
    ck_assert(claims_recall(cache, arena, signature, NOW, &out));
    ck_assert_uint_eq(out.token.subject.len + out.token.id.len + out.token.family.len +
                          out.token.unrecorded.len,
                      0);
}
END_TEST

START_TEST(long_texts_are_not_remembered)
{
    char text[300];
    struct claims out;

    memset(text, 'x', sizeof text);
    struct claims fits = some_claims((struct str){text, 256 - 28});
    struct claims too_long = some_claims((struct str){text, 256 - 27});
    claims_remember(cache, signature, NOW, &too_long);
    ck_assert(!claims_recall(cache, arena, signature, NOW, &out));
    claims_remember(cache, signature, NOW, &fits);
    ck_assert(claims_recall(cache, arena, signature, NOW, &out));
    ck_assert(str_eq(out.token.subject, fits.token.subject));
    ck_assert(str_eq(out.token.family, STR("the family")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/claims_cache");
    TCase *tcase = tcase_create("claims_cache");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_was_remembered);
    tcase_add_test(tcase, every_byte_of_the_signature_counts);
    tcase_add_test(tcase, absent_texts_stay_absent);
    tcase_add_test(tcase, long_texts_are_not_remembered);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
