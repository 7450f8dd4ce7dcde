#include "entry_history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

void history_print(FILE *out, const struct history_event *event)
{
    static const char *const kinds[] = {"read",   "fill",      "clear",   "delete",
                                        "switch", "increment", "disaster"};
    static const char *const outcomes[] = {"done", "refused", "unknown"};

    fprintf(out, "%lld…%lld %s %s, space %d label %d", (long long)event->began,
            (long long)event->ended, kinds[event->kind], outcomes[event->outcome], event->space,
            event->label);
    fprintf(out, ", value %lld", (long long)event->value);
    if (event->kind == HISTORY_INCREMENT)
        fprintf(out, " by %lld", (long long)event->by);
    if (event->models || event->leased)
        fprintf(out, ", models %x leased %x", event->models, event->leased);
    if (event->leased_at)
        fprintf(out, ", lease of %lld", (long long)event->leased_at);
    fprintf(out, "%s%s%s%s", event->is_counter ? ", counter" : "",
            event->only_if_absent ? ", if absent" : "", event->is_void ? ", void" : "",
            event->is_enabled ? "" : ", off");
    fprintf(out, "%s%s\n", event->cuts ? ", cuts" : "", event->loses ? ", loses" : "");
}

bool history_refuse(char text_out[HISTORY_TEXT_SIZE], const char *why,
                    const struct history_event *first, const struct history_event *second,
                    const struct history_event *third)
{
    const struct history_event *const events[] = {first, second, third};
    FILE *out = fmemopen(text_out, HISTORY_TEXT_SIZE, "w");

    if (!out)
        abort();
    fprintf(out, "%s:\n", why);
    for (size_t i = 0; i < 3; i++)
        if (events[i])
            history_print(out, events[i]);
    fclose(out);
    return false;
}

/* ---- views ---- */

static bool concerns(const struct history_event *event, int space, int label)
{
    switch (event->kind) {
    case HISTORY_CLEAR:
        return event->space == space || event->space == HISTORY_EVERYBODY;
    case HISTORY_SWITCH:
        return event->space == space;
    case HISTORY_DISASTER:
        return true;
    default:
        return event->space == space && event->label == label;
    }
}

