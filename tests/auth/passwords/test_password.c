#include "cachewarden/password.h"

#include "cachewarden/clock.h"
#include "patience.h"
#include "suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

static struct arena *arena;
static bool is_old;

static void set_up(void)
{
    arena = arena_new(4096, 0);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static int64_t soon(void)
{
    return clock_deadline_ns(PATIENCE_MS);
}

static struct str hash(struct str password)
{
    struct str encoded;

    ck_assert_int_eq(password_hash(arena, password, soon(), &encoded), ERR_OK);
    return encoded;
}

START_TEST(a_hash_knows_its_password)
{
    struct str encoded = hash(STR("correct horse"));

    ck_assert(str_starts(encoded, STR("$argon2id$v=19$m=19456,t=2,p=1$")));
    ck_assert_uint_eq(strlen(encoded.ptr), encoded.len);
    ck_assert_int_eq(password_verify(encoded, STR("correct horse"), soon(), &is_old), ERR_OK);
    ck_assert(!is_old);
    ck_assert_int_eq(password_verify(encoded, STR("correct horsf"), soon(), &is_old),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(password_verify(encoded, STR("Correct horse"), soon(), &is_old),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(password_verify(encoded, STR("correct hors"), soon(), &is_old),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(password_verify(encoded, STR("correct horse\0"), soon(), &is_old),
                     ERR_UNAUTHENTICATED);
    ck_assert_int_eq(password_verify(encoded, STR_NONE, soon(), &is_old), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(salted)
{
    ck_assert(!str_eq(hash(STR("correct horse")), hash(STR("correct horse"))));
}
END_TEST

/* bcrypt's fault: nothing is cut at 72 bytes, or at a NUL. */
START_TEST(every_byte_counts)
{
    char text[PASSWORD_MAX_SIZE];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    struct str whole = {text, sizeof text};
    struct str encoded = hash(whole);
    ck_assert_int_eq(password_verify(encoded, whole, soon(), &is_old), ERR_OK);
    text[sizeof text - 1] ^= 1;
    ck_assert_int_eq(password_verify(encoded, whole, soon(), &is_old), ERR_UNAUTHENTICATED);

    /* Nobody has a longer one, so a longer one is never right. */
    char longer[PASSWORD_MAX_SIZE + 1];
    memset(longer, 'x', sizeof longer);
    encoded = hash((struct str){longer, sizeof longer});
    ck_assert_int_eq(password_verify(encoded, (struct str){longer, sizeof longer}, soon(), &is_old),
                     ERR_UNAUTHENTICATED);

    encoded = hash(STR("a\0b"));
    ck_assert_int_eq(password_verify(encoded, STR("a\0b"), soon(), &is_old), ERR_OK);
    ck_assert_int_eq(password_verify(encoded, STR("a\0c"), soon(), &is_old), ERR_UNAUTHENTICATED);
}
END_TEST

/* From the tests of the reference implementation: more memory than ours. */
START_TEST(old_parameters_are_told)
{
    struct str old = STR("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
                         "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");

    ck_assert_int_eq(password_verify(old, STR("password"), soon(), &is_old), ERR_OK);
    ck_assert(is_old);
    ck_assert_int_eq(password_verify(old, STR("passwort"), soon(), &is_old), ERR_UNAUTHENTICATED);
    ck_assert(!is_old);
}
END_TEST

START_TEST(hashes_that_are_none)
{
    static const char *const bad[] = {
        "x",
        "$",
        "$argon2id$v=19$",
        "$argon2id$v=19$m=19456,t=2,p=1",
        "$argon2id$v=19$m=19456,t=2,p=1$",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$",
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$!!!!",
        "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
        "wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
        "$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$"
        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        /* Would take 4 TiB, or for ever. */
        "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$"
        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=65536,t=4294967295,p=1$c29tZXNhbHQ$"
        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=065536,t=2,p=1$c29tZXNhbHQ$"
        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        /* Longer than any of ours. */
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$"
        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPcCTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPcCTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$2b$12$abcdefghijklmnopqrstuv",
        "plain text",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(password_verify(str_from(bad[i]), STR("password"), soon(), &is_old) ==
                          ERR_INTERNAL,
                      "%s", bad[i]);
}
END_TEST

static int64_t cpu_ns(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* Smallest of a few: other programs only ever add. */
static int64_t cost_ns(struct str encoded, struct str password)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 3; i++) {
        int64_t before = cpu_ns();
        ck_assert_int_eq(password_verify(encoded, password, soon(), &is_old), ERR_UNAUTHENTICATED);
        int64_t spent = cpu_ns() - before;
        least = spent < least ? spent : least;
    }
    return least;
}

/* Nobody's name costs what a wrong password costs. A generous bound: what must not be is "nothing". */
START_TEST(a_missing_hash_takes_as_long)
{
    static char mebibyte[1 << 20];
    struct str encoded = hash(STR("correct horse"));

    memset(mebibyte, 'x', sizeof mebibyte);
    int64_t wrong = cost_ns(encoded, STR("wrong horse"));
    int64_t nobody = cost_ns(STR_NONE, STR("wrong horse"));
    int64_t too_long = cost_ns(encoded, (struct str){mebibyte, sizeof mebibyte});
    ck_assert_int_gt(nobody, wrong / 2);
    ck_assert_int_lt(nobody, wrong * 2);
    ck_assert_int_gt(too_long, wrong / 2);
    ck_assert_int_lt(too_long, wrong * 2);
}
END_TEST

static atomic_int hashed, refused;

static void *hash_once(void *arg)
{
    struct arena *own = arena_new(1024, 0);
    struct str encoded;

    switch (password_hash(own, STR("correct horse"), *(const int64_t *)arg, &encoded)) {
    case ERR_OK:
        atomic_fetch_add(&hashed, 1);
        break;
    case ERR_BUSY:
        ck_assert_uint_eq(encoded.len, 0);
        atomic_fetch_add(&refused, 1);
        break;
    default:
        ck_abort_msg("neither hashed nor refused");
    }
    arena_free(&own);
    return NULL;
}

/* Of so few workers seven may be in there; more than twice as many come. */
enum { FEW_WORKERS = 8, ROOM = 7, FLOOD = 16 };

static void flood(int64_t deadline_ns)
{
    pthread_t threads[FLOOD];

    atomic_store(&hashed, 0);
    atomic_store(&refused, 0);
    for (size_t i = 0; i < FLOOD; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hash_once, &deadline_ns), 0);
    for (size_t i = 0; i < FLOOD; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_int_eq(hashed + refused, FLOOD);
}

/* Those who come at once are served, some wait, the rest hear so. Afterwards every place is free again. */
START_TEST(a_flood_is_held_off)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t deadline_ns = soon();

    password_set_workers(FEW_WORKERS);
    /* Once more if this machine was too busy to start threads as fast as others hashed. */
    do {
        ck_assert_int_lt(clock_mono_ns(), deadline_ns);
        flood(clock_deadline_ns(PATIENCE_MS));
        ck_assert_int_ge(hashed, cores < ROOM ? (int)cores : ROOM);
    } while (refused == 0);
    for (long i = 0; i < 2 * cores; i++)
        hash(STR("correct horse"));
}
END_TEST

/* With one worker nobody may wait, but one may hash; with many, everybody is served in turn. */
START_TEST(as_many_as_the_workers_allow)
{
    int64_t deadline_ns = soon();

    password_set_workers(1);
    do {
        ck_assert_int_lt(clock_mono_ns(), deadline_ns);
        flood(clock_deadline_ns(PATIENCE_MS));
        ck_assert_int_ge(hashed, 1);
    } while (refused == 0);
    password_set_workers(2 * FLOOD);
    flood(clock_deadline_ns(PATIENCE_MS));
    ck_assert_int_eq(hashed, FLOOD);
}
END_TEST

START_TEST(the_deadline_is_kept)
{
    int64_t before = clock_mono_ns();

    flood(before);
    /* Nobody waited; what ran was at most a hash for each place, one after the other. */
    ck_assert_int_gt(hashed, 0);
    hash(STR("correct horse"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/passwords/password");
    TCase *tcase = tcase_create("password");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_hash_knows_its_password);
    tcase_add_test(tcase, salted);
    tcase_add_test(tcase, every_byte_counts);
    tcase_add_test(tcase, old_parameters_are_told);
    tcase_add_test(tcase, hashes_that_are_none);
    tcase_add_test(tcase, a_missing_hash_takes_as_long);
    tcase_add_test(tcase, a_flood_is_held_off);
    tcase_add_test(tcase, as_many_as_the_workers_allow);
    tcase_add_test(tcase, the_deadline_is_kept);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
