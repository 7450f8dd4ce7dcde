/* What tests of other issuers' tokens share: an issuer whose keys come from a server of ours, and the program that
 * accepts its tokens. */
#ifndef CACHEWARDEN_TESTS_ISSUERS_CASE_H
#define CACHEWARDEN_TESTS_ISSUERS_CASE_H

#include "key_server.h"
#include "signer.h"
#include "stand.h"
#include "suite.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATUS "/api/cache/status/"
#define ADMIN  "/api/v1/audit"
#define ISSUER "https://id.example"

static struct stand stand;
static struct key_server *keys;
static struct signer *rsa, *pss, *ec, *ed, *spare; /* the issuer's, but for the spare one */
static char config[4096];

static inline long long now(void)
{
    return (long long)time(NULL);
}

static inline void publish(const struct signer *const *signers)
{
    char *set = signer_jwks(signers);
    key_server_publish(keys, set);
    free(set);
}

#define PUBLISH(...) publish((const struct signer *const[]){__VA_ARGS__, NULL})

/* `more` stands in the issuer's group; unless it says otherwise, a subject is a number that names a
 * cache. */
static inline const char *config_with(const char *more)
{
    snprintf(
        config, sizeof config,
        "auth: { issuers = ( { issuer = \"" ISSUER "\"; algorithms = [ \"RS256\", \"PS256\", "
        "\"ES256\", \"EdDSA\" ]; jwks_url = \"%s\"; %s%s } ); };\nlimits: { enabled = false; };\n",
        key_server_url(keys), more, strstr(more, "accounts =") ? "" : " accounts = \"none\";");
    return config;
}

static inline void start_server(const char *more)
{
    stand_open(&stand, &(struct stand_options){.config = config_with(more)});
}

/* RSA keys take a while to make: once a program, in an unchecked fixture. */
static inline void make_signers(void)
{
    rsa = signer_new("RS256", "rsa");
    pss = signer_new("PS256", "pss");
    ec = signer_new("ES256", "ec");
    ed = signer_new("EdDSA", "ed");
    spare = signer_new("ES256", "spare");
}

static inline void free_signers(void)
{
    struct signer **const signers[] = {&rsa, &pss, &ec, &ed, &spare};
    for (size_t i = 0; i < 5; i++)
        signer_free(signers[i]);
}

static inline void open_keys(void)
{
    keys = key_server_start(NULL, 0);
    PUBLISH(rsa, pss, ec, ed);
}

static inline void close_all(void)
{
    stand_close(&stand);
    key_server_stop(&keys);
}

/* ---- requests ---- */

static inline const struct http_reply *get_with(const char *path, const char *compact)
{
    static char line[16384];
    snprintf(line, sizeof line, "Authorization: Bearer %s", compact);
    return http_get(stand.http, path, line);
}

/* Minted by the caller, freed here. */
static inline int status_of(const char *path, char *compact)
{
    int status = get_with(path, compact)->status;
    free(compact);
    return status;
}

static inline char *mint_for(const struct signer *signer, const char *subject)
{
    return signer_mint(signer, "{\"iss\":\"" ISSUER "\",\"sub\":\"%s\",\"iat\":%lld,\"exp\":%lld}",
                       subject, now(), now() + 600);
}

static inline void expect_refused(char *compact, const char *what)
{
    const struct http_reply *reply = get_with(STATUS, compact);
    ck_assert_msg(reply->status == 401 && strcmp(reply->body, SAYS_401) == 0, "%s: %d %s", what,
                  reply->status, reply->body);
    expect_header(reply, "WWW-Authenticate", "Bearer");
    free(compact);
}

static inline bool is_accepted(const void *signer)
{
    return status_of(STATUS, mint_for(signer, "42")) == 200;
}

static inline bool is_refused(const void *signer)
{
    return status_of(STATUS, mint_for(signer, "42")) == 401;
}

#endif
