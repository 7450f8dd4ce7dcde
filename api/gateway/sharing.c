#include "gateway/sharing.h"

#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "gateway/fetches.h"
#include "gateway/keep.h"

enum {
    /* How long a worker waits for another one's fetch, before the request waits without one. */
    SLEEP_MS = 50,
    /* How often a node looks whether another one has fetched: at first, and when it has waited for long. */
    REST_MIN_MS = 20,
    REST_MAX_MS = 250,
    REST_PART = 8, /* of the time waited */
    /* Who finds something new each time does not look for ever. */
    LOOKS_MAX = 4
};

_Static_assert(sizeof((struct gateway_wait){0}.entry) == KEY_DIGEST_SIZE, "it holds a digest");

void sharing_init(struct sharing *sharing, struct passage *passage, const struct gateway_key *key)
{
    *sharing = (struct sharing){.passage = passage, .key = key};
    passage->sharing = sharing;
}

void sharing_fini(struct sharing *sharing)
{
    sharing->passage->sharing = NULL;
}

static struct fetches *fetches_of(const struct sharing *sharing)
{
    return sharing->passage->route->gateway->fetches;
}

/* Whether what the upstream answers is the same for all who ask, and for what is stored. */
static bool is_shareable(const struct passage *passage)
{
    static const struct str names[] = {
        STR("if-match"), STR("if-none-match"), STR("if-modified-since"), STR("if-unmodified-since"),
        STR("if-range"), STR("range"),
    };

    if (passage->is_head || keep_is_for_one(passage) ||
        (passage->route->options.is_public && fields_find(&passage->sent, STR("authorization"))))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fields_find(&passage->came, names[i]))
            return false;
    return true;
}

/* ---- waiting ---- */

/* No longer than a request of its own might take. False: that is over, or it can be begun only once. */
static bool may_wait(const struct sharing *sharing)
{
    const struct passage *passage = sharing->passage;
    struct gateway_wait *wait = passage->request->wait;

    if (wait && wait->until_ns == 0)
        wait->until_ns = clock_deadline_ns(passage->route->options.timeout_ms);
    return wait && clock_mono_ns() < wait->until_ns && sharing->looks < LOOKS_MAX;
}

static enum sharing_turn look_again(struct sharing *sharing)
{
    sharing->looks++;
    return SHARING_LOOKS;
}

static enum sharing_turn wait(struct sharing *sharing)
{
    struct gateway_wait *wait = sharing->passage->request->wait;
    int64_t sleep_ns = clock_deadline_ns(SLEEP_MS);

    if (!may_wait(sharing))
        return SHARING_FETCHES;
    if (!sharing->has_slept)
        fetches_sleep(fetches_of(sharing), &sharing->entry,
                      sleep_ns < wait->until_ns ? sleep_ns : wait->until_ns);
    sharing->has_slept = true;
    if (!fetches_is_under_way(fetches_of(sharing), &sharing->entry))
        return look_again(sharing);
    wait->is_paused = true;
    memcpy(wait->entry, sharing->entry.bytes, sizeof wait->entry);
    return SHARING_PAUSES;
}

/* A node that waits for another one's fetch looks now and then, by one of those who wait; the longer it takes, the
 * more seldom. */
static int64_t rest_end_ns(const struct sharing *sharing)
{
    const struct passage *passage = sharing->passage;
    int64_t left_ms = clock_left_ms(passage->request->wait->until_ns);
    int64_t rest_ms = (passage->route->options.timeout_ms - left_ms) / REST_PART;

    return clock_deadline_ns(rest_ms < REST_MIN_MS   ? REST_MIN_MS
                             : rest_ms > REST_MAX_MS ? REST_MAX_MS
                                                     : rest_ms);
}

/* ---- leading ---- */

static enum mark_turn take_mark(struct sharing *sharing, const struct gateway_look *look)
{
    struct error error;
    struct work work = call_work(sharing->passage->call);

    error_clear(&error);
    work.error = &error;
    return mark_take(&sharing->mark, sharing->passage->route->gateway->store, sharing->key, look,
                     work);
}

static enum sharing_turn begin(struct sharing *sharing, struct gateway_look *look)
{
    sharing->leads = true;
    look->is_marked = sharing->mark.renewed_ns > 0;
    return SHARING_FETCHES;
}

/* Of this node it leads. */
static enum sharing_turn lead(struct sharing *sharing, struct gateway_look *look)
{
    switch (take_mark(sharing, look)) {
    case MARK_ELSEWHERE:
        if (!may_wait(sharing))
            break;
        fetches_rest(fetches_of(sharing), &sharing->entry, rest_end_ns(sharing));
        return wait(sharing);
    case MARK_CHANGED:
        if (sharing->looks >= LOOKS_MAX)
            break;
        fetches_leave(fetches_of(sharing), &sharing->entry, FETCH_LEFT);
        return look_again(sharing);
    case MARK_ALONE:
        fetches_leave(fetches_of(sharing), &sharing->entry, FETCH_UNSHARED);
        return SHARING_FETCHES;
    case MARK_OURS:
    case MARK_NONE:
        break;
    }
    return begin(sharing, look);
}

enum sharing_turn sharing_enter(struct sharing *sharing, struct gateway_look *look)
{
    sharing->entry = look->entry;
    if (!is_shareable(sharing->passage))
        return SHARING_FETCHES;
    switch (fetches_enter(fetches_of(sharing), &sharing->entry)) {
    case FETCH_LEADS:
        return lead(sharing, look);
    case FETCH_WAITS:
        return wait(sharing);
    case FETCH_ALONE:
        break;
    }
    return SHARING_FETCHES;
}

bool sharing_enter_refresh(struct sharing *sharing, struct gateway_look *look)
{
    enum mark_turn turn = take_mark(sharing, look);

    look->is_marked = sharing->mark.renewed_ns > 0;
    return turn != MARK_ELSEWHERE && turn != MARK_CHANGED;
}

/* ---- what came of it ---- */

static bool is_left(const struct passage *passage)
{
    const struct gateway_request *request = passage->request;

    return request->is_unwanted && request->is_unwanted(request->unwanted_with);
}

void sharing_leave(struct sharing *sharing, enum err err)
{
    const struct passage *passage = sharing->passage;
    struct error error;
    const struct work work = {passage->call->arena,
                              clock_deadline_ns(passage->call->app->budget_ms), &error};
    enum fetch_end how = passage->status.stored              ? FETCH_SHARED
                         : sharing->is_void                  ? FETCH_VOID
                         : err != ERR_OK && is_left(passage) ? FETCH_LEFT
                                                             : FETCH_UNSHARED;

    error_clear(&error);
    mark_end(&sharing->mark,
             how == FETCH_SHARED     ? MARK_STORED
             : how == FETCH_UNSHARED ? MARK_UNSHARED
                                     : MARK_LEFT,
             work);
    if (sharing->leads)
        fetches_leave(fetches_of(sharing), &sharing->entry, how);
    sharing->leads = false;
}

bool sharing_is_unwanted(void *with)
{
    const struct passage *passage = with;
    const struct gateway_request *request = passage->request;

    if (passage->sharing)
        mark_renew(&passage->sharing->mark, passage->call->arena, passage->call->app->budget_ms);
    return request->is_unwanted && request->is_unwanted(request->unwanted_with);
}
