#include "cachewarden/cipher.h"

#include "suite.h"

static const unsigned char salt[CIPHER_SALT_SIZE] = {1, 2, 3};

static struct cipher_key *key_of(const char *passphrase, const unsigned char *of_salt)
{
    struct cipher_key *key;

    ck_assert_int_eq(cipher_key_new(str_from(passphrase), of_salt, &key), ERR_OK);
    return key;
}

enum { SIZE = 11 };
static const struct str plain = {"hello world", SIZE};

/* How decrypting what `place` says ends. */
static enum err decrypt(struct cipher_key *key, uint64_t number, bool is_last, struct str head,
                        const unsigned char *chunk)
{
    unsigned char out[SIZE];
    const struct cipher_place place = {number, is_last, head};
    enum err err =
        cipher_decrypt(key, &place, (struct str){(const char *)chunk, SIZE + CIPHER_TAG_SIZE}, out);

    ck_assert(err != ERR_OK || memcmp(out, plain.ptr, SIZE) == 0);
    return err;
}

START_TEST(only_the_same_chunk_of_the_same_key_is_taken)
{
    static const unsigned char other_salt[CIPHER_SALT_SIZE] = {1, 2, 4};
    struct cipher_key *key = key_of("a passphrase", salt), *same = key_of("a passphrase", salt),
                      *other = key_of("a passphrasf", salt),
                      *salted = key_of("a passphrase", other_salt);
    const struct cipher_place place = {7, false, STR("head")};
    unsigned char chunk[SIZE + CIPHER_TAG_SIZE];

    ck_assert_int_eq(cipher_encrypt(key, &place, plain, chunk), ERR_OK);
    ck_assert_int_ne(memcmp(chunk, plain.ptr, SIZE), 0);
    ck_assert_int_eq(decrypt(same, 7, false, STR("head"), chunk), ERR_OK);
    ck_assert_int_eq(decrypt(other, 7, false, STR("head"), chunk), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(decrypt(salted, 7, false, STR("head"), chunk), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(decrypt(same, 8, false, STR("head"), chunk), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(decrypt(same, 7, true, STR("head"), chunk), ERR_UNAUTHENTICATED);
    ck_assert_int_eq(decrypt(same, 7, false, STR("heat"), chunk), ERR_UNAUTHENTICATED);
    for (size_t bit = 0; bit < 8 * sizeof chunk; bit++) {
        chunk[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_int_eq(decrypt(same, 7, false, STR("head"), chunk), ERR_UNAUTHENTICATED);
        chunk[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    ck_assert_int_eq(decrypt(same, 7, false, STR("head"), chunk), ERR_OK);
    cipher_key_free(&key);
    cipher_key_free(&same);
    cipher_key_free(&other);
    cipher_key_free(&salted);
    cipher_key_free(&salted);
}
END_TEST

START_TEST(what_is_too_short_is_refused)
{
    struct cipher_key *key = key_of("a passphrase", salt);
    const struct cipher_place place = {0, true, STR_NONE};
    unsigned char out[1];

    ck_assert_int_eq(cipher_decrypt(key, &place, STR("fifteen bytes.."), out), ERR_UNAUTHENTICATED);
    cipher_key_free(&key);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/cipher");
    TCase *tcase = tcase_create("cipher");

    tcase_add_test(tcase, only_the_same_chunk_of_the_same_key_is_taken);
    tcase_add_test(tcase, what_is_too_short_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
