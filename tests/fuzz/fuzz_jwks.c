/*
 * Key sets as an issuer, or somebody in its place, might publish them. Whatever is accepted has to
 * be a whole key that verifies without a crash and refuses a signature nobody made.
 */
#include "issuers/jwks.h"

#include "cachewarden/arena.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* A token without a kid, with signatures of zeros of every usual length. */
static void try_algorithm(const struct jwks *jwks, enum jws_algorithm algorithm)
{
    static const char nobodys[264];
    struct jws jws = {.algorithm = algorithm, .signing_input = STR("e30.e30")};
    const char *why;

    const struct jws_key *key = jwks_find(jwks, &jws, &why);
    if (!key)
        return;
    for (size_t len = 0; len <= sizeof nobodys; len += 4) {
        jws.signature = (struct str){nobodys, len};
        must(jws_verify(key, &jws, NULL) == ERR_UNAUTHENTICATED);
    }
}

static void try_rules(const struct jwk_rules *rules, struct str text)
{
    struct jwks *jwks = NULL;
    struct error error;

    error_clear(&error);
    enum err err = jwks_parse(rules, text, &jwks, &error);
    must((err == ERR_OK) == (jwks != NULL));
    if (err) {
        must(err == ERR_BAD_INPUT || err == ERR_TOO_LARGE || err == ERR_NO_MEMORY);
        must(err == ERR_NO_MEMORY || error.caller[0] != '\0');
        return;
    }
    must(jwks_count(jwks) > 0 && jwks_count(jwks) <= JWKS_KEYS_MAX);
    for (size_t i = 0; i < rules->algorithm_count; i++)
        try_algorithm(jwks, rules->algorithms[i]);
    jwks_free(&jwks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum jws_algorithm all[] = {JWS_HS256, JWS_HS384, JWS_HS512, JWS_RS256, JWS_RS384,
                                             JWS_RS512, JWS_PS256, JWS_PS384, JWS_PS512, JWS_ES256,
                                             JWS_ES384, JWS_ES512, JWS_EDDSA};
    static const enum jws_algorithm published[] = {JWS_PS256, JWS_ES256};
    struct str text = {(const char *)data, size};

    try_rules(&(struct jwk_rules){all, sizeof all / sizeof *all, true}, text);
    try_rules(&(struct jwk_rules){published, 2, false}, text);
    return 0;
}
