#include "cli/cli.h"

#include <fcntl.h>
#include <unistd.h>

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
    open_standard_files();
    return cli_main(argc, argv);
}
