/*
 * What becomes of a fill that is refused. Whoever waits for it need not wait longer. Where there is no room, what was
 * there goes: its sender wanted to replace it, so it is out of date, and a miss is better. It stays where the sender
 * is a reader, who comes with a lease and knows of no change.
 */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "entries/promise.h"
#include "entries/put.h"

void put_give_up(const struct put *put, enum err err)
{
    bool has_no_room = err == ERR_THROTTLED || err == ERR_UPSTREAM_REFUSED;
    struct error ignored = {0};
    struct entry_request quiet = *put->request;
    struct pipeline *pipeline = entry_pipeline(put->request, PIPELINE_WRITE);

    if (err == ERR_UPSTREAM_DOWN || err == ERR_TIMEOUT)
        return;
    quiet.work.error = &ignored;
    if (put->lease.is_promised)
        promise_add_end(pipeline, put->request);
    if (has_no_room && !put->has_lease && !put->fill->only_if_absent)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), label_key_str(&put->key));
    if (pipeline_count(pipeline) > 0 && entry_run(&quiet, pipeline) != ERR_OK)
        error_clear(&ignored);
}

void entries_give_up(const struct entry_request *request, struct str lease)
{
    const struct entry_fill none = {.lease = lease};
    struct put put = {.request = request, .fill = &none, .has_lease = true};
    const struct lease_scope scope = entry_lease_scope(request);
    struct error ignored = {0};
    struct work work = request->work;

    work.error = &ignored;
    if (lease.len == 0 || lease_open(&scope, work, lease, clock_wall_ms(), &put.lease) != ERR_OK)
        return;
    put.key = key_entry(&request->space, request->label);
    put_give_up(&put, ERR_BAD_INPUT);
    waits_wake(request->app->entries->waits, label_key_str(&put.key));
}
