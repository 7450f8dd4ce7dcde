#include "cachewarden/mac.h"

#include "cachewarden/arena.h"
#include "suite.h"

#include <pthread.h>
#include <stdio.h>

static struct mac_key *new_key(const char *digest, struct str secret)
{
    struct mac_key *key = NULL;

    ck_assert_int_eq(mac_key_new(digest, secret, &key), ERR_OK);
    return key;
}

static void expect(const struct mac_key *key, struct str bytes, const char *wanted)
{
    unsigned char mac[MAC_MAX_SIZE];
    char hex[2 * MAC_MAX_SIZE + 1];
    size_t size = 0;

    ck_assert_int_eq(mac_compute(key, bytes, mac, &size), ERR_OK);
    ck_assert_uint_eq(size, strlen(wanted) / 2);
    for (size_t i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    ck_assert_str_eq(hex, wanted);
}

/* RFC 4231 section 4.3: test case 2. */
#define JEFE   STR("Jefe")
#define WHAT   STR("what do ya want for nothing?")
#define SHA256 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
#define SHA384                                                                                     \
    "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab2" \
    "1649"
#define SHA512                                                                                     \
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0" \
    "e6fdcaeab1a34d4a6b4b636e070a38bce737"

START_TEST(known_macs)
{
    struct mac_key *key = new_key("SHA2-256", JEFE);
    expect(key, WHAT, SHA256);
    expect(key, WHAT, SHA256); /* the context is used again */
    mac_key_free(&key);
    ck_assert_ptr_null(key);
    mac_key_free(&key);

    key = new_key("SHA2-384", JEFE);
    expect(key, WHAT, SHA384);
    mac_key_free(&key);
    key = new_key("SHA2-512", JEFE);
    expect(key, WHAT, SHA512);
    mac_key_free(&key);
}
END_TEST

/* RFC 4231 section 4.7: a key longer than a block. */
START_TEST(long_key)
{
    char secret[131];
    memset(secret, 0xaa, sizeof secret);
    struct mac_key *key = new_key("SHA2-256", (struct str){secret, sizeof secret});

    /* The key is a copy. */
    memset(secret, 0, sizeof secret);
    expect(key, STR("Test Using Larger Than Block-Size Key - Hash Key First"),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    mac_key_free(&key);
}
END_TEST

/* More keys in turn than a thread keeps contexts for. */
START_TEST(many_keys_in_turn)
{
    enum { KEYS = 26 };
    struct mac_key *keys[KEYS];
    char wanted[KEYS][2 * 32 + 1];
    char secret[] = "secret 0";

    for (int i = 0; i < KEYS; i++) {
        unsigned char mac[MAC_MAX_SIZE];
        size_t size;
        secret[7] = (char)('0' + i);
        keys[i] = new_key("SHA2-256", str_from(secret));
        ck_assert_int_eq(mac_compute(keys[i], WHAT, mac, &size), ERR_OK);
        for (size_t j = 0; j < size; j++)
            snprintf(wanted[i] + 2 * j, 3, "%02x", mac[j]);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(wanted[i], wanted[j]);
    }
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < KEYS; i++)
            expect(keys[i], WHAT, wanted[i]);
    }
    for (int i = 0; i < KEYS; i++)
        mac_key_free(&keys[i]);
}
END_TEST

/* The memory of a freed key is likely to be the next one's: its context must not be. */
START_TEST(a_freed_key_is_not_found_again)
{
    for (int i = 0; i < 10; i++) {
        struct mac_key *key = new_key("SHA2-256", STR("gone"));
        unsigned char mac[MAC_MAX_SIZE];
        size_t size;
        ck_assert_int_eq(mac_compute(key, WHAT, mac, &size), ERR_OK);
        mac_key_free(&key);
        key = new_key("SHA2-256", JEFE);
        expect(key, WHAT, SHA256);
        mac_key_free(&key);
    }
}
END_TEST

static void *compute_often(void *arg)
{
    for (int i = 0; i < 500; i++)
        expect(arg, WHAT, SHA256);
    return NULL;
}

START_TEST(one_key_for_all_threads)
{
    struct mac_key *key = new_key("SHA2-256", JEFE);
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, compute_often, key), 0);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    mac_key_free(&key);
}
END_TEST

START_TEST(a_digest_nobody_has)
{
    struct mac_key *key = new_key("SHA2-255", JEFE);
    unsigned char mac[MAC_MAX_SIZE];
    size_t size;

    ck_assert_int_ne(mac_compute(key, WHAT, mac, &size), ERR_OK);
    mac_key_free(&key);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/mac");
    TCase *tcase = tcase_create("mac");

    tcase_add_test(tcase, known_macs);
    tcase_add_test(tcase, long_key);
    tcase_add_test(tcase, many_keys_in_turn);
    tcase_add_test(tcase, a_freed_key_is_not_found_again);
    tcase_add_test(tcase, one_key_for_all_threads);
    tcase_add_test(tcase, a_digest_nobody_has);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
