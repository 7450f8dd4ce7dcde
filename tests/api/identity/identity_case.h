/* What the tests of the accounts' and tokens' routes share: a node, its Redis, and calls by nobody. */
#ifndef CACHEWARDEN_TESTS_IDENTITY_CASE_H
#define CACHEWARDEN_TESTS_IDENTITY_CASE_H

#include "cachewarden/clock.h"
#include "cachewarden/identity.h"
#include "loopback.h"
#include "redis_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct redis_server *redis;
static struct loopback loopback;

static inline void open_with(const char *redis_url)
{
    loopback_open(&loopback,
                  &(struct loopback_options){.redis_url = redis_url, .is_registration_open = true});
}

static inline void open_all(void)
{
    redis = redis_server_start(NULL);
    open_with(redis_server_url(redis));
}

static inline void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static inline void open_without_redis(void)
{
    open_with(LOOPBACK_NO_REDIS);
}

static inline void close_without_redis(void)
{
    loopback_close(&loopback);
}

#define PUBLIC(route, ...) LOOPBACK(&loopback, route, loopback_nobody(), __VA_ARGS__)
#define GOOD_LOGIN         "{\"username\":\"alice\",\"password\":\"" LOOPBACK_PASSWORD "\"}"
#define BAD_LOGIN_SAYS     "No active account found with the given credentials"

/* An account made through the route, with LOOPBACK_PASSWORD. Its id. */
static inline int64_t make_account(const char *name)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"username\":\"%s\",\"email\":\"%s@example.org\",\"password\":\"" LOOPBACK_PASSWORD
             "\"}",
             name, name);
    struct loopback_answer *answer = PUBLIC("auth.register", .body = body);
    int64_t id = json_integer(json_get(json_get(loopback_json(answer), "user"), "id"));
    ck_assert_int_gt(id, 0);
    loopback_free(&answer);
    return id;
}

/* A member of a JSON answer, on the heap; frees the answer. */
static inline char *take_member(struct loopback_answer *answer, const char *name)
{
    struct str text = json_string(json_get(loopback_json(answer), name));
    ck_assert_msg(text.len > 0, "no %s in %s", name, answer->body);
    char *copy = strndup(text.ptr, text.len);
    loopback_free(&answer);
    return copy;
}

static inline char *json_body(const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 16;
    char *body = malloc(size);
    snprintf(body, size, "{\"%s\":\"%s\"}", name, value);
    return body;
}

/* One call with {"<name>":"<value>"} as the body. */
static inline struct loopback_answer *call_with(const char *route, const char *name,
                                                const char *value)
{
    char *body = json_body(name, value);
    struct loopback_answer *answer = PUBLIC(route, .body = body);
    free(body);
    return answer;
}

static inline struct loopback_answer *refresh(const char *token)
{
    return call_with("auth.refresh", "refresh_token", token);
}

static inline struct loopback_answer *verify(const char *token)
{
    return call_with("token.verify", "token", token);
}

/* Both tokens of an answer are ours, of this account, and the server takes them. */
static inline void expect_pair(const struct loopback_answer *answer, const char *access_name,
                               const char *refresh_name, int64_t user_id)
{
    const struct json *root = loopback_json(answer);
    const struct tokens *tokens = identity_tokens(loopback.app->identity);
    struct token_claims access, refreshing;
    struct error error = {0};
    ck_assert_int_eq(token_verify(tokens, (struct work){.arena = answer->arena, .error = &error},
                                  json_string(json_get(root, access_name)), TOKEN_ACCESS,
                                  clock_wall_s(), &access),
                     ERR_OK);
    ck_assert_int_eq(token_verify(tokens, (struct work){.arena = answer->arena, .error = &error},
                                  json_string(json_get(root, refresh_name)), TOKEN_REFRESH,
                                  clock_wall_s(), &refreshing),
                     ERR_OK);
    ck_assert_int_eq(access.user_id, user_id);
    ck_assert_int_eq(refreshing.user_id, user_id);
    ck_assert_int_eq(access.expires_at_s - access.issued_at_s, 900);
    ck_assert_int_eq(refreshing.expires_at_s - refreshing.issued_at_s, 604800);
    ck_assert(access.family.len == 32 && str_eq(access.family, refreshing.family));
    ck_assert(!str_eq(access.id, refreshing.id));
}

#endif
