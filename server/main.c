#include "cli/cli.h"

#include <malloc.h>

/* glibc raises its threshold for mmap to the largest block that was freed, up to 32 MiB: after the
 * first password hash every arena would keep its 19 MiB for ever. Set by hand it stays put. */
#define MMAP_THRESHOLD (256 * 1024)

int main(int argc, char **argv)
{
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    return cli_main(argc, argv);
}
