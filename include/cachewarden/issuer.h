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

    struct str user_claim; /* the account's id, or its subject where `provision` */
    /* Empty: rights are looked up in the users database. Else the token alone says. */
    struct str superuser_claim;
    struct str groups_claim;
    /* Every subject, also one that looks like a number, gets an account of its own on first sight. */
    bool provision;
};

/*
 * Whether it can be used: its form, and files as they are now; nothing is fetched. ERR_BAD_INPUT:
 * the caller's text says what is wrong with the field *field_out (NULL: with several), for an
 * operator; it never holds a secret. ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err issuer_check(const struct issuer_spec *spec, const char **field_out,
                                    struct error *error);

#endif
