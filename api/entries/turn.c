#include "entries/turn.h"

#include "cachewarden/clock.h"
#include "entries/look.h"
#include "keyspace.h"

/* Who waits looks this often: what another node stores wakes nobody here. */
enum { POLL_MS = 10 };

enum err turn_take(const struct entry_request *request, bool *is_ours_out)
{
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);
    struct label_key turn = key_turn(&request->space, request->label);

    PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), label_key_str(&turn), STR("1"), STR("PX"),
                 STR_INT64(request->app->budget_ms), STR("NX"));
    enum err err = entry_run(request, pipeline);
    *is_ours_out = err == ERR_OK && pipeline_value(pipeline, 0)->kind == VALUE_STATUS;
    return err;
}

void turn_end(const struct entry_request *request)
{
    struct error ignored = {0};
    struct entry_request quiet = *request;
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);
    struct label_key turn = key_turn(&request->space, request->label);

    quiet.work.error = &ignored;
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), label_key_str(&turn));
    if (entry_run(&quiet, pipeline) != ERR_OK)
        error_clear(&ignored);
}

bool turn_wait(const struct entry_request *request)
{
    struct waits *waits = request->app->entries->waits;
    struct label_key key = key_entry(&request->space, request->label);
    struct waiter waiter = {.key = label_key_str(&key)};
    int64_t last_ns = request->work.deadline_ns - request->app->budget_ms * NS_PER_MS / 4;
    int64_t next_ns = clock_deadline_ns(POLL_MS);

    if (next_ns >= last_ns || !waits_enter(waits, &waiter))
        return false;
    waits_sleep(waits, &waiter, next_ns, next_ns);
    waits_leave(waits, &waiter);
    return true;
}
