#include "shard.h"

#include <stdatomic.h>

unsigned shard_own(void)
{
    static atomic_uint given;
    static _Thread_local unsigned own; /* one more than its number; 0: none yet */

    if (own == 0)
        own = atomic_fetch_add_explicit(&given, 1, memory_order_relaxed) % SHARDS + 1;
    return own - 1;
}
