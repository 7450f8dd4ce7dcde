#include "sentinel_set.h"
#include "patience.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DOWN_AFTER_MS = 1000, CONFIG_SIZE = 1024 };

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* ---- what a sentinel sees ---- */

/* The port it names; with a password, the connection needs one. */
static int named_port(const struct redis_server *sentinel)
{
    redisReply *reply =
        redis_server_ask(sentinel, "SENTINEL get-master-addr-by-name " SENTINEL_SET_MASTER);
    int port = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
                   ? (int)strtol(reply->element[1]->str, NULL, 10)
                   : 0;

    freeReplyObject(reply);
    return port;
}

static bool has_field(const struct redis_server *sentinel, const char *name, const char *value)
{
    bool has = false;
    redisReply *reply = redis_server_ask(sentinel, "SENTINEL MASTER " SENTINEL_SET_MASTER);

    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2)
        has = has || (strcmp(reply->element[i]->str, name) == 0 &&
                      strcmp(reply->element[i + 1]->str, value) == 0);
    freeReplyObject(reply);
    return has;
}

static void wait_known(const struct sentinel_set *set)
{
    for (int i = 0; i < SENTINEL_SET_SENTINELS; i++)
        for (time_t end = time(NULL) + PATIENCE_S;
             !has_field(set->sentinels[i], "num-other-sentinels", "2") ||
             !has_field(set->sentinels[i], "num-slaves", "1") ||
             !has_field(set->sentinels[i], "flags", "master");
             nap())
            ck_assert_msg(time(NULL) < end, "the sentinels do not find each other");
}

int sentinel_set_primary(const struct sentinel_set *set)
{
    time_t end = time(NULL) + PATIENCE_S;

    for (;; nap()) {
        int port = named_port(set->sentinels[0]);
        bool agree = port > 0;
        for (int i = 1; i < SENTINEL_SET_SENTINELS; i++)
            agree = agree && named_port(set->sentinels[i]) == port;
        for (int i = 0; agree && i < SENTINEL_SET_REDIS; i++)
            if (cable_port(set->cables[i]) == port)
                return i;
        ck_assert_msg(time(NULL) < end, "the sentinels do not agree");
    }
}

void sentinel_set_wait_replica(const struct sentinel_set *set, int replica)
{
    for (time_t end = time(NULL) + PATIENCE_S;; nap()) {
        redisReply *reply = redis_server_ask(set->redis[replica], "INFO replication");
        bool is_up = reply->type == REDIS_REPLY_STRING && strstr(reply->str, "role:slave") &&
                     strstr(reply->str, "master_link_status:up");
        freeReplyObject(reply);
        if (is_up)
            return;
        ck_assert_msg(time(NULL) < end, "it does not follow");
    }
}

/* ---- the set ---- */

/* It tells everybody the port of its cable. */
static void announce(const struct sentinel_set *set, int index)
{
    redis_server_do(set->redis[index], "CONFIG SET replica-announce-port %d",
                    cable_port(set->cables[index]));
}

void sentinel_set_mend(struct sentinel_set *set, int index)
{
    if (redis_server_pid(set->redis[index]) == 0)
        redis_server_restart(set->redis[index]);
    else
        redis_server_resume(set->redis[index]);
    announce(set, index);
    redis_server_do(set->redis[index], "REPLICAOF 127.0.0.1 %d",
                    cable_port(set->cables[1 - index]));
    cable_plug(set->cables[index], true);
    sentinel_set_wait_replica(set, index);
}

static void start_redis(struct sentinel_set *set, int index)
{
    const char *const args[] = {"--repl-diskless-sync-delay", "0", "--replica-announce-ip",
                                "127.0.0.1", NULL};

    set->redis[index] = redis_server_start(&(struct redis_server_options){.args = args});
    set->cables[index] = cable_start(redis_server_port(set->redis[index]));
    announce(set, index);
}

static void start_sentinel(struct sentinel_set *set, int index, const char *password)
{
    char config[CONFIG_SIZE];
    static const char *const args[] = {"--sentinel", NULL};

    snprintf(config, sizeof config,
             "sentinel monitor " SENTINEL_SET_MASTER " 127.0.0.1 %d 2\n"
             "sentinel down-after-milliseconds " SENTINEL_SET_MASTER " %d\n"
             "sentinel failover-timeout " SENTINEL_SET_MASTER " 3000\n"
             "%s%s%s%s\n",
             cable_port(set->cables[0]), set->down_after_ms, password ? "requirepass " : "",
             password ? password : "", password ? "\nsentinel sentinel-pass " : "",
             password ? password : "");
    set->sentinels[index] =
        redis_server_start(&(struct redis_server_options){.config = config, .args = args});
    snprintf(set->sentinel_list + strlen(set->sentinel_list),
             sizeof set->sentinel_list - strlen(set->sentinel_list), "%s127.0.0.1:%d",
             index > 0 ? "," : "", redis_server_port(set->sentinels[index]));
}

void sentinel_set_start(struct sentinel_set *set, const struct sentinel_set_options *options)
{
    const char *password = options ? options->password : NULL;

    *set = (struct sentinel_set){.down_after_ms = options && options->down_after_ms
                                                      ? options->down_after_ms
                                                      : DOWN_AFTER_MS};
    for (int i = 0; i < SENTINEL_SET_REDIS; i++)
        start_redis(set, i);
    redis_server_do(set->redis[1], "REPLICAOF 127.0.0.1 %d", cable_port(set->cables[0]));
    sentinel_set_wait_replica(set, 1);
    for (int i = 0; i < SENTINEL_SET_SENTINELS; i++)
        start_sentinel(set, i, password);
    if (!password)
        wait_known(set);
}

void sentinel_set_stop(struct sentinel_set *set)
{
    for (int i = 0; i < SENTINEL_SET_SENTINELS; i++)
        redis_server_stop(&set->sentinels[i]);
    for (int i = 0; i < SENTINEL_SET_REDIS; i++) {
        cable_stop(&set->cables[i]);
        redis_server_stop(&set->redis[i]);
    }
}
