/*
 * The judge of histories, judged: a cache in memory that does each thing at one moment answers to thousands of random
 * events at the same time, some of whose answers are lost. As long as it is sound none of its histories is refused;
 * with any one fault in it, one of few is.
 */
#include "entry_history.h"
#include "suite.h"

#include <stdio.h>
#include <string.h>

enum fault {
    SOUND,
    CLEARS_NOTHING,       /* what a clear of the namespace is to end is served on */
    CLEARS_NO_MODEL,      /* the same of a model's */
    FORGETS_LEASES,       /* a fill counts from its arrival, whatever its lease says */
    TRUSTS_OTHER_MODELS,  /* a lease is believed about models it did not name */
    DELETES_NOTHING,      /* now and then */
    LOSES_FILLS,          /* acknowledged, and the old value stays: now and then */
    STORES_TWICE,         /* where something is: now and then */
    REFUSES_WITHOUT_NEED, /* where nothing is: now and then */
    LOSES_INCREMENTS,     /* now and then */
    COUNTS_TWICE,         /* now and then */
    COUNTS_ON,            /* after a clear */
    HAS_NO_SWITCH,
    MIXES_LABELS, /* now and then */
    FAULTS
};

enum { SPACES = 2, LABELS = 3, MODELS = 2, EVENTS = 400, SPAN = 30000, LONGEST = 600 };

/* ---- a cache in memory ---- */

struct stamp {
    int64_t version, any, counts[MODELS];
};

struct thing {
    enum { NOTHING, VALUE, COUNT } kind;
    int64_t number;
    unsigned models;
    struct stamp stamp;
};

struct cache {
    enum fault fault;
    uint64_t state;
    struct stamp now[SPACES];
    bool is_off[SPACES];
    struct thing things[SPACES][LABELS];
};

static unsigned draw(struct cache *cache, unsigned bound)
{
    cache->state = cache->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(cache->state >> 33) % bound;
}

/* This fault, and its turn. */
static bool fails(struct cache *cache, enum fault fault)
{
    return cache->fault == fault && draw(cache, 4) == 0;
}

static bool is_good(const struct cache *cache, const struct thing *thing, int space)
{
    const struct stamp *now = &cache->now[space];
    bool is_cleared = thing->stamp.version != now->version;

    if (thing->kind == NOTHING)
        return false;
    for (int i = 0; i < MODELS; i++)
        if ((thing->models >> i & 1) != 0 && thing->stamp.counts[i] != now->counts[i])
            return false;
    if (cache->fault == CLEARS_NOTHING || (cache->fault == COUNTS_ON && thing->kind == COUNT))
        return true;
    return !is_cleared;
}

static void do_read(struct cache *cache, struct history_event *event)
{
    int label = fails(cache, MIXES_LABELS) ? (event->label + 1) % LABELS : event->label;
    const struct thing *thing = &cache->things[event->space][label];

    if (!event->is_enabled || !is_good(cache, thing, event->space))
        return;
    event->value = thing->number;
    event->is_counter = thing->kind == COUNT;
}

/* Whether a lease of `leased` is of now, for what the fill names. */
static bool is_current(const struct cache *cache, const struct history_event *fill,
                       const struct stamp *leased)
{
    const struct stamp *now = &cache->now[fill->space];
    bool is_of_now = leased->version == now->version;

    for (int i = 0; i < MODELS; i++)
        if ((fill->models & fill->leased) >> i & 1)
            is_of_now = is_of_now && leased->counts[i] == now->counts[i];
    if ((fill->models & ~fill->leased) != 0 && cache->fault != TRUSTS_OTHER_MODELS)
        is_of_now = is_of_now && leased->any == now->any;
    return is_of_now || cache->fault == FORGETS_LEASES;
}

static void do_fill(struct cache *cache, struct history_event *event, const struct stamp *leased)
{
    struct thing *thing = &cache->things[event->space][event->label];
    bool was_there = is_good(cache, thing, event->space) && !fails(cache, STORES_TWICE);

    if (!event->is_enabled) {
        thing->kind = NOTHING;
        return;
    }
    if (event->only_if_absent && (was_there || fails(cache, REFUSES_WITHOUT_NEED))) {
        event->outcome = HISTORY_REFUSED;
        return;
    }
    event->is_void = event->leased_at > 0 && !is_current(cache, event, leased);
    if (event->is_void || fails(cache, LOSES_FILLS))
        return;
    *thing = (struct thing){event->is_counter ? COUNT : VALUE, event->is_counter ? 5 : event->value,
                            event->models, cache->now[event->space]};
}

