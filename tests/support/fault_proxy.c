#include "fault_proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 128 /* at once; ends are reused */
#define CHUNK     16384
#define KEPT      256 /* of the last answer, for FAULT_REPLAY */
#define DRIPS     48

enum { ASKER, TARGET };

struct pair {
    int fds[2]; /* -1: this place is free */
    size_t answers;
    char kept[KEPT];
    size_t kept_size;
};

struct fault_proxy {
    int listener, target_port, port;
    int stop_pipe[2];
    pthread_t thread;
    atomic_int armed; /* enum fault_kind, or -1 */
    atomic_int spared;
    atomic_size_t struck;
    /* Only the thread's. */
    uint64_t random;
    struct pair pairs[PAIRS_MAX];
    struct pollfd entries[2 + 2 * PAIRS_MAX];
    char chunk[2 * CHUNK];
};

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "fault_proxy: %s: %s\n", what, strerror(errno));
    abort();
}

const char *fault_name(enum fault_kind kind)
{
    static const char *const names[FAULT_KINDS] = {"delay",    "drip",     "reset",     "close",
                                                   "truncate", "garbage",  "duplicate", "foreign",
                                                   "replay",   "half ask", "swallow",   "flip"};
    return names[kind];
}

static uint64_t draw(struct fault_proxy *proxy)
{
    uint64_t x = proxy->random; /* xorshift64 */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return proxy->random = x;
}

