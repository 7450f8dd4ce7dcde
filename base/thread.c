#include "cachewarden/thread.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- one thread ---- */

static int create(pthread_t *thread, size_t stack_size, void *(*run)(void *arg), void *arg)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int result = pthread_attr_init(&attributes);

    if (result != 0)
        return result;
    if (stack_size > 0)
        result = pthread_attr_setstacksize(&attributes, stack_size);
    if (result == 0) {
        /* What it is to have is what its maker has at the time. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        result = pthread_create(thread, &attributes, run, arg);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return result;
}

enum err thread_start(pthread_t *thread_out, const char *name, size_t stack_size,
                      void *(*run)(void *arg), void *arg, struct error *error)
{
    int result = create(thread_out, stack_size, run, arg);

    if (result != 0)
        return error_set_detail(error, ERR_INTERNAL, "the thread %s did not start: errno %d", name,
                                result);
    pthread_setname_np(*thread_out, name);
    return ERR_OK;
}

/* ---- one that does a task again and again ---- */

struct periodic {
    periodic_task *task; /* set at the start */
    void *arg;
    char name[16];
    pthread_t thread;
    _Atomic bool has_done_one; /* changed under the lock */
    struct lock lock;
    struct lock_cond changed;
    /* guarded by lock */
    bool is_stopping;
};

/* False: the end. */
static bool rest(struct periodic *periodic, int64_t rest_ms)
{
    int64_t until_ns = clock_deadline_ns(rest_ms);
    bool in_time = rest_ms > 0;

    lock_acquire(&periodic->lock);
    if (!atomic_load(&periodic->has_done_one)) {
        atomic_store(&periodic->has_done_one, true);
        lock_cond_broadcast(&periodic->changed);
    }
    while (!periodic->is_stopping && in_time)
        in_time = lock_cond_wait(&periodic->changed, &periodic->lock, until_ns);
    bool go_on = !periodic->is_stopping;
    lock_release(&periodic->lock);
    return go_on;
}

static void *run_task(void *arg)
{
    struct periodic *periodic = arg;

    /* Its maker names it, too, but perhaps only after the first rounds. */
    pthread_setname_np(pthread_self(), periodic->name);
    while (rest(periodic, periodic->task(periodic->arg)))
        ;
    return NULL;
}

static void destroy(struct periodic **periodic)
{
    lock_cond_fini(&(*periodic)->changed);
    lock_fini(&(*periodic)->lock);
    free(*periodic);
    *periodic = NULL;
}

enum err periodic_start(const char *name, periodic_task *task, void *arg,
                        struct periodic **periodic_out, struct error *error)
{
    struct periodic *periodic = calloc(1, sizeof *periodic);

    *periodic_out = periodic;
    if (!periodic)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the thread %s", name);
    periodic->task = task;
    periodic->arg = arg;
    snprintf(periodic->name, sizeof periodic->name, "%s", name);
    lock_init(&periodic->lock, LOCK_RANK_LEAF, "periodic task");
    lock_cond_init(&periodic->changed);
    enum err err = thread_start(&periodic->thread, name, 0, run_task, periodic, error);
    if (err != ERR_OK)
        destroy(periodic_out);
    return err;
}

void periodic_stop(struct periodic **periodic)
{
    if (!*periodic)
        return;
    lock_acquire(&(*periodic)->lock);
    (*periodic)->is_stopping = true;
    lock_cond_broadcast(&(*periodic)->changed);
    lock_release(&(*periodic)->lock);
    pthread_join((*periodic)->thread, NULL);
    destroy(periodic);
}

bool periodic_wait_first(struct periodic *periodic, int64_t deadline_ns)
{
    bool in_time = true;

    if (atomic_load(&periodic->has_done_one))
        return true;
    lock_acquire(&periodic->lock);
    while (!atomic_load(&periodic->has_done_one) && in_time)
        in_time = lock_cond_wait(&periodic->changed, &periodic->lock, deadline_ns);
    lock_release(&periodic->lock);
    return atomic_load(&periodic->has_done_one);
}
