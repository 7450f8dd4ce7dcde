#include "tokens/jws.h"

#include "cachewarden/arena.h"
#include "mint.h"
#include "suite.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

static struct arena *arena;
static struct jws_key *key;
static struct error error;

#define SECRET "0123456789abcdef0123456789abcdef"

static void set_up(void)
{
    arena = arena_new(64 * 1024, 0);
    error_clear(&error);
    ck_assert_int_eq(jws_key_new_secret(JWS_HS256, STR(SECRET), &key, &error), ERR_OK);
}

static void tear_down(void)
{
    jws_key_free(&key);
    arena_free(&arena);
}

static enum err check(const struct jws_key *with, struct str compact)
{
    struct jws jws;
    enum err err = jws_parse(arena, compact, &jws, &error);

    return err ? err : jws_verify(with, &jws, &error);
}

/* Signed well, whatever the header says: only the header can be the reason to refuse. */
static enum err check_header(const char *header)
{
    char line[MINT_SIZE];

    mint_forged(line, sizeof line, header, "{}", SECRET, strlen(SECRET));
    return check(key, str_from(mint_token(line)));
}

/* --- RFC 7515 appendix A.1 --- */

#define A1_HEADER "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
#define A1_PAYLOAD                                                                                 \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"
#define A1_SIGNATURE "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define A1_KEY \
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"

START_TEST(rfc_7515_a1)
{
    struct jws_key *a1 = NULL;
    struct str secret;
    struct jws jws;

    ck_assert(base64url_decode(arena, STR(A1_KEY), &secret));
    ck_assert_int_eq(jws_key_new_secret(JWS_HS256, secret, &a1, &error), ERR_OK);
    ck_assert_int_eq(jws_parse(arena, STR(A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE), &jws, &error),
                     ERR_OK);
    ck_assert_int_eq(jws.algorithm, JWS_HS256);
    ck_assert(str_eq(jws.type, STR("JWT")));
    ck_assert(!jws.has_kid);
    ck_assert(str_eq(jws.payload, STR("{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                                      "\"http://example.com/is_root\":true}")));
    ck_assert_int_eq(jws_verify(a1, &jws, &error), ERR_OK);
    ck_assert_int_eq(jws_verify(key, &jws, &error), ERR_UNAUTHENTICATED);
    jws_key_free(&a1);
}
END_TEST

/* No byte of it can be exchanged, whatever the part. */
START_TEST(every_changed_byte_is_refused)
{
    char text[] = A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE;
    struct jws_key *a1 = NULL;
    struct str secret;

    ck_assert(base64url_decode(arena, STR(A1_KEY), &secret));
    ck_assert_int_eq(jws_key_new_secret(JWS_HS256, secret, &a1, &error), ERR_OK);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (int change = 1; change < 256; change *= 2) {
            char before = text[i];
            text[i] = (char)(before ^ change);
            enum err err = check(a1, (struct str){text, sizeof text - 1});
            ck_assert_msg(err == ERR_UNAUTHENTICATED, "byte %zu as %02x: %s", i,
                          (unsigned char)text[i], err_name(err));
            text[i] = before;
        }
    }
    ck_assert_int_eq(check(a1, str_from(text)), ERR_OK);
    for (size_t len = 0; len < sizeof text - 1; len++)
        ck_assert_int_eq(check(a1, (struct str){text, len}), ERR_UNAUTHENTICATED);
    jws_key_free(&a1);
}
END_TEST

START_TEST(form)
{
    static const char *const refused[] = {
        "",
        ".",
        "..",
        "...",
        A1_HEADER,
        A1_HEADER "." A1_PAYLOAD,
        A1_HEADER "." A1_PAYLOAD ".",
        A1_HEADER ".." A1_SIGNATURE,
        "." A1_PAYLOAD "." A1_SIGNATURE,
        A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE ".",
        A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE ".AAAA",
        "." A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE,
        A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE "=",
        A1_HEADER "=." A1_PAYLOAD "." A1_SIGNATURE,
        A1_HEADER "." A1_PAYLOAD "==." A1_SIGNATURE,
        " " A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE,
        A1_HEADER "." A1_PAYLOAD "." A1_SIGNATURE "\n",
        A1_HEADER ". " A1_PAYLOAD "." A1_SIGNATURE,
        /* The same bytes in another spelling: spare bits that are not zero. */
        A1_HEADER "." A1_PAYLOAD ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl",
        /* Plain base64 in place of base64url. */
        A1_HEADER "." A1_PAYLOAD ".dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk",
    };

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct jws jws;
        ck_assert_msg(jws_parse(arena, str_from(refused[i]), &jws, &error) == ERR_UNAUTHENTICATED,
                      "taken: %s", refused[i]);
        ck_assert_str_eq(error.caller, "");
        ck_assert_str_ne(error.detail, "");
    }
}
END_TEST

