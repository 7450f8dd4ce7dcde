/* Writing a batch of records to the streams of their parts. One thread at a time. */
#ifndef API_AUDIT_STORE_H
#define API_AUDIT_STORE_H

#include "audit/entry.h"
#include "cachewarden/audit.h"
#include "cachewarden/redis.h"
#include "cachewarden/work.h"

/* Records in one write at most: some 50 KiB of commands, a third of a millisecond of Redis. */
#define AUDIT_BATCH 256

/*
 * One round trip; of each part the newest keep[part] records stay, from 1000 on up to some hundreds more.
 * ERR_OK: all are in the stream. ERR_BUSY, ERR_UPSTREAM_DOWN, ERR_TIMEOUT: none is, and it may be tried again. Any
 * other error: saved_out[i] tells of each whether it surely is.
 * `count` is 1 to AUDIT_BATCH; its arena holds the commands and replies.
 */
CW_MUST_CHECK enum err audit_store(struct redis *redis, struct work work,
                                   struct audit_entry *const *entries, size_t count,
                                   const int64_t keep[AUDIT_PARTS], bool *saved_out);

#endif
