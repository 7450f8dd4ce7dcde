/* Keys of jws.h: made from their parts, refused when they are not safe to use. */
#include "tokens/jws_private.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

enum {
    RSA_MIN_BITS = 2048,
    RSA_MAX_BITS = 8192,   /* verifying costs the square of it */
    EXPONENT_MAX_SIZE = 4, /* a long exponent costs as much as a private one; 65537 is usual */
    ED25519_SIZE = 32,
};

static const struct jws_row rows[] = {
    {JWS_HS256, "HS256", JWS_SECRET, "SHA2-256", 32, "", 0},
    {JWS_HS384, "HS384", JWS_SECRET, "SHA2-384", 48, "", 0},
    {JWS_HS512, "HS512", JWS_SECRET, "SHA2-512", 64, "", 0},
    {JWS_RS256, "RS256", JWS_RSA_PKCS1, "SHA2-256", 0, "", 0},
    {JWS_RS384, "RS384", JWS_RSA_PKCS1, "SHA2-384", 0, "", 0},
    {JWS_RS512, "RS512", JWS_RSA_PKCS1, "SHA2-512", 0, "", 0},
    {JWS_PS256, "PS256", JWS_RSA_PSS, "SHA2-256", 0, "", 0},
    {JWS_PS384, "PS384", JWS_RSA_PSS, "SHA2-384", 0, "", 0},
    {JWS_PS512, "PS512", JWS_RSA_PSS, "SHA2-512", 0, "", 0},
    {JWS_ES256, "ES256", JWS_EC, "SHA2-256", 0, "P-256", 32},
    {JWS_ES384, "ES384", JWS_EC, "SHA2-384", 0, "P-384", 48},
    {JWS_ES512, "ES512", JWS_EC, "SHA2-512", 0, "P-521", COORDINATE_MAX_SIZE},
    {JWS_EDDSA, "EdDSA", JWS_ED25519, NULL, 0, "Ed25519", 0},
};

static const char *const types[] = {
    [JWS_SECRET] = "oct", [JWS_RSA_PKCS1] = "RSA", [JWS_RSA_PSS] = "RSA",
    [JWS_EC] = "EC",      [JWS_ED25519] = "OKP",
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

const struct jws_row *jws_row(enum jws_algorithm id)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].id == id)
            return &rows[i];
    }
    return NULL;
}

const char *jws_algorithm_name(enum jws_algorithm id)
{
    const struct jws_row *row = jws_row(id);

    return row ? row->name : "none";
}

enum jws_algorithm jws_algorithm_from_name(struct str name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (str_eq(name, str_from(rows[i].name)))
            return rows[i].id;
    }
    return JWS_NO_ALGORITHM;
}

bool jws_algorithm_takes(enum jws_algorithm id, struct str type, struct str curve)
{
    const struct jws_row *row = jws_row(id);

    return row && str_eq(type, str_from(types[row->family])) &&
           (row->curve[0] == '\0' || str_eq(curve, str_from(row->curve)));
}

/* An algorithm has one family of keys, and no other will do: the confusion of RSA and HMAC ends
 * here. */
static enum err new_key(enum jws_algorithm id, enum jws_family family, enum jws_family other_family,
                        const char *kind, struct jws_key **key_out, struct error *error)
{
    const struct jws_row *row = jws_row(id);

    *key_out = NULL;
    if (!row || (row->family != family && row->family != other_family))
        return error_set(error, ERR_BAD_INPUT, "%s does not take %s", jws_algorithm_name(id), kind);
    *key_out = calloc(1, sizeof **key_out);
    if (!*key_out)
        return ERR_NO_MEMORY;
    (*key_out)->row = row;
    return ERR_OK;
}

void jws_key_free(struct jws_key **key)
{
    if (!*key)
        return;
    mac_key_free(&(*key)->mac);
    EVP_PKEY_free((*key)->public_key);
    free(*key);
    *key = NULL;
}

enum jws_algorithm jws_key_algorithm(const struct jws_key *key)
{
    return key->row->id;
}

