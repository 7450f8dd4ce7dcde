#include "api_key.h"

#include "api_key_ids.h"
#include "ttl_cache.h"

#include "cachewarden/arena.h"
#include "cachewarden/random.h"

#include <stdlib.h>

enum {
    SECRET_SIZE = 64, /* 256 bits */
    KEYS_MAX = 1024,  /* in use within one second; more are asked of the database, not wrong */
};

static const struct str prefix = {"cwk_", 4};

enum err api_key_make(struct arena *arena, struct str *id_out, struct str *whole_out,
                      struct str *digest_out)
{
    *id_out = random_hex(arena, API_KEY_ID_SIZE / 2);
    *whole_out = *digest_out = STR_NONE;
    struct str secret = random_hex(arena, SECRET_SIZE / 2);
    unsigned char *digest = arena_alloc(arena, DIGEST_SHA256_SIZE);
    if (!id_out->ptr || !secret.ptr || !digest)
        return ERR_NO_MEMORY;
    *whole_out =
        str_format(arena, "%.*s%.*s_%.*s", STR_ARG(prefix), STR_ARG(*id_out), STR_ARG(secret));
    *digest_out = (struct str){(const char *)digest, DIGEST_SHA256_SIZE};
    return whole_out->ptr ? digest_sha256(secret, digest) : ERR_NO_MEMORY;
}

