/*
 * A Redis with a replica, and three real sentinels that watch them. Each of the two is reached by a cable, also by
 * the sentinels and by its replica, so that it can be cut off from everybody. Start it in the main thread
 * (redis_server.h).
 */
#ifndef SUPPORT_SENTINEL_SET_H
#define SUPPORT_SENTINEL_SET_H

#include "cable.h"
#include "redis_server.h"

enum { SENTINEL_SET_SENTINELS = 3, SENTINEL_SET_REDIS = 2 };

#define SENTINEL_SET_MASTER "cw"

struct sentinel_set {
    struct redis_server *redis[SENTINEL_SET_REDIS];
    struct cable *cables[SENTINEL_SET_REDIS];
    struct redis_server *sentinels[SENTINEL_SET_SENTINELS];
    char sentinel_list[128]; /* "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3" */
    int down_after_ms;
};

struct sentinel_set_options {
    int down_after_ms;    /* 0: a second */
    const char *password; /* of the sentinels; NULL: none */
};

/* Returns once the replica follows, and every sentinel knows it and the two others. NULL options: none. */
void sentinel_set_start(struct sentinel_set *set, const struct sentinel_set_options *options);
void sentinel_set_stop(struct sentinel_set *set);

/* The index of the one that the sentinels' answers lead to; they agree, or it is waited for. */
int sentinel_set_primary(const struct sentinel_set *set);
/* Whatever happened to it: it runs, is plugged in, and follows the other one. */
void sentinel_set_mend(struct sentinel_set *set, int index);
/* How long after a failover the sentinels start no other one. */
enum { SENTINEL_SET_REST_MS = 7000 };
/* Waits until it follows the other, and is in step with it. */
void sentinel_set_wait_replica(const struct sentinel_set *set, int replica);

#endif