/* Two secrets cannot be read again; what they make of one text tells. */
static bool is_same_secret(const struct mac_key *a, const struct mac_key *b)
{
    unsigned char mac_a[MAC_MAX_SIZE], mac_b[MAC_MAX_SIZE];
    size_t size_a = 0, size_b = 0;

    return mac_compute(a, STR("same"), mac_a, &size_a) == ERR_OK &&
           mac_compute(b, STR("same"), mac_b, &size_b) == ERR_OK && size_a == size_b &&
           memcmp(mac_a, mac_b, size_a) == 0;
}

bool jws_key_same(const struct jws_key *a, const struct jws_key *b)
{
    if (a->row != b->row)
        return false;
    return a->mac ? is_same_secret(a->mac, b->mac) : EVP_PKEY_eq(a->public_key, b->public_key) == 1;
}

enum err jws_key_new_secret(enum jws_algorithm id, struct str secret, struct jws_key **key_out,
                            struct error *error)
{
    enum err err = new_key(id, JWS_SECRET, JWS_SECRET, "a secret", key_out, error);

    if (err)
        return err;
    const struct jws_row *row = (*key_out)->row;
    if (secret.len < row->secret_min_size)
        err = error_set(error, ERR_BAD_INPUT, "the secret has %zu bytes, but %s needs at least %zu",
                        secret.len, row->name, row->secret_min_size);
    if (!err && (err = mac_key_new(row->digest, secret, &(*key_out)->mac)) != ERR_OK)
        err = error_set_detail(error, err, "HMAC with %s cannot be set up", row->digest);
    if (err)
        jws_key_free(key_out);
    return err;
}

/* A public key of OpenSSL's `type`, checked as it checks them: on the curve, no prime modulus, and
 * so on. */
static enum err import_key(const char *type, OSSL_PARAM_BLD *builder, EVP_PKEY **public_key_out)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *importer = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *checker = NULL;
    enum err err = params && importer ? ERR_OK : ERR_NO_MEMORY;

    *public_key_out = NULL;
    if (!err && (EVP_PKEY_fromdata_init(importer) != 1 ||
                 EVP_PKEY_fromdata(importer, public_key_out, EVP_PKEY_PUBLIC_KEY, params) != 1))
        err = ERR_BAD_INPUT;
    if (!err && !(checker = EVP_PKEY_CTX_new_from_pkey(NULL, *public_key_out, NULL)))
        err = ERR_NO_MEMORY;
    if (!err && EVP_PKEY_public_check(checker) != 1)
        err = ERR_BAD_INPUT;
    ERR_clear_error();
    EVP_PKEY_CTX_free(checker);
    EVP_PKEY_CTX_free(importer);
    OSSL_PARAM_free(params);
    return err;
}

