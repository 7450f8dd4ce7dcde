#include "issuers/issuer_cache.h"

#include "suite.h"

#include "cachewarden/arena.h"

#include <string.h>

#define ISSUER "0123456789abcdef0123456789abcdef"

static struct issuer_cache *cache;
static struct arena *arena;
static struct issuer_claims claims;

static void set_up(void)
{
    ck_assert_int_eq(issuer_cache_new(&cache), ERR_OK);
    arena = arena_new(4096, 0);
}

static void tear_down(void)
{
    issuer_cache_free(&cache);
    ck_assert_ptr_null(cache);
    arena_free(&arena);
}

static const unsigned char *digest_of(int number)
{
    static unsigned char digest[DIGEST_SHA256_SIZE];

    memset(digest, 0, sizeof digest);
    memcpy(digest, &number, sizeof number);
    return digest;
}

static struct issuer_claims make(char *subject, char *id)
{
    return (struct issuer_claims){
        .is_foreign = true,
        .accounts = ISSUER_ACCOUNTS_LOCAL,
        .user = str_from(subject),
        .claims = {.not_before_s = 5,
                   .token = {.user_id = 42,
                             .subject = str_from(subject),
                             .id = str_from(id),
                             .issuer = STR(ISSUER),
                             .issued_at_s = 6,
                             .expires_at_s = 7,
                             .rights = {.has_superuser = true,
                                        .is_superuser = true,
                                        .has_groups = true,
                                        .is_admin_member = true}}},
    };
}

START_TEST(found_again)
{
    char subject[] = "alice", id[] = "jti";
    struct issuer_claims kept = make(subject, id);

    issuer_cache_remember(cache, digest_of(1), 1, 100, &kept);
    memset(subject, 'x', 5);
    memset(id, 'x', 3);
    ck_assert(issuer_cache_recall(cache, arena, digest_of(1), 1, 101, &claims));
    ck_assert(str_eq(claims.claims.token.subject, STR("alice")));
    ck_assert(str_eq(claims.claims.token.issuer, STR(ISSUER)));
    ck_assert(str_eq(claims.claims.token.id, STR("jti")));
    ck_assert_int_eq(claims.claims.token.user_id, 42);
    ck_assert_int_eq(claims.claims.token.issued_at_s, 6);
    ck_assert_int_eq(claims.claims.token.expires_at_s, 7);
    ck_assert_int_eq(claims.claims.not_before_s, 5);
    const struct claimed_rights *rights = &claims.claims.token.rights;
    ck_assert(rights->has_superuser && rights->is_superuser && rights->has_groups &&
              rights->is_admin_member);
    ck_assert(claims.is_foreign && claims.accounts == ISSUER_ACCOUNTS_LOCAL);
    ck_assert_uint_eq(claims.user.len, 0);
}
END_TEST

START_TEST(another_token_or_generation)
{
    char subject[] = "", id[] = "";
    struct issuer_claims kept = make(subject, id);

    issuer_cache_remember(cache, digest_of(1), 1, 100, &kept);
    ck_assert(!issuer_cache_recall(cache, arena, digest_of(2), 1, 100, &claims));
    ck_assert(!issuer_cache_recall(cache, arena, digest_of(1), 2, 100, &claims));
    ck_assert(!issuer_cache_recall(cache, arena, digest_of(1), 0, 100, &claims));
    ck_assert(issuer_cache_recall(cache, arena, digest_of(1), 1, 100, &claims));
    issuer_cache_remember(cache, digest_of(1), 2, 101, &kept);
    ck_assert(issuer_cache_recall(cache, arena, digest_of(1), 2, 101, &claims));
    ck_assert(!issuer_cache_recall(cache, arena, digest_of(1), 1, 101, &claims));
}
END_TEST

START_TEST(long_texts)
{
    static char longest[256], too_long[301], rest[66];
    memset(longest, 'a', 255);
    memset(too_long, 'a', 256);
    memset(rest, 'b', 65);
    struct issuer_claims kept = make(longest, rest);

    issuer_cache_remember(cache, digest_of(1), 1, 100, &kept); /* 320 bytes, and the issuer */
    ck_assert(issuer_cache_recall(cache, arena, digest_of(1), 1, 100, &claims));
    ck_assert(str_eq(claims.claims.token.subject, str_from(longest)));
    ck_assert(str_eq(claims.claims.token.id, str_from(rest)));
    kept = make(too_long, rest);
    issuer_cache_remember(cache, digest_of(2), 1, 100, &kept);
    ck_assert(!issuer_cache_recall(cache, arena, digest_of(2), 1, 100, &claims));
}
END_TEST

/* However many there are: those seen last are found, and memory has a bound. */
START_TEST(many)
{
    char subject[] = "s", id[] = "j";
    struct issuer_claims kept = make(subject, id);
    int found = 0;

    for (int i = 0; i < 50000; i++) {
        kept.claims.token.user_id = i + 1;
        issuer_cache_remember(cache, digest_of(i), 1, 100 + i, &kept);
        ck_assert(issuer_cache_recall(cache, arena, digest_of(i), 1, 100 + i, &claims));
        ck_assert_int_eq(claims.claims.token.user_id, i + 1);
        arena_reset(arena);
    }
    for (int i = 0; i < 50000; i++)
        found += issuer_cache_recall(cache, arena, digest_of(i), 1, 100000, &claims);
    ck_assert_int_le(found, 4096);
    ck_assert_int_ge(found, 2048);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/issuers/issuer_cache");
    TCase *tcase = tcase_create("issuer_cache");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, found_again);
    tcase_add_test(tcase, another_token_or_generation);
    tcase_add_test(tcase, long_texts);
    tcase_add_test(tcase, many);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
