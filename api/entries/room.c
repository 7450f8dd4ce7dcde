#include "entries/room.h"

#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"

void room_init(struct room *room, int percent)
{
    *room = (struct room){.percent = percent > 0 ? percent : ROOM_PERCENT, .seen = -1};
    atomic_init(&room->left, INT64_MAX);
}

bool room_take(struct room *room, size_t bytes)
{
    /* What is refused is taken, too: so the next look sees that somebody asked. */
    int64_t left = atomic_fetch_sub_explicit(&room->left, (int64_t)bytes, memory_order_relaxed);

    return left >= (int64_t)bytes;
}

bool room_has(const struct room *room, size_t bytes)
{
    return atomic_load_explicit(&room->left, memory_order_relaxed) >= (int64_t)bytes;
}

bool room_read(struct str info, int percent, int64_t *left_out)
{
    int64_t used, max;

    if (!str_to_int64(redis_info_field(info, "used_memory"), 0, INT64_MAX, &used) ||
        !str_to_int64(redis_info_field(info, "maxmemory"), 0, INT64_MAX, &max))
        return false;
    *left_out = max == 0 ? INT64_MAX : max / 100 * percent + max % 100 * percent / 100 - used;
    return true;
}

static void tell(struct room *room, int64_t left)
{
    bool is_short = left <= 0;

    if (is_short == room->is_short)
        return;
    room->is_short = is_short;
    log_event(is_short ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
              is_short ? "entries.no_room" : "entries.room", LOG_INT("percent", room->percent),
              LOG_INT("left", left));
}

static bool ask(struct redis *redis, struct arena *arena, int percent, int64_t deadline_ns,
                int64_t *left_out)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_READ);

    PIPELINE_ADD(pipeline, EXPECT_STRING, STR("INFO"), STR("memory"));
    return redis_run(redis, pipeline, (struct work){.deadline_ns = deadline_ns}) == ERR_OK &&
           room_read(pipeline_value(pipeline, 0)->text, percent, left_out);
}

void room_look(struct room *room, struct redis *redis, int64_t deadline_ns)
{
    int64_t left = atomic_load_explicit(&room->left, memory_order_relaxed);

    if (left == room->seen && left > 0)
        return;
    struct arena *arena = arena_new(4096, 0);
    if (arena && ask(redis, arena, room->percent, deadline_ns, &left)) {
        room->seen = left;
        atomic_store_explicit(&room->left, left, memory_order_relaxed);
        tell(room, left);
    }
    arena_free(&arena);
}
