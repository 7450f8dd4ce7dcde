#include "fake_redis.h"
#include "patience.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX   256
#define OVERRIDES_MAX 64
#define NAMES_MAX     64

struct client {
    int fd;
    char *in, *out;
    size_t in_size, out_size, in_room, out_room;
    struct fake_step now; /* being carried out while is_busy */
    size_t now_sent;
    bool is_busy, is_mute;
    int64_t not_before_ms;
};

struct fake_redis {
    pthread_t thread;
    int listener, port;
    int wake[2]; /* a byte makes the thread look again */
    char url[64];

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Guarded by mutex. */
    struct client clients[CLIENTS_MAX];
    size_t client_count;
    struct fake_step *script;
    size_t script_size, script_next;
    struct {
        char name[32];
        const char *bytes;
    } overrides[OVERRIDES_MAX];
    size_t override_count;
    struct {
        char name[32];
        size_t seen;
    } names[NAMES_MAX];
    size_t name_count, seen, accepted;
    const char *slam, *trail;
    bool is_deaf, is_stopping;
};

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "fake_redis: %s: %s\n", what, strerror(errno));
    abort();
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void append(char **buffer, size_t *size, size_t *room, const char *bytes, size_t count)
{
    if (count == 0)
        return;
    if (*size + count > *room) {
        *room = (*size + count) * 2;
        *buffer = realloc(*buffer, *room);
        if (!*buffer)
            die("realloc");
    }
    memcpy(*buffer + *size, bytes, count);
    *size += count;
}

static void say(struct client *client, const char *bytes, size_t size)
{
    append(&client->out, &client->out_size, &client->out_room, bytes, size);
}

static void drop(struct client *client, bool is_reset)
{
    if (is_reset) {
        const struct linger at_once = {1, 0};
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    } else {
        /* The thread may sit in poll(2) on it, which would put off what a close alone does. */
        shutdown(client->fd, SHUT_RDWR);
    }
    close(client->fd);
    free(client->in);
    free(client->out);
    memset(client, 0, sizeof *client);
    client->fd = -1;
}

/* One word "$N\r\n<N bytes>\r\n" at *at. False: not all of it is there. */
static bool take_word(const char *in, size_t size, size_t *at, const char **word_out,
                      size_t *length_out)
{
    const char *end = *at < size ? memchr(in + *at, '\n', size - *at) : NULL;
    if (!end)
        return false;
    size_t length = strtoul(in + *at + 1, NULL, 10);
    size_t from = (size_t)(end + 1 - in);
    if (from + length + 2 > size)
        return false;
    *word_out = in + from;
    *length_out = length;
    *at = from + length + 2;
    return true;
}

/* Takes one command off the input: its name in upper case and its last word. */
static bool take_command(struct client *client, char name[32], char **last_out, size_t *last_size)
{
    const char *end = client->in_size ? memchr(client->in, '\n', client->in_size) : NULL;
    if (!end)
        return false;
    size_t words = strtoul(client->in + 1, NULL, 10);
    size_t at = (size_t)(end + 1 - client->in);
    const char *word = NULL;
    size_t length = 0;
    for (size_t i = 0; i < words; i++) {
        if (!take_word(client->in, client->in_size, &at, &word, &length))
            return false;
        if (i == 0) {
            size_t fits = length < 31 ? length : 31;
            for (size_t c = 0; c < fits; c++)
                name[c] = (char)(word[c] >= 'a' && word[c] <= 'z' ? word[c] - 32 : word[c]);
            name[fits] = '\0';
        }
    }
    *last_out = malloc(length + 1);
    if (!*last_out)
        die("malloc");
    if (length)
        memcpy(*last_out, word, length);
    (*last_out)[length] = '\0';
    *last_size = length;
    memmove(client->in, client->in + at, client->in_size - at);
    client->in_size -= at;
    return true;
}

static void count_name(struct fake_redis *fake, const char *name)
{
    fake->seen++;
    size_t i = 0;
    while (i < fake->name_count && strcmp(fake->names[i].name, name) != 0)
        i++;
    if (i == fake->name_count && i < NAMES_MAX)
        snprintf(fake->names[fake->name_count++].name, sizeof fake->names[i].name, "%s", name);
    if (i < NAMES_MAX)
        fake->names[i].seen++;
}

