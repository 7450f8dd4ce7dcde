/*
 * What a Redis is told (MONITOR), as text for a golden file: a block a round trip, a command a line. Keys and plain
 * words stand there as they are. What is drawn by chance or tells the time is "#", what is long or no text is "…".
 * What the program writes by itself, behind its answers, is left out: the audit, and who flushed a cache last.
 */
#ifndef SUPPORT_REDIS_MONITOR_H
#define SUPPORT_REDIS_MONITOR_H

#include <stdio.h>

struct redis_monitor;
struct redis_server;

/* From now on. Anything that goes wrong ends the test. */
struct redis_monitor *redis_monitor_open(const struct redis_server *server);
void redis_monitor_close(struct redis_monitor **monitor);
/* What it was told since the last time, or since it was opened; NULL: nowhere. */
void redis_monitor_write(struct redis_monitor *monitor, FILE *out);

#endif
