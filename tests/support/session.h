/* Sessions for the tests of tokens: signing up and in, and asking a node what it makes of a token. */
#ifndef CACHEWARDEN_TESTS_SESSION_H
#define CACHEWARDEN_TESTS_SESSION_H

#include "cachewarden/clock.h"
#include "cachewarden/identity.h"
#include "control/version_guard.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "slowness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct session {
    struct loopback_answer *answer; /* owns the texts */
    const char *access, *refresh;
    struct token_claims access_claims, refresh_claims;
    int64_t user_id;
};

static inline void session_read(const struct loopback *node, struct loopback_answer *answer,
                                struct session *session)
{
    const struct tokens *tokens = identity_tokens(node->app->identity);
    const struct json *root = loopback_json(answer);
    struct error error = {0};
    session->answer = answer;
    session->access = json_string(json_get(root, "access_token")).ptr;
    session->refresh = json_string(json_get(root, "refresh_token")).ptr;
    int64_t now_s = clock_wall_s() + 1;
    ck_assert_msg(token_verify(tokens, (struct work){.arena = answer->arena, .error = &error},
                               str_from(session->access), TOKEN_ACCESS, now_s,
                               &session->access_claims) == ERR_OK,
                  "%s", error.detail);
    ck_assert_msg(token_verify(tokens, (struct work){.arena = answer->arena, .error = &error},
                               str_from(session->refresh), TOKEN_REFRESH, now_s,
                               &session->refresh_claims) == ERR_OK,
                  "%s", error.detail);
    session->user_id = session->access_claims.user_id;
}

static inline void session_free(struct session *session)
{
    loopback_free(&session->answer);
}

static inline void session_register(const struct loopback *node, const char *name)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"" LOOPBACK_PASSWORD
             "\"}",
             name, name);
    struct loopback_answer *answer =
        LOOPBACK(node, "auth.register", loopback_nobody(), .body = body);
    ck_assert_msg(answer->err == ERR_OK, "%s", answer->error.caller);
    loopback_free(&answer);
}

static inline void session_open_with(const struct loopback *node, const char *name,
                                     const char *password, struct session *session)
{
    char body[256];
    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
    session_read(node, LOOPBACK(node, "auth.login", loopback_nobody(), .body = body), session);
}

static inline void session_open(const struct loopback *node, const char *name,
                                struct session *session)
{
    session_open_with(node, name, LOOPBACK_PASSWORD, session);
}

static inline struct loopback_answer *session_refresh(const struct loopback *node,
                                                      const char *token)
{
    char body[4096];
    snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", token);
    return LOOPBACK(node, "auth.refresh", loopback_nobody(), .body = body);
}

/* What the node answers a refresh with. */
static inline enum err session_try_refresh(const struct loopback *node, const char *token)
{
    struct loopback_answer *answer = session_refresh(node, token);
    enum err err = answer->err;
    loopback_free(&answer);
    return err;
}

/* Whom the node takes the bearer of an access token for. The texts live in the arena. */
static inline enum err session_principal(const struct loopback *node, struct arena *arena,
                                         const char *access, struct principal *principal)
{
    struct credentials credentials = {.authorization = str_format(arena, "Bearer %s", access)};
    struct error error = {0};
    app_await_watch(node->app); /* as server/http/dispatch.c does */
    return identity_authenticate(node->app->identity,
                                 (struct work){.arena = arena, .error = &error}, &credentials,
                                 clock_wall_s(), principal);
}

static inline enum err session_try_access(const struct loopback *node, const char *access)
{
    struct arena *arena = arena_new(4096, 0);
    struct principal principal;
    enum err err = session_principal(node, arena, access, &principal);
    arena_free(&arena);
    return err;
}

/* A call as the bearer of the session's access token; what it needs lives with the session. */
#define SESSION_CALL(node, session, route_name, ...) \
    LOOPBACK(node, route_name, session_caller(node, session), __VA_ARGS__)
static inline struct principal session_caller(const struct loopback *node,
                                              const struct session *session)
{
    struct principal principal;
    ck_assert_int_eq(session_principal(node, session->answer->arena, session->access, &principal),
                     ERR_OK);
    return principal;
}

/* The node comes to refuse the access token, within so many milliseconds. */
static inline void session_expect_refused(const struct loopback *node, const char *access,
                                          int64_t within_ms)
{
    int64_t start_ns = clock_mono_ns();
    while (session_try_access(node, access) != ERR_UNAUTHENTICATED) {
        ck_assert_msg(clock_mono_ns() - start_ns < PATIENCE_MS * NS_PER_MS, "still good");
        nanosleep(&(struct timespec){.tv_nsec = 5 * NS_PER_MS}, NULL);
    }
    expect_within_ms((clock_mono_ns() - start_ns) / NS_PER_MS, within_ms);
}

/* As a node does by itself, four times a second: the node has seen Redis since this was called. */
static inline void session_look_at_redis(const struct loopback *at)
{
    int64_t deadline_ns = clock_deadline_ns(PATIENCE_MS);
    struct error error = {0};
    while (version_guard_reconcile(at->app->guard, VERSION_GUARD_REPAIRS,
                                   (struct work){.deadline_ns = deadline_ns, .error = &error}) !=
           ERR_OK) {
        ck_assert_msg(clock_mono_ns() < deadline_ns, "%s", error.detail);
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    }
}

/* Moves the moment a refresh token was spent into the past. */
static inline void session_age_spent(struct redis_server *redis, const struct session *session,
                                     int64_t age_ms)
{
    redis_server_do(redis, "HSET cw:t:%s spent %lld",
                    str_dup(session->answer->arena, session->refresh_claims.id).ptr,
                    (long long)(clock_wall_ms() - age_ms));
}

#endif