size_t history_find(const struct history_view *view, int64_t moment)
{
    size_t low = 0, high = view->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (view->events[middle]->began < moment)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool history_may_have_counted(const struct history_view *view, const struct history_event *refused)
{
    for (size_t i = 0; i < view->count && view->events[i]->began < refused->ended; i++) {
        const struct history_event *event = view->events[i];
        bool ends_all = (event->kind == HISTORY_CLEAR && event->models == 0) ||
                        (event->kind == HISTORY_DISASTER && event->loses);
        if (refused->kind == HISTORY_INCREMENT && ends_all && event->ended > refused->began)
            return true;
    }
    return false;
}

/* ---- what is over for a value ---- */

/* A lease counts from the read that gave it; without one the arrival does, which was before its end. */
static int64_t stamped_at(const struct history_event *fill)
{
    return fill->leased_at > 0 ? fill->leased_at : fill->ended;
}

static bool clears(const struct history_event *clear, const struct history_event *fill)
{
    if (stamped_at(fill) >= clear->began)
        return false;
    if (clear->models == 0 || (clear->models & fill->models) != 0)
        return true;
    /* It names what its lease did not: any clear of a model before its arrival makes it void. */
    return fill->leased_at > 0 && (fill->models & ~fill->leased) != 0 && clear->ended < fill->began;
}

/*
 * Redis cannot take away a value on the condition that it is out of date. So an increment, or a fill on a condition,
 * that met one takes what is there by now in its hand, for a moment, and puts back what is good. Whether one may have
 * held something while this happened.
 */
static bool may_be_held(const struct history_view *view, const struct history_event *event)
{
    for (size_t i = 0; i < view->count && view->events[i]->began < event->ended; i++) {
        const struct history_event *other = view->events[i];
        bool may_hold = other->kind == HISTORY_INCREMENT ||
                        (other->kind == HISTORY_FILL && other->only_if_absent);
        if (may_hold && other != event && other->ended > event->began)
            return true;
    }
    return false;
}

static bool replaces(const struct history_view *view, const struct history_event *event,
                     const struct history_event *fill)
{
    if (fill->ended >= event->began)
        return false;
    if (event->kind == HISTORY_DELETE)
        return !may_be_held(view, event);
    return event->kind == HISTORY_INCREMENT || (event->kind == HISTORY_FILL && !event->is_void);
}

/* What has certainly ended it before `at`; NULL: nothing. */
static const struct history_event *find_end(const struct history_view *view,
                                            const struct history_event *fill, int64_t at)
{
    if (fill->is_void && fill->ended < at)
        return fill;
    int64_t from = stamped_at(fill) < fill->ended ? stamped_at(fill) : fill->ended;
    for (size_t i = history_find(view, from); i < view->count && view->events[i]->began < at; i++) {
        const struct history_event *event = view->events[i];
        if (event->outcome != HISTORY_DONE || event->ended >= at || event == fill)
            continue;
        if (event->kind == HISTORY_CLEAR ? clears(event, fill) : replaces(view, event, fill))
            return event;
    }
    return NULL;
}

/* Whether there can have been something that a fill or an increment brought. */
static bool brings(const struct history_event *event)
{
    return (event->kind == HISTORY_FILL || event->kind == HISTORY_INCREMENT) &&
           event->outcome != HISTORY_REFUSED && event->is_enabled;
}

/* What is told that the cache is off was there until the node saw that: where entries share the Redis of control data
 * it stores in the step that asks. */
static bool may_have_passed(const struct history_event *event, const struct history_event *met)
{
    return (event->kind == HISTORY_FILL || event->kind == HISTORY_INCREMENT) &&
           event->outcome != HISTORY_REFUSED && event->ended > met->began;
}

/* ---- reads ---- */

static bool judge_read(const struct history_view *view, const struct history_event *read,
                       char *text_out)
{
    const struct history_event *fill = NULL;

    if (read->value == 0 || read->is_counter)
        return true;
    if (!read->is_enabled)
        return history_refuse(text_out, "a hit while it is off", read, NULL, NULL);
    for (size_t i = 0; i < view->count && !fill; i++)
        if (view->events[i]->kind == HISTORY_FILL && view->events[i]->value == read->value)
            fill = view->events[i];
    if (!fill || fill->began >= read->ended || !(brings(fill) || may_have_passed(fill, read)))
        return history_refuse(text_out, "nobody has stored what was read", read, fill, NULL);
    const struct history_event *end = find_end(view, fill, read->began);
    return !end || history_refuse(text_out, "what is over was served", fill, end, read);
}

/* ---- only if nothing is there ---- */

/* Something else was done there at the same time than to store where nothing is. */
static bool is_alone_on_condition(const struct history_view *view,
                                  const struct history_event *event)
{
    for (size_t i = 0; i < view->count && view->events[i]->began < event->ended; i++) {
        const struct history_event *other = view->events[i];
        bool is_other = other->kind == HISTORY_INCREMENT || other->kind == HISTORY_DELETE ||
                        (other->kind == HISTORY_FILL && !other->only_if_absent);
        if (is_other && other->ended > event->began)
            return false;
    }
    return true;
}

/* What may have taken away what was there, or what came in its place and named a model; or may have had it in its
 * hand, and lost it when something else was stored meanwhile. */
static bool may_drop(const struct history_view *view, const struct history_event *event)
{
    switch (event->kind) {
    case HISTORY_CLEAR:
    case HISTORY_DELETE:
    case HISTORY_INCREMENT:
        return true;
    case HISTORY_FILL:
        return event->outcome == HISTORY_UNKNOWN || !event->is_enabled || event->is_void ||
               !event->only_if_absent || !is_alone_on_condition(view, event);
    case HISTORY_DISASTER:
        return event->loses;
    default:
        return false;
    }
}

/* Nothing can have dropped what the one had brought before the other came. */
static bool are_alone(const struct history_view *view, const struct history_event *one,
                      const struct history_event *other)
{
    int64_t from = one->began < other->began ? one->began : other->began;
    int64_t to = one->ended > other->ended ? one->ended : other->ended;

    for (size_t i = 0; i < view->count && view->events[i]->began < to; i++) {
        const struct history_event *event = view->events[i];
        if (event != one && event != other && event->ended > from && may_drop(view, event))
            return false;
    }
    return true;
}

static bool has_brought(const struct history_event *event)
{
    return brings(event) && event->outcome == HISTORY_DONE && !event->is_void;
}

/* Against what was there, and against what came at the same time on the same condition. */
static bool judge_stored(const struct history_view *view, const struct history_event *stored,
                         char *text_out)
{
    const struct history_event *last = NULL;

    for (size_t i = 0; i < view->count && view->events[i]->began < stored->ended; i++) {
        const struct history_event *event = view->events[i];
        if (event == stored || !has_brought(event))
            continue;
        if (event->ended < stored->began) {
            last = !last || event->ended > last->ended ? event : last;
            continue;
        }
        if (event->kind == HISTORY_FILL && event->only_if_absent && are_alone(view, event, stored))
            return history_refuse(text_out, "both were stored where nothing was", event, stored,
                                  NULL);
    }
    return !last || !are_alone(view, last, stored) ||
           history_refuse(text_out, "it was stored though something was there", last, stored, NULL);
}

static bool judge_refused(const struct history_view *view, const struct history_event *refused,
                          char *text_out)
{
    for (size_t i = history_find(view, refused->ended); i-- > 0;) {
        const struct history_event *event = view->events[i];
        if (event != refused &&
            (may_have_passed(event, refused) ||
             (event->ended > refused->began && history_may_have_counted(view, event)) ||
             (brings(event) && !find_end(view, event, refused->began))))
            return true;
    }
    return history_refuse(text_out, "it was refused where nothing can have been", refused, NULL,
                          NULL);
}

static bool judge_label(const struct history_view *view, char *text_out)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct history_event *event = view->events[i];
        bool is_conditional = event->kind == HISTORY_FILL && event->only_if_absent;
        if (event->kind == HISTORY_READ && !judge_read(view, event, text_out))
            return false;
        if (is_conditional && event->outcome == HISTORY_REFUSED &&
            !judge_refused(view, event, text_out))
            return false;
        if (is_conditional && has_brought(event) && !judge_stored(view, event, text_out))
            return false;
    }
    return history_judge_counter(view, text_out);
}

