#include "gateway/refill_queue.h"

/*
 * A window begins a moment after its turn, when the first of it reaches Redis, so turns move. Who is new gets no place
 * that would be too late if they moved by this part of the wait.
 */
enum { SPARE_PART = 8 };

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t turn_of(const struct refill_queue *queue, const struct refill_caller *caller)
{
    return queue->moved_ns + (caller->has_place ? caller->place_ns : queue->free_ns);
}

bool refill_queue_may_ask(struct refill_queue *queue, struct refill_caller *caller, int64_t now_ns)
{
    if (now_ns >= queue->closed_until_ns && now_ns >= turn_of(queue, caller))
        return true;
    refill_queue_stand(queue, caller, now_ns);
    return false;
}

void refill_queue_close(struct refill_queue *queue, int64_t until_ns)
{
    queue->closed_until_ns = later(queue->closed_until_ns, until_ns);
}

/* Once for a window: of several who come too early for the next one, the first moves them all. */
static void move_to_window(struct refill_queue *queue, int64_t turn_ns, int64_t now_ns)
{
    int64_t from_ns = later(turn_ns, now_ns);

    if (from_ns >= queue->closed_until_ns || now_ns < queue->moved_until_ns)
        return;
    queue->moved_ns += queue->closed_until_ns - from_ns;
    queue->moved_until_ns = queue->closed_until_ns;
}

void refill_queue_stand(struct refill_queue *queue, struct refill_caller *caller, int64_t now_ns)
{
    if (caller->has_place) {
        move_to_window(queue, turn_of(queue, caller), now_ns);
        caller->turn_ns = later(turn_of(queue, caller), queue->closed_until_ns);
        caller->has_place = caller->turn_ns <= caller->latest_ns;
        return;
    }
    caller->turn_ns = later(later(now_ns, queue->closed_until_ns), turn_of(queue, caller));
    caller->has_place =
        caller->turn_ns + (caller->turn_ns - now_ns) / SPARE_PART <= caller->latest_ns;
    if (!caller->has_place)
        return;
    caller->place_ns = caller->turn_ns - queue->moved_ns;
    queue->free_ns = caller->place_ns + queue->step_ns;
}
