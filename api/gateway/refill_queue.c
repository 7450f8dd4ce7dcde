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

/* ---- places that were given back ---- */

static int64_t turn_ns_of(const struct refill_queue *queue, int64_t place_ns)
{
    int before = 0;

    while (before < queue->gap_count && queue->gaps[before] < place_ns)
        before++;
    return queue->moved_ns + place_ns - before * queue->step_ns;
}

static void remove_gap(struct refill_queue *queue, int at)
{
    queue->gap_count--;
    for (int i = at; i < queue->gap_count; i++)
        queue->gaps[i] = queue->gaps[i + 1];
}

/* Whoever was before a gap has asked, once its time is over: all who are left are behind it. */
static void end_gaps(struct refill_queue *queue, int64_t now_ns)
{
    while (queue->gap_count > 0 && turn_ns_of(queue, queue->gaps[0]) <= now_ns) {
        remove_gap(queue, 0);
        queue->moved_ns -= queue->step_ns;
    }
}

/* The last places are nobody's, as if they had never been taken. */
static void shorten(struct refill_queue *queue)
{
    queue->free_ns -= queue->step_ns;
    while (queue->gap_count > 0 &&
           queue->gaps[queue->gap_count - 1] == queue->free_ns - queue->step_ns) {
        queue->gap_count--;
        queue->free_ns -= queue->step_ns;
    }
}

static void add_gap(struct refill_queue *queue, int64_t place_ns)
{
    int at = queue->gap_count;

    if (at == REFILL_GAPS_MAX)
        return;
    for (; at > 0 && queue->gaps[at - 1] > place_ns; at--)
        queue->gaps[at] = queue->gaps[at - 1];
    queue->gaps[at] = place_ns;
    queue->gap_count++;
}

void refill_queue_give_back(struct refill_queue *queue, int64_t place_ns, int64_t now_ns)
{
    end_gaps(queue, now_ns);
    if (turn_ns_of(queue, place_ns) <= now_ns)
        return;
    if (place_ns == queue->free_ns - queue->step_ns)
        shorten(queue);
    else
        add_gap(queue, place_ns);
}

int64_t refill_queue_turn_ns(struct refill_queue *queue, int64_t place_ns, int64_t now_ns)
{
    end_gaps(queue, now_ns);
    return later(turn_ns_of(queue, place_ns), queue->closed_until_ns);
}

/* ---- asking ---- */

static int64_t turn_of(const struct refill_queue *queue, const struct refill_caller *caller)
{
    return turn_ns_of(queue, caller->has_place ? caller->place_ns : queue->free_ns);
}

bool refill_queue_may_ask(struct refill_queue *queue, struct refill_caller *caller, int64_t now_ns)
{
    end_gaps(queue, now_ns);
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
    end_gaps(queue, now_ns);
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
    /* All gaps are before it. */
    caller->place_ns = caller->turn_ns - queue->moved_ns + queue->gap_count * queue->step_ns;
    queue->free_ns = caller->place_ns + queue->step_ns;
}