static const char *find_override(const struct fake_redis *fake, const char *name)
{
    for (size_t i = 0; i < fake->override_count; i++)
        if (strcmp(fake->overrides[i].name, name) == 0)
            return fake->overrides[i].bytes;
    return NULL;
}

static void begin_step(struct client *client, struct fake_step step)
{
    if (!step.bytes)
        step.bytes = "";
    if (!step.size)
        step.size = strlen(step.bytes);
    client->now = step;
    client->now_sent = 0;
    client->is_busy = true;
    client->not_before_ms = now_ms() + step.delay_ms;
}

static void obey(struct fake_redis *fake, struct client *client, const char *name, const char *last,
                 size_t last_size)
{
    count_name(fake, name);
    const char *override = find_override(fake, name);
    if (override) {
        say(client, override, strlen(override));
    } else if (strcmp(name, "ECHO") == 0) {
        char header[32];
        say(client, header, (size_t)snprintf(header, sizeof header, "$%zu\r\n", last_size));
        say(client, last, last_size);
        say(client, "\r\n", 2);
        if (fake->trail)
            say(client, fake->trail, strlen(fake->trail));
    } else if (strcmp(name, "HELLO") == 0) {
        say(client, "*0\r\n", 4);
    } else if (strcmp(name, "PING") == 0) {
        say(client, "+PONG\r\n", 7);
    } else if (strcmp(name, "AUTH") == 0 || strcmp(name, "SELECT") == 0 ||
               strcmp(name, "CLIENT") == 0 || fake->script_next == fake->script_size) {
        say(client, "+OK\r\n", 5);
    } else {
        begin_step(client, fake->script[fake->script_next++]);
    }
}

static void flush_out(struct client *client)
{
    while (client->out_size) {
        ssize_t sent = send(client->fd, client->out, client->out_size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) {
            if (errno != EAGAIN)
                client->out_size = 0; /* gone; the read notices */
            return;
        }
        memmove(client->out, client->out + sent, client->out_size - (size_t)sent);
        client->out_size -= (size_t)sent;
    }
}

/* Does what is due of the current step. */
static void carry_on(struct client *client)
{
    struct fake_step *step = &client->now;
    while (client->is_busy && !step->is_held && now_ms() >= client->not_before_ms) {
        size_t part =
            step->is_drip && step->size > client->now_sent ? 1 : step->size - client->now_sent;
        say(client, step->bytes + client->now_sent, part);
        client->now_sent += part;
        client->not_before_ms = now_ms() + step->delay_ms;
        flush_out(client);
        if (client->now_sent < step->size)
            continue;
        client->is_busy = false;
        if (step->then == FAKE_CLOSE || step->then == FAKE_RESET)
            drop(client, step->then == FAKE_RESET);
        else if (step->then == FAKE_MUTE)
            client->is_mute = true;
    }
}

static void serve(struct fake_redis *fake, struct client *client, bool is_readable)
{
    if (is_readable) {
        char bytes[4096];
        ssize_t got = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            drop(client, false);
            return;
        }
        if (got > 0)
            append(&client->in, &client->in_size, &client->in_room, bytes, (size_t)got);
    }
    for (;;) {
        char name[32] = "", *last;
        size_t last_size;
        carry_on(client);
        if (client->fd < 0 || client->is_busy || client->is_mute ||
            !take_command(client, name, &last, &last_size))
            break;
        obey(fake, client, name, last, last_size);
        free(last);
    }
    if (client->fd >= 0)
        flush_out(client);
}

static void welcome(struct fake_redis *fake)
{
    int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    fake->accepted++;
    if (fake->slam) {
        (void)!send(fd, fake->slam, strlen(fake->slam), MSG_NOSIGNAL);
        close(fd);
        return;
    }
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    size_t i = 0;
    while (i < fake->client_count && fake->clients[i].fd >= 0)
        i++;
    if (i == CLIENTS_MAX)
        die("too many clients");
    if (i == fake->client_count)
        fake->client_count++;
    fake->clients[i] = (struct client){.fd = fd};
}