START_TEST(largest_size)
{
    static char text[JWS_MAX_SIZE + 2];
    struct jws jws;
    int head = snprintf(text, sizeof text, "%s.", A1_HEADER);

    memset(text + head, 'A', sizeof text - 1 - (size_t)head);
    memcpy(text + JWS_MAX_SIZE - sizeof A1_SIGNATURE, "." A1_SIGNATURE, sizeof A1_SIGNATURE);
    text[JWS_MAX_SIZE - sizeof A1_SIGNATURE - 1] = 'A';
    /* Whether the payload's length is one base64url can have depends on the rest. */
    size_t payload = (size_t)JWS_MAX_SIZE - sizeof A1_SIGNATURE - (size_t)head;
    ck_assert_uint_ne(payload % 4, 1);
    ck_assert_int_eq(jws_parse(arena, (struct str){text, JWS_MAX_SIZE}, &jws, &error), ERR_OK);
    text[JWS_MAX_SIZE] = 'A';
    ck_assert_int_eq(jws_parse(arena, (struct str){text, JWS_MAX_SIZE + 1}, &jws, &error),
                     ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: longer than 16384 bytes");
}
END_TEST

START_TEST(headers_that_are_good)
{
    static const char *const good[] = {
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
        " { \"alg\" : \"HS256\" } ",
        "{\"\\u0061lg\":\"HS\\u0032\\u0035\\u0036\"}",
        "{\"alg\":\"HS256\",\"kid\":\"a\",\"unheard\":{\"of\":[1,2]}}",
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(check_header(good[i]) == ERR_OK, "%s: %s", good[i], error.detail);
}
END_TEST

#define OPEN10  "[[[[[[[[[["
#define CLOSE10 "]]]]]]]]]]"
#define OPEN40  OPEN10 OPEN10 OPEN10 OPEN10
#define CLOSE40 CLOSE10 CLOSE10 CLOSE10 CLOSE10

START_TEST(headers_that_are_refused)
{
    static const char *const refused[] = {
        "",
        "null",
        "[]",
        "\"HS256\"",
        "HS256",
        "{}",
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"nOnE\"}",
        "{\"alg\":\"NONE\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":null}",
        "{\"alg\":256}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":{\"a\":\"HS256\"}}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":\" HS256\"}",
        "{\"alg\":\"HS2560\"}",
        "{\"alg\":\"HS25\"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"PS256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"EdDSA\"}",
        "{\"ALG\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"typ\":1}",
        "{\"alg\":\"HS256\",\"kid\":1}",
        "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}",
        "{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1/\"}",
        "{\"alg\":\"HS256\",\"x5u\":\"http://127.0.0.1/\"}",
        "{\"alg\":\"HS256\",\"x5c\":[]}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"b64\":true}",
        "{\"alg\":\"HS256\",\"j\\u0077k\":null}",
        "{\"alg\":\"HS256\"} x",
        "{\"alg\":\"HS256\"",
        "{\"alg\":\"HS256\xff\"}",
        "{\"alg\":\"HS256\\u0000\"}",
        ("{\"alg\":\"HS256\",\"x\":" OPEN40 CLOSE40 "}"),
    };

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ck_assert_msg(check_header(refused[i]) == ERR_UNAUTHENTICATED, "taken: %s", refused[i]);
}
END_TEST

/* The two headers known by heart give what reading them would. */
START_TEST(usual_headers)
{
    static const char *const usual[] = {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                                        "{\"typ\":\"JWT\",\"alg\":\"HS256\"}"};

    for (size_t i = 0; i < 2; i++) {
        struct jws known, read;
        char text[MINT_SIZE];
        mint_forged(text, sizeof text, usual[i], "{}", SECRET, strlen(SECRET));
        ck_assert_int_eq(jws_parse(arena, str_from(mint_token(text)), &known, &error), ERR_OK);
        /* A blank more, and it has to be read. */
        char spaced[64];
        snprintf(spaced, sizeof spaced, "%s ", usual[i]);
        mint_forged(text, sizeof text, spaced, "{}", SECRET, strlen(SECRET));
        ck_assert_int_eq(jws_parse(arena, str_from(mint_token(text)), &read, &error), ERR_OK);
        ck_assert_int_eq(known.algorithm, read.algorithm);
        ck_assert(str_eq(known.type, read.type));
        ck_assert_int_eq(known.has_kid, read.has_kid);
        ck_assert(str_eq(known.payload, read.payload));
    }
}
END_TEST

START_TEST(kid_is_told)
{
    char text[MINT_SIZE];
    struct jws jws;

    mint_forged(text, sizeof text, "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\"}", "{}", SECRET,
                32);
    ck_assert_int_eq(jws_parse(arena, str_from(mint_token(text)), &jws, &error), ERR_OK);
    ck_assert(jws.has_kid);
    ck_assert(str_eq(jws.kid, STR("../../etc/passwd")));
}
END_TEST

/* A signature is all of the MAC: no less, no more. */
START_TEST(cut_and_grown_signatures)
{
    char text[MINT_SIZE], grown[MINT_SIZE];
    struct jws jws;

    mint_forged(text, sizeof text, "{\"alg\":\"HS256\"}", "{}", SECRET, 32);
    ck_assert_int_eq(jws_parse(arena, str_from(mint_token(text)), &jws, &error), ERR_OK);
    ck_assert_int_eq(jws_verify(key, &jws, &error), ERR_OK);
    for (size_t len = 0; len < 32; len++) {
        struct jws cut = jws;
        cut.signature.len = len;
        ck_assert_int_eq(jws_verify(key, &cut, &error), ERR_UNAUTHENTICATED);
    }
    memcpy(grown, jws.signature.ptr, 32);
    grown[32] = 0;
    jws.signature = (struct str){grown, 33};
    ck_assert_int_eq(jws_verify(key, &jws, &error), ERR_UNAUTHENTICATED);
}
END_TEST

START_TEST(what_we_sign_we_verify)
{
    struct str compact;
    struct jws jws;

    ck_assert_int_eq(jws_sign(key, arena, STR("{\"a\":1}"), &compact), ERR_OK);
    ck_assert_int_eq(jws_parse(arena, compact, &jws, &error), ERR_OK);
    ck_assert(str_eq(jws.payload, STR("{\"a\":1}")));
    ck_assert(str_eq(jws.type, STR("JWT")));
    ck_assert_int_eq(jws_verify(key, &jws, &error), ERR_OK);

    /* As somebody else would have made it. */
    char line[MINT_SIZE];
    mint_bearer(line, SECRET, "{\"a\":1}");
    ck_assert(str_eq(compact, str_from(mint_token(line))));
}
END_TEST

/* --- signatures that OpenSSL alone would take, or might --- */

/* A key pair made for this test, and its public half as the room has it. */
static EVP_PKEY *new_pair(const char *type, enum jws_algorithm algorithm,
                          struct jws_key **public_out)
{
    EVP_PKEY *pair = strcmp(type, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048)
                                              : EVP_PKEY_Q_keygen(NULL, NULL, type, "P-256");
    unsigned char point[65];
    BIGNUM *n = NULL, *e = NULL;
    size_t size;

    ck_assert_ptr_nonnull(pair);
    if (strcmp(type, "RSA") == 0) {
        unsigned char modulus[256], exponent[8];
        ck_assert_int_eq(EVP_PKEY_get_bn_param(pair, "n", &n), 1);
        ck_assert_int_eq(EVP_PKEY_get_bn_param(pair, "e", &e), 1);
        struct str n_bytes = {(const char *)modulus, (size_t)BN_bn2bin(n, modulus)};
        struct str e_bytes = {(const char *)exponent, (size_t)BN_bn2bin(e, exponent)};
        ck_assert_int_eq(jws_key_new_rsa(algorithm, n_bytes, e_bytes, public_out, &error), ERR_OK);
        BN_free(n);
        BN_free(e);
        return pair;
    }
    ck_assert_int_eq(EVP_PKEY_get_octet_string_param(pair, "pub", point, sizeof point, &size), 1);
    ck_assert_uint_eq(size, 65);
    ck_assert_int_eq(jws_key_new_ec(algorithm, (struct str){(const char *)point + 1, 32},
                                    (struct str){(const char *)point + 33, 32}, public_out, &error),
                     ERR_OK);
    return pair;
}

static size_t sign(EVP_PKEY *pair, int salt_size, struct str input, unsigned char *signature,
                   size_t room)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *settings;

    ck_assert_int_eq(EVP_DigestSignInit_ex(context, &settings, "SHA2-256", NULL, NULL, pair, NULL),
                     1);
    if (salt_size >= 0)
        ck_assert(EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, salt_size) == 1);
    ck_assert_int_eq(
        EVP_DigestSign(context, signature, &room, (const unsigned char *)input.ptr, input.len), 1);
    EVP_MD_CTX_free(context);
    return room;
}

