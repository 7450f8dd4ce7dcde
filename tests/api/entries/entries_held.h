/* Two nodes of entries_case.h, one of which can be held between its requests to Redis. */
#ifndef TESTS_ENTRIES_HELD_H
#define TESTS_ENTRIES_HELD_H

#include "entries_case.h"
#include "tcp_proxy.h"

static struct tcp_proxy *proxy; /* between node 0 and the Redis of control data */

static inline void open_behind_proxy(void)
{
    char url[64];

    proxy = tcp_proxy_start(redis_server_port(redis));
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", tcp_proxy_port(proxy));
    arena = arena_new(65536, 0);
    struct loopback_options options = {.redis_url = url,
                                       .entries_redis_url =
                                           store == redis ? url : redis_server_url(store),
                                       .is_unwatched = true};
    loopback_open(&nodes[0], &options);
    options.redis_url = redis_server_url(redis);
    options.entries_redis_url = redis_server_url(store);
    options.shares = &nodes[0];
    loopback_open(&nodes[1], &options);
}

static inline void open_two_nodes_and_proxy(void)
{
    redis = store = redis_server_start(NULL);
    open_behind_proxy();
}

/* Entries have a Redis of their own. */
static inline void open_two_nodes_apart_and_proxy(void)
{
    redis = redis_server_start(NULL);
    store = redis_server_start(NULL);
    open_behind_proxy();
}

static inline void close_two_nodes_and_proxy(void)
{
    arena_free(&arena);
    loopback_close(&nodes[1]);
    loopback_close(&nodes[0]);
    tcp_proxy_stop(&proxy);
    if (store != redis)
        redis_server_stop(&store);
    redis_server_stop(&redis);
}

#endif
