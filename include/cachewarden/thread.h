/*
 * Threads of the program's own: beside the one that begins, whose business signals are, and the workers
 * of the HTTP library. A thread that is started here takes no signals, and its name is what ps and gdb show.
 */
#ifndef CACHEWARDEN_THREAD_H
#define CACHEWARDEN_THREAD_H

#include "cachewarden/error.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* `name`: 15 characters at most. `stack_size` 0: the system's. It is to be joined. ERR_INTERNAL. */
CW_MUST_CHECK enum err thread_start(pthread_t *thread_out, const char *name, size_t stack_size,
                                    void *(*run)(void *arg), void *arg, struct error *error);

/* What is done again and again; how long to rest before the next time, in ms, 0: not at all. */
typedef int64_t periodic_task(void *arg);

/* A thread that does a task at once, and again after each rest, until it is stopped. */
struct periodic;

/* `arg` is borrowed until periodic_stop. ERR_NO_MEMORY, ERR_INTERNAL. */
CW_MUST_CHECK enum err periodic_start(const char *name, periodic_task *task, void *arg,
                                      struct periodic **periodic_out, struct error *error);
/* Waits for the task if it is under way, but not for a rest. Harmless for NULL. */
void periodic_stop(struct periodic **periodic);

/* Whether the task has been done once, and waiting for that until deadline_ns (clock_mono_ns) at most; an
 * atomic word from then on. */
bool periodic_wait_first(struct periodic *periodic, int64_t deadline_ns);

#endif