/* OpenSSL verifies a PSS signature that lost its leading zeros: a second spelling of one token. */
START_TEST(a_signature_has_one_spelling)
{
    struct jws_key *rsa = NULL;
    EVP_PKEY *pair = new_pair("RSA", JWS_PS256, &rsa);
    struct jws jws = {.algorithm = JWS_PS256, .signing_input = STR("a.b")};
    unsigned char signature[256];

    /* One in 256 begins with a zero. */
    do
        ck_assert_uint_eq(sign(pair, 32, jws.signing_input, signature, sizeof signature), 256);
    while (signature[0] != 0);
    jws.signature = (struct str){(const char *)signature, 256};
    ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_OK);
    jws.signature = (struct str){(const char *)signature + 1, 255};
    ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_UNAUTHENTICATED);
    jws_key_free(&rsa);
    EVP_PKEY_free(pair);
}
END_TEST

/* RFC 7518 section 3.5: the salt is as long as the digest. */
START_TEST(salts_of_other_lengths)
{
    static const int sizes[] = {0, 20, 31, 33, 64};
    struct jws_key *rsa = NULL;
    EVP_PKEY *pair = new_pair("RSA", JWS_PS256, &rsa);
    struct jws jws = {.algorithm = JWS_PS256, .signing_input = STR("a.b")};
    unsigned char signature[256];

    jws.signature = (struct str){(const char *)signature, 256};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sign(pair, sizes[i], jws.signing_input, signature, sizeof signature);
        ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_UNAUTHENTICATED);
    }
    sign(pair, 32, jws.signing_input, signature, sizeof signature);
    ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_OK);
    jws_key_free(&rsa);
    EVP_PKEY_free(pair);
}
END_TEST

