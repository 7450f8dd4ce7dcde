#include "gateway/sharing.h"

#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "gateway/refill.h"
#include "gateway/rules/reuse.h"
#include "gateway/storing.h"

enum {
    /* How long a worker waits for another one's fetch, before the request waits without one. */
    SLEEP_MS = 50,
    /* How long it is paused: at first, and when it has waited for long. It takes a worker to find that it has to wait
     * on. The longer it has waited, the longer it pauses: so it waits for no more than a part of that in vain. */
    PAUSE_MIN_MS = 20,
    PAUSE_MAX_MS = 1000,
    PAUSE_GROWTH = 8,
    /* After that a node looks whether another one has fetched, whoever waits. */
    REST_MAX_MS = 250,
    /* Who finds something new each time does not look for ever. */
    LOOKS_MAX = 4,
    /* How late who has a turn may come for it, before another one takes its place. */
    LATE_MS = 500
};

_Static_assert(sizeof((struct gateway_wait){0}.begun) == KEY_DIGEST_SIZE, "it holds a digest");

void sharing_init(struct sharing *sharing, struct passage *passage, const struct gateway_key *key)
{
    struct gateway_wait *wait = passage->request->wait;

    *sharing = (struct sharing){.passage = passage, .key = key};
    passage->sharing = sharing;
    if (!wait)
        return;
    sharing->has_turn = wait->turn_ns > 0;
    wait->turn_ns = 0;
}

void sharing_fini(struct sharing *sharing)
{
    sharing->passage->sharing = NULL;
}

static struct fetches *fetches_of(const struct sharing *sharing)
{
    return sharing->passage->route->gateway->fetches;
}

/* Whether what the upstream answers may be stored, as far as the request tells. */
static bool is_for_many(const struct passage *passage)
{
    return !passage->is_head && !storing_is_for_one(passage) &&
           !(passage->route->options.is_public &&
             fields_find(&passage->sent, STR("authorization")));
}

/* Whether it is the same for all who ask, too. */
static bool is_shareable(const struct passage *passage)
{
    static const struct str names[] = {
        STR("if-match"), STR("if-none-match"), STR("if-modified-since"), STR("if-unmodified-since"),
        STR("if-range"), STR("range"),
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fields_find(&passage->came, names[i]))
            return false;
    return true;
}

/* What fails of it fails quietly: then nobody waits. */
static struct work quiet_work(const struct sharing *sharing, struct error *error)
{
    struct work work = call_work(sharing->passage->call);

    error_clear(error);
    work.error = error;
    return work;
}

/* ---- waiting ---- */

/* No longer than a request of its own might take. False: that is over, or it can be begun only once. */
static bool has_time(const struct sharing *sharing)
{
    const struct passage *passage = sharing->passage;
    struct gateway_wait *wait = passage->request->wait;

    if (wait && wait->until_ns == 0)
        wait->until_ns = clock_deadline_ns(passage->route->options.timeout_ms);
    return wait && clock_mono_ns() < wait->until_ns;
}

static bool may_wait(const struct sharing *sharing)
{
    return has_time(sharing) && sharing->looks < LOOKS_MAX;
}

void sharing_set_pause(struct gateway_wait *wait)
{
    int64_t left_ms = clock_left_ms(wait->turn_ns > 0 ? wait->turn_ns : wait->until_ns);
    int64_t longer_ms = wait->pause_ms + wait->pause_ms / PAUSE_GROWTH;
    int64_t pause_ms = longer_ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : longer_ms;

    if (wait->turn_ns > 0 || pause_ms > PAUSE_MAX_MS) /* who knows when need not look before */
        pause_ms = PAUSE_MAX_MS;
    wait->pause_ms = (int)(left_ms < pause_ms ? left_ms : pause_ms);
}

/* A node that waits for another one's fetch looks now and then, by one of those who wait. */
static int64_t rest_end_ns(const struct gateway_wait *wait)
{
    return clock_deadline_ns(wait->pause_ms < PAUSE_MIN_MS  ? PAUSE_MIN_MS
                             : wait->pause_ms > REST_MAX_MS ? REST_MAX_MS
                                                            : wait->pause_ms);
}

