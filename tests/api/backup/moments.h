/*
 * Ends this process with SIGKILL at a moment that is counted, not timed: before and behind each call to the system by
 * which SQLite, libpq and we ourselves reach a file or a server. A file that includes this defines those calls, so that
 * shared libraries use them, too; in one file of a program.
 */
#ifndef CACHEWARDEN_TESTS_MOMENTS_H
#define CACHEWARDEN_TESTS_MOMENTS_H

#include <check.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shared with the parent. */
struct moments {
    _Atomic int64_t count, end_at; /* 0: never */
    _Atomic bool is_counting;
};
static struct moments *moments;

static inline void moments_init(void)
{
    moments =
        mmap(NULL, sizeof *moments, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(moments, MAP_FAILED);
}

static inline void moments_begin(void)
{
    moments->is_counting = true;
}

static inline void moments_pass(void)
{
    if (moments && moments->is_counting && ++moments->count == moments->end_at)
        kill(getpid(), SIGKILL);
}

/* The function that this one stands before. */
static inline void *moments_next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (!function)
        _exit(99);
    return function;
}

#define MOMENT(type, name, parameters, arguments)  \
    type name parameters                           \
    {                                              \
        static _Atomic(void *) next;               \
        void *function = next;                     \
        type(*call) parameters;                    \
        if (!function)                             \
            next = function = moments_next(#name); \
        *(void **)&call = function;                \
        moments_pass();                            \
        type result = call arguments;              \
        moments_pass();                            \
        return result;                             \
    }

MOMENT(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at))
MOMENT(ssize_t, pread64, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at))
MOMENT(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
MOMENT(ssize_t, send, (int fd, const void *bytes, size_t size, int flags), (fd, bytes, size, flags))
MOMENT(ssize_t, recv, (int fd, void *bytes, size_t size, int flags), (fd, bytes, size, flags))
MOMENT(int, fdatasync, (int fd), (fd))
MOMENT(int, fsync, (int fd), (fd))
MOMENT(int, unlink, (const char *path), (path))
MOMENT(int, renameat, (int from, const char *old_name, int to, const char *new_name),
       (from, old_name, to, new_name))

/*
 * Runs `act(with)` in a process of its own that ends at this moment behind its moments_begin, or never (0), and waits
 * for it. *count_out: how many moments there were. True: it came to its end; act's answer, else a failure of the test.
 */
static inline bool moments_run(int64_t end_at, bool (*act)(void *with), void *with,
                               int64_t *count_out)
{
    int status;

    moments->count = 0;
    moments->end_at = end_at;
    moments->is_counting = false;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        _exit(act(with) ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    moments->is_counting = false;
    *count_out = moments->count;
    bool was_ended = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    ck_assert_msg(was_ended || (WIFEXITED(status) && WEXITSTATUS(status) == 0),
                  "status %d at moment %lld of %lld", status, (long long)end_at,
                  (long long)moments->count);
    return !was_ended;
}

/* The number of tries: few in each run, at other moments each time; CW_KILLS for a long one. */
static inline int moments_tries(int usual)
{
    const char *many = getenv("CW_KILLS");

    return many ? (int)strtol(many, NULL, 10) : usual;
}

#endif
