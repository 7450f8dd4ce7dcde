#include "cachewarden/token.h"

#include "tokens/claims.h"
#include "tokens/claims_cache.h"
#include "tokens/jws.h"

#include "cachewarden/mac.h"
#include "cachewarden/random.h"

#include <stdlib.h>

_Static_assert(TOKEN_MAX_SIZE == JWS_MAX_SIZE, "a token is a compact JWS");

enum {
    TOKEN_ID_SIZE = 16,           /* random bytes of a `jti`: never two alike */
    TTL_MAX_S = 10 * 366 * 86400, /* keeps sums of dates far from their end */
};

/* Of one secret. */
struct token_key {
    struct jws_key *jws;
    struct mac_key *names; /* for token_name_digest */
};

struct tokens {
    struct key_ring *keys; /* of struct token_key */
    struct claims_rules rules;
    struct claims_cache *cache; /* looks after its own threads */
    int64_t access_ttl_s;
    int64_t refresh_ttl_s;
    int64_t session_idle_s, session_ttl_s, longest_ttl_s;
    struct arena *memory; /* the copied texts */
};

static bool is_ttl(int64_t ttl_s)
{
    return ttl_s > 0 && ttl_s <= TTL_MAX_S;
}

static bool copy_rules(struct arena *arena, const struct claimed_rights_rules *rules,
                       struct claimed_rights_rules *copy)
{
    copy->superuser_claim = str_dup(arena, rules->superuser_claim);
    copy->groups_claim = str_dup(arena, rules->groups_claim);
    copy->admin_group = str_dup(arena, rules->admin_group);
    return copy->superuser_claim.ptr && copy->groups_claim.ptr && copy->admin_group.ptr;
}

/* ---- secrets ---- */

static void free_key(void *memory)
{
    struct token_key *key = memory;

    jws_key_free(&key->jws);
    mac_key_free(&key->names);
    free(key);
}

static enum err make_key(struct str secret, void **key_out, struct error *error)
{
    struct token_key *key = calloc(1, sizeof *key);

    *key_out = NULL;
    if (!key)
        return ERR_NO_MEMORY;
    enum err err = jws_key_new_secret(JWS_HS256, secret, &key->jws, error);
    if (!err)
        err = mac_key_new("SHA2-256", secret, &key->names);
    if (err)
        free_key(key);
    else
        *key_out = key;
    return err;
}

static const struct key_kind token_keys = {make_key, free_key};

static enum err check_secret(const char *name, struct str secret, struct error *error)
{
    if (secret.len >= TOKEN_SECRET_MIN_SIZE)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT,
                     "%s has %zu bytes, but HS256 needs at least %d: make one with "
                     "`openssl rand -hex 32`",
                     name, secret.len, TOKEN_SECRET_MIN_SIZE);
}

static enum err check_secrets(const struct secrets *secrets, struct error *error)
{
    enum err err = check_secret("auth.secret", secrets->current, error);

    if (!err && secrets->previous_count > SECRETS_PREVIOUS_MAX)
        err = error_set(error, ERR_BAD_INPUT, "auth.previous_secrets has more than %d of them",
                        SECRETS_PREVIOUS_MAX);
    for (size_t i = 0; !err && i < secrets->previous_count; i++)
        err = check_secret("one of auth.previous_secrets", secrets->previous[i], error);
    return err;
}

struct secrets token_secrets(const struct token_options *options)
{
    struct secrets secrets = {.current = options->secret,
                              .previous_count = options->previous_secret_count};

    for (size_t i = 0; i < secrets.previous_count && i < SECRETS_PREVIOUS_MAX; i++)
        secrets.previous[i] = options->previous_secrets[i];
    return secrets;
}

enum err tokens_set_secrets(struct tokens *tokens, const struct secrets *secrets, bool *changed_out,
                            struct error *error)
{
    enum err err = check_secrets(secrets, error);

    *changed_out = false;
    return err ? err : key_ring_set(tokens->keys, secrets, changed_out, error);
}

/* ---- life ---- */

enum err tokens_new(const struct token_options *options, struct tokens **tokens_out,
                    struct error *error)
{
    *tokens_out = NULL;
    /* Our own tokens are known by their issuer: their account must exist. */
    if (options->issuer.len == 0)
        return error_set(error, ERR_BAD_INPUT, "auth.issuer must not be empty");
    if (!is_ttl(options->access_ttl_s) || !is_ttl(options->refresh_ttl_s))
        return error_set(error, ERR_BAD_INPUT,
                         "auth.access_ttl_s and auth.refresh_ttl_s must be 1 to %d seconds",
                         TTL_MAX_S);
    if (!is_ttl(options->session_idle_s) || !is_ttl(options->session_ttl_s))
        return error_set(error, ERR_BAD_INPUT,
                         "auth.session_idle_s and auth.session_ttl_s must be 1 to %d seconds",
                         TTL_MAX_S);
    if (options->leeway_s < 0 || options->leeway_s > TTL_MAX_S)
        return error_set(error, ERR_BAD_INPUT, "auth.leeway_s must be 0 to %d seconds", TTL_MAX_S);
    const struct secrets secrets = token_secrets(options);
    enum err err = check_secrets(&secrets, error);
    if (err)
        return err;