static bool is_hex(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

bool api_key_split(struct str whole, struct str *id_out, struct str *secret_out)
{
    size_t secret_at = prefix.len + API_KEY_ID_SIZE + 1;

    *id_out = str_sub(whole, prefix.len, API_KEY_ID_SIZE);
    *secret_out = str_sub(whole, secret_at, whole.len);
    return whole.len == secret_at + SECRET_SIZE && str_starts(whole, prefix) &&
           whole.ptr[secret_at - 1] == '_' && is_hex(*id_out) && is_hex(*secret_out);
}

static bool is_whole(struct str text)
{
    struct str id, secret;

    return api_key_split(text, &id, &secret);
}

/* Base64 with its padding (RFC 4648 section 4) is base64url in two letters' disguise. */
static bool decode_base64(struct arena *arena, struct str text, struct str *bytes_out)
{
    struct str copy = str_dup(arena, text);
    char *letters = (char *)(uintptr_t)copy.ptr;

    for (size_t i = 0; i < copy.len; i++) {
        if (letters[i] == '-' || letters[i] == '_')
            return false;
        letters[i] = letters[i] == '+' ? '-' : letters[i] == '/' ? '_' : letters[i];
    }
    while (copy.len > 0 && text.len - copy.len < 2 && copy.ptr[copy.len - 1] == '=')
        copy.len--;
    return copy.ptr && text.len % 4 == 0 && base64url_decode(arena, copy, bytes_out);
}

bool api_key_of_authorization(struct arena *arena, struct str authorization, struct str *whole_out)
{
    struct str rest = authorization, scheme, name;

    if (!str_split(&rest, ' ', &scheme))
        return false;
    *whole_out = str_trim(rest);
    if (str_eq_nocase(scheme, STR("Bearer")))
        return is_whole(*whole_out);
    if (!str_eq_nocase(scheme, STR("Basic")) || !decode_base64(arena, *whole_out, whole_out))
        return false;
    rest = *whole_out;
    if (!str_split(&rest, ':', &name))
        return false;
    *whole_out = rest;
    return is_whole(rest);
}

enum err api_key_check_name(const char *field, struct str name, struct error *error)
{
    bool is_good = name.len > 0 && name.len <= API_KEY_NAME_MAX_SIZE;

    for (size_t i = 0; is_good && i < name.len; i++) {
        char c = name.ptr[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
    }
    if (is_good)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT,
                     "%s: it must have 1 to 64 of the letters A to Z, digits and . _ -", field);
}

struct key_cache {
    struct users *users;
    struct ttl_cache *records; /* struct key_record by id */
    struct api_key_ids *ids;
};

enum err key_cache_new(struct users *users, struct key_cache **cache_out)
{
    struct key_cache *cache = calloc(1, sizeof *cache);

    *cache_out = NULL;
    if (!cache)
        return ERR_NO_MEMORY;
    cache->users = users;
    enum err err = ttl_cache_new("API keys", KEYS_MAX, sizeof(struct key_record), &cache->records);
    if (!err)
        err = api_key_ids_new(users, &cache->ids);
    if (err)
        key_cache_free(&cache);
    *cache_out = cache;
    return err;
}

void key_cache_free(struct key_cache **cache)
{
    if (!*cache)
        return;
    api_key_ids_free(&(*cache)->ids);
    if ((*cache)->records)
        ttl_cache_free(&(*cache)->records);
    free(*cache);
    *cache = NULL;
}

void key_cache_forget(struct key_cache *cache, struct str id)
{
    ttl_cache_forget(cache->records, id);
}

void key_cache_forget_all(struct key_cache *cache)
{
    ttl_cache_forget_all(cache->records);
    api_key_ids_forget(cache->ids);
}

static enum err fill(const struct api_key *key, struct key_record *record)
{
    *record = (struct key_record){
        .scopes = key->scopes,
        .owner_id = key->owner_id,
        .expires_at_s = key->expires_at_s,
        .revoked_at_s = key->revoked_at_s,
        .last_used_at_s = key->last_used_at_s,
        .name_len = (unsigned char)key->name.len,
        .space_len = (unsigned char)key->space.len,
    };
    if (key->secret_digest.len != sizeof record->digest || key->name.len > sizeof record->name ||
        key->space.len > sizeof record->space)
        return ERR_INTERNAL;
    memcpy(record->digest, key->secret_digest.ptr, sizeof record->digest);
    if (key->name.len > 0)
        memcpy(record->name, key->name.ptr, key->name.len);
    if (key->space.len > 0)
        memcpy(record->space, key->space.ptr, key->space.len);
    return ERR_OK;
}

struct question {
    const struct key_cache *cache;
    int64_t now_ns;
};

static enum err load_record(void *arg, struct str id, void *record_out, struct error *error)
{
    const struct question *question = arg;
    const struct key_cache *cache = question->cache;
    struct api_key key;

    if (!api_key_ids_may_exist(cache->ids, id, question->now_ns))
        return ERR_NOT_FOUND;
    struct arena *arena = arena_new(1024, 0);
    if (!arena)
        return ERR_NO_MEMORY;
    enum err err = api_keys_find(cache->users, arena, id, &key, error);
    if (!err)
        err = fill(&key, record_out);
    arena_free(&arena);
    return err;
}

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "API key: %s", why);
}

enum err api_key_verify(struct key_cache *cache, struct str whole, struct key_times times,
                        struct str *id_out, struct key_record *record, struct error *error)
{
    struct question question = {cache, times.now_ns};
    const struct ttl_cache_source source = {load_record, &question, times.stale_ns, false};
    unsigned char digest[DIGEST_SHA256_SIZE];
    struct str secret;

    if (!api_key_split(whole, id_out, &secret))
        return refuse(error, "it does not look like one");
    enum err err = digest_sha256(secret, digest);
    if (err)
        return error_set_detail(error, err, "API key: its digest cannot be computed");

    err = ttl_cache_fetch(cache->records, *id_out, times.now_ns, &source, record, error);
    bool is_known = err == ERR_OK;
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (!is_known)
        *record = (struct key_record){0};
    bool is_match = str_eq_secret((struct str){(const char *)record->digest, sizeof record->digest},
                                  (struct str){(const char *)digest, sizeof digest});
    if (!is_known || !is_match)
        return refuse(error, "no such key");
    if (record->revoked_at_s != 0)
        return refuse(error, "revoked");
    if (record->expires_at_s != 0 && times.now_s >= record->expires_at_s)
        return refuse(error, "expired");
    return ERR_OK;
}
