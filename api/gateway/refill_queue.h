/*
 * In which order the misses of a route ask the upstream on this node, once they have to wait. Each has a place, and
 * keeps it until it has asked: who comes for its turn and finds the window used up goes first in the next one, and the
 * turns behind it move along. So do they, the other way, when somebody goes away before its turn. Nothing is asked and
 * nothing locked here.
 */
#ifndef API_GATEWAY_REFILL_QUEUE_H
#define API_GATEWAY_REFILL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/* So many places among others may be given back and not be over yet. */
enum { REFILL_GAPS_MAX = 256 };

/*
 * Times are those of clock_mono_ns. A place is the time of its turn, but for how far all turns have moved since, and
 * for one step for each place before it that was given back.
 */
struct refill_queue {
    int64_t step_ns;         /* from one turn to the next */
    int64_t closed_until_ns; /* the window is used up */
    int64_t free_ns;         /* the first place that nobody has */
    int64_t moved_ns;        /* how far all turns have moved */
    int64_t moved_until_ns;  /* the end of the window for which they moved last */
    int gap_count;
    int64_t gaps[REFILL_GAPS_MAX]; /* places that were given back, the first one first */
};

/* Who asks. */
struct refill_caller {
    bool
        has_place; /* it is in the queue. In: since before. Out: it is not too late for it, either */
    int64_t place_ns;
    int64_t latest_ns; /* it does not wait for a later turn; 0: for none */
    int64_t turn_ns;   /* of who may not ask: when it may */
};

/* Whether the window may have room, and it is the caller's turn. */
bool refill_queue_may_ask(struct refill_queue *queue, struct refill_caller *caller, int64_t now_ns);
/* The window is used up, until then. */
void refill_queue_close(struct refill_queue *queue, int64_t until_ns);
/* When the turn of a place is. */
int64_t refill_queue_turn_ns(struct refill_queue *queue, int64_t place_ns, int64_t now_ns);
/* Nobody comes for the place. Where it was its turn already, or too many are given back, that changes nothing. */
void refill_queue_give_back(struct refill_queue *queue, int64_t place_ns, int64_t now_ns);
/* The caller may not ask: it is given a place, or keeps its own. */
void refill_queue_stand(struct refill_queue *queue, struct refill_caller *caller, int64_t now_ns);

#endif
