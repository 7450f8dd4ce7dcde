/* Tokens of ours under the default settings, at one moment, for the tests of token.h. */
#ifndef CACHEWARDEN_TESTS_TOKEN_CASE_H
#define CACHEWARDEN_TESTS_TOKEN_CASE_H

#include "cachewarden/arena.h"
#include "cachewarden/token.h"
#include "mint.h"
#include "suite.h"

#include <stdio.h>

enum { NOW = 1700000000 };

#define SECRET "0123456789abcdef0123456789abcdef"

static struct arena *arena;
static struct tokens *tokens;
static struct token_claims claims;
static struct error error;

static inline struct token_options default_options(void)
{
    return (struct token_options){.secret = STR(SECRET),
                                  .issuer = STR("cachewarden"),
                                  .leeway_s = 30,
                                  .access_ttl_s = 900,
                                  .refresh_ttl_s = 604800,
                                  .session_idle_s = 1800,
                                  .session_ttl_s = 43200};
}

static inline struct tokens *new_tokens(const struct token_options *options)
{
    struct tokens *made = NULL;

    ck_assert_msg(tokens_new(options, &made, &error) == ERR_OK, "%s", error.caller);
    return made;
}

static inline struct work lent(void)
{
    return (struct work){.arena = arena, .error = &error};
}

static inline void set_up(void)
{
    struct token_options options = default_options();

    arena = arena_new(64 * 1024, 0);
    error_clear(&error);
    tokens = new_tokens(&options);
}

static inline void tear_down(void)
{
    tokens_free(&tokens);
    arena_free(&arena);
}

#endif
