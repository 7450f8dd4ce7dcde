#include "identity/record.h"

#include "cachewarden/app.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>

struct str record_of(struct arena *arena, const struct token_claims *claims)
{
    return str_format(arena, "%s:%.*s:%" PRId64,
                      claims->use == TOKEN_REFRESH ? "refresh" : "access", STR_ARG(claims->family),
                      claims->user_id);
}

struct str record_expiry(struct call *call, const struct token_claims *claims)
{
    const struct tokens *tokens = identity_tokens(call->app->identity);

    return str_format(call->arena, "%" PRId64, claims->expires_at_s + token_leeway_s(tokens));
}

static enum err add_access(struct call *call, struct pipeline *pipeline,
                           const struct token_claims *claims)
{
    struct key key = key_token(claims->id);
    struct str record = record_of(call->arena, claims);
    struct str lifetime_s = str_format(call->arena, "%" PRId64, claims->expires_at_s - call->now_s);

    if (!TEXTS_MADE(record, lifetime_s))
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(&key), record, STR("EX"), lifetime_s);
    return ERR_OK;
}

static enum err add_refresh(struct call *call, struct pipeline *pipeline,
                            const struct token_claims *claims)
{
    struct key key = key_token(claims->id);
    struct str record = record_of(call->arena, claims), last = record_expiry(call, claims);

    if (!TEXTS_MADE(record, last))
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), RECORD_FIELD, record);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIREAT"), key_str(&key), last);
    return ERR_OK;
}

/* The set is as long as the account has sessions: what has expired is taken out on the way. */
static enum err add_family(struct call *call, struct pipeline *pipeline,
                           const struct token_claims *refresh)
{
    struct key key = key_user_families(refresh->user_id);
    struct str now = str_format(call->arena, "%" PRId64, call->now_s);
    struct str expiry = str_format(call->arena, "%" PRId64, refresh->expires_at_s);
    struct str last = record_expiry(call, refresh);

    if (!TEXTS_MADE(now, expiry, last))
        return ERR_NO_MEMORY;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZADD"), key_str(&key), expiry, refresh->family);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("ZREMRANGEBYSCORE"), key_str(&key), STR("-inf"),
                 now);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIREAT"), key_str(&key), last);
    return ERR_OK;
}

enum err record_add(struct call *call, struct pipeline *pipeline, const struct issued *issued)
{
    enum err err = add_access(call, pipeline, &issued->access);

    if (err == ERR_OK)
        err = add_refresh(call, pipeline, &issued->refresh);
    if (err == ERR_OK)
        err = add_family(call, pipeline, &issued->refresh);
    return err;
}
