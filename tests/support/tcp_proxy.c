#include "tcp_proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 256

/* One accepted connection and ours to the target. */
struct pair {
    int fds[2]; /* 0: who connected, 1: the target; -1: closed */
};

struct tcp_proxy {
    int listener, port;
    atomic_int target_port;
    int stop_pipe[2];
    pthread_t thread;
    /* Only the thread's. */
    struct pair pairs[PAIRS_MAX];
    /* Not on the stack: with what the compiler inlines there, that were over 8 KiB. */
    struct pollfd entries[2 + 2 * PAIRS_MAX];
    int pair_count;
    int held_pair; /* whose request is held; -1: none */
    ssize_t held_size;
    char held[4096];
    /* Under the lock. */
    pthread_mutex_t lock;
    struct proxy_segment *segments;
    size_t count;
    const char *garbled;
    const char *cut_text;
    const char *held_text; /* NULL: nothing is to be held */
    int held_nth;          /* 0: it is held */
    bool is_cut;           /* what is before the text is passed on */
};

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "tcp_proxy: %s: %s\n", what, strerror(errno));
    abort();
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void remember(struct tcp_proxy *proxy, int connection, bool is_request, const char *bytes,
                     size_t size)
{
    char *copy = malloc(size + 1);
    pthread_mutex_lock(&proxy->lock);
    struct proxy_segment *segments =
        realloc(proxy->segments, (proxy->count + 1) * sizeof *segments);
    if (!copy || !segments)
        die("no memory");
    memcpy(copy, bytes, size);
    copy[size] = '\0';
    proxy->segments = segments;
    proxy->segments[proxy->count++] = (struct proxy_segment){connection, is_request, size, copy};
    pthread_mutex_unlock(&proxy->lock);
}

static void close_pair(struct pair *pair)
{
    for (int side = 0; side < 2; side++) {
        if (pair->fds[side] >= 0)
            close(pair->fds[side]);
        pair->fds[side] = -1;
    }
}

