/* What the programs to measure share: arguments, a counter, and the bill at the end. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BENCH_BODY "{\"enabled\":true,\"version\":5,\"message\":\"Cache is enabled\"}"

struct bench_arguments {
    int port, threads;
    bool log;
};

static inline sigset_t bench_end(void)
{
    sigset_t end;

    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    return end;
}

/* To be called before there are threads: they inherit that the signals wait for bench_run. */
static inline struct bench_arguments bench_arguments(int argc, char **argv)
{
    const sigset_t end = bench_end();

    pthread_sigmask(SIG_BLOCK, &end, NULL);
    if (argc < 3) {
        fprintf(stderr, "usage: %s PORT THREADS\n", argv[0]);
        exit(64);
    }
    return (struct bench_arguments){
        .port = (int)strtol(argv[1], NULL, 10),
        .threads = (int)strtol(argv[2], NULL, 10),
        .log = argc > 3 && strcmp(argv[3], "--log") == 0,
    };
}

static atomic_ulong bench_requests;

static inline void bench_count(void)
{
    atomic_fetch_add_explicit(&bench_requests, 1, memory_order_relaxed);
}

static inline double bench_us(struct timeval time)
{
    return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

/* Waits for SIGTERM or SIGINT, then prints requests and CPU a request. Threads may be running. */
static inline void bench_run(const char *name)
{
    const sigset_t end = bench_end();
    struct rusage usage;
    int signal_number;

    sigwait(&end, &signal_number);
    getrusage(RUSAGE_SELF, &usage);
    unsigned long requests = atomic_load(&bench_requests);
    double each = requests > 0 ? 1.0 / (double)requests : 0;
    printf("%s: %lu requests, %.2f us of CPU each (%.2f user, %.2f system)\n", name, requests,
           (bench_us(usage.ru_utime) + bench_us(usage.ru_stime)) * each,
           bench_us(usage.ru_utime) * each, bench_us(usage.ru_stime) * each);
}

#endif
