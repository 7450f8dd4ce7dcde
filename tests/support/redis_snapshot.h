/*
 * What is in a Redis, as text to compare: one line a key with its DUMP, sorted. Keys that change
 * on their own (the audit stream) can be left out. Only for tests: it uses KEYS.
 */
#ifndef SUPPORT_REDIS_SNAPSHOT_H
#define SUPPORT_REDIS_SNAPSHOT_H

struct redis_server;

/* Everything of database 0 but keys that begin with `but` (NULL: nothing more), and but the marker and the
 * witness of the epoch, which a server that runs puts back by itself after a FLUSHALL. The caller
 * frees it. */
char *redis_snapshot(const struct redis_server *redis, const char *but);

#endif