static enum sharing_turn pause(struct sharing *sharing, int64_t turn_ns)
{
    struct gateway_wait *wait = sharing->passage->request->wait;

    wait->is_paused = true;
    wait->route = sharing->passage->route->number;
    wait->turn_ns = turn_ns;
    sharing_set_pause(wait);
    memcpy(wait->begun, sharing->name.begun.bytes, sizeof wait->begun);
    return SHARING_PAUSES;
}

static enum sharing_turn look_again(struct sharing *sharing)
{
    sharing->looks++;
    return SHARING_LOOKS;
}

/* ---- a place with the upstream ---- */

static struct refill *refill_of(const struct sharing *sharing)
{
    return sharing->passage->route->refill;
}

/* Who may be served what is stale does not wait. */
static struct refill_caller caller_of(const struct sharing *sharing)
{
    const struct passage *passage = sharing->passage;
    const struct gateway_wait *wait = passage->request->wait;
    int64_t latest_ns = sharing->has_stale || !wait ? 0
                        : wait->until_ns > 0
                            ? wait->until_ns
                            : clock_deadline_ns(passage->route->options.timeout_ms);

    return (struct refill_caller){.has_place = wait && wait->has_queued,
                                  .place_ns = wait ? wait->place_ns : 0,
                                  .latest_ns = latest_ns};
}

static bool take_place(const struct sharing *sharing, struct refill_caller *caller)
{
    struct error error;

    return refill_take(refill_of(sharing), caller, quiet_work(sharing, &error));
}

/* There was none. Who leads keeps the others of its thing with it, and leads again when its turn has come. */
static enum sharing_turn queue(struct sharing *sharing, const struct refill_caller *caller,
                               bool leads)
{
    struct gateway_wait *wait = sharing->passage->request->wait;

    if (leads && caller->has_place)
        fetches_rest(fetches_of(sharing), &sharing->name.begun,
                     caller->turn_ns + LATE_MS * NS_PER_MS);
    else if (leads)
        fetches_leave(fetches_of(sharing), &sharing->name, FETCH_LEFT);
    if (caller->has_place && has_time(sharing)) {
        wait->has_queued = true;
        wait->place_ns = caller->place_ns;
        wait->leads = leads;
        return pause(sharing, caller->turn_ns);
    }
    sharing->retry_after_s = clock_left_ms(caller->turn_ns) / 1000 + 1;
    return SHARING_REFUSED;
}

/* Beside others, if the upstream may have one more. */
static enum sharing_turn go_beside(struct sharing *sharing)
{
    struct refill_caller caller = caller_of(sharing);

    return refill_may_ask(refill_of(sharing), &caller) && take_place(sharing, &caller)
               ? SHARING_FETCHES
               : queue(sharing, &caller, false);
}

/* ---- waiting for another one's fetch ---- */

static enum sharing_turn wait(struct sharing *sharing)
{
    struct gateway_wait *wait = sharing->passage->request->wait;
    int64_t sleep_ns = clock_deadline_ns(SLEEP_MS);

    if (!may_wait(sharing))
        return go_beside(sharing);
    if (!sharing->has_slept)
        fetches_sleep(fetches_of(sharing), &sharing->name.begun,
                      sleep_ns < wait->until_ns ? sleep_ns : wait->until_ns);
    sharing->has_slept = true;
    if (!fetches_is_under_way(fetches_of(sharing), &sharing->name.begun))
        return look_again(sharing);
    return pause(sharing, 0);
}

/* ---- leading ---- */

static enum mark_turn take_mark(struct sharing *sharing, const struct gateway_look *look)
{
    struct error error;

    return mark_take(&sharing->mark, sharing->passage->route->gateway->store, sharing->key, look,
                     quiet_work(sharing, &error));
}

static void leave_mark(struct sharing *sharing, enum mark_end how)
{
    struct error error;
    struct work work = quiet_work(sharing, &error);

    work.deadline_ns = clock_deadline_ns(sharing->passage->call->app->budget_ms);
    mark_end(&sharing->mark, how, work);
}

static void note_mark(const struct sharing *sharing, struct gateway_look *look)
{
    look->is_marked = sharing->mark.renewed_ns > 0;
    look->mark = sharing->mark.begun;
}

