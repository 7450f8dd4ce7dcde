/*
 * The stand black-box tests play on: a Redis, the built server in front of it, a few accounts made
 * with the command line, and tokens for them as Django's simplejwt would mint them.
 *
 * Open it in the test (or a checked fixture) when the test kills or restarts something; otherwise
 * an unchecked fixture can share one stand among the tests of a case.
 */
#ifndef SUPPORT_STAND_H
#define SUPPORT_STAND_H

#include "cw_server.h"
#include "expect.h"
#include "http_client.h"
#include "mint.h"
#include "redis_server.h"
#include "stand_accounts.h"

#include <stdbool.h>
#include <stdint.h>

#define STAND_SECRET "stand-secret-of-forty-bytes-and-then-some"

/* The program's own defaults, in place of the stand's patient ones: for a Redis that is silent. While it is
 * well a busy machine may be late, too, so what then goes well is waited for. */
#define STAND_DEFAULT_TIMEOUTS                                                             \
    "CACHEWARDEN_REDIS_BORROW_TIMEOUT_MS=100", "CACHEWARDEN_REDIS_CONNECT_TIMEOUT_MS=500", \
        "CACHEWARDEN_REDIS_COMMAND_TIMEOUT_MS=250"

struct stand_account {
    int64_t id;
    char name[64];
    char bearer[512]; /* "Authorization: Bearer …", good for years */
};

struct stand {
    struct redis_server *redis;
    struct cw_server server;
    struct http_client *http;
    struct stand_account alice, bob; /* plain users */
    struct stand_account root;       /* a superuser */
    struct stand_account boss;       /* member of the group Admin */
    char *directory;                 /* where the server runs; its users.db, stderr and test.conf */
    char *environment[28];
    bool has_config;
    bool is_guarded; /* see guarded_redis.h */
};

struct stand_options {
    const struct redis_server_options *redis;
    const char *config; /* text of a configuration file */
    const char *const
        *environment; /* "NAME=value", NULL-terminated, before or in place of the stand's own */
    int log_fd;       /* the server's standard error, borrowed; 0: a file */
    bool no_redis;    /* the server is told of a port where nobody is; stand->redis stays NULL */
};

/* NULL options: the plain stand. Anything that goes wrong ends the test. */
void stand_open(struct stand *stand, const struct stand_options *options);
/* Stops the server, which must end well, and everything else. */
void stand_close(struct stand *stand);

/*
 * Runs `cachewarden` in the stand's directory with its configuration and environment:
 * stand_cli(&stand, NULL, (const char *const[]){"flush", "--json", NULL}, &result). `input` goes to
 * stdin. cw_result_fini the result.
 */
void stand_cli(const struct stand *stand, const char *input, const char *const *arguments,
               struct cw_result *result_out);
/* The same for what must succeed: any other exit status than 0 ends the test with what it said. */
void stand_cli_do(const struct stand *stand, const char *input, const char *const *arguments);

#define STAND_KEY_SIZE 256
/* Creates an API key with these further arguments of `key create NAME …` (NULL-terminated) and
 * writes the header line "x-api-key: …" into out, STAND_KEY_SIZE bytes. */
char *stand_key(const struct stand *stand, char *out, const char *name,
                const char *const *arguments);

/* Makes an account with STAND_PASSWORD; `more` are further arguments of `user add`, or NULL. */
void stand_account(const struct stand *stand, struct stand_account *account_out, const char *name,
                   const char *const *more);
/* A fresh token that names the account, minted elsewhere with the shared secret: "Authorization: Bearer …"
 * in MINT_SIZE bytes. */
char *stand_bearer(char *out, const struct stand_account *account);
/* One as simplejwt mints them, with a number: of somebody who has no account here, whoever has that
 * number here. */
char *stand_stranger(char *out, int64_t user_id);

/* Waits until is_true(with); ends the test with `what` when it never is. */
void stand_wait(bool (*is_true)(const void *with), const void *with, const char *what);
int64_t stand_now_ms(void);

#endif
