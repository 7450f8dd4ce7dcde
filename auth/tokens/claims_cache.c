#include "tokens/claims_cache.h"

#include "ttl_cache.h"

#include "cachewarden/arena.h"

#include <stdlib.h>

enum {
    TOKENS_MAX = 4096, /* in use at once; more are read, not wrong. At most 4.5 MiB of memory. */
    TOKEN_SIZE = 640,  /* ours have some 400 bytes */
    TEXT_SIZE = 288, /* a username of 150 bytes, our `jti`, `family`, `incarnation`, `unrecorded` */
    KEY_SIZE = 16,   /* of the signature's text: 96 bits */
};

struct cached_claims {
    uint64_t keys;        /* that have proven it */
    struct claims claims; /* its strings point nowhere: lengths and text stand for them */
    size_t subject_len, id_len, family_len, incarnation_len, unrecorded_len, token_len;
    char token[TOKEN_SIZE];
    char text[TEXT_SIZE]; /* one behind the other */
};

struct claims_cache {
    struct ttl_cache *records;
};

enum err claims_cache_new(struct claims_cache **cache_out)
{
    struct claims_cache *cache = calloc(1, sizeof *cache);

    *cache_out = NULL;
    if (!cache)
        return ERR_NO_MEMORY;
    if (ttl_cache_new("claims", TOKENS_MAX, sizeof(struct cached_claims), &cache->records) !=
        ERR_OK) {
        free(cache);
        return ERR_NO_MEMORY;
    }
    *cache_out = cache;
    return ERR_OK;
}

void claims_cache_free(struct claims_cache **cache)
{
    if (!*cache)
        return;
    ttl_cache_free(&(*cache)->records);
    free(*cache);
    *cache = NULL;
}

/* The first `len` bytes of *text, which then begins behind them. */
static struct str take(struct str *text, size_t len)
{
    struct str part = str_sub(*text, 0, len);

    *text = str_sub(*text, len, text->len);
    return part;
}

/* Behind the last dot, and what is before it. Neither has to be sound. */
static void cut(struct str compact, struct str *signed_out, struct str *signature_out)
{
    const char *dot = compact.len > 0 ? memrchr(compact.ptr, '.', compact.len) : NULL;
    size_t at = dot ? (size_t)(dot - compact.ptr) + 1 : 0;

    *signed_out = str_sub(compact, 0, at);
    *signature_out = str_sub(compact, at, compact.len);
}

/*
 * The same token to the last byte? Who guesses at a signature learns nothing from the time it takes
 * but whether its first KEY_SIZE bytes are some token's, and they are not enough to make one.
 */
static bool is_same(struct str a, struct str b)
{
    struct str a_signed, a_signature, b_signed, b_signature;

    cut(a, &a_signed, &a_signature);
    cut(b, &b_signed, &b_signature);
    return str_eq_secret(a_signature, b_signature) && str_eq(a_signed, b_signed);
}

static struct str key_of(struct str compact)
{
    struct str unused, signature;

    cut(compact, &unused, &signature);
    return str_sub(signature, 0, KEY_SIZE);
}

bool claims_recall(struct claims_cache *cache, struct arena *arena, struct str compact,
                   uint64_t keys, int64_t now_s, struct claims *claims)
{
    struct cached_claims record;

    if (!ttl_cache_recall(cache->records, key_of(compact), now_s, INT64_MAX, &record) ||
        record.keys != keys || !is_same(compact, (struct str){record.token, record.token_len}))
        return false;
    size_t len = record.subject_len + record.id_len + record.family_len + record.incarnation_len +
                 record.unrecorded_len;
    struct str text = str_dup(arena, (struct str){record.text, len});
    if (!text.ptr)
        return false;
    *claims = record.claims;
    claims->token.subject = take(&text, record.subject_len);
    claims->token.id = take(&text, record.id_len);
    claims->token.family = take(&text, record.family_len);
    claims->token.incarnation = take(&text, record.incarnation_len);
    claims->token.unrecorded = take(&text, record.unrecorded_len);
    return true;
}

/* Copies it to *end and moves that on. */
static size_t pack(char **end, struct str text)
{
    if (text.len > 0)
        memcpy(*end, text.ptr, text.len);
    *end += text.len;
    return text.len;
}

void claims_remember(struct claims_cache *cache, struct str compact, uint64_t keys, int64_t now_s,
                     const struct claims *claims)
{
    const struct token_claims *token = &claims->token;
    struct cached_claims record;
    char *end = record.text;

    if (token->subject.len + token->id.len + token->family.len + token->incarnation.len +
                token->unrecorded.len >
            sizeof record.text ||
        compact.len > sizeof record.token)
        return;
    record.keys = keys;
    record.claims = *claims;
    record.claims.token.subject = record.claims.token.id = STR_NONE;
    record.claims.token.family = record.claims.token.unrecorded = STR_NONE;
    record.claims.token.incarnation = STR_NONE;
    record.subject_len = pack(&end, token->subject);
    record.id_len = pack(&end, token->id);
    record.family_len = pack(&end, token->family);
    record.incarnation_len = pack(&end, token->incarnation);
    record.unrecorded_len = pack(&end, token->unrecorded);
    memset(end, 0, (size_t)(record.text + sizeof record.text - end));
    memset(record.token, 0, sizeof record.token);
    memcpy(record.token, compact.ptr, compact.len);
    record.token_len = compact.len;
    ttl_cache_remember(cache->records, key_of(compact), now_s, &record);
}
