#include "tokens/claims_cache.h"

#include "cachewarden/arena.h"
#include "suite.h"

enum { NOW = 1700000000, KEYS = 1 };

static const struct str token = {"aGVhZGVy.cGF5bG9hZA.0123456789abcdef0123456789", 46};
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
                  .incarnation = STR("an account"),
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

    ck_assert(!claims_recall(cache, arena, token, KEYS, NOW, &out));
    claims_remember(cache, token, KEYS, NOW, &in);
    ck_assert(claims_recall(cache, arena, token, KEYS, NOW + 1000000, &out));
    ck_assert_int_eq(out.token.use, TOKEN_REFRESH);
    ck_assert_int_eq(out.token.user_id, 42);
    ck_assert(str_eq(out.token.subject, STR("alice")));
    ck_assert(str_eq(out.token.id, STR("the id")));
    ck_assert(str_eq(out.token.family, STR("the family")));
    ck_assert(str_eq(out.token.incarnation, STR("an account")));
    ck_assert(str_eq(out.token.unrecorded, STR("control data")));
    ck_assert_int_eq(out.token.issued_at_s, 5);
    ck_assert_int_eq(out.token.expires_at_s, 6);
    ck_assert(out.token.is_own);
    ck_assert_int_eq(out.not_before_s, 4);
}
END_TEST

START_TEST(every_byte_counts)
{
    struct claims in = some_claims(STR("alice")), out;
    char other[64];

    claims_remember(cache, token, KEYS, NOW, &in);
    for (size_t i = 0; i < token.len; i++) {
        memcpy(other, token.ptr, token.len);
        other[i] ^= 1;
        ck_assert(!claims_recall(cache, arena, (struct str){other, token.len}, KEYS, NOW, &out));
        ck_assert(!claims_recall(cache, arena, (struct str){token.ptr, i}, KEYS, NOW, &out));
        ck_assert(!claims_recall(cache, arena, str_sub(token, i + 1, token.len), KEYS, NOW, &out));
    }
    memcpy(other, token.ptr, token.len);
    other[token.len] = '.';
    ck_assert(!claims_recall(cache, arena, (struct str){other, token.len + 1}, KEYS, NOW, &out));
}
END_TEST

/* Two tokens may well begin their signatures alike; the later one takes the place. */
START_TEST(the_key_alone_is_not_enough)
{
    struct claims alice = some_claims(STR("alice")), bob = some_claims(STR("bob")), out;
    const struct str first = STR("a.b.0123456789abcdefA"), second = STR("a.b.0123456789abcdefB");

    claims_remember(cache, first, KEYS, NOW, &alice);
    ck_assert(!claims_recall(cache, arena, second, KEYS, NOW, &out));
    claims_remember(cache, second, KEYS, NOW, &bob);
    ck_assert(!claims_recall(cache, arena, first, KEYS, NOW, &out));
    ck_assert(claims_recall(cache, arena, second, KEYS, NOW, &out));
    ck_assert(str_eq(out.token.subject, STR("bob")));
}
END_TEST

START_TEST(long_tokens_are_not_remembered)
{
    struct claims in = some_claims(STR("alice")), out;
    char text[641];

    memset(text, 'x', sizeof text);
    text[100] = '.';
    claims_remember(cache, (struct str){text, 641}, KEYS, NOW, &in);
    ck_assert(!claims_recall(cache, arena, (struct str){text, 641}, KEYS, NOW, &out));
    claims_remember(cache, (struct str){text, 640}, KEYS, NOW, &in);
    ck_assert(claims_recall(cache, arena, (struct str){text, 640}, KEYS, NOW, &out));
    ck_assert(!claims_recall(cache, arena, STR_NONE, KEYS, NOW, &out));
}
END_TEST

START_TEST(absent_texts_stay_absent)
{
    struct claims in = {.token = {.user_id = 1, .expires_at_s = 6}}, out;

    claims_remember(cache, token, KEYS, NOW, &in);
    ck_assert(claims_recall(cache, arena, token, KEYS, NOW, &out));
    ck_assert_uint_eq(out.token.subject.len + out.token.id.len + out.token.family.len +
                          out.token.incarnation.len + out.token.unrecorded.len,
                      0);
}
END_TEST

START_TEST(long_texts_are_not_remembered)
{
    char text[400];
    struct claims out;

    memset(text, 'x', sizeof text);
    struct claims fits = some_claims((struct str){text, 288 - 38});
    struct claims too_long = some_claims((struct str){text, 288 - 37});
    claims_remember(cache, token, KEYS, NOW, &too_long);
    ck_assert(!claims_recall(cache, arena, token, KEYS, NOW, &out));
    claims_remember(cache, token, KEYS, NOW, &fits);
    ck_assert(claims_recall(cache, arena, token, KEYS, NOW, &out));
    ck_assert(str_eq(out.token.subject, fits.token.subject));
    ck_assert(str_eq(out.token.family, STR("the family")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/claims_cache");
    TCase *tcase = tcase_create("claims_cache");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_was_remembered);
    tcase_add_test(tcase, every_byte_counts);
    tcase_add_test(tcase, the_key_alone_is_not_enough);
    tcase_add_test(tcase, long_tokens_are_not_remembered);
    tcase_add_test(tcase, absent_texts_stay_absent);
    tcase_add_test(tcase, long_texts_are_not_remembered);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