    struct tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens)
        return ERR_NO_MEMORY;
    tokens->access_ttl_s = options->access_ttl_s;
    tokens->refresh_ttl_s = options->refresh_ttl_s;
    tokens->session_idle_s = options->session_idle_s;
    tokens->session_ttl_s = options->session_ttl_s;
    tokens->longest_ttl_s = options->longest_ttl_s;
    tokens->rules.leeway_s = options->leeway_s;
    tokens->memory = arena_new(256, 0);
    err = tokens->memory ? ERR_OK : ERR_NO_MEMORY;
    if (!err) {
        tokens->rules.issuer = str_dup(tokens->memory, options->issuer);
        tokens->rules.audience = str_dup(tokens->memory, options->audience);
        if (!tokens->rules.issuer.ptr || !tokens->rules.audience.ptr ||
            !copy_rules(tokens->memory, &options->shared, &tokens->rules.shared))
            err = ERR_NO_MEMORY;
    }
    if (!err)
        err = claims_cache_new(&tokens->cache);
    if (!err)
        err = key_ring_new(&token_keys, &secrets, &tokens->keys, error);
    if (err)
        tokens_free(&tokens);
    *tokens_out = tokens;
    return err;
}

void tokens_free(struct tokens **tokens)
{
    if (!*tokens)
        return;
    key_ring_free(&(*tokens)->keys);
    claims_cache_free(&(*tokens)->cache);
    arena_free(&(*tokens)->memory);
    free(*tokens);
    *tokens = NULL;
}

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "token: %s", why);
}

/* Most were signed with the first. */
static enum err verify(const struct key_set *keys, const struct jws *jws, struct error *error)
{
    enum err err = ERR_UNAUTHENTICATED;

    for (size_t i = 0; err == ERR_UNAUTHENTICATED && i < keys->count; i++)
        err = jws_verify(((const struct token_key *)keys->keys[i])->jws, jws, error);
    if (!err)
        error_clear(error);
    return err;
}

/* Form, header, signature and claims: all that stays as it is while the token lives. */
static enum err prove(const struct tokens *tokens, const struct key_set *keys, struct arena *arena,
                      struct str compact, struct claims *claims, struct error *error)
{
    struct jws jws;

    enum err err = jws_parse(arena, compact, &jws, error);
    if (err)
        return err;
    if (jws.has_kid)
        return refuse(error, "kid is present, but our key has none");
    if (!jws_is_jwt(&jws))
        return refuse(error, "typ is not JWT");
    /* The payload is not looked at before the signature is proven. */
    err = verify(keys, &jws, error);
    if (!err)
        err = claims_read(&tokens->rules, arena, jws.payload, claims, error);
    if (!err && !claims->token.is_own && claims->token.id.len == 0)
        err = jws_id(arena, &jws, &claims->token.id);
    return err;
}

static int64_t later_s(int64_t a_s, int64_t b_s)
{
    return a_s > b_s ? a_s : b_s;
}

static int64_t sooner_s(int64_t a_s, int64_t b_s)
{
    return a_s < b_s ? a_s : b_s;
}

/* The cookie is ours alone, so there is nothing to be lenient about. The settings may be shorter by now
 * than when the token was signed. */
static enum err judge_session(const struct tokens *tokens, struct token_claims *claims,
                              int64_t now_s, struct error *error)
{
    if (!claims->is_own || claims->user_id == 0 || claims->id.len == 0 || claims->family.len == 0)
        return refuse(error, "a session we did not make");
    if (now_s >= claims->issued_at_s + tokens->session_ttl_s)
        return refuse(error, "the session has lasted its time");
    claims->expires_at_s =
        sooner_s(claims->expires_at_s, claims->renewed_at_s + tokens->session_idle_s);
    if (now_s >= claims->expires_at_s)
        return refuse(error, "the session was idle for too long");
    return ERR_OK;
}

/* `exp` was written by the settings of that day. expires_at_s stays what it says: they may be longer
 * again tomorrow, and what is recorded of the token has to last for that. */
