/*
 * Counters of a history. Whatever may begin a counter anew divides it into stretches. An increment that lies in one
 * for certain must have found there all those before it; others may have counted there, or not.
 */
#include "entry_history.h"

#include <stdlib.h>

/* From the end of what may have begun it anew to the beginning of the next such thing. */
struct stretch {
    int64_t from, to;
    int64_t broken_from; /* when what divides it from the one before began */
    bool is_anew;        /* it began at 0 for certain */
};

static bool may_begin_anew(const struct history_view *view, const struct history_event *event)
{
    if (event->outcome == HISTORY_REFUSED)
        return false;
    switch (event->kind) {
    case HISTORY_CLEAR:
        return event->models == 0;
    case HISTORY_DELETE:
    case HISTORY_FILL:
        return true;
    case HISTORY_INCREMENT: /* which drops the counter while it is off */
        return event->outcome == HISTORY_DONE ? !event->is_enabled : view->has_switch;
    case HISTORY_DISASTER:
        return event->loses;
    default:
        return false;
    }
}

static bool begins_anew(const struct history_event *event)
{
    return event->outcome == HISTORY_DONE && (event->kind != HISTORY_FILL || !event->is_enabled);
}

static bool is_in(const struct stretch *stretch, const struct history_event *event)
{
    return event->began > stretch->from && event->ended < stretch->to;
}

static int by_value(const void *a, const void *b)
{
    const struct history_event *left = *(const struct history_event *const *)a,
                               *right = *(const struct history_event *const *)b;

    return (left->value > right->value) - (left->value < right->value);
}

/* What lies in it, by value; and how much others may have added there. */
static size_t take_stretch(const struct history_view *view, const struct stretch *stretch,
                           const struct history_event **taken, int64_t *others_out)
{
    size_t count = 0;

    *others_out = 0;
    for (size_t i = 0; i < view->count && view->events[i]->began < stretch->to; i++) {
        const struct history_event *event = view->events[i];
        bool counts = event->outcome != HISTORY_REFUSED || history_may_have_counted(view, event);
        if (event->kind != HISTORY_INCREMENT || !counts || !event->is_enabled)
            continue;
        if (event->outcome == HISTORY_DONE && is_in(stretch, event))
            taken[count++] = event;
        else if (event->ended > stretch->broken_from)
            *others_out += event->by;
    }
    qsort(taken, count, sizeof *taken, by_value);
    return count;
}

static bool judge_sum(const struct stretch *stretch, const struct history_event **taken,
                      size_t count, int64_t others, char *text_out)
{
    int64_t extra = stretch->is_anew ? taken[0]->value - taken[0]->by : 0;
    const struct history_event *latest = taken[0]; /* that began last, of those with lower values */

    if (taken[0]->value < taken[0]->by || extra > others)
        return history_refuse(text_out, "a counter began anew, and not at 0", taken[0], NULL, NULL);
    for (size_t i = 1; i < count; i++) {
        int64_t more = taken[i]->value - taken[i - 1]->value - taken[i]->by;
        extra += more;
        if (more < 0)
            return history_refuse(text_out, "an increment was lost", taken[i - 1], taken[i], NULL);
        if (extra > others)
            return history_refuse(text_out, "something was counted twice", taken[i - 1], taken[i],
                                  NULL);
        if (latest->began > taken[i]->ended)
            return history_refuse(text_out, "a counter went back", taken[i], latest, NULL);
        latest = taken[i]->began > latest->began ? taken[i] : latest;
    }
    return true;
}

/* A read finds all that were counted before it, and none that came after. */
static bool judge_count(const struct stretch *stretch, const struct history_event **taken,
                        size_t count, int64_t others, const struct history_event *read,
                        char *text_out)
{
    int64_t most = others;

    for (size_t i = 0; i < count; i++) {
        if (taken[i]->ended < read->began && read->value < taken[i]->value)
            return history_refuse(text_out, "a count was forgotten", taken[i], read, NULL);
        if (taken[i]->began > read->ended && read->value > taken[i]->value - taken[i]->by)
            return history_refuse(text_out, "a count was read before it was counted", read,
                                  taken[i], NULL);
        most += taken[i]->began < read->ended ? taken[i]->by : 0;
    }
    return !stretch->is_anew || read->value <= most ||
           history_refuse(text_out, "a count from before it began anew", read, NULL, NULL);
}

static bool judge_stretch(const struct history_view *view, const struct stretch *stretch,
                          const struct history_event **taken, char *text_out)
{
    int64_t others;
    size_t count = take_stretch(view, stretch, taken, &others);

    if (count > 0 && !judge_sum(stretch, taken, count, others, text_out))
        return false;
    for (size_t i = history_find(view, stretch->from);
         i < view->count && view->events[i]->began < stretch->to; i++) {
        const struct history_event *event = view->events[i];
        bool is_count = event->kind == HISTORY_READ && event->is_enabled &&
                        (event->is_counter || event->value == 0);
        if (is_count && is_in(stretch, event) &&
            !judge_count(stretch, taken, count, others, event, text_out))
            return false;
    }
    return true;
}

bool history_judge_counter(const struct history_view *view, char text_out[HISTORY_TEXT_SIZE])
{
    const struct history_event **taken = calloc(view->count + 1, sizeof *taken);
    struct stretch stretch = {.is_anew = true};
    bool is_sound = true, has_count = false; /* a count was put since it began anew for certain */

    if (!taken)
        abort();
    for (size_t i = 0; is_sound && i < view->count; i++) {
        const struct history_event *event = view->events[i];
        if (!may_begin_anew(view, event))
            continue;
        if (event->began > stretch.from) {
            stretch.to = event->began;
            is_sound = judge_stretch(view, &stretch, taken, text_out);
            stretch = (struct stretch){.from = event->ended, .broken_from = event->began};
            has_count = false;
        }
        stretch.from = event->ended > stretch.from ? event->ended : stretch.from;
        stretch.is_anew = stretch.is_anew || begins_anew(event);
        has_count = has_count || (event->kind == HISTORY_FILL && event->is_counter);
        if (has_count)
            stretch.is_anew = false;
    }
    stretch.to = INT64_MAX;
    is_sound = is_sound && judge_stretch(view, &stretch, taken, text_out);
    free(taken);
    return is_sound;
}
