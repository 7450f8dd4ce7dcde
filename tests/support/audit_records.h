/* Records of the audit for tests in tests/api: written through an app, read from Redis or the log. */
#ifndef SUPPORT_AUDIT_RECORDS_H
#define SUPPORT_AUDIT_RECORDS_H

#include "audit/entry.h"
#include "log_capture.h"
#include "loopback.h"
#include "patience.h"
#include "redis_server.h"
#include "suite.h"

#include "cachewarden/audit.h"
#include "cachewarden/clock.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A Redis and an app on it that opens no users database. A record is delayed when a write failed, not because
 * the machine is slow. */
static inline void audit_records_open(struct redis_server **redis, struct loopback *at)
{
    *redis = redis_server_start(NULL);
    loopback_open(at, &(struct loopback_options){.redis_url = redis_server_url(*redis),
                                                 .has_no_users = true,
                                                 .audit_delayed_ms = PATIENCE_MS});
}

/* For a Redis that is to be silent: it is given up soon. What goes well is not promised then, for a busy
 * machine is silent, too. */
static inline void audit_records_open_hasty(struct redis_server **redis, struct loopback *at)
{
    *redis = redis_server_start(NULL);
    loopback_open(at, &(struct loopback_options){.redis_url = redis_server_url(*redis),
                                                 .has_no_users = true,
                                                 .audit_delayed_ms = PATIENCE_MS,
                                                 .command_timeout_ms = 300});
}

/* With the targets user:<from> and on. */
static inline void audit_records_write(const struct loopback *at, enum audit_part part, int from,
                                       int count)
{
    static const struct principal admin = {
        .user_id = 1, .name = {"admin", 5}, .credential = CREDENTIAL_OPERATOR};

    for (int i = from; i < from + count; i++) {
        char target[32];
        snprintf(target, sizeof target, "user:%d", i);
        struct audit_record record = {.part = part,
                                      .principal = &admin,
                                      .route = "cache.clear",
                                      .target = str_from(target),
                                      .result = "ok",
                                      .count = i};
        audit_write(at->app, &record);
    }
}

static inline void audit_records_drain(const struct loopback *at)
{
    ck_assert_int_eq(audit_drain(at->app, clock_deadline_ns(PATIENCE_MS)), ERR_OK);
}

static inline int64_t audit_records_in(const struct redis_server *redis, const char *part)
{
    return redis_server_ask_integer(redis, "XLEN cw:audit:%s", part);
}

/* A field of the newest record of a part, on the heap. */
static inline char *audit_records_newest(const struct redis_server *redis, const char *part,
                                         enum audit_field field)
{
    redisReply *reply = redis_server_ask(redis, "XREVRANGE cw:audit:%s + - COUNT 1", part);
    struct str fields[AUDIT_FIELD_COUNT];

    ck_assert_uint_eq(reply->elements, 1);
    const redisReply *pairs = reply->element[0]->element[1];
    audit_unpack((struct str){pairs->element[1]->str, pairs->element[1]->len}, fields);
    char *copy = strndup(fields[field].len > 0 ? fields[field].ptr : "", fields[field].len);
    freeReplyObject(reply);
    return copy;
}

static inline void audit_records_expect(const struct redis_server *redis, const char *part,
                                        enum audit_field field, const char *value)
{
    char *found = audit_records_newest(redis, part, field);

    ck_assert_str_eq(found, value);
    free(found);
}

static inline int audit_records_count(const char *log, const char *text)
{
    int count = 0;

    for (const char *at = log; (at = strstr(at, text)); at++)
        count++;
    return count;
}

#endif
