/* The list of revocations in memory: what it covers, what it forgets, and many threads at it. */
#include "cachewarden/revocations.h"

#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static struct revocations *list;
static struct arena *arena;

static void setup(void)
{
    ck_assert_int_eq(revocations_new(&list), ERR_OK);
    arena = arena_new(4096, 0);
}

static void teardown(void)
{
    revocations_free(&list);
    ck_assert_ptr_null(list);
    arena_free(&arena);
}

static void add(enum revocation_kind kind, const char *name, int64_t expires_at_s, bool is_saved)
{
    struct revocation revocation = {
        .kind = kind, .name = str_from(name), .expires_at_s = expires_at_s};
    ck_assert_int_eq(revocations_add(list, &revocation, is_saved), ERR_OK);
}

enum { DAY_S = 86400 };

static void add_user_of(int64_t user_id, struct str whose, int64_t cut_s, int64_t days,
                        bool is_saved)
{
    const struct revocation revocation =
        revocation_of_user(user_id, whose, cut_s, cut_s + days * DAY_S);
    ck_assert_int_eq(revocations_add(list, &revocation, is_saved), ERR_OK);
}

static void add_user(int64_t user_id, int64_t cut_s, bool is_saved)
{
    add_user_of(user_id, STR_NONE, cut_s, 8, is_saved);
}

/* Of two accounts that had one id, one after the other, each has its own. */
static bool covers_account(const char *incarnation, int64_t user_id, int64_t issued_at_s)
{
    const struct revocation_subject subject = {.user_id = user_id,
                                               .issued_at_s = issued_at_s,
                                               .incarnation = str_from(incarnation),
                                               .issuer = STR("0123")};
    return revocations_cover(list, &subject);
}

static bool covers_stranger(const char *issuer, int64_t user_id, int64_t issued_at_s)
{
    const struct revocation_subject subject = {
        .user_id = user_id, .issued_at_s = issued_at_s, .issuer = str_from(issuer)};
    return revocations_cover(list, &subject);
}

static bool covers(const char *token_id, const char *family, int64_t user_id, int64_t issued_at_s)
{
    const struct revocation_subject subject = {.token_id = str_from(token_id),
                                               .family = str_from(family),
                                               .is_own = true,
                                               .user_id = user_id,
                                               .issued_at_s = issued_at_s};
    return revocations_cover(list, &subject);
}

static size_t unsaved_at(int64_t now_s, struct revocation **list_out, size_t max)
{
    size_t count;
    ck_assert_int_eq(revocations_unsaved(list, arena, now_s, max, list_out, &count), ERR_OK);
    return count;
}

static size_t unsaved(struct revocation **list_out, size_t max)
{
    return unsaved_at(0, list_out, max);
}

START_TEST(an_account_of_an_id)
{
    add_user_of(5, STR("0a1b"), 100, 1, true);
    ck_assert(covers_account("0a1b", 5, 100));
    ck_assert(!covers_account("0a1b", 5, 101));
    ck_assert(!covers_account("0a1c", 5, 100));
    ck_assert(!covers_stranger(NULL, 5, 100));
    ck_assert(!covers_account("0a1b", 6, 100));
    add_user(5, 50, true);
    ck_assert(covers_stranger(NULL, 5, 50) && !covers_account("0a1c", 5, 50));
}
END_TEST

START_TEST(a_number_is_its_issuers)
{
    add_user_of(5, STR("0123"), 100, 1, true);
    ck_assert(covers_stranger("0123", 5, 100));
    ck_assert(!covers_stranger("0124", 5, 100));
    ck_assert(!covers_stranger(NULL, 5, 100));
    ck_assert(!covers_account("0a1b", 5, 100)); /* an account here that the issuer speaks for */
}
END_TEST

START_TEST(each_kind_covers_its_own)
{
    ck_assert(!covers("a", "b", 1, 100));
    add(REVOKED_TOKEN, "a", 1000, true);
    ck_assert(covers("a", "b", 1, 100));
    ck_assert(covers("a", NULL, 0, 0));
    ck_assert(!covers("b", "a", 1, 100)); /* a family is not a token of that name */
    add(REVOKED_FAMILY, "b", 1000, true);
    ck_assert(covers("c", "b", 2, 100));
    ck_assert(!covers("b", "c", 2, 100));
    ck_assert(!covers(NULL, NULL, 0, 0));
    ck_assert_uint_eq(revocations_count(list), 2);
}
END_TEST

