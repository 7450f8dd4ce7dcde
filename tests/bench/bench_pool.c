/*
 * What a pipeline costs, for the choice of hand-off and of the spread over connections.
 *
 * Worker threads stand for those of the HTTP server: each waits for a request on a socket, runs a
 * pipeline {GET, GET, EXISTS} and answers. One further thread plays all clients, like wrk with one
 * thread. Policies take turns in short runs; the median of the runs is printed, with the CPU time
 * a request costs the workers and Redis (the client's own is left out).
 *
 *   bench_pool [--seconds N] [--rounds N] [--threads 1,16,64] [--unix] [--only POLICY]
 */
#include "pool_private.h"
#include "redis_private.h"
#include "redis_server.h"

#include "cachewarden/arena.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX  1024
#define ROUNDS_MAX   32
#define REQUEST_SIZE 160 /* a small GET with a token, and its answer */

struct policy {
    const char *name;
    size_t size; /* 0: one connection a thread */
    struct pool_tuning tuning;
};

#define EVERY ((size_t)1 << 30)
static const struct policy policies[] = {
    {"own-connection", 0, {.spread_until = EVERY, .spread_beyond = 1}},
    {"16-no-preference", 16, {.spread_until = EVERY, .spread_beyond = 1, .yields = true}},
    {"default", 16, {.spread_until = 6, .spread_beyond = 1, .yields = true}},
    {"default-no-yield", 16, {.spread_until = 6, .spread_beyond = 1}},
    {"one", 1, {.spread_until = 0, .spread_beyond = 1, .yields = true}},
    {"two", 2, {.spread_until = 0, .spread_beyond = 2, .yields = true}},
    {"four", 4, {.spread_until = 0, .spread_beyond = 4, .yields = true}},
};
#define POLICIES (sizeof policies / sizeof *policies)

struct result {
    double per_s, client_us, redis_us, p50_us, p99_us, batch;
};

static struct redis *redis;
static atomic_bool stop;
static atomic_ulong failures;
static int ends[THREADS_MAX][2]; /* [0] the client's, [1] the worker's */

static enum err one_request(struct arena *arena)
{
    struct error error;

    arena_reset(arena);
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), STR("cw:{u:123}:v"));
    PIPELINE_ADD(pipeline, EXPECT_COUNTER_OR_NIL, STR("GET"), STR("cw:epoch"));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("EXISTS"), STR("cw:{u:123}:off"));
    return redis_run(redis, pipeline,
                     (struct work){.deadline_ns = clock_deadline_ns(5000), .error = &error});
}

static void *work(void *argument)
{
    int fd = *(int *)argument;
    struct arena *arena = arena_new(8192, 0);
    char bytes[REQUEST_SIZE];

    while (read(fd, bytes, sizeof bytes) == REQUEST_SIZE) {
        if (one_request(arena))
            atomic_fetch_add(&failures, 1);
        if (write(fd, bytes, sizeof bytes) != REQUEST_SIZE)
            break;
    }
    arena_free(&arena);
    return NULL;
}

struct client {
    size_t threads;
    int64_t sent_ns[THREADS_MAX];
    uint32_t *latency_us;
    size_t answers, room;
    double cpu_us;
};

static double own_cpu_us(int who)
{
    struct rusage usage;

    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void send_request(struct client *client, size_t i)
{
    static const char request[REQUEST_SIZE];

    client->sent_ns[i] = clock_mono_ns();
    if (write(ends[i][0], request, sizeof request) != REQUEST_SIZE)
        abort();
}

static void take_answer(struct client *client, size_t i)
{
    char bytes[REQUEST_SIZE];

    if (read(ends[i][0], bytes, sizeof bytes) != REQUEST_SIZE)
        abort();
    if (client->answers < client->room)
        client->latency_us[client->answers] =
            (uint32_t)((clock_mono_ns() - client->sent_ns[i]) / 1000);
    client->answers++;
}

static void *play_clients(void *argument)
{
    struct client *client = argument;
    struct epoll_event events[128];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    double cpu_us = own_cpu_us(RUSAGE_THREAD);

    for (size_t i = 0; i < client->threads; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, ends[i][0], &event);
        send_request(client, i);
    }
    size_t pending = client->threads;
    while (pending > 0) {
        int count = epoll_wait(epoll, events, 128, -1);
        for (int e = 0; e < count; e++) {
            take_answer(client, events[e].data.u64);
            if (atomic_load_explicit(&stop, memory_order_relaxed))
                pending--;
            else
                send_request(client, events[e].data.u64);
        }
    }
    client->cpu_us = own_cpu_us(RUSAGE_THREAD) - cpu_us;
    close(epoll);
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void open_pool(const char *url, const struct policy *policy, size_t threads)
{
    struct error error;
    struct redis_options options = {.size = policy->size ? policy->size : threads,
                                    .borrow_timeout_ms = 2000,
                                    .connect_timeout_ms = 2000,
                                    .command_timeout_ms = 2000};

    if (redis_address_parse(str_from(url), &options.address, &error) ||
        redis_open(&options, &redis, &error)) {
        fprintf(stderr, "%s\n", error.caller);
        exit(1);
    }
    redis_address_fini(&options.address);
    int64_t hedge_ns = redis->pool->tuning.hedge_ns;
    redis->pool->tuning = policy->tuning;
    redis->pool->tuning.hedge_ns = hedge_ns;
}

static struct result measure(const struct redis_server *server, const char *url,
                             const struct policy *policy, size_t threads, int seconds)
{
    static struct client client;
    static pthread_t workers[THREADS_MAX];
    pthread_t player;

    client = (struct client){
        .threads = threads, .room = (size_t)seconds * 400000, .latency_us = client.latency_us};
    if (!client.latency_us)
        client.latency_us = malloc(client.room * sizeof *client.latency_us);
    open_pool(url, policy, threads);
    atomic_store(&stop, false);
    for (size_t i = 0; i < threads; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]) != 0)
            abort();
        pthread_create(&workers[i], NULL, work, &ends[i][1]);
    }
    double redis_us = (double)redis_server_cpu_us(server), own_us = own_cpu_us(RUSAGE_SELF);
    int64_t begin_ns = clock_mono_ns();
    pthread_create(&player, NULL, play_clients, &client);
    nanosleep(&(struct timespec){seconds, 0}, NULL); /* this is what is measured */
    atomic_store(&stop, true);
    pthread_join(player, NULL);
    double took_s = (double)(clock_mono_ns() - begin_ns) / 1e9, count = (double)client.answers;
    own_us = own_cpu_us(RUSAGE_SELF) - own_us - client.cpu_us;
    redis_us = (double)redis_server_cpu_us(server) - redis_us;
    for (size_t i = 0; i < threads; i++)
        close(ends[i][0]);
    for (size_t i = 0; i < threads; i++) {
        pthread_join(workers[i], NULL);
        close(ends[i][1]);
    }
    struct redis_stats stats;
    redis_stats_read(redis, &stats);
    redis_close(&redis);
    size_t kept = client.answers < client.room ? client.answers : client.room;
    qsort(client.latency_us, kept, sizeof *client.latency_us, by_number);
    return (struct result){.per_s = count / took_s,
                           .client_us = own_us / count,
                           .redis_us = redis_us / count,
                           .p50_us = client.latency_us[kept / 2],
                           .p99_us = client.latency_us[kept * 99 / 100],
                           .batch =
                               (double)(stats.borrows + stats.batched) / (double)stats.round_trips};
}