static void nap_us(long us)
{
    nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static void end_pair(struct pair *pair, bool is_reset)
{
    const struct linger at_once = {.l_onoff = 1};
    for (int side = 0; side < 2; side++) {
        if (is_reset)
            setsockopt(pair->fds[side], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(pair->fds[side]);
        pair->fds[side] = -1;
    }
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void accept_one(struct fault_proxy *proxy)
{
    struct sockaddr_in address = loopback(proxy->target_port);
    struct pair *pair = proxy->pairs;
    while (pair < proxy->pairs + PAIRS_MAX && pair->fds[ASKER] >= 0)
        pair++;
    int asker = accept(proxy->listener, NULL, NULL);
    if (asker < 0)
        return;
    if (pair == proxy->pairs + PAIRS_MAX)
        die("too many connections");
    *pair = (struct pair){{asker, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}, 0, {0}, 0};
    if (connect(pair->fds[TARGET], (struct sockaddr *)&address, sizeof address) != 0) {
        end_pair(pair, true);
        return;
    }
    for (int side = 0; side < 2; side++)
        setsockopt(pair->fds[side], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void pass(struct pair *pair, int to, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(pair->fds[to], bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            end_pair(pair, false);
            return;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void drip(struct pair *pair, const char *bytes, size_t size)
{
    size_t drips = size < DRIPS ? size : DRIPS;
    for (size_t i = 0; i < drips && pair->fds[ASKER] >= 0; i++) {
        pass(pair, ASKER, bytes + i, 1);
        nap_us(300);
    }
    if (pair->fds[ASKER] >= 0)
        pass(pair, ASKER, bytes + drips, size - drips);
}

/* An integer, as a counter would have it, and the text of one: both may be what is waited for. */
static size_t forge(struct fault_proxy *proxy, char *out, size_t size)
{
    char digits[24];
    int count =
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)(draw(proxy) % 1000000000 + 1));
    return (size_t)(draw(proxy) % 2 ? snprintf(out, size, ":%s\r\n", digits)
                                    : snprintf(out, size, "$%d\r\n%s\r\n", count, digits));
}

/* What becomes of an answer. `bytes` has room for twice its size. */
static void strike(struct fault_proxy *proxy, struct pair *pair, enum fault_kind kind, char *bytes,
                   size_t size)
{
    char foreign[64];
    switch (kind) {
    case FAULT_DELAY:
        nap_us((long)(draw(proxy) % 20000));
        pass(pair, ASKER, bytes, size);
        return;
    case FAULT_DRIP:
        drip(pair, bytes, size);
        return;
    case FAULT_RESET:
    case FAULT_CLOSE:
        end_pair(pair, kind == FAULT_RESET);
        return;
    case FAULT_TRUNCATE:
        pass(pair, ASKER, bytes, size / 2);
        if (pair->fds[ASKER] >= 0)
            end_pair(pair, false);
        return;
    case FAULT_GARBAGE:
        for (size_t i = 0; i < size; i++)
            bytes[i] = (char)draw(proxy);
        break;
    case FAULT_FLIP:
        bytes[draw(proxy) % size] ^= (char)(1u << draw(proxy) % 8);
        break;
    case FAULT_DUPLICATE:
        memcpy(bytes + size, bytes, size);
        size *= 2;
        break;
    case FAULT_FOREIGN:
        pass(pair, ASKER, foreign, forge(proxy, foreign, sizeof foreign));
        break;
    case FAULT_REPLAY:
        memcpy(bytes, pair->kept, pair->kept_size);
        size = pair->kept_size;
        break;
    case FAULT_SWALLOW:
    case FAULT_HALF_ASK: /* the other direction's */
    case FAULT_KINDS:
        return;
    }
    if (pair->fds[ASKER] >= 0)
        pass(pair, ASKER, bytes, size);
}

static void carry_question(struct fault_proxy *proxy, struct pair *pair, size_t size)
{
    int half_ask = FAULT_HALF_ASK;
    bool is_spared = pair->answers < (size_t)atomic_load(&proxy->spared);
    if (!is_spared && atomic_compare_exchange_strong(&proxy->armed, &half_ask, -1)) {
        pass(pair, TARGET, proxy->chunk, size / 2);
        if (pair->fds[ASKER] >= 0)
            end_pair(pair, false);
        atomic_fetch_add(&proxy->struck, 1);
    } else {
        pass(pair, TARGET, proxy->chunk, size);
    }
}

static void carry_answer(struct fault_proxy *proxy, struct pair *pair, size_t size)
{
    int kind = atomic_load(&proxy->armed);
    bool is_spared = pair->answers++ < (size_t)atomic_load(&proxy->spared);
    if (kind < 0 || kind == FAULT_HALF_ASK || is_spared ||
        !atomic_compare_exchange_strong(&proxy->armed, &kind, -1)) {
        pair->kept_size = size < KEPT ? size : KEPT;
        memcpy(pair->kept, proxy->chunk, pair->kept_size);
        pass(pair, ASKER, proxy->chunk, size);
        return;
    }
    strike(proxy, pair, (enum fault_kind)kind, proxy->chunk, size);
    atomic_fetch_add(&proxy->struck, 1);
}

static void carry(struct fault_proxy *proxy, struct pair *pair, int from)
{
    ssize_t size = recv(pair->fds[from], proxy->chunk, CHUNK, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        end_pair(pair, false);
    else if (from == ASKER)
        carry_question(proxy, pair, (size_t)size);
    else
        carry_answer(proxy, pair, (size_t)size);
}

static void *run(void *arg)
{
    struct fault_proxy *proxy = arg;
    struct pollfd *entries = proxy->entries;
    for (;;) {
        entries[0] = (struct pollfd){.fd = proxy->stop_pipe[0], .events = POLLIN};
        entries[1] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
        for (int i = 0; i < 2 * PAIRS_MAX; i++)
            entries[2 + i] =
                (struct pollfd){.fd = proxy->pairs[i / 2].fds[i % 2], .events = POLLIN};
        if (poll(entries, 2 + 2 * PAIRS_MAX, -1) < 0)
            continue;
        if (entries[0].revents)
            return NULL;
        for (int i = 0; i < 2 * PAIRS_MAX; i++)
            if (entries[2 + i].revents && proxy->pairs[i / 2].fds[i % 2] >= 0)
                carry(proxy, &proxy->pairs[i / 2], i % 2);
        if (entries[1].revents)
            accept_one(proxy);
    }
}

struct fault_proxy *fault_proxy_start(int target_port, uint64_t seed)
{
    struct fault_proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        die("no memory");
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    proxy->target_port = target_port;
    proxy->random = seed | 1;
    atomic_init(&proxy->armed, -1);
    for (int i = 0; i < PAIRS_MAX; i++)
        proxy->pairs[i].fds[0] = proxy->pairs[i].fds[1] = -1;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (proxy->listener < 0 || bind(proxy->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(proxy->listener, 128) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&address, &size) != 0 ||
        pipe2(proxy->stop_pipe, 0) != 0)
        die("cannot listen");
    proxy->port = ntohs(address.sin_port);
    if (pthread_create(&proxy->thread, NULL, run, proxy) != 0)
        die("no thread");
    return proxy;
}

void fault_proxy_stop(struct fault_proxy **handle)
{
    struct fault_proxy *proxy = *handle;
    if (!proxy)
        return;
    close(proxy->stop_pipe[1]);
    pthread_join(proxy->thread, NULL);
    close(proxy->stop_pipe[0]);
    close(proxy->listener);
    for (int i = 0; i < PAIRS_MAX; i++)
        if (proxy->pairs[i].fds[ASKER] >= 0)
            end_pair(&proxy->pairs[i], false);
    free(proxy);
    *handle = NULL;
}

int fault_proxy_port(const struct fault_proxy *proxy)
{
    return proxy->port;
}

void fault_proxy_arm(struct fault_proxy *proxy, enum fault_kind kind, int spared)
{
    atomic_store(&proxy->spared, spared);
    atomic_store(&proxy->armed, (int)kind);
}

size_t fault_proxy_struck(struct fault_proxy *proxy)
{
    return atomic_load(&proxy->struck);
}
