#include "cable.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 512
#define LOOK_MS   5 /* how often it looks at its plug */

struct cable {
    int listener, port, target_port;
    atomic_bool is_in, is_ending;
    pthread_t thread;
    /* Of the thread: who connected, and ours to the target; -1: free. */
    int fds[PAIRS_MAX][2];
    struct pollfd entries[1 + 2 * PAIRS_MAX];
};

__attribute__((noreturn)) static void die(const char *what)
{
    perror(what);
    abort();
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void close_pair(int *pair)
{
    for (int side = 0; side < 2; side++) {
        if (pair[side] >= 0)
            close(pair[side]);
        pair[side] = -1;
    }
}

static void accept_one(struct cable *cable)
{
    struct sockaddr_in address = loopback(cable->target_port);
    int i = 0, pair[2] = {accept4(cable->listener, NULL, NULL, SOCK_CLOEXEC),
                          socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    while (i < PAIRS_MAX && cable->fds[i][0] >= 0)
        i++;
    if (i == PAIRS_MAX)
        die("cable: too many connections");
    if (pair[0] < 0 || connect(pair[1], (struct sockaddr *)&address, sizeof address) != 0) {
        close_pair(pair);
        return;
    }
    for (int side = 0; side < 2; side++) {
        setsockopt(pair[side], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        cable->fds[i][side] = pair[side];
    }
}

/* Who does not read has the kernel's buffers, and no more: nobody else waits for it. */
static void carry(int *pair, int side)
{
    char bytes[4096];
    ssize_t size = recv(pair[side], bytes, sizeof bytes, MSG_DONTWAIT);

    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0 || send(pair[1 - side], bytes, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) != size)
        close_pair(pair);
}

static void *run(void *arg)
{
    struct cable *cable = arg;

    while (!atomic_load(&cable->is_ending)) {
        bool is_in = atomic_load(&cable->is_in);
        cable->entries[0] = (struct pollfd){.fd = is_in ? cable->listener : -1, .events = POLLIN};
        for (int i = 0; i < 2 * PAIRS_MAX; i++)
            cable->entries[1 + i] =
                (struct pollfd){.fd = is_in ? cable->fds[i / 2][i % 2] : -1, .events = POLLIN};
        if (poll(cable->entries, 1 + 2 * PAIRS_MAX, LOOK_MS) <= 0 || !atomic_load(&cable->is_in))
            continue;
        for (int i = 0; i < 2 * PAIRS_MAX; i++)
            if (cable->entries[1 + i].revents && cable->fds[i / 2][i % 2] >= 0)
                carry(cable->fds[i / 2], i % 2);
        if (cable->entries[0].revents)
            accept_one(cable);
    }
    return NULL;
}

struct cable *cable_start(int target_port)
{
    struct cable *cable = calloc(1, sizeof *cable);
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;

    if (!cable)
        die("cable");
    for (int i = 0; i < PAIRS_MAX; i++)
        cable->fds[i][0] = cable->fds[i][1] = -1;
    cable->target_port = target_port;
    atomic_init(&cable->is_in, true);
    cable->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (cable->listener < 0 || bind(cable->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(cable->listener, 128) != 0 ||
        getsockname(cable->listener, (struct sockaddr *)&address, &size) != 0)
        die("cable: cannot listen");
    cable->port = ntohs(address.sin_port);
    if (pthread_create(&cable->thread, NULL, run, cable) != 0)
        die("cable: no thread");
    return cable;
}

void cable_stop(struct cable **handle)
{
    struct cable *cable = *handle;

    if (!cable)
        return;
    atomic_store(&cable->is_ending, true);
    pthread_join(cable->thread, NULL);
    for (int i = 0; i < PAIRS_MAX; i++)
        close_pair(cable->fds[i]);
    close(cable->listener);
    free(cable);
    *handle = NULL;
}

int cable_port(const struct cable *cable)
{
    return cable->port;
}

void cable_plug(struct cable *cable, bool is_in)
{
    atomic_store(&cable->is_in, is_in);
}
