#include "entries/admit.h"

#include "cachewarden/app.h"
#include "cachewarden/redis_error.h"
#include "entries/entries_private.h"

/* What Redis keeps of an entry beside its label and value: about so much. */
enum { OVERHEAD = 160 };

enum err entry_admit(struct call *call, const struct entry_request *request, size_t bytes,
                     int64_t ttl_s)
{
    struct entries *entries = call->app->entries;
    size_t size = OVERHEAD + request->label.len + bytes;
    enum err err = ERR_OK;

    if (!call->principal.is_admin)
        err = limits_count_fill(call, &request->space, (int64_t)size, ttl_s);
    if (err != ERR_OK || entries->has_own_memory || room_take(&entries->room, size))
        return err;
    entries_metrics_add(entries->metrics, &request->space, ENTRY_FILLS_NO_ROOM, 1);
    return redis_error_set(&call->error, ERR_UPSTREAM_REFUSED, REDIS_ERROR_OUT_OF_MEMORY,
                           "entries have %d %% of the memory of redis, and no more",
                           entries->room.percent);
}