/* OpenSSL wants numbers in the machine's byte order; its builder sees to that. */
static enum err import_rsa(struct str modulus, struct str exponent, EVP_PKEY **public_key_out)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn((const unsigned char *)modulus.ptr, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn((const unsigned char *)exponent.ptr, (int)exponent.len, NULL);
    enum err err = ERR_NO_MEMORY;

    if (builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        err = import_key("RSA", builder, public_key_out);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return err;
}

/* Without leading zeros, which some issuers write although RFC 7518 section 6.3.1.1 forbids it. */
static struct str significant(struct str number)
{
    while (number.len > 0 && number.ptr[0] == '\0')
        number = str_sub(number, 1, number.len);
    return number;
}

static size_t bit_count(struct str number)
{
    size_t bits = number.len * 8;

    for (unsigned mask = 0x80; number.len > 0 && ((unsigned char)number.ptr[0] & mask) == 0;
         mask >>= 1)
        bits--;
    return bits;
}

enum err jws_key_new_rsa(enum jws_algorithm id, struct str modulus, struct str exponent,
                         struct jws_key **key_out, struct error *error)
{
    enum err err = new_key(id, JWS_RSA_PKCS1, JWS_RSA_PSS, "an RSA key", key_out, error);

    if (err)
        return err;
    modulus = significant(modulus);
    exponent = significant(exponent);
    if (bit_count(modulus) < RSA_MIN_BITS || bit_count(modulus) > RSA_MAX_BITS)
        err =
            error_set(error, ERR_BAD_INPUT, "the RSA key has %zu bits, only %d to %d are accepted",
                      bit_count(modulus), RSA_MIN_BITS, RSA_MAX_BITS);
    else if (exponent.len == 0 || exponent.len > EXPONENT_MAX_SIZE)
        err = error_set(error, ERR_BAD_INPUT,
                        "the RSA key's exponent is zero or longer than 32 bits");
    else if ((err = import_rsa(modulus, exponent, &(*key_out)->public_key)) == ERR_BAD_INPUT)
        err = error_set(error, ERR_BAD_INPUT, "the RSA key is not a good one");
    if (err)
        jws_key_free(key_out);
    return err;
}

/* Both coordinates have the curve's size. */
static enum err import_point(const char *curve, struct str x, struct str y,
                             EVP_PKEY **public_key_out)
{
    unsigned char point[1 + 2 * COORDINATE_MAX_SIZE] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    enum err err = ERR_NO_MEMORY;

    memcpy(point + 1, x.ptr, x.len);
    memcpy(point + 1 + x.len, y.ptr, y.len);
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point,
                                         1 + x.len + y.len) == 1)
        err = import_key("EC", builder, public_key_out);
    OSSL_PARAM_BLD_free(builder);
    return err;
}

enum err jws_key_new_ec(enum jws_algorithm id, struct str x, struct str y, struct jws_key **key_out,
                        struct error *error)
{
    enum err err = new_key(id, JWS_EC, JWS_EC, "an EC key", key_out, error);

    if (err)
        return err;
    const struct jws_row *row = (*key_out)->row;
    if (x.len != row->coordinate_size || y.len != row->coordinate_size)
        err = error_set(error, ERR_BAD_INPUT, "the coordinates of a %s key have %zu bytes each",
                        row->curve, row->coordinate_size);
    else if ((err = import_point(row->curve, x, y, &(*key_out)->public_key)) == ERR_BAD_INPUT)
        err = error_set(error, ERR_BAD_INPUT, "the key is not a point of %s", row->curve);
    if (err)
        jws_key_free(key_out);
    return err;
}

/*
 * The points of small order, without the sign of x, in every encoding OpenSSL reads: with such a
 * key anybody can make signatures that verify.
 */
static bool has_small_order(struct str x)
{
    static const struct str points[] = {
        STR("\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        STR("\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        STR("\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0"
            "\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05"),
        STR("\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f"
            "\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a"),
        STR("\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        STR("\xed\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        STR("\xee\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    };
    char y[ED25519_SIZE];

    memcpy(y, x.ptr, sizeof y);
    y[ED25519_SIZE - 1] &= 0x7f;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        if (str_eq((struct str){y, sizeof y}, points[i]))
            return true;
    }
    return false;
}

enum err jws_key_new_ed25519(enum jws_algorithm id, struct str x, struct jws_key **key_out,
                             struct error *error)
{
    enum err err = new_key(id, JWS_ED25519, JWS_ED25519, "an Ed25519 key", key_out, error);

    if (err)
        return err;
    if (x.len != ED25519_SIZE) {
        err = error_set(error, ERR_BAD_INPUT, "an Ed25519 key has 32 bytes");
    } else if (has_small_order(x)) {
        err = error_set(error, ERR_BAD_INPUT, "the Ed25519 key is one of small order");
    } else {
        (*key_out)->public_key = EVP_PKEY_new_raw_public_key_ex(
            NULL, "ED25519", NULL, (const unsigned char *)x.ptr, x.len);
        if (!(*key_out)->public_key)
            err = error_set(error, ERR_BAD_INPUT, "the Ed25519 key is not a good one");
        ERR_clear_error();
    }
    if (err)
        jws_key_free(key_out);
    return err;
}
