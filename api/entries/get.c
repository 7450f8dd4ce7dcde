/*
 * Reading an entry. A miss hands out a lease. Shortly before the end of its life a hit hands one out too, to one
 * reader of many, who fills it anew while the others are served. Of many that miss at once, those who say so wait for
 * the first one's fill.
 */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/random.h"
#include "entries/promise.h"
#include "entries/read.h"
#include "entries/refresh.h"
#include "entries/wait.h"

/* A node that waits looks this often, once for all who wait for the same label there. */
enum { POLL_MS = 20 };

/* It is a hit in any case: a Redis that is full can still be read. */
static enum err offer_refresh(struct reading *reading, struct entry_found *found_out)
{
    uint64_t drawn;
    bool is_ours, is_good;

    if (reading->look.request->is_question ||
        !refresh_may_be_due(reading->fill_ms, reading->left_ms))
        return ERR_OK;
    random_bytes(&drawn, sizeof drawn);
    if (!refresh_is_due(reading->fill_ms, reading->left_ms, drawn))
        return ERR_OK;
    if (promise_take(&reading->look, refresh_promise_ms(reading->fill_ms), &is_ours, &is_good) !=
        ERR_OK) {
        error_clear(reading->look.request->work.error);
        return ERR_OK;
    }
    found_out->is_refresh = is_ours;
    return is_ours ? entry_give_lease(reading, true, found_out) : ERR_OK;
}

/* ---- waiting for another's fill ---- */

/* Whether this reader is to fill: nobody else is at it, or was a moment ago. Where a Redis takes no writes, or
 * entries have no room, nobody can be waited for, and it is a miss as for one who does not wait. */
static enum err try_to_be_first(struct reading *reading, struct entry_found *found_out,
                                bool *is_over_out)
{
    const struct entry_request *request = reading->look.request;
    bool is_ours, is_good;

    *is_over_out = true;
    if (promise_take(&reading->look, PROMISE_MS, &is_ours, &is_good) != ERR_OK) {
        error_clear(request->work.error);
        return entry_give_lease(reading, is_ours, found_out);
    }
    *is_over_out = is_ours;
    if (!is_ours)
        return ERR_OK;
    if (!is_good)
        return entry_give_lease(reading, true, found_out);
    if (promise_end(request) != ERR_OK) /* then it ends with its life */
        error_clear(request->work.error);
    enum err err = entry_read(reading, found_out);
    *is_over_out = found_out->is_hit;
    return err;
}

/* Once more. A hit is the end of it; and a miss, for who is now the first. */
static enum err look_again(struct reading *reading, struct waiter *waiter,
                           struct entry_found *found_out, bool *is_over_out)
{
    struct waits *waits = reading->look.request->app->entries->waits;
    enum err err = entry_read(reading, found_out);

    *is_over_out = err != ERR_OK || found_out->is_hit || !found_out->is_enabled;
    if (found_out->is_hit)
        waits_wake(waits, waiter->key);
    return *is_over_out ? err : try_to_be_first(reading, found_out, is_over_out);
}

/* Once its time is over it is a miss like any other. */
static enum err wait_for_fill(struct reading *reading, int64_t until_ns, bool *is_over_out,
                              struct entry_found *found_out)
{
    struct waits *waits = reading->look.request->app->entries->waits;
    struct label_key key = reading->key;
    struct waiter waiter = {.key = label_key_str(&key)};
    enum err err = ERR_OK;

    if (!waits_enter(waits, &waiter))
        return ERR_OK;
    while (err == ERR_OK && !*is_over_out && clock_mono_ns() < until_ns) {
        int64_t next_ns = clock_deadline_ns(POLL_MS);
        waits_sleep(waits, &waiter, next_ns < until_ns ? next_ns : until_ns, until_ns);
        err = look_again(reading, &waiter, found_out, is_over_out);
    }
    waits_leave(waits, &waiter);
    return err;
}

/* A reader that waits spends no more than its budget, and leaves a part of it for the last look. */
static int64_t wait_end_ns(const struct entry_request *request)
{
    int64_t wanted_ns = clock_deadline_ns(request->wait_ms);
    int64_t last_ns = request->work.deadline_ns - request->app->budget_ms * NS_PER_MS / 4;

    return wanted_ns < last_ns ? wanted_ns : last_ns;
}

static enum err answer_miss(struct reading *reading, struct entry_found *found_out)
{
    const struct entry_request *request = reading->look.request;
    bool is_over = false;
    enum err err = ERR_OK;

    if (request->wait_ms > 0 && found_out->is_enabled && !request->is_question) {
        int64_t until_ns = wait_end_ns(request);
        err = try_to_be_first(reading, found_out, &is_over);
        if (err == ERR_OK && !is_over)
            err = wait_for_fill(reading, until_ns, &is_over, found_out);
    }
    return err == ERR_OK && !is_over ? entry_give_lease(reading, false, found_out) : err;
}

enum err entries_get(const struct entry_request *request, struct entry_found *found_out)
{
    struct reading reading = {.look = {.request = request}};
    enum err err = entry_read(&reading, found_out);

    if (err == ERR_NOT_FOUND && request->is_passive) { /* no control data, so no entries */
        error_clear(request->work.error);
        *found_out = (struct entry_found){.is_enabled = true};
        return ERR_OK;
    }
    if (err == ERR_OK && !request->is_passive)
        err = found_out->is_hit ? offer_refresh(&reading, found_out)
                                : answer_miss(&reading, found_out);
    if (err == ERR_OK)
        entries_metrics_note_read(request, found_out);
    return err;
}
