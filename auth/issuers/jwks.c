#include "issuers/jwks.h"

#include "issuers/key_file.h"

#include "cachewarden/arena.h"

#include <stdlib.h>

/* Parsed values take more room than their text. */
enum { PARSE_MAX_SIZE = 32 * JWKS_MAX_SIZE };

/* A key with one algorithm; a JWK may have several. */
struct entry {
    struct jws_key *key; /* NULL: ambiguous, kept to tell why its tokens are refused */
    enum jws_algorithm algorithm;
    size_t jwk;    /* which one of the document */
    size_t number; /* the same for the very same key, whatever its kid */
    int fit;       /* of how much the JWK says what it is for */
    bool has_kid;
    bool is_dropped, is_ambiguous;
    struct str kid;
};

struct jwks {
    bool is_single;
    size_t count;
    struct entry entries[JWKS_KEYS_MAX * JWK_KEYS_MAX];
    struct arena *memory; /* the kids */
};

size_t jwks_count(const struct jwks *jwks)
{
    size_t count = 0;

    /* The entries of one JWK stand side by side. */
    for (size_t i = 0, last = SIZE_MAX; i < jwks->count; i++) {
        if (!jwks->entries[i].key || jwks->entries[i].jwk == last)
            continue;
        last = jwks->entries[i].jwk;
        count++;
    }
    return count;
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

static size_t number_of(const struct jwks *jwks, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (jws_key_same(jwks->entries[i].key, jwks->entries[index].key))
            return i;
    }
    return index;
}

/* ERR_BAD_INPUT: this one cannot be used. */
static enum err add_jwk(struct jwks *jwks, struct arena *arena, const struct jwk_rules *rules,
                        const struct json *document, size_t index, struct error *error)
{
    struct jwk jwk;

    enum err err = jwk_read(arena, rules, document, &jwk, error);
    if (err)
        return err;
    struct str kid = str_dup(jwks->memory, jwk.kid);
    for (size_t i = 0; i < jwk.count; i++) {
        jwks->entries[jwks->count] = (struct entry){
            .key = jwk.keys[i],
            .algorithm = jws_key_algorithm(jwk.keys[i]),
            .jwk = index,
            .fit = 2 * jwk.names_algorithm + jwk.names_use,
            .has_kid = jwk.has_kid,
            .kid = kid,
        };
        jwks->entries[jwks->count].number = number_of(jwks, jwks->count);
        jwks->count++;
    }
    return kid.ptr ? ERR_OK : ERR_NO_MEMORY;
}

/* A token cannot tell the two apart. */
static bool are_rivals(const struct entry *a, const struct entry *b)
{
    return a->algorithm == b->algorithm && a->has_kid == b->has_kid && str_eq(a->kid, b->kid);
}

static void judge_rivals(struct entry *a, struct entry *b)
{
    if (a->fit != b->fit)
        (a->fit < b->fit ? a : b)->is_dropped = true;
    else if (a->number == b->number)
        b->is_dropped = true;
    else
        a->is_ambiguous = b->is_ambiguous = true;
}

/* Of those that share kid and algorithm one is left, or none. The first ambiguous one, or NULL. */
static const struct entry *drop_rivals(struct jwks *jwks)
{
    const struct entry *ambiguous = NULL;
    size_t kept = 0;

    for (size_t i = 0; i < jwks->count; i++) {
        for (size_t j = i + 1; j < jwks->count; j++) {
            if (are_rivals(&jwks->entries[i], &jwks->entries[j]))
                judge_rivals(&jwks->entries[i], &jwks->entries[j]);
        }
    }
    for (size_t i = 0; i < jwks->count; i++) {
        struct entry *entry = &jwks->entries[i];
        if (entry->is_dropped || entry->is_ambiguous)
            jws_key_free(&entry->key);
        if (entry->is_dropped)
            continue;
        jwks->entries[kept] = *entry;
        if (entry->is_ambiguous && !ambiguous)
            ambiguous = &jwks->entries[kept];
        kept++;
    }
    jwks->count = kept;
    return ambiguous;
}

static enum err refuse_ambiguous(const struct entry *entry, struct error *error)
{
    const char *algorithm = jws_algorithm_name(entry->algorithm);

    if (!entry->has_kid)
        return error_set(error, ERR_BAD_INPUT, "several keys without kid are for %s", algorithm);
    return error_set(error, ERR_BAD_INPUT, "several keys with the kid %.*s are for %s",
                     entry->kid.len > 64 ? 64 : (int)entry->kid.len, entry->kid.ptr, algorithm);
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
        enum err err = add_jwk(jwks, arena, rules, json_at(keys, i), i, &why);
        if (err && err != ERR_BAD_INPUT)
            return err;
        if (err && first.code == ERR_OK)
            first = why;
    }
    const struct entry *ambiguous = drop_rivals(jwks);
    if (jwks_count(jwks) > 0)
        return ERR_OK;
    if (ambiguous)
        (void)refuse_ambiguous(ambiguous, &first);
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
    return add_jwk(jwks, arena, rules, root, 0, error);
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
    struct key_file_stamp stamp;
    char *memory = malloc(JWKS_MAX_SIZE + 1);

    *jwks_out = NULL;
    if (!memory)
        return ERR_NO_MEMORY;
    enum err err = key_file_read(path, memory, JWKS_MAX_SIZE + 1, &size, &stamp, error);
    if (!err)
        err = jwks_parse(rules, (struct str){memory, size}, jwks_out, error);
    secret_wipe(memory, size);
    free(memory);
    return err;
}

/* Whether the token's kid can tell: some key for the algorithm has one. */
static bool are_named(const struct jwks *jwks, enum jws_algorithm algorithm)
{
    for (size_t i = 0; i < jwks->count; i++) {
        if (jwks->entries[i].algorithm == algorithm && jwks->entries[i].has_kid)
            return true;
    }
    return false;
}

const struct jws_key *jwks_find(const struct jwks *jwks, const struct jws *jws,
                                const char **why_out)
{
    bool by_kid = jws->has_kid && !jwks->is_single && are_named(jwks, jws->algorithm);
    const struct entry *found = NULL;

    *why_out = "its issuer has no such key";
    for (size_t i = 0; i < jwks->count; i++) {
        const struct entry *entry = &jwks->entries[i];
        if (entry->algorithm != jws->algorithm ||
            (by_kid && !(entry->has_kid && str_eq(entry->kid, jws->kid))))
            continue;
        if (!entry->key || (found && found->number != entry->number)) {
            *why_out = "its issuer has several keys for its kid and algorithm";
            return NULL;
        }
        found = entry;
    }
    return found ? found->key : NULL;
}
