#include "http/capacity.h"

#include "http/tls.h"

#include "cachewarden/clock.h"
#include "cachewarden/resolver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Descriptors that are neither connections nor those of options->redis_connections: the users
     * database with eight sessions and more in a burst, epoll, log, files that are read. */
    DESCRIPTORS_APART = 256,
    /* Fewer would let those who are silent keep out those who have something to say. */
    SILENT_LEAST = 32,
    /* The library's own, the services', those that the C library starts for a moment, and one for each host name. */
    THREADS_APART = 16,
};

/* ---- options ---- */

static enum err check_number(const char *setting, int64_t value, int64_t min, int64_t max,
                             struct error *error)
{
    if (value >= min && value <= max)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT, "%s: %lld is out of range, give %lld to %lld", setting,
                     (long long)value, (long long)min, (long long)max);
}

/* The library takes any text for a number and any number for good, so ours are checked here. */
static enum err check_numbers(const struct http_options *options, struct error *error)
{
    const struct {
        const char *setting;
        int64_t value, min, max;
    } numbers[] = {
        {"server.threads", options->threads, 1, HTTP_THREADS_MAX},
        {"server.max_body", (int64_t)options->max_body, 1, INT32_MAX},
        {"server.header_timeout_ms", options->header_timeout_ms, 1, HTTP_TIMEOUT_MAX_MS},
        {"server.body_timeout_ms", options->body_timeout_ms, 1, HTTP_TIMEOUT_MAX_MS},
        {"server.keep_alive_timeout_ms", options->keep_alive_timeout_ms, 1, HTTP_TIMEOUT_MAX_MS},
        {"server.listen: number of addresses", (int64_t)options->listen_count, 1, HTTP_LISTEN_MAX},
    };
    enum err err = ERR_OK;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && err == ERR_OK; i++)
        err = check_number(numbers[i].setting, numbers[i].value, numbers[i].min, numbers[i].max,
                           error);
    return err;
}

/* ---- addresses ---- */

/* A machine's own name is in its files as a rule; name servers may take longer than anybody waits. */
enum { LOOK_UP_MS = 10000 };

enum err http_place_find(const char *host, struct http_place *place_out, struct error *error)
{
    const char *name = strcmp(host, "*") == 0 ? "0.0.0.0" : host;
    struct resolver_answer found;
    struct error why;

    error_clear(&why);
    enum err err = resolver_find(name, 0, clock_deadline_ns(LOOK_UP_MS), &found, &why);
    if (err)
        return error_set(error, err == ERR_NO_MEMORY ? err : ERR_BAD_INPUT, "server.listen: %s",
                         why.detail);
    size_t best = 0;
    while (best < found.count && found.addresses[best].socket.any.sa_family != AF_INET)
        best++;
    if (best == found.count)
        best = 0;
    resolver_write(&found.addresses[best], place_out->text);
    place_out->is_v6 = found.addresses[best].socket.any.sa_family == AF_INET6;
    return ERR_OK;
}

/* An address that is not this machine's can be had on no port, and this asks for none: the port that
 * is meant may be a running server's. */
static enum err check_is_ours(const struct listen_address *listen, const struct http_place *place,
                              struct error *error)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    const struct sockaddr *address = place->is_v6 ? (void *)&v6 : (void *)&v4;
    socklen_t size = place->is_v6 ? sizeof v6 : sizeof v4;

    inet_pton(place->is_v6 ? AF_INET6 : AF_INET, place->text,
              place->is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr);
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_ours = fd >= 0 && bind(fd, address, size) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    /* A machine that is out of descriptors or ports knows nothing of the address. */
    if (is_ours || (why != EADDRNOTAVAIL && why != EAFNOSUPPORT))
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT,
                     "server.listen: %s:%d cannot be listened on: %s; give an address of this "
                     "machine, or * for all",
                     listen->host, listen->port, strerror(why));
}

