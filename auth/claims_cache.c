#include "claims_cache.h"

#include "memo.h"

#include "cachewarden/arena.h"

#include <stdlib.h>

enum {
    TOKENS_MAX = 4096, /* in use at once; more are read, not wrong. At most 2 MiB of memory. */
    TEXT_SIZE = 256,   /* a username of 150 bytes, our `jti`, `family` and `unrecorded` */
};

struct record {
    struct claims claims; /* its strings point nowhere: lengths and text stand for them */
    size_t subject_len, id_len, family_len, unrecorded_len;
    char text[TEXT_SIZE]; /* one behind the other */
};

struct claims_cache {
    struct memo *records;
};

enum err claims_cache_new(struct claims_cache **cache_out)
{
    struct claims_cache *cache = calloc(1, sizeof *cache);

    *cache_out = NULL;
    if (!cache)
        return ERR_NO_MEMORY;
    if (memo_new("claims", TOKENS_MAX, sizeof(struct record), &cache->records) != ERR_OK) {
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
    memo_free(&(*cache)->records);
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

bool claims_recall(struct claims_cache *cache, struct arena *arena, struct str signature,
                   int64_t now_s, struct claims *claims)
{
    struct record record;

    if (!memo_recall(cache->records, signature, now_s, INT64_MAX, &record))
        return false;
    size_t len = record.subject_len + record.id_len + record.family_len + record.unrecorded_len;
    struct str text = str_dup(arena, (struct str){record.text, len});
    if (!text.ptr)
        return false;
    *claims = record.claims;
    claims->token.subject = take(&text, record.subject_len);
    claims->token.id = take(&text, record.id_len);
    claims->token.family = take(&text, record.family_len);
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

void claims_remember(struct claims_cache *cache, struct str signature, int64_t now_s,
                     const struct claims *claims)
{
    const struct token_claims *token = &claims->token;
    struct record record;
    char *end = record.text;

    if (token->subject.len + token->id.len + token->family.len + token->unrecorded.len >
        sizeof record.text)
        return;
    record.claims = *claims;
    record.claims.token.subject = record.claims.token.id = STR_NONE;
    record.claims.token.family = record.claims.token.unrecorded = STR_NONE;
    record.subject_len = pack(&end, token->subject);
    record.id_len = pack(&end, token->id);
    record.family_len = pack(&end, token->family);
    record.unrecorded_len = pack(&end, token->unrecorded);
    memset(end, 0, (size_t)(record.text + sizeof record.text - end));
    memo_remember(cache->records, signature, now_s, &record);
}
