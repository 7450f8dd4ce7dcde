/*
 * Tokens and API keys from the network: whatever comes is refused or read, and nothing else happens.
 * The input is taken four times: as a whole token; as claims behind a good signature, which gets
 * past what random bytes cannot; as a header in front of it; and as claims of another issuer.
 */
#include "api_key.h"
#include "issuers/issuer_claims.h"
#include "tokens/jws.h"

#include "cachewarden/arena.h"
#include "cachewarden/mac.h"
#include "cachewarden/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1700000000 };

static struct tokens *tokens;
static struct jws_key *key;
static struct mac_key *mac_key;

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void set_up(void)
{
    struct token_options options = {.secret = STR("0123456789abcdef0123456789abcdef"),
                                    .issuer = STR("cachewarden"),
                                    .leeway_s = 30,
                                    .access_ttl_s = 900,
                                    .refresh_ttl_s = 604800,
                                    .session_idle_s = 1800,
                                    .session_ttl_s = 43200};

    must(tokens_new(&options, &tokens, NULL) == ERR_OK);
    must(jws_key_new_secret(JWS_HS256, options.secret, &key, NULL) == ERR_OK);
    must(mac_key_new("SHA2-256", options.secret, &mac_key) == ERR_OK);
}

/* What verification promises about the claims it lets through. */
static void try_token(struct arena *arena, struct str compact, enum token_use use)
{
    struct token_claims claims;
    struct error error;

    error_clear(&error);
    enum err err = token_verify(tokens, (struct work){.arena = arena, .error = &error}, compact,
                                use, NOW, &claims);
    must(err == ERR_OK || err == ERR_UNAUTHENTICATED || err == ERR_NO_MEMORY);
    must(error.caller[0] == '\0');
    if (err != ERR_OK)
        return;
    must(claims.use == use);
    must(claims.user_id >= 0 && (claims.user_id > 0 || claims.subject.len > 0));
    must(claims.expires_at_s + 30 > NOW && claims.issued_at_s <= NOW + 30);
    must(!str_has_control(claims.subject) && !str_has_control(claims.id) &&
         !str_has_control(claims.family));
}

static void try_issuer(struct arena *arena, struct str payload, enum issuer_accounts accounts)
{
    static const struct issuer_claims_rules rules = {.leeway_s = 30, .admin_group = STR("Admin")};
    const struct issuer_spec spec = {.name = STR("cachewarden"),
                                     .user_claim = STR("sub"),
                                     .superuser_claim = STR("is_superuser"),
                                     .groups_claim = STR("groups"),
                                     .accounts = accounts};
    struct issuer_claims claims;

    enum err err = issuer_claims_read(&spec, &rules, arena, payload, &claims, NULL);
    must(err == ERR_OK || err == ERR_UNAUTHENTICATED || err == ERR_NO_MEMORY);
    if (err != ERR_OK)
        return;
    must(claims.is_foreign && !claims.claims.token.is_own && claims.user.len > 0);
    must((claims.claims.token.user_id == 0) == (accounts == ISSUER_ACCOUNTS_PROVISION));
    must(claims.claims.token.user_id >= 0);
    must(!str_has_control(claims.user) && !str_has_control(claims.claims.token.subject));
    /* Chosen by what it says, and read as what it says: the same issuer. */
    must(str_eq(issuer_claims_peek(arena, payload), spec.name));
}

/* A header of the fuzzer's in front of good claims, with a good signature. */
static void try_header(struct arena *arena, struct str header)
{
    unsigned char mac[MAC_MAX_SIZE];
    struct jws jws;
    size_t mac_size;

    struct str header_text = base64url_encode(arena, header);
    struct str payload = base64url_encode(arena, STR("{\"user_id\":1,\"exp\":1700000010}"));
    struct str input = str_format(arena, "%.*s.%.*s", STR_ARG(header_text), STR_ARG(payload));
    if (!header_text.ptr || !input.ptr || mac_compute(mac_key, input, mac, &mac_size) != ERR_OK)
        return;
    struct str signature = base64url_encode(arena, (struct str){(const char *)mac, mac_size});
    struct str compact = str_format(arena, "%.*s.%.*s", STR_ARG(input), STR_ARG(signature));
    if (jws_parse(arena, compact, &jws, NULL) == ERR_OK)
        must(jws.algorithm != JWS_NO_ALGORITHM);
    try_token(arena, compact, TOKEN_ACCESS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = {(const char *)data, size};
    struct str compact, id, secret;
    struct arena *arena = arena_new(16384, 1 << 20);

    if (!tokens)
        set_up();
    must(arena != NULL);
    try_token(arena, input, TOKEN_ACCESS);
    if (jws_sign(key, arena, input, &compact) == ERR_OK) {
        try_token(arena, compact, TOKEN_ACCESS);
        try_token(arena, compact, TOKEN_REFRESH);
    }
    try_header(arena, input);
    try_issuer(arena, input, ISSUER_ACCOUNTS_LOCAL);
    try_issuer(arena, input, ISSUER_ACCOUNTS_NONE);
    try_issuer(arena, input, ISSUER_ACCOUNTS_PROVISION);
    if (api_key_split(input, &id, &secret))
        must(id.len == API_KEY_ID_SIZE && secret.len == 64);
    arena_free(&arena);
    return 0;
}