/* ---- the switch ---- */

/* Switches of a space come one after the other. Whether it can have been so at some moment of the event: by a switch
 * behind which there is none that is certain, or as it was at first. */
static bool can_be(const struct history_view *view, const struct history_event *told)
{
    const struct history_event *sure = NULL;
    bool is_possible = false, may_be_first = true;

    for (size_t i = 0; i < view->count && view->events[i]->began < told->ended; i++) {
        const struct history_event *event = view->events[i];
        if (event->kind != HISTORY_SWITCH)
            continue;
        if (event->outcome == HISTORY_DONE && event->ended < told->began) {
            sure = event;
            may_be_first = false;
        }
    }
    for (size_t i = 0; i < view->count && view->events[i]->began < told->ended; i++) {
        const struct history_event *event = view->events[i];
        if (event->kind == HISTORY_SWITCH && event->is_enabled == told->is_enabled &&
            (!sure || event == sure || event->ended >= sure->began))
            is_possible = true;
    }
    return is_possible || (may_be_first && told->is_enabled);
}

static bool judge_switch(const struct history_view *view, char *text_out)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct history_event *event = view->events[i];
        bool is_told = event->kind == HISTORY_READ || event->kind == HISTORY_FILL ||
                       event->kind == HISTORY_INCREMENT;
        if (is_told && event->outcome == HISTORY_DONE && !can_be(view, event))
            return history_refuse(text_out, "the switch is not as it was set", event, NULL, NULL);
    }
    return true;
}

/* ---- all of it ---- */

static int by_beginning(const void *a, const void *b)
{
    const struct history_event *left = a, *right = b;

    return (left->began > right->began) - (left->began < right->began);
}

/* What is unknown can happen until the first disaster behind it that cuts all connections is over. */
static void settle_ends(struct history_event *events, size_t count)
{
    int64_t over = INT64_MAX,
            before = INT64_MAX; /* of the next such disaster: its end, and its beginning */

    for (size_t i = count; i-- > 0;) {
        if (events[i].kind == HISTORY_DISASTER && events[i].cuts) {
            over = events[i].ended;
            before = events[i].began;
        }
        if (events[i].outcome != HISTORY_UNKNOWN)
            continue;
        /* One that ended only after that disaster had begun waits for the one behind it. */
        int64_t last = INT64_MAX;
        if (events[i].ended < before)
            last = over;
        else
            for (size_t k = i + 1; k < count && last == INT64_MAX; k++)
                if (events[k].kind == HISTORY_DISASTER && events[k].cuts &&
                    events[k].began > events[i].ended)
                    last = events[k].ended;
        events[i].ended = last;
    }
}

static void fill_view(struct history_view *view, const struct history_event *events, size_t count,
                      int space, int label)
{
    view->count = 0;
    view->has_switch = false;
    for (size_t i = 0; i < count; i++) {
        if (!concerns(&events[i], space, label))
            continue;
        view->events[view->count++] = &events[i];
        view->has_switch = view->has_switch || events[i].kind == HISTORY_SWITCH;
    }
}

bool history_judge(struct history_event *events, size_t count, char text_out[HISTORY_TEXT_SIZE])
{
    struct history_view view = {.events = calloc(count + 1, sizeof *view.events)};
    int spaces = 0, labels = 0;
    bool is_sound = true;

    if (!view.events)
        abort();
    qsort(events, count, sizeof *events, by_beginning);
    settle_ends(events, count);
    for (size_t i = 0; i < count; i++) {
        spaces = events[i].space >= spaces ? events[i].space + 1 : spaces;
        labels = events[i].label >= labels ? events[i].label + 1 : labels;
    }
    for (int space = 0; is_sound && space < spaces; space++) {
        for (int label = 0; is_sound && label < labels; label++) {
            fill_view(&view, events, count, space, label);
            is_sound = judge_label(&view, text_out) && judge_switch(&view, text_out);
        }
    }
    free(view.events);
    return is_sound;
}
