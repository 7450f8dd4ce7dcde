#include "process/notify.h"

#include "cachewarden/clock.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_manager(const char *state, struct str status)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct str name = str_from(path);
    if (name.len == 0 || name.len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, name.len);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract name space of Linux */

    char text[768];
    if (status.len > 0)
        snprintf(text, sizeof text, "%s\nSTATUS=%.*s\n", state, STR_ARG(status));
    else
        snprintf(text, sizeof text, "%s\n", state);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.len);
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
                 size);
    close(fd);
}

void notify_reloading(void)
{
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_ns() / 1000);
    notify_manager(state, STR("Reading the settings again"));
}