/* One modulus, two algorithms: a signature of one is none of the other. */
START_TEST(paddings_are_told_apart)
{
    struct jws_key *rsa = NULL;
    EVP_PKEY *pair = new_pair("RSA", JWS_RS256, &rsa);
    struct jws jws = {.algorithm = JWS_RS256, .signing_input = STR("a.b")};
    unsigned char signature[256];

    jws.signature = (struct str){(const char *)signature, 256};
    sign(pair, -1, jws.signing_input, signature, sizeof signature);
    ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_OK);
    jws.algorithm = JWS_PS256;
    ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_UNAUTHENTICATED);
    ck_assert_str_eq(error.detail, "token: the algorithm is not the key's");
    jws.algorithm = JWS_RS256;
    sign(pair, 32, jws.signing_input, signature, sizeof signature);
    ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_UNAUTHENTICATED);
    jws_key_free(&rsa);
    EVP_PKEY_free(pair);
}
END_TEST

/* Of fixed size, and not the DER that OpenSSL writes. */
START_TEST(ecdsa_signatures_are_r_and_s)
{
    struct jws_key *ec = NULL;
    EVP_PKEY *pair = new_pair("EC", JWS_ES256, &ec);
    struct jws jws = {.algorithm = JWS_ES256, .signing_input = STR("a.b")};
    unsigned char der[80], raw[65] = {0};
    size_t size = sign(pair, -1, jws.signing_input, der, sizeof der);
    const unsigned char *end = der;

    ECDSA_SIG *both = d2i_ECDSA_SIG(NULL, &end, (long)size);
    ck_assert_ptr_nonnull(both);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_r(both), raw, 32), 32);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_s(both), raw + 32, 32), 32);
    jws.signature = (struct str){(const char *)raw, 64};
    ck_assert_int_eq(jws_verify(ec, &jws, &error), ERR_OK);
    jws.signature = (struct str){(const char *)der, size};
    ck_assert_int_eq(jws_verify(ec, &jws, &error), ERR_UNAUTHENTICATED);
    for (size_t len = 0; len < 64; len++) {
        jws.signature = (struct str){(const char *)raw, len};
        ck_assert_int_eq(jws_verify(ec, &jws, &error), ERR_UNAUTHENTICATED);
    }
    jws.signature = (struct str){(const char *)raw, 65};
    ck_assert_int_eq(jws_verify(ec, &jws, &error), ERR_UNAUTHENTICATED);
    /* Zero, for r, for s, for both; and numbers past the order. */
    for (int which = 1; which < 8; which++) {
        unsigned char bad[64];
        memcpy(bad, raw, 64);
        if (which & 1)
            memset(bad, which & 4 ? 0xff : 0, 32);
        if (which & 2)
            memset(bad + 32, which & 4 ? 0xff : 0, 32);
        if (which == 4)
            continue;
        jws.signature = (struct str){(const char *)bad, 64};
        ck_assert_int_eq(jws_verify(ec, &jws, &error), ERR_UNAUTHENTICATED);
    }
    ECDSA_SIG_free(both);
    jws_key_free(&ec);
    EVP_PKEY_free(pair);
}
END_TEST