static enum err check_listen(const struct http_options *options, struct error *error)
{
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < options->listen_count; i++) {
        const struct listen_address *listen = &options->listen[i];
        struct http_place place;
        err = check_number("server.listen: port", listen->port, 0, 65535, error);
        if (err == ERR_OK && listen->tls && !options->tls_certificate)
            err =
                error_set(error, ERR_BAD_INPUT,
                          "server.listen: %s:%d is a TLS listener and needs server.tls.certificate",
                          listen->host, listen->port);
        if (err == ERR_OK)
            err = http_place_find(listen->host, &place, error);
        if (err == ERR_OK)
            err = check_is_ours(listen, &place, error);
    }
    return err;
}

/* ---- TLS ---- */

static enum err check_tls(const struct http_options *options, struct error *error)
{
    const struct tls_files files = {options->tls_certificate, options->tls_key,
                                    options->tls_client_ca};

    for (size_t i = 0; i < options->listen_count; i++)
        if (options->listen[i].tls)
            return tls_check(&files, NULL, error);
    return ERR_OK;
}

/* ---- descriptors ---- */

static rlim_t raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return RLIM_INFINITY;
    rlim_t had = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return had == limit.rlim_max || setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : had;
}

enum err capacity_descriptors(const struct http_options *options, int *connections_out,
                              struct error *error)
{
    rlim_t limit = raise_descriptor_limit();
    rlim_t apart = DESCRIPTORS_APART + options->redis_connections;
    rlim_t least = apart + (rlim_t)options->threads + SILENT_LEAST;
    rlim_t full = apart + HTTP_CONNECTIONS_MAX;

    *connections_out = HTTP_CONNECTIONS_MAX;
    if (limit >= full)
        return ERR_OK;
    *connections_out = limit > apart ? (int)(limit - apart) : 0;
    if (limit >= least)
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT,
                     "server.threads: %d need %llu open files (%zu for Redis), and %llu are "
                     "allowed; raise LimitNOFILE= or ulimit -Hn, or lower server.threads or "
                     "redis.pool_size",
                     options->threads, (unsigned long long)least, options->redis_connections,
                     (unsigned long long)limit);
}

/* ---- threads ---- */

static void *stand_in(void *arg)
{
    while (sem_wait(arg) != 0)
        ;
    return NULL;
}

/*
 * How many of `wanted` there can be at once; *why_out is why there cannot be more. Their stacks are as large as those
 * of workers, so the C library hands the same ones to the workers. It would give larger ones back to the kernel, and
 * then make new ones.
 */
static int assemble(pthread_t *threads, int wanted, int *why_out)
{
    pthread_attr_t attributes;
    sem_t may_leave;
    int count = 0;

    sem_init(&may_leave, 0, 0);
    pthread_attr_init(&attributes);
    *why_out = pthread_attr_setstacksize(&attributes, CW_WORKER_STACK);
    while (count < wanted && *why_out == 0) {
        *why_out = pthread_create(&threads[count], &attributes, stand_in, &may_leave);
        count += *why_out == 0;
    }
    pthread_attr_destroy(&attributes);
    for (int i = 0; i < count; i++)
        sem_post(&may_leave);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    sem_destroy(&may_leave);
    return count;
}

enum err capacity_threads(int threads, struct error *error)
{
    int wanted = threads + THREADS_APART, why;
    pthread_t *crowd = calloc((size_t)wanted, sizeof *crowd);

    if (!crowd)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    int count = assemble(crowd, wanted, &why);
    free(crowd);
    if (count == wanted)
        return ERR_OK;
    return error_set(
        error, ERR_BAD_INPUT,
        "server.threads: %d and %d others take %d, %d can be had (%s); raise TasksMax=, "
        "ulimit -u or -v, the container's pids or memory, or lower server.threads",
        threads, THREADS_APART, wanted, count, strerror(why));
}

/* ---- all of it ---- */

enum err http_check(const struct http_options *options, struct error *error)
{
    int connections;
    enum err err = check_numbers(options, error);

    if (err == ERR_OK)
        err = check_listen(options, error);
    if (err == ERR_OK)
        err = check_tls(options, error);
    if (err == ERR_OK)
        err = capacity_descriptors(options, &connections, error);
    return err;
}
