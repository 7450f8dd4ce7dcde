#include "tokens/jws_private.h"

#include "cachewarden/arena.h"
#include "rfc_vectors.h"
#include "suite.h"

static struct arena *arena;
static struct jws_key *key;
static struct error error;

static void set_up(void)
{
    arena = arena_new(16 * 1024, 0);
    error_clear(&error);
}

static void tear_down(void)
{
    jws_key_free(&key);
    ck_assert_ptr_null(key);
    arena_free(&arena);
}

static struct str bytes_of(const char *base64url)
{
    struct str bytes;

    ck_assert(base64url_decode(arena, str_from(base64url), &bytes));
    return bytes;
}

static void accept(enum err err, enum jws_algorithm algorithm)
{
    ck_assert_msg(err == ERR_OK, "%s", error.caller);
    ck_assert_int_eq(jws_key_algorithm(key), algorithm);
    jws_key_free(&key);
}

static void refuse(enum err err, const char *why)
{
    ck_assert_int_eq(err, ERR_BAD_INPUT);
    ck_assert_ptr_null(key);
    ck_assert_msg(strstr(error.caller, why) != NULL, "%s", error.caller);
}

static const enum jws_algorithm all[] = {
    JWS_HS256, JWS_HS384, JWS_HS512, JWS_RS256, JWS_RS384, JWS_RS512, JWS_PS256,
    JWS_PS384, JWS_PS512, JWS_ES256, JWS_ES384, JWS_ES512, JWS_EDDSA, JWS_NO_ALGORITHM};
enum { ALL = sizeof all / sizeof *all };

