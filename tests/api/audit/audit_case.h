/* A Redis, an app that writes its audit there, and the log captured: what the tests of the queue and of its
 * thread share. */
#ifndef TESTS_AUDIT_CASE_H
#define TESTS_AUDIT_CASE_H

#include "audit_records.h"
#include "cachewarden/audit.h"

static struct redis_server *redis;
static struct loopback loopback;

static inline void open_all(void)
{
    audit_records_open(&redis, &loopback);
    log_capture_start();
}

static inline void close_all(void)
{
    loopback_close(&loopback);
    redis_server_stop(&redis);
}

static inline void write_records(int from, int count)
{
    audit_records_write(&loopback, AUDIT_CHANGES, from, count);
}

static inline void drain(void)
{
    audit_records_drain(&loopback);
}

#endif
