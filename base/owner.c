#include "cachewarden/owner.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void owner_inherit(int fd, const char *path)
{
    struct stat folder;
    char name[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t size = slash ? (size_t)(slash - path) + 1 : 0;

    if (geteuid() != 0 || size >= sizeof name)
        return;
    if (size > 0) {
        memcpy(name, path, size);
        name[size] = '\0';
    }
    if (stat(name, &folder) == 0 && folder.st_uid != 0)
        (void)!fchown(fd, folder.st_uid, folder.st_gid);
}
