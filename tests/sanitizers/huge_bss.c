/*
 * A sanitizer keeps its own tables in the program's zeroed memory, 8 to 12 MiB, and writes or reads all of them
 * at each start and end: thousands of page faults, which were half of what a start took. In large
 * pages it is a few. This has to be asked for before the sanitizer begins, and the one thing that comes before
 * it is the choice of an indirect function, while the program is being relocated: nothing of libc may be
 * called here, and this file is not instrumented.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

extern char __bss_start[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));

static void advise(uintptr_t from, uintptr_t size)
{
    long result = SYS_madvise;

    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(from), "S"(size), "d"(MADV_HUGEPAGE)
                     : "rcx", "r11", "memory");
}

static void nothing(void)
{
}

static void (*choose(void))(void)
{
    const uintptr_t page = 4096;
    uintptr_t from = ((uintptr_t)__bss_start + page - 1) & ~(page - 1);

    advise(from, ((uintptr_t)_end & ~(page - 1)) - from);
    return nothing;
}

static void chosen(void) __attribute__((ifunc("choose")));
void (*const cw_huge_bss)(void) = chosen;