/* How long poll may sleep: until the next step is due, at most. */
static int next_due_ms(const struct fake_redis *fake)
{
    int64_t due = -1, now = now_ms();
    for (size_t i = 0; i < fake->client_count; i++) {
        const struct client *client = &fake->clients[i];
        if (client->fd < 0 || !client->is_busy || client->now.is_held)
            continue;
        int64_t left = client->not_before_ms > now ? client->not_before_ms - now : 0;
        if (due < 0 || left < due)
            due = left;
    }
    return (int)due;
}

static void *run(void *argument)
{
    struct fake_redis *fake = argument;
    pthread_mutex_lock(&fake->mutex);
    while (!fake->is_stopping) {
        struct pollfd polls[CLIENTS_MAX + 2] = {{.fd = fake->wake[0], .events = POLLIN},
                                                {.fd = fake->listener, .events = POLLIN}};
        size_t count = fake->client_count;
        for (size_t i = 0; i < count; i++) {
            struct client *client = &fake->clients[i];
            short events = (short)((fake->is_deaf || client->is_busy ? 0 : POLLIN) |
                                   (client->out_size ? POLLOUT : 0));
            polls[i + 2] = (struct pollfd){.fd = client->fd, .events = events};
        }
        int timeout = next_due_ms(fake);
        pthread_mutex_unlock(&fake->mutex);
        poll(polls, (nfds_t)count + 2, timeout);
        pthread_mutex_lock(&fake->mutex);
        char bytes[64];
        if (polls[0].revents)
            (void)!read(fake->wake[0], bytes, sizeof bytes);
        for (size_t i = 0; i < count; i++)
            if (fake->clients[i].fd >= 0 && fake->clients[i].fd == polls[i + 2].fd)
                serve(fake, &fake->clients[i],
                      !fake->is_deaf && (polls[i + 2].revents & (POLLIN | POLLHUP | POLLERR)));
        if (polls[1].revents)
            welcome(fake);
        pthread_cond_broadcast(&fake->changed);
    }
    pthread_mutex_unlock(&fake->mutex);
    return NULL;
}

struct fake_redis *fake_redis_start(void)
{
    struct fake_redis *fake = calloc(1, sizeof *fake);
    if (!fake)
        die("calloc");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fake->listener < 0 || bind(fake->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(fake->listener, 128) != 0 ||
        getsockname(fake->listener, (struct sockaddr *)&address, &size) != 0)
        die("listen");
    fake->port = ntohs(address.sin_port);
    snprintf(fake->url, sizeof fake->url, "redis://127.0.0.1:%d/0", fake->port);
    if (pipe2(fake->wake, O_CLOEXEC | O_NONBLOCK) != 0)
        die("pipe2");
    pthread_mutex_init(&fake->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&fake->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&fake->thread, NULL, run, fake) != 0)
        die("pthread_create");
    return fake;
}

/* Ends a change made under the mutex: the thread looks at the new state. */
static void unlock_and_wake(struct fake_redis *fake)
{
    pthread_mutex_unlock(&fake->mutex);
    (void)!write(fake->wake[1], "", 1);
}

void fake_redis_stop(struct fake_redis **fake)
{
    if (!*fake)
        return;
    struct fake_redis *f = *fake;
    pthread_mutex_lock(&f->mutex);
    f->is_stopping = true;
    unlock_and_wake(f);
    pthread_join(f->thread, NULL);
    for (size_t i = 0; i < f->client_count; i++)
        if (f->clients[i].fd >= 0)
            drop(&f->clients[i], false);
    close(f->listener);
    close(f->wake[0]);
    close(f->wake[1]);
    pthread_mutex_destroy(&f->mutex);
    pthread_cond_destroy(&f->changed);
    free(f->script);
    free(f);
    *fake = NULL;
}

int fake_redis_port(const struct fake_redis *fake)
{
    return fake->port;
}

const char *fake_redis_url(const struct fake_redis *fake)
{
    return fake->url;
}

void fake_redis_script(struct fake_redis *fake, const struct fake_step *steps, size_t count)
{
    pthread_mutex_lock(&fake->mutex);
    fake->script = realloc(fake->script, (fake->script_size + count) * sizeof *steps);
    if (!fake->script)
        die("realloc");
    memcpy(fake->script + fake->script_size, steps, count * sizeof *steps);
    fake->script_size += count;
    unlock_and_wake(fake);
}