START_TEST(another_issuers_ids_are_an_accounts)
{
    struct revocation_subject subject = {.token_id = STR("a"), .user_id = 1};
    const struct revocation revocation = {
        .kind = REVOKED_FOREIGN, .name = STR("a"), .user_id = 1, .expires_at_s = 1000};
    ck_assert_int_eq(revocations_add(list, &revocation, true), ERR_OK);
    ck_assert(revocations_cover(list, &subject));
    subject.user_id = 2;
    ck_assert(!revocations_cover(list, &subject));
    subject.user_id = 1;
    subject.issuer = STR("0123");
    ck_assert(!revocations_cover(list, &subject));
    subject.issuer = STR_NONE;
    subject.is_own = true;
    ck_assert(!revocations_cover(list, &subject));
}
END_TEST

START_TEST(an_account_up_to_a_second)
{
    add_user(7, 500, true);
    ck_assert(covers("x", "y", 7, 499));
    ck_assert(covers("x", "y", 7, 500));
    ck_assert(covers("x", "y", 7, 0)); /* does not say when it was issued */
    ck_assert(!covers("x", "y", 7, 501));
    ck_assert(!covers("x", "y", 8, 499));
    add_user(7, 600, true);
    ck_assert(covers("x", "y", 7, 501));
    add_user(7, 550, true); /* news of yesterday */
    ck_assert(covers("x", "y", 7, 600) && !covers("x", "y", 7, 601));
    ck_assert_uint_eq(revocations_count(list), 1);
    add_user_of(7, STR_NONE, 700, 9, true); /* there are tokens that live longer */
    ck_assert(covers("x", "y", 7, 700) && !covers("x", "y", 7, 701));
    ck_assert_uint_eq(revocations_count(list), 2);
    revocations_expire(list, 600 + 8 * DAY_S);
    ck_assert_uint_eq(revocations_count(list), 1);
    ck_assert(covers("x", "y", 7, 700));
}
END_TEST

/* Whoever logs out everywhere every second for a day costs everybody else nothing. */
START_TEST(cut_off_over_and_over)
{
    struct revocation *found;
    for (int64_t cut_s = 1; cut_s <= DAY_S; cut_s++)
        add_user(7, cut_s, cut_s % 2 == 0);
    ck_assert_uint_eq(revocations_count(list), 1);
    ck_assert_uint_eq(unsaved(&found, 10), 0);
    ck_assert(covers("x", "y", 7, DAY_S) && !covers("x", "y", 7, DAY_S + 1));
    add_user(7, DAY_S + 1, false);
    ck_assert_uint_eq(unsaved(&found, 10), 1);
    ck_assert_int_eq(found[0].cut_s, DAY_S + 1);
}
END_TEST

START_TEST(names_of_every_length)
{
    char name[REVOCATION_NAME_MAX_SIZE + 1];
    for (size_t len = 1; len <= REVOCATION_NAME_MAX_SIZE; len++) {
        memset(name, 'a', len);
        name[len] = '\0';
        ck_assert(!covers(name, name, 0, 0));
        add(REVOKED_TOKEN, name, 1000, true);
        ck_assert(covers(name, NULL, 0, 0));
    }
}
END_TEST

START_TEST(what_is_over_is_forgotten)
{
    char name[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "token-%d", i);
        add(REVOKED_TOKEN, name, 1000 + i, i % 2 == 0);
    }
    revocations_expire(list, 3500);
    ck_assert_uint_eq(revocations_count(list), 2499);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "token-%d", i);
        ck_assert_int_eq(covers(name, NULL, 0, 0), 1000 + i > 3500);
    }
    struct revocation *found;
    ck_assert_uint_eq(unsaved(&found, 9999), 1250);
    revocations_expire(list, 99999);
    ck_assert_uint_eq(revocations_count(list), 0);
    ck_assert_uint_eq(unsaved(&found, 9999), 0);
    add(REVOKED_TOKEN, "token-1", 200000, true); /* the places are free again */
    ck_assert(covers("token-1", NULL, 0, 0));
}
END_TEST

START_TEST(a_later_expiry_holds)
{
    add(REVOKED_FAMILY, "f", 1000, true);
    add(REVOKED_FAMILY, "f", 2000, true);
    add(REVOKED_FAMILY, "f", 1500, true);
    revocations_expire(list, 1999);
    ck_assert(covers(NULL, "f", 0, 0));
    revocations_expire(list, 2000);
    ck_assert(!covers(NULL, "f", 0, 0));
}
END_TEST

