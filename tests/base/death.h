/* Calls that are meant to end the process: run in a child, with what it said before it ended. */
#ifndef CACHEWARDEN_TESTS_DEATH_H
#define CACHEWARDEN_TESTS_DEATH_H

#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct death {
    bool aborted; /* by SIGABRT; else it came to the end of the function */
    char said[1024];
};

/* Forks, so the process must have no other threads. */
static inline struct death death_of(void (*fn)(void))
{
    struct death death = {.said = ""};
    int ends[2], status;
    size_t len = 0;
    ssize_t got;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        dup2(ends[1], STDERR_FILENO);
        fn();
        _exit(0);
    }
    close(ends[1]);
    while ((got = read(ends[0], death.said + len, sizeof death.said - 1 - len)) > 0)
        len += (size_t)got;
    death.said[len] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    death.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!death.aborted)
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x: %s",
                      (unsigned)status, death.said);
    return death;
}

/*
 * What debug builds promise to abort on, release builds let pass: both are held to their word.
 * `first` and `second` have to be in the message.
 */
static inline void expect_debug_abort(void (*fn)(void), const char *first, const char *second)
{
    struct death death = death_of(fn);

#ifdef NDEBUG
    ck_assert_msg(!death.aborted, "aborted: %s", death.said);
    ck_assert_str_eq(death.said, "");
    (void)first;
    (void)second;
#else
    ck_assert_msg(death.aborted, "did not abort");
    ck_assert_msg(strstr(death.said, first) != NULL, "no \"%s\" in: %s", first, death.said);
    ck_assert_msg(strstr(death.said, second) != NULL, "no \"%s\" in: %s", second, death.said);
#endif
}

#endif