static void do_increment(struct cache *cache, struct history_event *event)
{
    struct thing *thing = &cache->things[event->space][event->label];

    event->value = event->by;
    if (!event->is_enabled) {
        thing->kind = NOTHING;
        return;
    }
    bool is_there = is_good(cache, thing, event->space);
    if (is_there && thing->kind == VALUE) {
        event->outcome = HISTORY_REFUSED;
        return;
    }
    if (!is_there)
        *thing = (struct thing){COUNT, 0, 0, cache->now[event->space]};
    event->value = thing->number + event->by;
    if (!fails(cache, LOSES_INCREMENTS))
        thing->number = event->value + (fails(cache, COUNTS_TWICE) ? event->by : 0);
}

static void do_clear(struct cache *cache, const struct history_event *event)
{
    for (int space = 0; space < SPACES; space++) {
        if (event->space != space && event->space != HISTORY_EVERYBODY)
            continue;
        if (event->models == 0)
            cache->now[space].version++;
        else if (cache->fault != CLEARS_NO_MODEL) {
            cache->now[space].any++;
            cache->now[space].counts[event->models - 1]++;
        }
    }
}

static void take_effect(struct cache *cache, struct history_event *event,
                        const struct stamp *leased)
{
    if (event->space >= 0 && event->kind != HISTORY_SWITCH)
        event->is_enabled = !cache->is_off[event->space] || cache->fault == HAS_NO_SWITCH;
    switch (event->kind) {
    case HISTORY_READ:
        do_read(cache, event);
        break;
    case HISTORY_FILL:
        do_fill(cache, event, leased);
        break;
    case HISTORY_CLEAR:
        do_clear(cache, event);
        break;
    case HISTORY_DELETE:
        if (!fails(cache, DELETES_NOTHING))
            cache->things[event->space][event->label].kind = NOTHING;
        break;
    case HISTORY_SWITCH:
        cache->is_off[event->space] = !event->is_enabled;
        break;
    case HISTORY_INCREMENT:
        do_increment(cache, event);
        break;
    case HISTORY_DISASTER:
        if (event->loses)
            memset(cache->things, 0, sizeof cache->things);
        break;
    }
}

/* ---- a history of it ---- */

struct moment {
    int64_t at;
    bool is_lease; /* the read that gives the lease; else the effect */
    struct history_event *event;
    struct stamp *leased;
};

/* Label 0 has values, 1 a counter, 2 both. Clears of a model have one bit, and it is 1 or 2: the model's number. */
static struct history_event draw_event(struct cache *cache, int64_t number)
{
    static const enum history_kind kinds[] = {
        HISTORY_READ,   HISTORY_READ,      HISTORY_READ,      HISTORY_FILL,
        HISTORY_FILL,   HISTORY_FILL,      HISTORY_FILL,      HISTORY_CLEAR,
        HISTORY_DELETE, HISTORY_INCREMENT, HISTORY_INCREMENT, HISTORY_INCREMENT};
    struct history_event event = {.kind = kinds[draw(cache, 12)],
                                  .space = (int)draw(cache, SPACES),
                                  .label = (int)draw(cache, LABELS),
                                  .began = 1000 + draw(cache, SPAN),
                                  .by = 1 + draw(cache, 3),
                                  .is_enabled = true};

    event.ended = event.began + 1 + draw(cache, LONGEST);
    if (draw(cache, 20) == 0 && event.kind != HISTORY_READ)
        event.outcome = HISTORY_UNKNOWN;
    if (event.kind == HISTORY_CLEAR && draw(cache, 2) == 0)
        event.models = 1 + draw(cache, MODELS);
    else if (event.kind == HISTORY_CLEAR && draw(cache, 4) == 0)
        event.space = HISTORY_EVERYBODY;
    if (event.kind != HISTORY_FILL)
        return event;
    event.value = number;
    event.only_if_absent = draw(cache, 3) == 0;
    event.is_counter = event.label > 0 && draw(cache, 6) == 0;
    event.models = event.is_counter ? 0 : draw(cache, 1 << MODELS);
    event.leased_at = draw(cache, 2) == 0 ? 0 : event.began - draw(cache, LONGEST);
    event.leased = draw(cache, 2) == 0 ? 0 : event.models;
    return event;
}