/* What OpenSSL notes about a bad signature would look like a TLS error to whoever asks next. */
START_TEST(no_openssl_errors_are_left_behind)
{
    struct jws_key *rsa = NULL;
    EVP_PKEY *pair = new_pair("RSA", JWS_RS256, &rsa);
    static char nonsense[256];
    struct jws jws = {.algorithm = JWS_RS256,
                      .signing_input = STR("a.b"),
                      .signature = {nonsense, sizeof nonsense}};

    ERR_clear_error();
    ck_assert_int_eq(jws_verify(rsa, &jws, &error), ERR_UNAUTHENTICATED);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    jws_key_free(&rsa);
    ck_assert_int_eq(jws_key_new_rsa(JWS_RS256, (struct str){nonsense, sizeof nonsense}, STR("\3"),
                                     &rsa, &error),
                     ERR_BAD_INPUT);
    ck_assert_int_eq(jws_key_new_ec(JWS_ES256, (struct str){nonsense, 32},
                                    (struct str){nonsense, 32}, &rsa, &error),
                     ERR_BAD_INPUT);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    EVP_PKEY_free(pair);
}
END_TEST

START_TEST(a_public_key_does_not_sign)
{
    struct jws_key *rsa = NULL;
    EVP_PKEY *pair = new_pair("RSA", JWS_RS256, &rsa);
    struct str compact;

    ck_assert_int_eq(jws_sign(rsa, arena, STR("{}"), &compact), ERR_INTERNAL);
    ck_assert_uint_eq(compact.len, 0);
    jws_key_free(&rsa);
    EVP_PKEY_free(pair);
}
END_TEST

/* The classic: the public key's own bytes as an HMAC secret. */
START_TEST(a_public_key_is_no_secret)
{
    struct jws_key *rsa = NULL;
    EVP_PKEY *pair = new_pair("RSA", JWS_RS256, &rsa);
    static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}"};
    unsigned char *der = NULL;
    char line[MINT_SIZE];

    int size = i2d_PUBKEY(pair, &der);
    ck_assert_int_gt(size, 0);
    for (size_t i = 0; i < 2; i++) {
        mint_forged(line, sizeof line, headers[i], "{}", der, (size_t)size);
        ck_assert_int_eq(check(rsa, str_from(mint_token(line))), ERR_UNAUTHENTICATED);
    }
    OPENSSL_free(der);
    jws_key_free(&rsa);
    EVP_PKEY_free(pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("auth/tokens/jws");
    TCase *tcase = tcase_create("jws");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, rfc_7515_a1);
    tcase_add_test(tcase, every_changed_byte_is_refused);
    tcase_add_test(tcase, form);
    tcase_add_test(tcase, largest_size);
    tcase_add_test(tcase, headers_that_are_good);
    tcase_add_test(tcase, headers_that_are_refused);
    tcase_add_test(tcase, usual_headers);
    tcase_add_test(tcase, kid_is_told);
    tcase_add_test(tcase, cut_and_grown_signatures);
    tcase_add_test(tcase, what_we_sign_we_verify);
    tcase_add_test(tcase, a_signature_has_one_spelling);
    tcase_add_test(tcase, salts_of_other_lengths);
    tcase_add_test(tcase, paddings_are_told_apart);
    tcase_add_test(tcase, ecdsa_signatures_are_r_and_s);
    tcase_add_test(tcase, no_openssl_errors_are_left_behind);
    tcase_add_test(tcase, a_public_key_does_not_sign);
    tcase_add_test(tcase, a_public_key_is_no_secret);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
