#include "cachewarden/outlet.h"

#include "cachewarden/clock.h"
#include "cachewarden/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { PUMP_STACK = 64 * 1024 };

/* ---- the thread that waits in our place ---- */

/* For as long as it takes. */
static void carry(struct outlet *outlet, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = write(outlet->target, bytes, size);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (sent < 0 && errno == EAGAIN) { /* somebody who shares it wants it so */
            struct pollfd writable = {.fd = outlet->target, .events = POLLOUT};
            (void)poll(&writable, 1, -1);
        } else if (sent == 0 || errno != EINTR) {
            outlet_lose(outlet);
            return;
        }
    }
}

/* The socket keeps texts apart, so each is one write. Its end says that all of them were carried. */
static void *pump(void *arg)
{
    struct outlet *outlet = arg;
    char bytes[OUTLET_PIECE];
    ssize_t size;

    while ((size = recv(outlet->pump_from, bytes, sizeof bytes, 0)) > 0)
        carry(outlet, bytes, (size_t)size);
    close(outlet->pump_from);
    return NULL;
}

/* It takes no signals, so SIGTTOU cannot stop it because it writes to a terminal it is in the
 * background of. Nobody waits for its end, which may never come. */
static bool start_thread(struct outlet *outlet)
{
    pthread_t thread;

    if (thread_start(&thread, "cw-log", PUMP_STACK, pump, outlet, NULL) != ERR_OK)
        return false;
    pthread_detach(thread);
    return true;
}

/* ---- opening and closing ---- */

void outlet_open(struct outlet *outlet, int fd)
{
    struct stat info;
    char path[40];

    outlet->target = outlet->fd = fd;
    outlet->is_socket = outlet->may_block = outlet->has_pump = false;
    atomic_store(&outlet->is_torn, false);
    atomic_store(&outlet->stuck_since_ns, 0);
    atomic_store(&outlet->rested_at_ns, 0);
    if (fstat(fd, &info) != 0)
        return;
    outlet->is_socket = S_ISSOCK(info.st_mode);
    /* Not a terminal: of what finds no room there, a part would be written. */
    outlet->may_block = S_ISFIFO(info.st_mode) || isatty(fd);
    if (!S_ISFIFO(info.st_mode))
        return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (own < 0)
        return;
    outlet->fd = own;
    outlet->may_block = false;
}

void outlet_start(struct outlet *outlet)
{
    int ends[2];

    if (!outlet->may_block || outlet->has_pump ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return;
    outlet->pump_from = ends[1];
    if (!start_thread(outlet)) {
        close(ends[0]);
        close(ends[1]);
        return;
    }
    outlet->fd = ends[0];
    outlet->is_socket = outlet->has_pump = true;
    outlet->may_block = false;
}

void outlet_close(struct outlet *outlet)
{
    if (outlet->has_pump) {
        struct pollfd carried = {.fd = outlet->fd};
        shutdown(outlet->fd, SHUT_WR);
        (void)poll(&carried, 1, OUTLET_WAIT_MS);
    }
    if (outlet->fd != outlet->target)
        close(outlet->fd);
    outlet->fd = -1;
}

/* ---- writing ---- */

/* Until when a reader who stopped then is waited for. */
static int64_t patient_until_ns(const struct outlet *outlet, int64_t since_ns)
{
    int64_t owed_ns = (atomic_load(&outlet->rested_at_ns) - since_ns) / OUTLET_REST;

    return since_ns + OUTLET_WAIT_MS * NS_PER_MS - (owed_ns > 0 ? owed_ns : 0);
}

/* False: everybody has waited long enough. */
static bool wait_for_room(struct outlet *outlet)
{
    struct pollfd writable = {.fd = outlet->fd, .events = POLLOUT};
    int64_t now_ns = clock_mono_ns(), since_ns = 0;

    if (atomic_compare_exchange_strong(&outlet->stuck_since_ns, &since_ns, now_ns))
        since_ns = now_ns;
    int64_t left_ns = patient_until_ns(outlet, since_ns) - now_ns;
    if (left_ns <= 0)
        return false;
    (void)poll(&writable, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
    return true; /* the write tells whether there is room now */
}

/* Something got through. */
static void note_progress(struct outlet *outlet)
{
    int64_t since_ns = atomic_load_explicit(&outlet->stuck_since_ns, memory_order_relaxed);

    if (since_ns == 0 || !atomic_compare_exchange_strong(&outlet->stuck_since_ns, &since_ns, 0))
        return;
    int64_t now_ns = clock_mono_ns();
    int64_t until_ns = patient_until_ns(outlet, since_ns);
    int64_t waited_ns = (now_ns < until_ns ? now_ns : until_ns) - since_ns;
    int64_t from_ns = atomic_load(&outlet->rested_at_ns);
    if (from_ns < since_ns)
        from_ns = since_ns;
    atomic_store(&outlet->rested_at_ns, from_ns + OUTLET_REST * waited_ns);
}

static ssize_t write_some(const struct outlet *outlet, const char *bytes, size_t size)
{
    if (size > OUTLET_PIECE)
        size = OUTLET_PIECE;
    return outlet->is_socket ? send(outlet->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                             : write(outlet->fd, bytes, size);
}

static bool write_all(struct outlet *outlet, struct str text)
{
    size_t done = 0;

    while (done < text.len) {
        ssize_t sent = write_some(outlet, text.ptr + done, text.len - done);
        if (sent > 0) {
            done += (size_t)sent;
            note_progress(outlet);
        } else if (sent == 0 || (errno != EINTR && !(errno == EAGAIN && wait_for_room(outlet))))
            break;
    }
    if (done > 0 && done < text.len)
        atomic_store(&outlet->is_torn, true);
    return done == text.len;
}

bool outlet_try(struct outlet *outlet, struct str text)
{
    /* A disk was full in the middle of a line; the next one does not go on with it. */
    if (atomic_load_explicit(&outlet->is_torn, memory_order_relaxed) &&
        atomic_exchange(&outlet->is_torn, false) && !write_all(outlet, STR("\n"))) {
        atomic_store(&outlet->is_torn, true);
        return false;
    }
    return write_all(outlet, text);
}

void outlet_put(struct outlet *outlet, struct str text)
{
    if (!outlet_try(outlet, text))
        outlet_lose(outlet);
}

void outlet_lose(struct outlet *outlet)
{
    atomic_fetch_add_explicit(&outlet->lost, 1, memory_order_relaxed);
}

uint64_t outlet_lost(const struct outlet *outlet)
{
    return atomic_load_explicit(&outlet->lost, memory_order_relaxed);
}