static int by_rate(const void *a, const void *b)
{
    double x = ((const struct result *)a)->per_s, y = ((const struct result *)b)->per_s;

    return (x > y) - (x < y);
}

struct plan {
    int seconds, rounds;
    const char *threads, *only;
    bool is_unix;
};

static void run_row(const struct redis_server *server, const struct plan *plan, size_t threads)
{
    static struct result results[POLICIES][ROUNDS_MAX];
    const char *url = plan->is_unix ? redis_server_unix_url(server) : redis_server_url(server);

    for (int round = 0; round < plan->rounds; round++)
        for (size_t p = 0; p < POLICIES; p++)
            if (!plan->only || strstr(policies[p].name, plan->only))
                results[p][round] = measure(server, url, &policies[p], threads, plan->seconds);
    for (size_t p = 0; p < POLICIES; p++) {
        if (plan->only && !strstr(policies[p].name, plan->only))
            continue;
        qsort(results[p], (size_t)plan->rounds, sizeof **results, by_rate);
        const struct result *r = &results[p][plan->rounds / 2];
        printf("%5zu  %-20s %8.0f (%.0f..%.0f)  %6.2f + %5.2f  p50 %6.0f p99 %6.0f  %5.1f\n",
               threads, policies[p].name, r->per_s, results[p][0].per_s,
               results[p][plan->rounds - 1].per_s, r->client_us, r->redis_us, r->p50_us, r->p99_us,
               r->batch);
    }
    fflush(stdout);
}

static int number(const char *text, int most)
{
    int64_t value;

    if (!text || !str_to_int64(str_from(text), 1, most, &value)) {
        fprintf(stderr, "bench_pool: a number from 1 to %d is missing\n", most);
        exit(64);
    }
    return (int)value;
}

int main(int argc, char **argv)
{
    struct plan plan = {.seconds = 2, .rounds = 3, .threads = "1,8,16,64,256"};

    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--unix") == 0) {
            plan.is_unix = true;
            continue;
        }
        if (strcmp(argv[i], "--seconds") == 0)
            plan.seconds = number(next, 600);
        else if (strcmp(argv[i], "--rounds") == 0)
            plan.rounds = number(next, ROUNDS_MAX);
        else if (strcmp(argv[i], "--threads") == 0 && next)
            plan.threads = next;
        else if (strcmp(argv[i], "--only") == 0 && next)
            plan.only = next;
        else {
            fprintf(
                stderr,
                "usage: %s [--seconds N] [--rounds N] [--threads 1,16] [--unix] [--only POLICY]\n",
                argv[0]);
            return 64;
        }
        i++;
    }
    struct redis_server *server =
        redis_server_start(&(struct redis_server_options){.unix_socket = true});
    redis_server_do(server, "SET cw:{u:123}:v 5");
    printf("threads policy                  requests/s (spread)   us: workers + redis   latency us "
           "  pipelines/write\n");
    struct str list = str_from(plan.threads), part;
    while (str_split(&list, ',', &part)) {
        char text[16];
        snprintf(text, sizeof text, "%.*s", STR_ARG(part));
        run_row(server, &plan, (size_t)number(text, THREADS_MAX));
    }
    redis_server_stop(&server);
    if (atomic_load(&failures))
        printf("%lu requests failed\n", atomic_load(&failures));
    return atomic_load(&failures) ? 1 : 0;
}
