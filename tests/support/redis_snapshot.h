/*
 * What is in a Redis, as text to compare: one line a key with its DUMP, sorted. Keys that change
 * on their own (the audit stream) can be left out. Only for tests: it uses KEYS.
 */
#ifndef SUPPORT_REDIS_SNAPSHOT_H
#define SUPPORT_REDIS_SNAPSHOT_H

struct redis_server;

/* Everything of database 0 but keys that begin with `but` (NULL: nothing more). Of the record of the
 * control data only the epoch: a server that runs puts it back by itself after a FLUSHALL. The caller
 * frees it. */
char *redis_snapshot(const struct redis_server *redis, const char *but);

#endif
