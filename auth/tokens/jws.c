#include "tokens/jws_private.h"

#include "cachewarden/arena.h"
#include "cachewarden/digest.h"
#include "cachewarden/json.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

enum { ID_BYTES = 16 };

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "token: %s", why);
}

/*
 * {"alg":"HS256","typ":"JWT"} and {"typ":"JWT","alg":"HS256"} as they stand in a token: what we and
 * PyJWT (Django's simplejwt) write. Knowing them spares a JSON document on every request.
 */
static bool is_usual_header(struct str text)
{
    return str_eq(text, STR("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9")) ||
           str_eq(text, STR("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9"));
}

/* An optional member that has to be a string. */
static bool read_string(const struct json *header, const char *name, struct str *value_out,
                        bool *present_out)
{
    const struct json *value = json_get(header, name);

    *present_out = value != NULL;
    *value_out = STR_NONE;
    if (!value)
        return true;
    *value_out = json_string(value);
    return json_kind(value) == JSON_STRING;
}

static enum err read_header(struct arena *arena, struct str text, struct jws *jws,
                            struct error *error)
{
    /* Keys and places to fetch keys from come from configuration (RFC 8725 section 3.10);
     * extensions are none of ours. */
    static const char *const refused[] = {"jwk", "jku", "x5u", "x5c", "crit", "b64"};
    const struct json *header = NULL;

    enum err err = json_parse(arena, text, &header, NULL);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err || json_kind(header) != JSON_OBJECT)
        return refuse(error, "the header is not a JSON object");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (json_get(header, refused[i]))
            return refuse(error, "the header has a member that is never accepted");
    }

    struct str name;
    bool has_algorithm, has_type;
    if (!read_string(header, "alg", &name, &has_algorithm) ||
        !read_string(header, "typ", &jws->type, &has_type) ||
        !read_string(header, "kid", &jws->kid, &jws->has_kid))
        return refuse(error, "alg, typ or kid is not a string");
    jws->algorithm = jws_algorithm_from_name(name);
    if (jws->algorithm == JWS_NO_ALGORITHM)
        return refuse(error, "the algorithm is missing or not one we know");
    return ERR_OK;
}

enum err jws_parse(struct arena *arena, struct str compact, struct jws *jws, struct error *error)
{
    struct str rest = compact, header_text, payload_text, signature_text, extra, header;

    *jws = (struct jws){0};
    if (compact.len > JWS_MAX_SIZE)
        return refuse(error, "longer than 16384 bytes");
    if (!str_split(&rest, '.', &header_text) || !str_split(&rest, '.', &payload_text) ||
        !str_split(&rest, '.', &signature_text) || str_split(&rest, '.', &extra))
        return refuse(error, "not three parts");
    if (header_text.len == 0 || payload_text.len == 0 || signature_text.len == 0)
        return refuse(error, "an empty part");

    jws->signing_input = (struct str){compact.ptr, header_text.len + 1 + payload_text.len};
    if (!base64url_decode(arena, payload_text, &jws->payload) ||
        !base64url_decode(arena, signature_text, &jws->signature))
        return refuse(error, "not canonical base64url");
    if (is_usual_header(header_text)) {
        jws->algorithm = JWS_HS256;
        jws->type = STR("JWT");
        return ERR_OK;
    }
    if (!base64url_decode(arena, header_text, &header))
        return refuse(error, "not canonical base64url");
    return read_header(arena, header, jws, error);
}

enum err jws_id(struct arena *arena, const struct jws *jws, struct str *id_out)
{
    unsigned char digest[DIGEST_SHA256_SIZE];
    enum err err = digest_sha256(jws->signing_input, digest);

    if (err)
        return err;
    *id_out = hex_encode(arena, (struct str){(const char *)digest, ID_BYTES});
    return id_out->ptr ? ERR_OK : ERR_NO_MEMORY;
}

bool jws_is_jwt(const struct jws *jws)
{
    return jws->type.len == 0 || str_eq_nocase(jws->type, STR("JWT")) ||
           str_eq_nocase(jws->type, STR("at+jwt")) ||
           str_eq_nocase(jws->type, STR("application/at+jwt")); /* RFC 9068 section 4 */
}

/* The whole MAC or nothing: a cut one is no signature. */
static enum err verify_mac(const struct jws_key *key, const struct jws *jws, bool *is_good_out)
{
    unsigned char mac[MAC_MAX_SIZE];
    size_t size = 0;

