/* Unpredictable bytes from the kernel (getrandom(2)); a failure ends the process, because nothing safe can go on. */
#ifndef CACHEWARDEN_RANDOM_H
#define CACHEWARDEN_RANDOM_H

#include "cachewarden/str.h"

#include <stddef.h>

void random_bytes(void *memory, size_t size);
/* `bytes` random bytes as lower-case hex in the arena: ids of requests, tokens, keys. */
struct str random_hex(struct arena *arena, size_t bytes);

#endif