static int by_moment(const void *a, const void *b)
{
    const struct moment *left = a, *right = b;

    return (left->at > right->at) - (left->at < right->at);
}

static int64_t draw_between(struct cache *cache, int64_t from, int64_t to)
{
    return from + (to > from ? draw(cache, (unsigned)(to - from)) : 0);
}

/* When it takes effect; 0: never. */
static int64_t draw_effect(struct cache *cache, const struct history_event *event)
{
    if (event->outcome != HISTORY_UNKNOWN)
        return draw_between(cache, event->began, event->ended);
    if (draw(cache, 3) == 0)
        return 0;
    return draw_between(cache, event->began, SPAN / 2 > event->ended ? SPAN / 2 : event->ended);
}

/* The switch of the first space, one after the other; and a cut, behind which nothing is unknown any more. */
static void draw_events(struct cache *cache, unsigned seed, struct history_event events[EVENTS])
{
    for (int i = 0; i < EVENTS; i++)
        events[i] = draw_event(cache, i + 1);
    for (int i = 0; i < 12; i++)
        events[i] = (struct history_event){.kind = HISTORY_SWITCH,
                                           .outcome = i % 5 == 4 ? HISTORY_UNKNOWN : HISTORY_DONE,
                                           .began = 1000 + i * 2500,
                                           .ended = 1000 + i * 2500 + 700,
                                           .is_enabled = i % 3 != 0};
    events[12] = (struct history_event){.kind = HISTORY_DISASTER,
                                        .began = SPAN / 2 + 1,
                                        .ended = SPAN / 2 + 200,
                                        .cuts = true,
                                        .loses = seed % 2 == 0};
}

static bool is_accepted(enum fault fault, unsigned seed, char *text_out)
{
    static struct history_event events[EVENTS];
    static struct stamp leased[EVENTS];
    static struct moment moments[2 * EVENTS];
    struct cache cache = {.fault = fault, .state = seed};
    size_t count = 0;

    draw_events(&cache, seed, events);
    for (int i = 0; i < EVENTS; i++) {
        int64_t at = draw_effect(&cache, &events[i]);
        if (events[i].leased_at > 0)
            moments[count++] = (struct moment){events[i].leased_at, true, &events[i], &leased[i]};
        if (at > 0)
            moments[count++] = (struct moment){at, false, &events[i], &leased[i]};
    }
    qsort(moments, count, sizeof *moments, by_moment);
    for (size_t i = 0; i < count; i++) {
        enum history_outcome outcome = moments[i].event->outcome;
        if (moments[i].is_lease)
            *moments[i].leased = cache.now[moments[i].event->space];
        else
            take_effect(&cache, moments[i].event, moments[i].leased);
        if (outcome == HISTORY_UNKNOWN) /* nobody was told */
            moments[i].event->outcome = outcome;
    }
    return history_judge(events, EVENTS, text_out);
}

START_TEST(a_sound_cache_is_accepted)
{
    char text[HISTORY_TEXT_SIZE] = "";

    for (unsigned seed = 1; seed <= 1000; seed++)
        ck_assert_msg(is_accepted(SOUND, seed, text), "seed %u: %s", seed, text);
}
END_TEST

START_TEST(a_fault_is_found)
{
    char text[HISTORY_TEXT_SIZE] = "";
    int found = 0;

    for (unsigned seed = 1; seed <= 50; seed++)
        found += !is_accepted((enum fault)_i, seed, text);
    printf("fault %d: found in %d of 50; the last: %s\n", _i, found, text);
    ck_assert_int_ge(found, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/entries/history_judge");
    TCase *all = tcase_create("all");

    tcase_add_test(all, a_sound_cache_is_accepted);
    tcase_add_loop_test(all, a_fault_is_found, SOUND + 1, FAULTS);
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
