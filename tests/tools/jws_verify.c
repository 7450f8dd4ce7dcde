/*
 * Verifies the signature of a compact JWS with the functions the server uses, and nothing else: no
 * claims, no dates.
 *
 *     jws_verify ALGORITHM KEY-FILE COMPACT-JWS
 *
 * KEY-FILE is a JWK or a JWK Set; COMPACT-JWS may be - for standard input. The algorithm is the
 * key's, whatever the token says. Exit 0: valid. 1: invalid. 2: the algorithm is none we know, or
 * the file has no key for it. 64: usage.
 */
#include "issuers/jwks.h"

#include "cachewarden/arena.h"

#include <stdio.h>

enum { VALID = 0, INVALID = 1, UNUSABLE_KEY = 2, USAGE = 64, FAILURE = 70 };

/* The token on standard input, without the newline at its end. One byte too many is kept: the
 * parser refuses it. */
static struct str read_token(char memory[JWS_MAX_SIZE + 2])
{
    struct str token = {memory, fread(memory, 1, JWS_MAX_SIZE + 2, stdin)};

    if (str_ends(token, STR("\n")))
        token.len--;
    return token;
}

static int verify(const struct jwks *jwks, struct arena *arena, struct str compact)
{
    struct error error;
    struct jws jws;

    error_clear(&error);
    enum err err = jws_parse(arena, compact, &jws, &error);
    if (!err) {
        const char *why;
        const struct jws_key *key = jwks_find(jwks, &jws, &why);
        err = key ? jws_verify(key, &jws, &error)
                  : error_set_detail(&error, ERR_UNAUTHENTICATED, "token: %s", why);
    }
    if (err)
        fprintf(stderr, "%s\n", error.detail);
    return err == ERR_OK ? VALID : err == ERR_UNAUTHENTICATED ? INVALID : FAILURE;
}

int main(int argc, char **argv)
{
    static char memory[JWS_MAX_SIZE + 2];
    struct jwks *jwks = NULL;
    struct error error;

    if (argc != 4) {
        fprintf(stderr, "usage: jws_verify ALGORITHM KEY-FILE COMPACT-JWS\n");
        return USAGE;
    }
    enum jws_algorithm algorithm = jws_algorithm_from_name(str_from(argv[1]));
    struct jwk_rules rules = {&algorithm, 1, true};
    error_clear(&error);
    if (algorithm == JWS_NO_ALGORITHM) {
        fprintf(stderr, "no such algorithm\n");
        return UNUSABLE_KEY;
    }
    if (jwks_load_file(&rules, argv[2], &jwks, &error) != ERR_OK) {
        fprintf(stderr, "%s\n", error.caller);
        return UNUSABLE_KEY;
    }
    struct arena *arena = arena_new(16384, 0);
    int status = FAILURE;
    if (arena)
        status =
            verify(jwks, arena,
                   str_eq(str_from(argv[3]), STR("-")) ? read_token(memory) : str_from(argv[3]));
    arena_free(&arena);
    jwks_free(&jwks);
    return status;
}
