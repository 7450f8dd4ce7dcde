#include "cachewarden/random.h"

#include "cachewarden/arena.h"
#include "cachewarden/die.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *memory, size_t size)
{
    char *at = memory;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            /* A guessable key is worse than no server. */
            die("getrandom: %s", strerror(errno));
        }
        at += got;
        size -= (size_t)got;
    }
}

struct str random_hex(struct arena *arena, size_t bytes)
{
    void *memory = arena_alloc(arena, bytes);

    if (!memory)
        return STR_NONE;
    random_bytes(memory, bytes);
    struct str text = hex_encode(arena, (struct str){memory, bytes});
    /* The text may be a key: one copy of it is enough. */
    secret_wipe(memory, bytes);
    return text;
}
