/*
 * How long a test waits for what must come. It ends a test that hangs and says nothing about speed:
 * the machine may be busy with others, sanitizers may be on, and a healthy run takes a hundredth.
 */
#ifndef CACHEWARDEN_TESTS_PATIENCE_H
#define CACHEWARDEN_TESTS_PATIENCE_H

#define PATIENCE_S  300
#define PATIENCE_MS (1000 * PATIENCE_S)

/* The most a time limit of the Redis pool may be: for tests in which it must not run out. */
#define REDIS_PATIENCE_MS 60000

#endif