    enum err err = mac_compute(key->mac, jws->signing_input, mac, &size);
    *is_good_out = !err && str_eq_secret(jws->signature, (struct str){(const char *)mac, size});
    return err;
}

/* A sequence of two numbers, each with a sign, of the longest curve. */
enum { DER_MAX_SIZE = 2 * (COORDINATE_MAX_SIZE + 3) + 3 };

/*
 * JOSE writes r and s side by side, each as long as a coordinate (RFC 7518 section 3.4); OpenSSL
 * reads DER. A signature that is DER already has another size and is refused.
 */
static bool ec_to_der(struct str signature, size_t coordinate_size, unsigned char der[DER_MAX_SIZE],
                      size_t *size_out)
{
    const unsigned char *bytes = (const unsigned char *)signature.ptr;
    unsigned char *end = der;
    int size = 0;

    if (signature.len != 2 * coordinate_size)
        return false;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, (int)coordinate_size, NULL);
    BIGNUM *s = BN_bin2bn(bytes + coordinate_size, (int)coordinate_size, NULL);
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        size = i2d_ECDSA_SIG(pair, NULL);
        size = size > 0 && size <= DER_MAX_SIZE ? i2d_ECDSA_SIG(pair, &end) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    *size_out = size > 0 ? (size_t)size : 0;
    return size > 0;
}

/* PSS with a salt as long as the digest, and MGF1 with the same digest (RFC 7518 section 3.5). */
static bool prepare(EVP_MD_CTX *context, const struct jws_key *key)
{
    EVP_PKEY_CTX *settings = NULL;

    if (EVP_DigestVerifyInit_ex(context, &settings, key->row->digest, NULL, NULL, key->public_key,
                                NULL) != 1)
        return false;
    return key->row->family != JWS_RSA_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static enum err verify_public(const struct jws_key *key, const struct jws *jws, bool *is_good_out)
{
    unsigned char der[DER_MAX_SIZE];
    const unsigned char *signature = (const unsigned char *)jws->signature.ptr;
    size_t size = jws->signature.len;

    *is_good_out = false;
    if (key->row->family == JWS_EC) {
        if (!ec_to_der(jws->signature, key->row->coordinate_size, der, &size))
            return ERR_OK;
        signature = der;
    } else if (size != (size_t)EVP_PKEY_get_size(key->public_key)) {
        /* OpenSSL takes an RSA-PSS signature without its leading zeros: a second spelling. */
        return ERR_OK;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context)
        return ERR_NO_MEMORY;
    enum err err = prepare(context, key) ? ERR_OK : ERR_INTERNAL;
    if (!err)
        *is_good_out = EVP_DigestVerify(context, signature, size,
                                        (const unsigned char *)jws->signing_input.ptr,
                                        jws->signing_input.len) == 1;
    /* What OpenSSL notes about a bad signature must not be taken for a TLS error later. */
    ERR_clear_error();
    EVP_MD_CTX_free(context);
    return err;
}

enum err jws_verify(const struct jws_key *key, const struct jws *jws, struct error *error)
{
    bool is_good = false;

    if (jws->algorithm != key->row->id)
        return refuse(error, "the algorithm is not the key's");
    enum err err = key->mac ? verify_mac(key, jws, &is_good) : verify_public(key, jws, &is_good);
    if (err)
        return error_set_detail(error, err, "token: the signature cannot be computed");
    return is_good ? ERR_OK : refuse(error, "the signature is not the key's");
}

enum err jws_sign(const struct jws_key *key, struct arena *arena, struct str payload,
                  struct str *compact_out)
{
    unsigned char mac[MAC_MAX_SIZE];
    size_t size = 0;

    *compact_out = STR_NONE;
    if (!key->mac)
        return ERR_INTERNAL;
    struct str header = str_format(arena, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", key->row->name);
    struct str header_text = base64url_encode(arena, header);
    struct str payload_text = base64url_encode(arena, payload);
    struct str input = str_format(arena, "%.*s.%.*s", STR_ARG(header_text), STR_ARG(payload_text));
    if (!header.ptr || !header_text.ptr || !payload_text.ptr || !input.ptr)
        return ERR_NO_MEMORY;

    enum err err = mac_compute(key->mac, input, mac, &size);
    if (err)
        return err;
    struct str signature_text = base64url_encode(arena, (struct str){(const char *)mac, size});
    *compact_out = str_format(arena, "%.*s.%.*s", STR_ARG(input), STR_ARG(signature_text));
    return signature_text.ptr && compact_out->ptr ? ERR_OK : ERR_NO_MEMORY;
}
