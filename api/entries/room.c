#include "entries/room.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"

/* The janitor looks more often while there are fills. */
#define OLD_MS INT64_C(1000)
/* Of what was left, so much is let in before somebody looks again. */
#define PART 8

void room_init(struct room *room, int percent)
{
    *room = (struct room){.percent = percent > 0 ? percent : ROOM_PERCENT};
    atomic_init(&room->left, INT64_MAX);
    atomic_init(&room->seen, -1);
    atomic_init(&room->let_in, 0);
    atomic_init(&room->looked_ns, 0);
    atomic_flag_clear(&room->is_looking);
}

bool room_take(struct room *room, size_t bytes)
{
    /* What is refused is taken, too: so the next look sees that somebody asked. */
    int64_t left = atomic_fetch_sub_explicit(&room->left, (int64_t)bytes, memory_order_relaxed);

    if (left < (int64_t)bytes)
        return false;
    atomic_fetch_add_explicit(&room->let_in, (int64_t)bytes, memory_order_relaxed);
    return true;
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

/* Of those who look at the same time the first does. */
static void look(struct room *room, struct redis *redis, int64_t deadline_ns, bool is_due)
{
    if (atomic_flag_test_and_set(&room->is_looking))
        return;
    int64_t left = atomic_load_explicit(&room->left, memory_order_relaxed);
    bool is_idle = !is_due && left == atomic_load(&room->seen) && left > 0;
    struct arena *arena = is_idle ? NULL : arena_new(4096, 0);
    if (!is_idle) {
        atomic_store_explicit(&room->looked_ns, clock_mono_ns(), memory_order_relaxed);
        atomic_store_explicit(&room->let_in, 0, memory_order_relaxed);
    }
    if (arena && ask(redis, arena, room->percent, deadline_ns, &left)) {
        /* What was let in meanwhile may be there already, or not yet. */
        if (left < INT64_MAX)
            left -= atomic_load_explicit(&room->let_in, memory_order_relaxed);
        atomic_store_explicit(&room->seen, left, memory_order_relaxed);
        atomic_store_explicit(&room->left, left, memory_order_relaxed);
        tell(room, left);
    }
    arena_free(&arena);
    atomic_flag_clear(&room->is_looking);
}

void room_look(struct room *room, struct redis *redis, int64_t deadline_ns)
{
    look(room, redis, deadline_ns, false);
}

void room_refresh(struct room *room, struct redis *redis, int64_t deadline_ns)
{
    int64_t looked_ns = atomic_load_explicit(&room->looked_ns, memory_order_relaxed);
    int64_t seen = atomic_load_explicit(&room->seen, memory_order_relaxed);
    int64_t let_in = atomic_load_explicit(&room->let_in, memory_order_relaxed);
    bool is_old = clock_mono_ns() - looked_ns > OLD_MS * NS_PER_MS;

    if (looked_ns > 0 && (is_old || (seen > 0 && let_in > seen / PART)))
        look(room, redis, deadline_ns, true);
}