START_TEST(what_redis_lacks)
{
    struct revocation *found;
    add(REVOKED_TOKEN, "a", 1000, true);
    ck_assert_uint_eq(unsaved(&found, 10), 0);
    add(REVOKED_TOKEN, "b", 1000, false);
    add_user_of(3, STR("0a1b"), 50, 8, false);
    ck_assert_uint_eq(revocations_saved_count(list), 1);
    ck_assert_uint_eq(unsaved(&found, 1), 1);
    ck_assert_uint_eq(unsaved(&found, 10), 2);
    ck_assert(found[0].kind == REVOKED_TOKEN && str_eq(found[0].name, STR("b")));
    ck_assert(found[1].kind == REVOKED_USER && found[1].user_id == 3 && found[1].cut_s == 50);
    ck_assert(str_eq(found[1].whose, STR("0a1b")));
    /* One gets later while it is written: it is to be written again. */
    add_user_of(3, STR("0a1b"), 60, 8, false);
    revocations_saved(list, found, 2);
    ck_assert_uint_eq(unsaved(&found, 10), 1);
    ck_assert_int_eq(found[0].cut_s, 60);
    revocations_saved(list, found, 1);
    ck_assert_uint_eq(unsaved(&found, 10), 0);
    ck_assert_uint_eq(revocations_saved_count(list), 3);
    /* Another lifetime: another member in Redis, and another one here. */
    add_user_of(3, STR("0a1b"), 60, 9, true);
    ck_assert_uint_eq(revocations_saved_count(list), 4);
    /* Older news that Redis holds say nothing about ours. */
    add_user_of(3, STR("0a1b"), 80, 8, false);
    add_user_of(3, STR("0a1b"), 70, 8, true);
    ck_assert_uint_eq(unsaved(&found, 10), 1);
    ck_assert_uint_eq(revocations_saved_count(list), 3);
    revocations_doubt(list);
    ck_assert_uint_eq(revocations_saved_count(list), 0);
    ck_assert_uint_eq(unsaved(&found, 10), 4);
    add(REVOKED_TOKEN, "a", 1000, true);
    ck_assert_uint_eq(unsaved(&found, 10), 3);
}
END_TEST

/* What has expired is not missed: another node, whose clock is ahead, may have removed it. */
START_TEST(what_has_expired_is_not_put_back)
{
    struct revocation *found;
    add(REVOKED_TOKEN, "a", 1000, false);
    add(REVOKED_TOKEN, "b", 2000, false);
    add(REVOKED_TOKEN, "c", 1000, false);
    ck_assert_uint_eq(unsaved_at(999, &found, 10), 3);
    ck_assert_uint_eq(unsaved_at(1000, &found, 10), 1);
    ck_assert(str_eq(found[0].name, STR("b")));
    ck_assert_uint_eq(unsaved_at(2000, &found, 10), 0);
}
END_TEST

/* ---- threads ---- */

enum { READERS = 3, TOKENS = 3000 };
static _Atomic int added; /* token-0 … token-(added-1) are on the list */
static _Atomic bool done;

/* What was on the list before the look is seen by it, whatever grows or is cleaned up meanwhile;
 * what never was is never seen. */
static void *read_on(void *arg)
{
    int *missed = arg;
    char name[32];
    for (unsigned i = 0; !atomic_load(&done); i++) {
        int known = atomic_load(&added);
        if (known == 0)
            continue;
        snprintf(name, sizeof name, "token-%d", (int)(i % (unsigned)known));
        *missed += !covers(name, NULL, 0, 0);
        snprintf(name, sizeof name, "other-%d", (int)(i % TOKENS));
        *missed += covers(name, name, 5, 10);
    }
    return NULL;
}

START_TEST(readers_miss_nothing)
{
    pthread_t threads[READERS];
    int missed[READERS] = {0};
    char name[32];
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, &missed[i]), 0);
    for (int i = 0; i < TOKENS; i++) {
        snprintf(name, sizeof name, "token-%d", i);
        add(REVOKED_TOKEN, name, 1000000, true);
        atomic_store(&added, i + 1);
        snprintf(name, sizeof name, "short-%d", i);
        add(REVOKED_TOKEN, name, i, true);
        if (i % 16 == 0)
            revocations_expire(list, i);
    }
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(missed[i], 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("revocations");
    TCase *tcase = tcase_create("revocations");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_account_of_an_id);
    tcase_add_test(tcase, a_number_is_its_issuers);
    tcase_add_test(tcase, each_kind_covers_its_own);
    tcase_add_test(tcase, another_issuers_ids_are_an_accounts);
    tcase_add_test(tcase, an_account_up_to_a_second);
    tcase_add_test(tcase, cut_off_over_and_over);
    tcase_add_test(tcase, names_of_every_length);
    tcase_add_test(tcase, what_is_over_is_forgotten);
    tcase_add_test(tcase, a_later_expiry_holds);
    tcase_add_test(tcase, what_redis_lacks);
    tcase_add_test(tcase, what_has_expired_is_not_put_back);
    tcase_add_test(tcase, readers_miss_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
