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

/* audit_records_open_hasty */
static inline void open_hasty(void)
{
    audit_records_open_hasty(&redis, &loopback);
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

/* The connection is there, and Redis takes what comes and answers nothing. What the log says of the record
 * that led there is forgotten. */
static inline void begin_silence(void)
{
    write_records(0, 1);
    drain();
    free(log_capture_end());
    log_capture_start();
    redis_server_pause(redis);
}

#endif
