#include "log_capture.h"

#include "cachewarden/log.h"

#include <check.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int captured = -1;

void log_capture_start(void)
{
    captured = memfd_create("log", MFD_CLOEXEC);
    ck_assert_int_ge(captured, 0);
    /* The kernel guards the place in a file that threads share, but for a memory file. */
    ck_assert_int_eq(fcntl(captured, F_SETFL, O_APPEND), 0);
    log_set_fd(captured);
}

char *log_capture_read(void)
{
    off_t size = lseek(captured, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);

    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(pread(captured, text, (size_t)size, 0), size);
    return text;
}

char *log_capture_end(void)
{
    char *text = log_capture_read();

    /* The file stays open, for a thread of the program may be about to write to it. It goes with the test. */
    log_set_fd(2);
    captured = -1;
    return text;
}
