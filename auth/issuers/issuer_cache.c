#include "issuers/issuer_cache.h"

#include "ttl_cache.h"

#include "cachewarden/arena.h"

#include <stdlib.h>

enum {
    TOKENS_MAX = 4096, /* in use at once; more are proven again, not wrong. At most 3 MiB. */
    TEXT_SIZE = 352, /* a subject and a `jti`, both as issuers usually have them, and the issuer */
};

struct cached_issuer_claims {
    int64_t generation;
    struct issuer_claims claims; /* its strings point nowhere: lengths and text stand for them */
    size_t subject_len, id_len, issuer_len;
    char text[TEXT_SIZE];
};

struct issuer_cache {
    struct ttl_cache *records;
};

enum err issuer_cache_new(struct issuer_cache **cache_out)
{
    struct issuer_cache *cache = calloc(1, sizeof *cache);

    *cache_out = NULL;
    if (!cache)
        return ERR_NO_MEMORY;
    if (ttl_cache_new("issuers' tokens", TOKENS_MAX, sizeof(struct cached_issuer_claims),
                      &cache->records) != ERR_OK) {
        free(cache);
        return ERR_NO_MEMORY;
    }
    *cache_out = cache;
    return ERR_OK;
}

void issuer_cache_free(struct issuer_cache **cache)
{
    if (!*cache)
        return;
    ttl_cache_free(&(*cache)->records);
    free(*cache);
    *cache = NULL;
}

static struct str key_of(const unsigned char digest[DIGEST_SHA256_SIZE])
{
    return (struct str){(const char *)digest, DIGEST_SHA256_SIZE};
}

bool issuer_cache_recall(struct issuer_cache *cache, struct arena *arena,
                         const unsigned char digest[DIGEST_SHA256_SIZE], int64_t generation,
                         int64_t now_s, struct issuer_claims *claims)
{
    struct cached_issuer_claims record;

    if (!ttl_cache_recall(cache->records, key_of(digest), now_s, INT64_MAX, &record) ||
        record.generation != generation)
        return false;
    struct str text = str_dup(
        arena, (struct str){record.text, record.subject_len + record.id_len + record.issuer_len});
    if (!text.ptr)
        return false;
    *claims = record.claims;
    claims->claims.token.subject = str_sub(text, 0, record.subject_len);
    claims->claims.token.id = str_sub(text, record.subject_len, record.id_len);
    claims->claims.token.issuer =
        str_sub(text, record.subject_len + record.id_len, record.issuer_len);
    return true;
}

static void pack(char *to, struct str text)
{
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
}

void issuer_cache_remember(struct issuer_cache *cache,
                           const unsigned char digest[DIGEST_SHA256_SIZE], int64_t generation,
                           int64_t now_s, const struct issuer_claims *claims)
{
    const struct token_claims *token = &claims->claims.token;
    struct cached_issuer_claims record = {.generation = generation, .claims = *claims};

    if (token->subject.len + token->id.len + token->issuer.len > sizeof record.text)
        return;
    record.claims.claims.token.subject = record.claims.claims.token.id = STR_NONE;
    record.claims.claims.token.issuer = STR_NONE;
    record.claims.user = STR_NONE; /* provisioned by now, or the same as user_id */
    record.subject_len = token->subject.len;
    record.id_len = token->id.len;
    record.issuer_len = token->issuer.len;
    pack(record.text, token->subject);
    pack(record.text + token->subject.len, token->id);
    pack(record.text + token->subject.len + token->id.len, token->issuer);
    ttl_cache_remember(cache->records, key_of(digest), now_s, &record);
}
