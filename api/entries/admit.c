#include "entries/admit.h"

#include "cachewarden/app.h"
#include "cachewarden/redis_error.h"
#include "entries/entries_private.h"

/* What Redis keeps of an entry beside its label and value: about so much. */
enum { OVERHEAD = 160 };

size_t entry_size(const struct entry_request *request, size_t bytes)
{
    return OVERHEAD + request->label.len + bytes;
}

/* What Redis has bytes in may be larger by a quarter: so far apart are the sizes of its allocator. */
bool entries_take_room(struct entries *entries, size_t bytes, int64_t deadline_ns)
{
    if (entries->has_own_memory)
        return true;
    room_refresh(&entries->room, entries->redis, deadline_ns);
    return room_take(&entries->room, OVERHEAD + bytes + bytes / 4);
}

/* What is refused is taken, too, so that the next look sees that somebody asked. */
bool entries_has_room(struct entries *entries, size_t bytes, int64_t deadline_ns)
{
    if (entries->has_own_memory)
        return true;
    room_refresh(&entries->room, entries->redis, deadline_ns);
    return room_has(&entries->room, OVERHEAD + bytes) ||
           room_take(&entries->room, OVERHEAD + bytes);
}

enum err entry_admit(const struct entry_request *request, size_t bytes)
{
    struct entries *entries = request->app->entries;

    if (request->allowance && request->allowance->is_used_up)
        return ERR_THROTTLED;
    return entries_take_room(entries, request->label.len + bytes, request->work.deadline_ns)
               ? ERR_OK
               : ERR_UPSTREAM_REFUSED;
}

enum err entry_refuse(const struct entry_request *request, enum err why)
{
    struct entries *entries = request->app->entries;

    if (why == ERR_THROTTLED)
        return error_set_detail(request->work.error, why, "the account has stored enough for now");
    entries_metrics_add(entries->metrics, &request->space, ENTRY_FILLS_NO_ROOM, 1);
    return redis_error_set(
        request->work.error, why, REDIS_ERROR_NO_ROOM,
        "entries.memory_percent: entries have %d %% of redis' memory, and no more",
        entries->room.percent);
}

void entry_note_kept(const struct entry_request *request, size_t bytes)
{
    if (request->allowance)
        request->allowance->kept = entry_size(request, bytes);
}