static enum sharing_turn begin(struct sharing *sharing, struct gateway_look *look,
                               struct refill_caller *caller)
{
    if (!take_place(sharing, caller)) {
        leave_mark(sharing, MARK_LEFT);
        return queue(sharing, caller, true);
    }
    sharing->leads = true;
    note_mark(sharing, look);
    return SHARING_FETCHES;
}

/* Of this node it leads. */
static enum sharing_turn lead(struct sharing *sharing, struct gateway_look *look)
{
    struct refill_caller caller = caller_of(sharing);

    if (!refill_may_ask(refill_of(sharing), &caller))
        return queue(sharing, &caller, true);
    switch (take_mark(sharing, look)) {
    case MARK_ELSEWHERE:
        if (!may_wait(sharing))
            break;
        fetches_rest(fetches_of(sharing), &sharing->name.begun,
                     rest_end_ns(sharing->passage->request->wait));
        return wait(sharing);
    case MARK_CHANGED:
        if (sharing->looks >= LOOKS_MAX)
            break;
        fetches_leave(fetches_of(sharing), &sharing->name, FETCH_LEFT);
        return look_again(sharing);
    case MARK_ALONE:
        fetches_leave(fetches_of(sharing), &sharing->name, FETCH_UNSHARED);
        return SHARING_FETCHES;
    case MARK_BESIDE:
        fetches_leave(fetches_of(sharing), &sharing->name, FETCH_FAILED);
        return go_beside(sharing);
    case MARK_OURS:
    case MARK_NONE:
        break;
    }
    return begin(sharing, look, &caller);
}

enum sharing_turn sharing_enter(struct sharing *sharing, struct gateway_look *look)
{
    sharing->name.entry = look->entry;
    if (!is_for_many(sharing->passage))
        return SHARING_FETCHES;
    if (!is_shareable(sharing->passage) || gateway_look_begun(look, &sharing->name.begun) != ERR_OK)
        return go_beside(sharing);
    switch (fetches_enter(fetches_of(sharing), &sharing->name, sharing->has_turn)) {
    case FETCH_LEADS:
        return lead(sharing, look);
    case FETCH_WAITS:
        return wait(sharing);
    case FETCH_BESIDE:
        return go_beside(sharing);
    case FETCH_ALONE:
        break;
    }
    return SHARING_FETCHES;
}

bool sharing_enter_refresh(struct sharing *sharing, struct gateway_look *look)
{
    struct refill_caller caller = {.latest_ns = 0};

    if (!refill_may_ask(refill_of(sharing), &caller))
        return false;
    enum mark_turn turn = take_mark(sharing, look);
    bool is_ours = turn != MARK_ELSEWHERE && turn != MARK_CHANGED && take_place(sharing, &caller);
    if (!is_ours)
        leave_mark(sharing, MARK_LEFT);
    note_mark(sharing, look);
    return is_ours;
}

/* ---- what came of it ---- */

static enum fetch_end end_of(const struct sharing *sharing, enum err err)
{
    const struct passage *passage = sharing->passage;

    if (passage->status.stored)
        return FETCH_SHARED;
    if (sharing->is_void)
        return FETCH_LEFT;
    if (err != ERR_OK)
        return passage_is_left(passage) ? FETCH_LEFT : FETCH_FAILED;
    return status_is_error(passage->status.forwarded_status) ? FETCH_FAILED : FETCH_UNSHARED;
}

void sharing_leave(struct sharing *sharing, enum err err)
{
    static const enum mark_end ends[] = {
        [FETCH_SHARED] = MARK_STORED,
        [FETCH_LEFT] = MARK_LEFT,
        [FETCH_UNSHARED] = MARK_UNSHARED,
        [FETCH_FAILED] = MARK_FAILED,
    };
    enum fetch_end how = end_of(sharing, err);

    leave_mark(sharing, ends[how]);
    if (sharing->leads)
        fetches_leave(fetches_of(sharing), &sharing->name, how);
    sharing->leads = false;
}

bool sharing_is_unwanted(void *with)
{
    const struct passage *passage = with;

    if (passage->sharing)
        mark_renew(&passage->sharing->mark, passage->call->arena, passage->call->app->budget_ms);
    return passage_is_left(passage);
}
