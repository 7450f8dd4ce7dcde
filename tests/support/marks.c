/*
 * check writes a line into a file at each assertion that holds, to say where a test was when it crashed. Tests with a
 * million assertions do little else. Those at its begin are written, and then one in a millisecond.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum { AT_THE_BEGIN = 1000, INTERVAL_NS = 1000000 };

/* The linker's names for what stands in the place of check's function, and for that (tests/CMakeLists.txt). */
void __wrap__mark_point(const char *file, int line);
void __real__mark_point(const char *file, int line);

static _Atomic unsigned count;
static _Atomic int64_t written_ns;

void __wrap__mark_point(const char *file, int line)
{
    struct timespec now;

    if (atomic_load_explicit(&count, memory_order_relaxed) < AT_THE_BEGIN) {
        atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    } else {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        if (now_ns - atomic_load_explicit(&written_ns, memory_order_relaxed) < INTERVAL_NS)
            return;
        atomic_store_explicit(&written_ns, now_ns, memory_order_relaxed);
    }
    __real__mark_point(file, line);
}
