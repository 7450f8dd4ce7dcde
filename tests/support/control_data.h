/* The control data as it lies in Redis, for tests that put something there or look whether it moved. */
#ifndef SUPPORT_CONTROL_DATA_H
#define SUPPORT_CONTROL_DATA_H

#include "redis_server.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* A number in a hash; 0 when it is not there. */
static inline int64_t control_number(const struct redis_server *server, const char *key,
                                     const char *field)
{
    redisReply *reply = redis_server_ask(server, "HGET %s %s", key, field);
    ck_assert(reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL);
    int64_t number = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return number;
}

static inline int64_t control_epoch(const struct redis_server *server)
{
    return control_number(server, "cw:dataset", "epoch");
}

static inline int64_t control_term(const struct redis_server *server)
{
    return control_number(server, "cw:dataset", "term");
}

static inline int64_t control_clears(const struct redis_server *server, int64_t user_id)
{
    char key[48];
    snprintf(key, sizeof key, "cw:{u:%lld}", (long long)user_id);
    return control_number(server, key, "clears");
}

/* What a server shows. */
static inline int64_t control_version(const struct redis_server *server, int64_t user_id)
{
    return 1 + control_clears(server, user_id) + control_epoch(server);
}

static inline void control_set_clears(const struct redis_server *server, int64_t user_id,
                                      int64_t clears)
{
    redis_server_do(server, "HSET cw:{u:%lld} clears %lld", (long long)user_id, (long long)clears);
}

static inline void control_set_version(const struct redis_server *server, int64_t user_id,
                                       int64_t version)
{
    control_set_clears(server, user_id, version - 1 - control_epoch(server));
}

/* As a server of now would: the field names the term. */
static inline void control_set_off(const struct redis_server *server, int64_t user_id)
{
    redis_server_do(server, "HSET cw:{u:%lld} off:%lld 1", (long long)user_id,
                    (long long)control_term(server));
}

static inline bool control_is_off(const struct redis_server *server, int64_t user_id)
{
    char key[48], field[48];
    snprintf(key, sizeof key, "cw:{u:%lld}", (long long)user_id);
    snprintf(field, sizeof field, "off:%lld", (long long)control_term(server));
    return control_number(server, key, field) == 1;
}

#endif