START_TEST(algorithm_names)
{
    static const char *const names[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                        "RS512", "PS256", "PS384", "PS512", "ES256",
                                        "ES384", "ES512", "EdDSA"};
    static const char *const others[] = {"none",  "None",  "",        "hs256",  "HS1",
                                         "RS1",   "rs384", "PS521",   "ES256K", "ES521",
                                         "EDDSA", "eddsa", "Ed25519", "HS256 "};

    for (size_t i = 0; i < ALL - 1; i++) {
        ck_assert_str_eq(jws_algorithm_name(all[i]), names[i]);
        ck_assert_int_eq(jws_algorithm_from_name(str_from(names[i])), all[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(jws_algorithm_from_name(str_from(others[i])) == JWS_NO_ALGORITHM, "%s",
                      others[i]);
    ck_assert_str_eq(jws_algorithm_name(JWS_NO_ALGORITHM), "none");
    ck_assert_str_eq(jws_algorithm_name((enum jws_algorithm)99), "none");
    ck_assert_int_eq(jws_algorithm_from_name(STR_NONE), JWS_NO_ALGORITHM);
}
END_TEST

/* Every kind of key with every algorithm: one row each. */
START_TEST(an_algorithm_takes_its_kind_of_key_alone)
{
    struct str secret = STR("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    struct str n = bytes_of(RFC7515_A2_N), e = bytes_of("AQAB");
    struct str x = bytes_of("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    struct str y = bytes_of("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    struct str ed = bytes_of("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");

    for (size_t i = 0; i < ALL; i++) {
        enum err err = jws_key_new_secret(all[i], secret, &key, &error);
        if (i <= 2)
            accept(err, all[i]);
        else
            refuse(err, "does not take a secret");
        err = jws_key_new_rsa(all[i], n, e, &key, &error);
        if (i >= 3 && i <= 8)
            accept(err, all[i]);
        else
            refuse(err, "does not take an RSA key");
        err = jws_key_new_ec(all[i], x, y, &key, &error);
        if (i == 9)
            accept(err, all[i]);
        else
            refuse(err, i == 10   ? "a P-384 key have 48 bytes each"
                        : i == 11 ? "a P-521 key have 66 bytes each"
                                  : "does not take an EC key");
        err = jws_key_new_ed25519(all[i], ed, &key, &error);
        if (i == 12)
            accept(err, all[i]);
        else
            refuse(err, "does not take an Ed25519 key");
    }
}
END_TEST

START_TEST(types_and_curves)
{
    static const struct {
        const char *type, *curve;
        const char *algorithms;
    } rows[] = {
        {"oct", "", "HS256 HS384 HS512"},
        {"RSA", "", "RS256 RS384 RS512 PS256 PS384 PS512"},
        {"EC", "P-256", "ES256"},
        {"EC", "P-384", "ES384"},
        {"EC", "P-521", "ES512"},
        {"OKP", "Ed25519", "EdDSA"},
        {"EC", "", ""},
        {"EC", "p-256", ""},
        {"EC", "Ed25519", ""},
        {"OKP", "Ed448", ""},
        {"OKP", "P-256", ""},
        {"rsa", "", ""},
        {"", "", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t j = 0; j < ALL; j++) {
            bool takes =
                jws_algorithm_takes(all[j], str_from(rows[i].type), str_from(rows[i].curve));
            ck_assert_msg(takes == (strstr(rows[i].algorithms, jws_algorithm_name(all[j])) != NULL),
                          "%s %s %s", rows[i].type, rows[i].curve, jws_algorithm_name(all[j]));
        }
    }
}
END_TEST

START_TEST(the_same_key)
{
    struct str n = bytes_of(RFC7515_A2_N), other = bytes_of(RFC7520_N), e = bytes_of("AQAB");
    struct str a = STR("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    struct str b = STR("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeF");
    struct jws_key *keys[6] = {NULL};

    ck_assert_int_eq(jws_key_new_rsa(JWS_RS256, n, e, &keys[0], &error), ERR_OK);
    ck_assert_int_eq(jws_key_new_rsa(JWS_RS384, n, e, &keys[1], &error), ERR_OK);
    ck_assert_int_eq(jws_key_new_rsa(JWS_RS256, other, e, &keys[2], &error), ERR_OK);
    ck_assert_int_eq(jws_key_new_secret(JWS_HS256, a, &keys[3], &error), ERR_OK);
    ck_assert_int_eq(jws_key_new_secret(JWS_HS256, b, &keys[4], &error), ERR_OK);
    ck_assert_int_eq(jws_key_new_secret(JWS_HS512, a, &keys[5], &error), ERR_OK);
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < 6; j++)
            ck_assert_msg(jws_key_same(keys[i], keys[j]) == (i == j), "%zu %zu", i, j);
    }
    ck_assert_int_eq(jws_key_new_rsa(JWS_RS256, n, e, &key, &error), ERR_OK);
    ck_assert(jws_key_same(key, keys[0]));
    jws_key_free(&key);
    ck_assert_int_eq(jws_key_new_secret(JWS_HS256, a, &key, &error), ERR_OK);
    ck_assert(jws_key_same(key, keys[3]));
    for (size_t i = 0; i < 6; i++)
        jws_key_free(&keys[i]);
}
END_TEST

START_TEST(lengths_of_secrets)
{
    static const char secret[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const size_t least[] = {32, 48, 64};

    for (size_t i = 0; i < 3; i++) {
        refuse(jws_key_new_secret(all[i], (struct str){secret, least[i] - 1}, &key, &error),
               "needs at least");
        accept(jws_key_new_secret(all[i], (struct str){secret, least[i]}, &key, &error), all[i]);
    }
    refuse(jws_key_new_secret(JWS_HS256, STR_NONE, &key, &error), "the secret has 0 bytes");
    ck_assert_ptr_null(strstr(error.caller, "0123"));
}
END_TEST

START_TEST(rsa_keys)
{
    struct str e = bytes_of("AQAB"), good = bytes_of(RFC7515_A2_N);
    char n[1100], padded[300];

    ck_assert_uint_eq(good.len, 256);
    /* Leading zeros are no bits. */
    memset(padded, 0, sizeof padded);
    memcpy(padded + 44, good.ptr, good.len);
    accept(jws_key_new_rsa(JWS_RS256, (struct str){padded, sizeof padded}, e, &key, &error),
           JWS_RS256);

    refuse(jws_key_new_rsa(JWS_RS256, str_sub(good, 0, 255), e, &key, &error),
           "the RSA key has 2040 bits");
    refuse(jws_key_new_rsa(JWS_RS256, str_sub(good, 0, 128), e, &key, &error),
           "the RSA key has 1024 bits");
    refuse(jws_key_new_rsa(JWS_RS256, STR_NONE, e, &key, &error), "the RSA key has 0 bits");
    refuse(jws_key_new_rsa(JWS_RS256, STR("\0\0\0"), e, &key, &error), "the RSA key has 0 bits");
    memcpy(n, good.ptr, good.len);
    n[0] &= 0x7f; /* 2047 bits of 256 bytes */
    refuse(jws_key_new_rsa(JWS_RS256, (struct str){n, 256}, e, &key, &error), "bits");
    memset(n, 0xff, sizeof n);
    refuse(jws_key_new_rsa(JWS_RS256, (struct str){n, 1025}, e, &key, &error),
           "the RSA key has 8200 bits");

    /* Even, or divided by a small prime: nobody's modulus. */
    memcpy(n, good.ptr, good.len);
    n[255] &= (char)0xfe;
    refuse(jws_key_new_rsa(JWS_RS256, (struct str){n, 256}, e, &key, &error), "not a good one");

    refuse(jws_key_new_rsa(JWS_RS256, good, STR_NONE, &key, &error), "exponent");
    refuse(jws_key_new_rsa(JWS_RS256, good, STR("\0"), &key, &error), "exponent");
    refuse(jws_key_new_rsa(JWS_RS256, good, STR("\1\0\0\0\1"), &key, &error), "exponent");
    refuse(jws_key_new_rsa(JWS_RS256, good, STR("\2"), &key, &error), "not a good one");
    refuse(jws_key_new_rsa(JWS_RS256, good, STR("\1"), &key, &error), "not a good one");
    accept(jws_key_new_rsa(JWS_RS256, good, STR("\0\3"), &key, &error), JWS_RS256);
}
END_TEST

START_TEST(p256_keys)
{
    struct str x = bytes_of("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    struct str y = bytes_of("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    char off[32], zero[32] = {0}, big[32];

    memcpy(off, y.ptr, 32);
    off[31] ^= 1;
    memset(big, 0xff, sizeof big);
    refuse(jws_key_new_ec(JWS_ES256, x, (struct str){off, 32}, &key, &error),
           "not a point of P-256");
    refuse(jws_key_new_ec(JWS_ES256, y, x, &key, &error), "not a point of P-256");
    refuse(jws_key_new_ec(JWS_ES256, (struct str){zero, 32}, (struct str){zero, 32}, &key, &error),
           "not a point of P-256");
    refuse(jws_key_new_ec(JWS_ES256, (struct str){big, 32}, y, &key, &error),
           "not a point of P-256");
    refuse(jws_key_new_ec(JWS_ES256, str_sub(x, 1, 31), y, &key, &error), "32 bytes each");
    refuse(jws_key_new_ec(JWS_ES256, x, str_sub(y, 0, 31), &key, &error), "32 bytes each");
    refuse(jws_key_new_ec(JWS_ES256, STR_NONE, STR_NONE, &key, &error), "32 bytes each");
}
END_TEST

START_TEST(ed25519_keys)
{
    struct str x = bytes_of("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");

    refuse(jws_key_new_ed25519(JWS_EDDSA, str_sub(x, 0, 31), &key, &error), "32 bytes");
    refuse(jws_key_new_ed25519(JWS_EDDSA, STR_NONE, &key, &error), "32 bytes");
    accept(jws_key_new_ed25519(JWS_EDDSA, x, &key, &error), JWS_EDDSA);
}
END_TEST

/* Orders 4, 1, 8, 8 and 2, and the encodings of y = 0 and y = 1 past the prime. */
START_TEST(ed25519_keys_of_small_order)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    char other_sign[32];

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct str x;
        ck_assert(hex_decode(arena, str_from(points[i]), &x));
        refuse(jws_key_new_ed25519(JWS_EDDSA, x, &key, &error), "small order");
        memcpy(other_sign, x.ptr, 32);
        other_sign[31] = (char)(other_sign[31] ^ 0x80);
        refuse(jws_key_new_ed25519(JWS_EDDSA, (struct str){other_sign, 32}, &key, &error),
               "small order");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/jws_key");
    TCase *tcase = tcase_create("jws_key");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, algorithm_names);
    tcase_add_test(tcase, an_algorithm_takes_its_kind_of_key_alone);
    tcase_add_test(tcase, types_and_curves);
    tcase_add_test(tcase, the_same_key);
    tcase_add_test(tcase, lengths_of_secrets);
    tcase_add_test(tcase, rsa_keys);
    tcase_add_test(tcase, p256_keys);
    tcase_add_test(tcase, ed25519_keys);
    tcase_add_test(tcase, ed25519_keys_of_small_order);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
