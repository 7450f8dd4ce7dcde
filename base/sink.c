#include "cachewarden/sink.h"

#include "cachewarden/clock.h"
#include "cachewarden/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { RELAY_STACK = 64 * 1024 };

/* ---- the thread that waits in our place ---- */

/* For as long as it takes. */
static void carry(struct sink *sink, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = write(sink->target, bytes, size);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) { /* somebody who shares it wants it so */
            struct pollfd writable = {.fd = sink->target, .events = POLLOUT};
            (void)poll(&writable, 1, -1);
        } else if (sent == 0 || errno != EINTR) {
            sink_count_lost(sink);
            return;
        }
    }
}

/* The socket keeps texts apart, so each is one write. Its end says that all of them were carried. */
static void *relay(void *arg)
{
    struct sink *sink = arg;
    char bytes[SINK_PIECE];
    ssize_t size;

    while ((size = recv(sink->relay_from, bytes, sizeof bytes, 0)) > 0)
        carry(sink, bytes, (size_t)size);
    close(sink->relay_from);
    return NULL;
}

/* It takes no signals, so SIGTTOU cannot stop it because it writes to a terminal it is in the
 * background of. Nobody waits for its end, which may never come. */
static bool start_thread(struct sink *sink)
{
    pthread_t thread;

    if (thread_start(&thread, "cw-log", RELAY_STACK, relay, sink, NULL) != ERR_OK)
        return false;
    pthread_detach(thread);
    return true;
}

/* ---- opening and closing ---- */

void sink_open(struct sink *sink, int fd)
{
    struct stat info;
    char path[40];

    sink->target = sink->fd = fd;
    sink->is_socket = sink->may_block = sink->has_relay = false;
    atomic_store(&sink->is_torn, false);
    atomic_store(&sink->stuck_since_ns, 0);
    atomic_store(&sink->rested_at_ns, 0);
    if (fstat(fd, &info) != 0)
        return;
    sink->is_socket = S_ISSOCK(info.st_mode);
    /* Not a terminal: of what finds no room there, a part would be written. */
    sink->may_block = S_ISFIFO(info.st_mode) || isatty(fd);
    if (!S_ISFIFO(info.st_mode))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (own < 0)
        return;
    sink->fd = own;
    sink->may_block = false;
}

void sink_start(struct sink *sink)
{
    int ends[2];

    if (!sink->may_block || sink->has_relay ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    sink->relay_from = ends[1];
    if (!start_thread(sink)) {
        close(ends[0]);
        close(ends[1]);
        return;
    }
    sink->fd = ends[0];
    sink->is_socket = sink->has_relay = true;
    sink->may_block = false;
}

void sink_close(struct sink *sink)
{
    if (sink->has_relay) {
        struct pollfd carried = {.fd = sink->fd};
        shutdown(sink->fd, SHUT_WR);
        (void)poll(&carried, 1, SINK_WAIT_MS);
    }
    if (sink->fd != sink->target)
        close(sink->fd);
    sink->fd = -1;
}

/* ---- writing ---- */

/* Until when a reader who stopped then is waited for. */
static int64_t patient_until_ns(const struct sink *sink, int64_t since_ns)
{
    int64_t owed_ns = (atomic_load(&sink->rested_at_ns) - since_ns) / SINK_REST;

    return since_ns + SINK_WAIT_MS * NS_PER_MS - (owed_ns > 0 ? owed_ns : 0);
}

/* False: everybody has waited long enough. */
static bool wait_for_room(struct sink *sink)
{
    struct pollfd writable = {.fd = sink->fd, .events = POLLOUT};
    int64_t now_ns = clock_mono_ns(), since_ns = 0;

    if (atomic_compare_exchange_strong(&sink->stuck_since_ns, &since_ns, now_ns))
        since_ns = now_ns;
    int64_t left_ns = patient_until_ns(sink, since_ns) - now_ns;
    if (left_ns <= 0)
        return false;
    (void)poll(&writable, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
    return true; /* the write tells whether there is room now */
}

/* Something got through. */
static void note_progress(struct sink *sink)
{
    int64_t since_ns = atomic_load_explicit(&sink->stuck_since_ns, memory_order_relaxed);

    if (since_ns == 0 || !atomic_compare_exchange_strong(&sink->stuck_since_ns, &since_ns, 0))
        return;
    int64_t now_ns = clock_mono_ns();
    int64_t until_ns = patient_until_ns(sink, since_ns);
    int64_t waited_ns = (now_ns < until_ns ? now_ns : until_ns) - since_ns;
    int64_t from_ns = atomic_load(&sink->rested_at_ns);
    if (from_ns < since_ns)
        from_ns = since_ns;
    atomic_store(&sink->rested_at_ns, from_ns + SINK_REST * waited_ns);
}

static ssize_t write_some(const struct sink *sink, const char *bytes, size_t size)
{
    if (size > SINK_PIECE)
        size = SINK_PIECE;
    return sink->is_socket ? send(sink->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                           : write(sink->fd, bytes, size);
}

static bool write_all(struct sink *sink, struct str text)
{
    size_t done = 0;

    while (done < text.len) {
        ssize_t sent = write_some(sink, text.ptr + done, text.len - done);
        if (sent > 0) {
            done += (size_t)sent;
            note_progress(sink);
        } else if (sent == 0 || (errno != EINTR && !(errno == EAGAIN && wait_for_room(sink))))
            break;
    }
    if (done > 0 && done < text.len)
        atomic_store(&sink->is_torn, true);
    return done == text.len;
}

bool sink_try_write(struct sink *sink, struct str text)
{
    /* A disk was full in the middle of a line; the next one does not go on with it. */
    if (atomic_load_explicit(&sink->is_torn, memory_order_relaxed) &&
        atomic_exchange(&sink->is_torn, false) && !write_all(sink, STR("\n"))) {
        atomic_store(&sink->is_torn, true);
        return false;
    }
    return write_all(sink, text);
}

void sink_write(struct sink *sink, struct str text)
{
    if (!sink_try_write(sink, text))
        sink_count_lost(sink);
}

void sink_count_lost(struct sink *sink)
{
    atomic_fetch_add_explicit(&sink->lost, 1, memory_order_relaxed);
}

uint64_t sink_lost(const struct sink *sink)
{
    return atomic_load_explicit(&sink->lost, memory_order_relaxed);
}
