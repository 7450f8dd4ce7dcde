#include "http_plain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The kernel may take a tick or two longer than that. */
enum { READ_MS = HTTP_PLAIN_WAIT_MS - 20 };

bool http_plain_begin(int fd)
{
    const struct timeval read_time = {0, READ_MS * 1000};
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &read_time, sizeof read_time) == 0 &&
           fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0;
}

static enum err judge(int failure, struct error *error)
{
    if (failure == EAGAIN || failure == EINTR)
        return ERR_OK;
    char text[128];
    return error_set_detail(error, ERR_UPSTREAM_DOWN, "the connection broke: %s",
                            strerror_r(failure, text, sizeof text));
}

enum err http_plain_send(int fd, const char *bytes, size_t size, size_t *sent_out,
                         struct error *error)
{
    ssize_t sent = send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0)
        return judge(errno, error);
    *sent_out = (size_t)sent;
    return ERR_OK;
}

enum err http_plain_receive(int fd, bool waits, struct http_arrival *arrival, struct error *error)
{
    ssize_t got = recv(fd, arrival->buffer, arrival->size, waits ? 0 : MSG_DONTWAIT);

    if (got < 0)
        return judge(errno, error);
    arrival->got = (size_t)got;
    arrival->is_end = got == 0;
    return ERR_OK;
}
