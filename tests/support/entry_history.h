/*
 * What many did with the entries of a cache at the same time, and whether a cache that keeps its promises can have
 * answered so. Every event has the moments at which it began and ended, and took effect somewhere between them; what
 * ended in an error may have taken effect later, or never. What is judged is only what follows from that for
 * certain, so a history that is refused is a fault of the cache, whatever the timing was.
 *
 * - What was cleared, deleted or replaced, and acknowledged, is not served by a read that began later; nor is what was
 *   stored with a lease from before a clear.
 * - What was stored only if nothing was there met nothing; what was refused for that met something.
 * - A counter counts each acknowledged increment once, in the order in which they followed each other.
 * - A switch that was acknowledged is in force.
 */
#ifndef SUPPORT_ENTRY_HISTORY_H
#define SUPPORT_ENTRY_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum history_kind {
    HISTORY_READ,
    HISTORY_FILL,
    HISTORY_CLEAR,
    HISTORY_DELETE,
    HISTORY_SWITCH,
    HISTORY_INCREMENT,
    HISTORY_DISASTER
};

enum history_outcome {
    HISTORY_DONE,    /* acknowledged */
    HISTORY_REFUSED, /* on a condition: nothing has changed */
    HISTORY_UNKNOWN /* an error: it may have happened, or happen until no connection of then is left */
};

#define HISTORY_EVERYBODY (-1) /* the space of a clear of all */

struct history_event {
    enum history_kind kind;
    enum history_outcome outcome;
    int64_t began,
        ended; /* > 0, in any unit; history_judge moves the end of what is unknown to the last it can be */
    int space, label;
    unsigned
        models; /* a bit each: what a fill names, or a clear is of; 0: a clear of the namespace */
    /* Of a fill: */
    int64_t leased_at; /* when the read had ended that gave it its lease; 0: it has none */
    unsigned leased;   /* the models that its lease named */
    bool only_if_absent;
    bool is_void; /* it was answered, or known, that it is never served */
    /* A fill: its number, which no other has, from 1 up. A read: of which fill; 0: a miss. An increment, and a read
     * that is_counter: the count. */
    int64_t value;
    bool is_counter; /* a read: a count was found; a fill: a count was put */
    int64_t by;      /* > 0 */
    bool is_enabled; /* a switch: set to; others: told */
    /* Of a disaster: */
    bool cuts;  /* no connection has outlived it */
    bool loses; /* every entry may be gone, or void */
};

#define HISTORY_TEXT_SIZE 4096

/* False: no sound cache answers so, and the text says why, with the events it is about. Sorts the events. */
bool history_judge(struct history_event *events, size_t count, char text_out[HISTORY_TEXT_SIZE]);

/* One line. */
void history_print(FILE *out, const struct history_event *event);

/* ---- what its two files share ---- */

/* The events that concern one label, by their beginning. */
struct history_view {
    const struct history_event **events;
    size_t count;
    bool has_switch; /* the space has one, and it was used */
};

/* Where the first is that began at `moment` or later. */
size_t history_find(const struct history_view *view, int64_t moment);
/* Whether an increment that was refused may have been counted for a moment: in a Redis of its own a counter is raised
 * before the numbers are read, and done anew where a clear came between. */
bool history_may_have_counted(const struct history_view *view, const struct history_event *refused);
/* False, with the text, and with up to three events (NULL: no more) in it. */
bool history_refuse(char text_out[HISTORY_TEXT_SIZE], const char *why,
                    const struct history_event *first, const struct history_event *second,
                    const struct history_event *third);
bool history_judge_counter(const struct history_view *view, char text_out[HISTORY_TEXT_SIZE]);

#endif
