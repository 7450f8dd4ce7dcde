/*
 * A disk that says at once that it has what it was given, in the place of the C library's, in a program and in the
 * libraries it uses: SQLite waits for the disk at each commit. No test cuts the power, and what a killed program had
 * written is there all the same. It is part of this library for the reason that names.c gives.
 */
#include <fcntl.h>
#include <unistd.h>

int fsync(int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

int fdatasync(int fd)
{
    return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}
