#include "jws.h"

#include "mac.h"

#include "cachewarden/arena.h"
#include "cachewarden/json.h"

#include <stdlib.h>

/* One row an algorithm. A signature has the size the algorithm says, never less: a cut one is no
 * signature. */
static const struct algorithm {
    enum jws_algorithm id;
    const char *name;   /* RFC 7518 section 3.1 */
    const char *digest; /* OpenSSL's name */
    size_t secret_min_size;
} algorithms[] = {
    {JWS_HS256, "HS256", "SHA2-256", 32},
};

enum { ALGORITHM_COUNT = sizeof algorithms / sizeof *algorithms };

struct jws_key {
    const struct algorithm *algorithm;
    struct mac_key *mac;
};

static const struct algorithm *find_algorithm(enum jws_algorithm id)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (algorithms[i].id == id)
            return &algorithms[i];
    }
    return NULL;
}

const char *jws_algorithm_name(enum jws_algorithm id)
{
    const struct algorithm *algorithm = find_algorithm(id);

    return algorithm ? algorithm->name : "none";
}

enum jws_algorithm jws_algorithm_from_name(struct str name)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (str_eq(name, str_from(algorithms[i].name)))
            return algorithms[i].id;
    }
    return JWS_NO_ALGORITHM;
}

enum err jws_key_new_secret(enum jws_algorithm id, struct str secret, struct jws_key **key_out,
                            struct error *error)
{
    const struct algorithm *algorithm = find_algorithm(id);

    *key_out = NULL;
    if (!algorithm || algorithm->secret_min_size == 0)
        return error_set(error, ERR_BAD_INPUT, "%s does not take a secret", jws_algorithm_name(id));
    if (secret.len < algorithm->secret_min_size)
        return error_set(error, ERR_BAD_INPUT,
                         "the secret has %zu bytes, but %s needs at least %zu", secret.len,
                         algorithm->name, algorithm->secret_min_size);

    struct jws_key *key = calloc(1, sizeof *key);
    if (!key)
        return ERR_NO_MEMORY;
    key->algorithm = algorithm;
    enum err err = mac_key_new(algorithm->digest, secret, &key->mac);
    if (err) {
        jws_key_free(&key);
        return error_set_detail(error, err, "HMAC with %s cannot be set up", algorithm->digest);
    }
    *key_out = key;
    return ERR_OK;
}

void jws_key_free(struct jws_key **key)
{
    if (!*key)
        return;
    mac_key_free(&(*key)->mac);
    free(*key);
    *key = NULL;
}

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "token: %s", why);
}

/*
 * The two headers that every token minted by us and by PyJWT (Django's simplejwt) has, as they
 * stand in the token:
 * {"alg":"HS256","typ":"JWT"} and {"typ":"JWT","alg":"HS256"}. Knowing them spares a JSON document
 * on every request.
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
        return refuse(error, "longer than 8192 bytes");
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

enum err jws_verify(const struct jws_key *key, const struct jws *jws, struct error *error)
{
    unsigned char mac[MAC_MAX_SIZE];
    size_t size = 0;

    if (jws->algorithm != key->algorithm->id)
        return refuse(error, "the algorithm is not the key's");
    enum err err = mac_compute(key->mac, jws->signing_input, mac, &size);
    if (err)
        return error_set_detail(error, err, "token: the signature cannot be computed");
    if (!str_eq_secret(jws->signature, (struct str){(const char *)mac, size}))
        return refuse(error, "the signature is not the key's");
    return ERR_OK;
}

enum err jws_sign(const struct jws_key *key, struct arena *arena, struct str payload,
                  struct str *compact_out)
{
    unsigned char mac[MAC_MAX_SIZE];
    size_t size = 0;

    *compact_out = STR_NONE;
    struct str header = str_format(arena, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", key->algorithm->name);
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
