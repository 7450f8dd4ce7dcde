#include "entries/promise.h"

#include "cachewarden/clock.h"
#include "entries/admit.h"
#include "keyspace.h"

/* Who waits asks many times, and takes room once: when the promise is theirs. */
static enum err ask_room(const struct entry_request *request)
{
    if (entries_has_room(request->app->entries, request->label.len, request->work.deadline_ns))
        return ERR_OK;
    return error_set_detail(request->work.error, ERR_UPSTREAM_REFUSED, "no room for a promise");
}

static void take_room(const struct entry_request *request)
{
    (void)entries_take_room(request->app->entries, request->label.len, request->work.deadline_ns);
}

enum err promise_take(struct entry_look *look, int64_t life_ms, bool *is_ours_out,
                      bool *is_good_out)
{
    const struct entry_request *request = look->request;
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);
    struct label_key key = key_fill(&request->space, request->label);
    struct label_key entry = key_entry(&request->space, request->label);

    *is_ours_out = *is_good_out = false;
    if (ask_room(request) != ERR_OK)
        return ERR_UPSTREAM_REFUSED;
    PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), label_key_str(&key), STR("1"), STR("PX"),
                 STR_INT64(life_ms), STR("NX"));
    /* Who had it may have filled, and ended it, since the look. */
    entry_ask_head(pipeline, label_key_str(&entry));
    enum err err = entry_run(request, pipeline);
    *is_ours_out = err == ERR_OK && pipeline_value(pipeline, 0)->kind == VALUE_STATUS;
    if (*is_ours_out)
        take_room(request);
    return *is_ours_out ? entry_judge_head(look, pipeline, 1, clock_wall_ms(), is_good_out) : err;
}

void promise_add_end(struct pipeline *pipeline, const struct entry_request *request)
{
    struct label_key key = key_fill(&request->space, request->label);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), label_key_str(&key));
}

enum err promise_end(const struct entry_request *request)
{
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);

    promise_add_end(pipeline, request);
    return entry_run(request, pipeline);
}
