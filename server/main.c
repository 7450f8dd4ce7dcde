#include "cli/cli.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

/* glibc raises its threshold for mmap to the largest block that was freed, up to 32 MiB: after the
 * first password hash every arena would keep its 19 MiB for ever. Set by hand it stays put. */
#define MMAP_THRESHOLD (256 * 1024)
/* What an arena may keep of memory that is free. With glibc's 128 KiB each answer of 64 KiB gave its pages back to the
 * kernel and had the next one fault them in again: three times the CPU of a hit. */
#define TRIM_THRESHOLD (1024 * 1024)

/* With one of the standard files closed, the next file opened would take its number, and the log
 * might be written into the users database. */
static void open_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
    open_standard_files();
    return cli_main(argc, argv);
}