static void accept_one(struct tcp_proxy *proxy)
{
    int client = accept(proxy->listener, NULL, NULL);
    if (client < 0)
        return;
    if (proxy->pair_count == PAIRS_MAX)
        die("too many connections");
    struct pair *pair = &proxy->pairs[proxy->pair_count++];
    struct sockaddr_in address = loopback(atomic_load(&proxy->target_port));
    *pair = (struct pair){{client, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}};
    if (connect(pair->fds[1], (struct sockaddr *)&address, sizeof address) != 0) {
        close_pair(pair);
        return;
    }
    for (int side = 0; side < 2; side++)
        setsockopt(pair->fds[side], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static const char *garbled_answer(struct tcp_proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    const char *answer = proxy->garbled;
    pthread_mutex_unlock(&proxy->lock);
    return answer;
}

static bool is_holding(struct tcp_proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    bool is_holding = proxy->held_text && proxy->held_nth == 0;
    pthread_mutex_unlock(&proxy->lock);
    return is_holding;
}

/* Where what is to be held begins in this request; `size`: nothing is. */
static size_t find_held(struct tcp_proxy *proxy, const char *bytes, size_t size)
{
    const char *found = NULL;
    size_t from = size;
    pthread_mutex_lock(&proxy->lock);
    if (proxy->held_text && proxy->held_nth > 0)
        found = memmem(bytes, size, proxy->held_text, strlen(proxy->held_text));
    if (found && proxy->held_nth == 1)
        from = proxy->is_cut ? (size_t)(found - bytes) : 0;
    else if (found)
        proxy->held_nth--;
    pthread_mutex_unlock(&proxy->lock);
    return from;
}

/* Once what goes before it has been passed on. */
static void begin_hold(struct tcp_proxy *proxy, int connection, const char *bytes, size_t size)
{
    proxy->held_pair = connection;
    proxy->held_size = (ssize_t)size;
    memcpy(proxy->held, bytes, size);
    pthread_mutex_lock(&proxy->lock);
    proxy->held_nth = 0;
    pthread_mutex_unlock(&proxy->lock);
}

/* How much of it is to be passed on; less than all: then its connection ends. */
static size_t size_until_cut(struct tcp_proxy *proxy, const char *bytes, size_t size)
{
    pthread_mutex_lock(&proxy->lock);
    const char *text = proxy->cut_text;
    const char *at = text ? memmem(bytes, size, text, strlen(text)) : NULL;
    if (at)
        proxy->cut_text = NULL;
    pthread_mutex_unlock(&proxy->lock);
    return at ? (size_t)(at - bytes) : size;
}

static void pass_on(struct pair *pair, int side, const char *bytes, ssize_t size)
{
    for (ssize_t sent = 0; sent < size;) {
        ssize_t more = send(pair->fds[1 - side], bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL);
        if (more <= 0) {
            close_pair(pair);
            return;
        }
        sent += more;
    }
}

static void end_hold(struct tcp_proxy *proxy)
{
    struct pair *pair = &proxy->pairs[proxy->held_pair];
    proxy->held_pair = -1;
    if (pair->fds[1] >= 0)
        pass_on(pair, 0, proxy->held, proxy->held_size);
}

static void carry(struct tcp_proxy *proxy, int connection, int side)
{
    struct pair *pair = &proxy->pairs[connection];
    char bytes[4096];
    ssize_t size = recv(pair->fds[side], bytes, sizeof bytes, 0);
    if (size <= 0) {
        close_pair(pair);
        return;
    }
    /* Remembered before it is passed on: whoever sees the answer also finds it here. */
    remember(proxy, connection, side == 0, bytes, (size_t)size);
    const char *garbled = side == 1 ? garbled_answer(proxy) : NULL;
    if (garbled)
        size = snprintf(bytes, sizeof bytes, "%s", garbled);
    size_t until = side == 0 ? size_until_cut(proxy, bytes, (size_t)size) : (size_t)size;
    size_t passed = side == 0 ? find_held(proxy, bytes, until) : until;
    pass_on(pair, side, bytes, (ssize_t)passed);
    if (passed < until)
        begin_hold(proxy, connection, bytes + passed, until - passed);
    else if (until < (size_t)size)
        close_pair(pair);
}

static void *run(void *arg)
{
    struct tcp_proxy *proxy = arg;
    struct pollfd *entries = proxy->entries;
    for (;;) {
        int pairs = proxy->pair_count;
        entries[0] = (struct pollfd){.fd = proxy->stop_pipe[0], .events = POLLIN};
        entries[1] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
        for (int i = 0; i < 2 * pairs; i++)
            entries[2 + i] =
                (struct pollfd){.fd = proxy->pairs[i / 2].fds[i % 2], .events = POLLIN};
        if (proxy->held_pair >= 0)
            entries[2 + 2 * proxy->held_pair].fd = -1;
        if (poll(entries, (nfds_t)(2 + 2 * pairs), proxy->held_pair >= 0 ? 5 : -1) < 0)
            continue;
        if (proxy->held_pair >= 0 && !is_holding(proxy))
            end_hold(proxy);
        if (entries[0].revents)
            return NULL;
        for (int i = 0; i < 2 * pairs; i++)
            if (entries[2 + i].revents && proxy->pairs[i / 2].fds[i % 2] >= 0)
                carry(proxy, i / 2, i % 2);
        if (entries[1].revents)
            accept_one(proxy);
    }
}

struct tcp_proxy *tcp_proxy_start(int target_port)
{
    struct tcp_proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        die("no memory");
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    atomic_init(&proxy->target_port, target_port);
    proxy->held_pair = -1;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (proxy->listener < 0 || bind(proxy->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(proxy->listener, 128) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&address, &size) != 0 ||
        pipe2(proxy->stop_pipe, O_CLOEXEC) != 0)
        die("cannot listen");
    proxy->port = ntohs(address.sin_port);
    pthread_mutex_init(&proxy->lock, NULL);
    if (pthread_create(&proxy->thread, NULL, run, proxy) != 0)
        die("no thread");
    return proxy;
}

void tcp_proxy_stop(struct tcp_proxy **handle)
{
    struct tcp_proxy *proxy = *handle;
    if (!proxy)
        return;
    close(proxy->stop_pipe[1]);
    pthread_join(proxy->thread, NULL);
    close(proxy->stop_pipe[0]);
    close(proxy->listener);
    for (int i = 0; i < proxy->pair_count; i++)
        close_pair(&proxy->pairs[i]);
    for (size_t i = 0; i < proxy->count; i++)
        free((char *)(uintptr_t)proxy->segments[i].bytes);
    free(proxy->segments);
    pthread_mutex_destroy(&proxy->lock);
    free(proxy);
    *handle = NULL;
}

void tcp_proxy_lead_to(struct tcp_proxy *proxy, int target_port)
{
    atomic_store(&proxy->target_port, target_port);
}

int tcp_proxy_port(const struct tcp_proxy *proxy)
{
    return proxy->port;
}

void tcp_proxy_garble(struct tcp_proxy *proxy, const char *answer)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->garbled = answer;
    pthread_mutex_unlock(&proxy->lock);
}

static void hold(struct tcp_proxy *proxy, const char *text, int nth, bool is_cut)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->held_text = text;
    proxy->held_nth = nth;
    proxy->is_cut = is_cut;
    pthread_mutex_unlock(&proxy->lock);
}

void tcp_proxy_hold(struct tcp_proxy *proxy, const char *text, int nth)
{
    hold(proxy, text, nth, false);
}

void tcp_proxy_hold_from(struct tcp_proxy *proxy, const char *text)
{
    hold(proxy, text, 1, true);
}

void tcp_proxy_cut(struct tcp_proxy *proxy, const char *text)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->cut_text = text;
    pthread_mutex_unlock(&proxy->lock);
}

void tcp_proxy_wait_held(struct tcp_proxy *proxy)
{
    while (!is_holding(proxy))
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

void tcp_proxy_release(struct tcp_proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->held_text = NULL;
    pthread_mutex_unlock(&proxy->lock);
}

size_t tcp_proxy_count(struct tcp_proxy *proxy)
{
    pthread_mutex_lock(&proxy->lock);
    size_t count = proxy->count;
    pthread_mutex_unlock(&proxy->lock);
    return count;
}

struct proxy_segment tcp_proxy_segment(struct tcp_proxy *proxy, size_t index)
{
    pthread_mutex_lock(&proxy->lock);
    struct proxy_segment segment = {.connection = -1};
    if (index < proxy->count)
        segment = proxy->segments[index];
    pthread_mutex_unlock(&proxy->lock);
    return segment;
}