static enum err judge_lifetime(const struct tokens *tokens, const struct token_claims *claims,
                               int64_t now_s, struct error *error)
{
    int64_t ttl_s = claims->use == TOKEN_ACCESS ? tokens->access_ttl_s : tokens->refresh_ttl_s;

    if (claims->is_own && now_s >= claims->issued_at_s + ttl_s + tokens->rules.leeway_s)
        return refuse(error, "it has lasted as long as tokens do today");
    return ERR_OK;
}

enum err token_verify(const struct tokens *tokens, struct work work, struct str compact,
                      enum token_use use, int64_t now_s, struct token_claims *claims)
{
    const struct key_set *keys = key_ring_keys(tokens->keys);
    struct claims read;
    enum err err = ERR_OK;

    *claims = (struct token_claims){.use = use};
    if (!claims_recall(tokens->cache, work.arena, compact, keys->number, now_s, &read)) {
        err = prove(tokens, keys, work.arena, compact, &read, work.error);
        if (!err)
            claims_remember(tokens->cache, compact, keys->number, now_s, &read);
    }
    if (!err)
        err = claims_judge(&tokens->rules, &read, use, now_s, work.error);
    if (!err)
        err = use == TOKEN_SESSION ? judge_session(tokens, &read.token, now_s, work.error)
                                   : judge_lifetime(tokens, &read.token, now_s, work.error);
    if (!err)
        *claims = read.token;
    return err;
}

static enum err sign(const struct tokens *tokens, struct arena *arena, struct token_claims *claims,
                     struct str *compact_out)
{
    *compact_out = STR_NONE;
    claims->is_own = true;
    struct str payload = claims_write(&tokens->rules, arena, claims);
    if (!claims->id.ptr || !payload.ptr)
        return ERR_NO_MEMORY;
    const struct token_key *key = key_ring_keys(tokens->keys)->keys[0];
    return jws_sign(key->jws, arena, payload, compact_out);
}

enum err token_issue(const struct tokens *tokens, struct arena *arena, int64_t now_s,
                     struct token_claims *claims, struct str *compact_out)
{
    claims->id = random_hex(arena, TOKEN_ID_SIZE);
    claims->issued_at_s = now_s;
    claims->expires_at_s =
        now_s + (claims->use == TOKEN_ACCESS ? tokens->access_ttl_s : tokens->refresh_ttl_s);
    return sign(tokens, arena, claims, compact_out);
}

static int64_t session_expiry_s(const struct tokens *tokens, int64_t issued_at_s, int64_t now_s)
{
    return sooner_s(now_s + tokens->session_idle_s, issued_at_s + tokens->session_ttl_s);
}

enum err token_issue_session(const struct tokens *tokens, struct arena *arena, int64_t now_s,
                             struct token_claims *claims, struct str *compact_out)
{
    if (claims->id.len == 0)
        claims->id = random_hex(arena, TOKEN_ID_SIZE);
    claims->use = TOKEN_SESSION;
    claims->renewed_at_s = now_s;
    claims->expires_at_s = session_expiry_s(tokens, claims->issued_at_s, now_s);
    return sign(tokens, arena, claims, compact_out);
}

/* A tenth: a session may end that much early, and a busy page is not sent a cookie with every
 * answer. */
bool token_session_is_stale(const struct tokens *tokens, int64_t issued_at_s, int64_t expires_at_s,
                            int64_t now_s)
{
    int64_t gained_s = session_expiry_s(tokens, issued_at_s, now_s) - expires_at_s;

    return gained_s > 0 && gained_s >= tokens->session_idle_s / 10;
}

int64_t token_access_ttl_s(const struct tokens *tokens)
{
    return tokens->access_ttl_s;
}

int64_t token_refresh_ttl_s(const struct tokens *tokens)
{
    return tokens->refresh_ttl_s;
}

int64_t token_longest_ttl_s(const struct tokens *tokens)
{
    return later_s(tokens->longest_ttl_s, later_s(tokens->session_ttl_s, tokens->refresh_ttl_s));
}

int64_t token_leeway_s(const struct tokens *tokens)
{
    return tokens->rules.leeway_s;
}

enum { NAME_DIGEST_BYTES = 16 };

struct str token_name_digest(const struct tokens *tokens, struct arena *arena, struct str name)
{
    unsigned char mac[MAC_MAX_SIZE];
    size_t size;
    /* No token begins like this: what is signed there is never what is signed here. */
    struct str text = str_format(arena, "name:%.*s", STR_ARG(name));

    const struct token_key *key = key_ring_keys(tokens->keys)->keys[0];

    if (!text.ptr || mac_compute(key->names, text, mac, &size) != ERR_OK)
        return STR_NONE;
    return hex_encode(arena, (struct str){(const char *)mac, NAME_DIGEST_BYTES});
}
