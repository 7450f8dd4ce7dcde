#include "jwks.h"

#include "key_file.h"

#include "cachewarden/arena.h"

#include <stdlib.h>

/* Parsed values take more room than their text. */
enum { PARSE_MAX_SIZE = 32 * JWKS_MAX_SIZE };

struct entry {
    struct jws_key *key;
    enum jws_algorithm algorithm;
    bool has_kid;
    bool is_ambiguous; /* another key has the same kid */
    struct str kid;
};

struct jwks {
    bool is_single;
    size_t count;
    struct entry entries[JWKS_KEYS_MAX];
    struct arena *memory; /* the kids */
};

size_t jwks_count(const struct jwks *jwks)
{
    return jwks->count;
}

void jwks_free(struct jwks **jwks)
{
    if (!*jwks)
        return;
    for (size_t i = 0; i < (*jwks)->count; i++)
        jws_key_free(&(*jwks)->entries[i].key);
    arena_free(&(*jwks)->memory);
    free(*jwks);
    *jwks = NULL;
}

/* ERR_BAD_INPUT: this one cannot be used. */
static enum err add_key(struct jwks *jwks, struct arena *arena, const struct jwk_rules *rules,
                        const struct json *jwk, struct error *error)
{
    struct entry *entry = &jwks->entries[jwks->count];
    struct str kid;

    enum err err = jwk_read(arena, rules, jwk, &entry->key, &entry->has_kid, &kid, error);
    if (err)
        return err;
    entry->algorithm = jws_key_algorithm(entry->key);
    entry->kid = str_dup(jwks->memory, kid);
    jwks->count++;
    return entry->kid.ptr ? ERR_OK : ERR_NO_MEMORY;
}

static void mark_ambiguous(struct jwks *jwks)
{
    for (size_t i = 0; i < jwks->count; i++) {
        for (size_t j = 0; j < i; j++) {
            struct entry *a = &jwks->entries[i], *b = &jwks->entries[j];
            if (a->has_kid && b->has_kid && str_eq(a->kid, b->kid))
                a->is_ambiguous = b->is_ambiguous = true;
        }
    }
}

static void drop_ambiguous(struct jwks *jwks)
{
    size_t kept = 0;

    mark_ambiguous(jwks);
    for (size_t i = 0; i < jwks->count; i++) {
        if (jwks->entries[i].is_ambiguous)
            jws_key_free(&jwks->entries[i].key);
        else
            jwks->entries[kept++] = jwks->entries[i];
    }
    jwks->count = kept;
}

static enum err add_set(struct jwks *jwks, struct arena *arena, const struct jwk_rules *rules,
                        const struct json *keys, struct error *error)
{
    struct error why, first;

    error_clear(&first);
    if (json_kind(keys) != JSON_ARRAY)
        return error_set(error, ERR_BAD_INPUT, "it is no JWK Set: keys is not an array");
    if (json_count(keys) > JWKS_KEYS_MAX)
        return error_set(error, ERR_TOO_LARGE, "the key set has more than %d keys", JWKS_KEYS_MAX);
    for (size_t i = 0; i < json_count(keys); i++) {
        error_clear(&why);
        enum err err = add_key(jwks, arena, rules, json_at(keys, i), &why);
        if (err && err != ERR_BAD_INPUT)
            return err;
        if (err && first.code == ERR_OK)
            first = why;
    }
    drop_ambiguous(jwks);
    if (jwks->count > 0)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT, "no key of the set can be used%s%s",
                     first.code ? ": " : "", first.caller);
}

static enum err fill(struct jwks *jwks, struct arena *arena, const struct jwk_rules *rules,
                     struct str text, struct error *error)
{
    const struct json *root = NULL;

    enum err err = json_parse(arena, text, &root, NULL);
    if (err == ERR_NO_MEMORY)
        return err;
    /* Without the parser's words: they come from a document that may hold a secret. */
    if (err || json_kind(root) != JSON_OBJECT)
        return error_set(error, ERR_BAD_INPUT, "it is no JSON object");
    if (json_get(root, "keys"))
        return add_set(jwks, arena, rules, json_get(root, "keys"), error);
    jwks->is_single = true;
    return add_key(jwks, arena, rules, root, error);
}

enum err jwks_parse(const struct jwk_rules *rules, struct str text, struct jwks **jwks_out,
                    struct error *error)
{
    *jwks_out = NULL;
    if (text.len > JWKS_MAX_SIZE)
        return error_set(error, ERR_TOO_LARGE, "the key set has more than %d bytes", JWKS_MAX_SIZE);
    struct arena *arena = arena_new(8192, PARSE_MAX_SIZE);
    struct jwks *jwks = calloc(1, sizeof *jwks);
    enum err err = arena && jwks && (jwks->memory = arena_new(512, 0)) ? ERR_OK : ERR_NO_MEMORY;

    if (!err)
        err = fill(jwks, arena, rules, text, error);
    if (err && jwks)
        jwks_free(&jwks);
    arena_free(&arena);
    *jwks_out = jwks;
    return err;
}

enum err jwks_load_file(const struct jwk_rules *rules, const char *path, struct jwks **jwks_out,
                        struct error *error)
{
    size_t size = 0;
    char *memory = malloc(JWKS_MAX_SIZE + 1);

    *jwks_out = NULL;
    if (!memory)
        return ERR_NO_MEMORY;
    enum err err = key_file_read(path, memory, JWKS_MAX_SIZE + 1, &size, error);
    if (!err)
        err = jwks_parse(rules, (struct str){memory, size}, jwks_out, error);
    secret_wipe(memory, size);
    free(memory);
    return err;
}

static const struct jws_key *find_by_kid(const struct jwks *jwks, struct str kid)
{
    for (size_t i = 0; i < jwks->count; i++) {
        if (jwks->entries[i].has_kid && str_eq(jwks->entries[i].kid, kid))
            return jwks->entries[i].key;
    }
    return NULL;
}

static const struct jws_key *find_only(const struct jwks *jwks, enum jws_algorithm algorithm)
{
    const struct jws_key *found = NULL;

    for (size_t i = 0; i < jwks->count; i++) {
        if (jwks->entries[i].algorithm != algorithm)
            continue;
        if (found)
            return NULL;
        found = jwks->entries[i].key;
    }
    return found;
}

const struct jws_key *jwks_find(const struct jwks *jwks, const struct jws *jws)
{
    if (jwks->is_single)
        return jwks->entries[0].key;
    return jws->has_kid ? find_by_kid(jwks, jws->kid) : find_only(jwks, jws->algorithm);
}