void fake_redis_forget(struct fake_redis *fake)
{
    pthread_mutex_lock(&fake->mutex);
    fake->script_next = fake->script_size;
    unlock_and_wake(fake);
}

void fake_redis_override(struct fake_redis *fake, const char *command, const char *bytes)
{
    pthread_mutex_lock(&fake->mutex);
    size_t i = 0;
    while (i < fake->override_count && strcmp(fake->overrides[i].name, command) != 0)
        i++;
    if (i == OVERRIDES_MAX)
        die("too many overrides");
    if (i == fake->override_count)
        fake->override_count++;
    snprintf(fake->overrides[i].name, sizeof fake->overrides[i].name, "%s", command);
    fake->overrides[i].bytes = bytes;
    unlock_and_wake(fake);
}

void fake_redis_slam(struct fake_redis *fake, const char *words)
{
    pthread_mutex_lock(&fake->mutex);
    fake->slam = words;
    unlock_and_wake(fake);
}

void fake_redis_trail(struct fake_redis *fake, const char *bytes)
{
    pthread_mutex_lock(&fake->mutex);
    fake->trail = bytes;
    unlock_and_wake(fake);
}

void fake_redis_deafen(struct fake_redis *fake, bool is_on)
{
    pthread_mutex_lock(&fake->mutex);
    fake->is_deaf = is_on;
    unlock_and_wake(fake);
}

void fake_redis_release(struct fake_redis *fake)
{
    pthread_mutex_lock(&fake->mutex);
    for (size_t i = 0; i < fake->client_count; i++)
        fake->clients[i].now.is_held = false;
    unlock_and_wake(fake);
}

void fake_redis_say(struct fake_redis *fake, const char *bytes)
{
    pthread_mutex_lock(&fake->mutex);
    for (size_t i = 0; i < fake->client_count; i++)
        if (fake->clients[i].fd >= 0) {
            say(&fake->clients[i], bytes, strlen(bytes));
            flush_out(&fake->clients[i]); /* on its way when this returns */
        }
    unlock_and_wake(fake);
}

void fake_redis_hang_up(struct fake_redis *fake)
{
    pthread_mutex_lock(&fake->mutex);
    for (size_t i = 0; i < fake->client_count; i++)
        if (fake->clients[i].fd >= 0)
            drop(&fake->clients[i], false);
    unlock_and_wake(fake);
}

static size_t seen_locked(const struct fake_redis *fake, const char *command)
{
    if (!command)
        return fake->seen;
    for (size_t i = 0; i < fake->name_count; i++)
        if (strcmp(fake->names[i].name, command) == 0)
            return fake->names[i].seen;
    return 0;
}

size_t fake_redis_accepted(struct fake_redis *fake)
{
    pthread_mutex_lock(&fake->mutex);
    size_t count = fake->accepted;
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

size_t fake_redis_seen(struct fake_redis *fake, const char *command)
{
    pthread_mutex_lock(&fake->mutex);
    size_t count = seen_locked(fake, command);
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

size_t fake_redis_open_connections(struct fake_redis *fake)
{
    pthread_mutex_lock(&fake->mutex);
    size_t count = 0;
    for (size_t i = 0; i < fake->client_count; i++)
        count += fake->clients[i].fd >= 0;
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

static struct timespec patience(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

bool fake_redis_wait_accepted(struct fake_redis *fake, size_t count)
{
    struct timespec until = patience();
    pthread_mutex_lock(&fake->mutex);
    while (fake->accepted < count &&
           pthread_cond_timedwait(&fake->changed, &fake->mutex, &until) == 0) {
    }
    bool reached = fake->accepted >= count;
    pthread_mutex_unlock(&fake->mutex);
    return reached;
}

bool fake_redis_wait_seen(struct fake_redis *fake, const char *command, size_t count)
{
    struct timespec until = patience();
    pthread_mutex_lock(&fake->mutex);
    while (seen_locked(fake, command) < count &&
           pthread_cond_timedwait(&fake->changed, &fake->mutex, &until) == 0) {
    }
    bool reached = seen_locked(fake, command) >= count;
    pthread_mutex_unlock(&fake->mutex);
    return reached;
}
