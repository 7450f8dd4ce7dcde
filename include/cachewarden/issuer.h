/*
 * Issuers whose tokens are accepted beside our own: what an operator configures about one. The
 * algorithms and the keys belong to the issuer by this configuration; nothing a token says adds to
 * either (RFC 8725 sections 3.1, 3.8 and 3.10).
 */
#ifndef CACHEWARDEN_ISSUER_H
#define CACHEWARDEN_ISSUER_H

#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stddef.h>

/* What the user claim is. */
enum issuer_accounts {
    /* A name: every one, also one that looks like a number, gets an account of its own on first sight. */
    ISSUER_ACCOUNTS_PROVISION = 0,
    /* A number that names a cache and nothing more. */
    ISSUER_ACCOUNTS_NONE,
    /* The number of an account here: such an issuer speaks for any of them. */
    ISSUER_ACCOUNTS_LOCAL,
};

/* Empty texts stand for what is not set. */
struct issuer_spec {
    struct str name;              /* `iss` of its tokens, to the byte */
    struct str audience;          /* empty: its tokens must not have `aud` */
    const struct str *algorithms; /* "RS256", …; one HMAC algorithm, or others */
    size_t algorithm_count;

    /* One of the three. */
    struct str jwks_file;   /* read anew when it changes */
    struct str jwks_url;    /* https://, or http:// to this very machine */
    struct str secret_file; /* a line feed at its end is not part of the secret */
    struct str jwks_ca; /* PEM file: who signs the certificate of jwks_url; empty: the system's */

    struct str user_claim;
    /* Empty: rights are looked up in the users database, where there is an account. Else the token alone
     * says. */
    struct str superuser_claim;
    struct str groups_claim;
    enum issuer_accounts accounts;
};

/* Tokens that others mint with our own secret, Django for one. */
struct shared_spec {
    struct str superuser_claim; /* as above */
    struct str groups_claim;
    /* Their user_id is the number of an account here; else it names a cache and nothing more. */
    bool accounts_are_local;
};

/*
 * Whether it is configured well: its form; nothing is read or fetched. ERR_BAD_INPUT: the caller's text
 * says what is wrong with the field *field_out (NULL: with several), for an operator; it never holds a
 * secret. ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err issuer_check(const struct issuer_spec *spec, const char **field_out,
                                    struct error *error);

/*
 * Whether its files can be used as they are now. They are somebody else's, and change: one that cannot keeps
 * its issuer out and nothing else. Errors as issuer_check, of one that it found good.
 */
CW_MUST_CHECK enum err issuer_check_files(const struct issuer_spec *spec, const char **field_out,
                                          struct error *error);

/*
 * Whether the server of jwks_url has keys that can be used, now and within timeout_ms. *count_out: how many.
 * ERR_UPSTREAM_DOWN, ERR_TOO_LARGE, ERR_BAD_INPUT: not, and the caller's text says why. The texts of the spec end
 * with a NUL, and issuer_check found it good.
 */
CW_MUST_CHECK enum err issuer_check_server(const struct issuer_spec *spec, int timeout_ms,
                                           size_t *count_out, struct error *error);

#endif
