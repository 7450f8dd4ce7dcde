/*
 * A fill that may be stored only where nothing is, or something out of date (If-None-Match: *). What is out of date is
 * removed first, by one at a time.
 */
#include "entries/old.h"
#include "entries/put.h"
#include "entries/turn.h"

/* What is in the way is removed this often, if something void comes in its place each time. */
#define REMOVALS_MAX 4

/* What became of it where something was in the way. */
struct store_try {
    const struct pipeline *pipeline; /* of the try, with what was there */
    bool was_stored;
    bool is_good; /* what is there */
};

static enum err store_if_nothing(struct put *put, struct entry_look *look,
                                 struct store_try *attempt)
{
    struct pipeline *pipeline = entry_pipeline(put->request, PIPELINE_WRITE);

    *attempt = (struct store_try){.pipeline = pipeline};
    put_add_step(put, pipeline);
    enum err err = entry_run(put->request, pipeline);
    attempt->was_stored = err == ERR_OK && put_was_stored(put, pipeline);
    if (err == ERR_OK && !attempt->was_stored)
        err = entry_judge_head(look, pipeline, PUT_HEAD, put->envelope.stored_at_ms,
                               &attempt->is_good);
    return err;
}

static enum err replace_old(struct put *put, struct entry_look *look, struct store_try *attempt)
{
    for (int i = 0;; i++) {
        enum err err = store_if_nothing(put, look, attempt);
        if (err != ERR_OK || attempt->was_stored || attempt->is_good)
            return err;
        if (i == REMOVALS_MAX)
            return error_set_detail(put->request->work.error, ERR_BUSY,
                                    "something void is stored under the label again and again");
        err = old_remove(put->request, &put->key, attempt->pipeline, PUT_HEAD, look->version,
                         put->envelope.stored_at_ms, &attempt->is_good);
        if (err != ERR_OK || attempt->is_good)
            return err;
    }
}

/*
 * Of many who want to replace the same only one may remove it, so that none takes away what another has just stored.
 * The others wait until it has: then something good is there.
 */
static enum err store_in_turn(struct put *put, struct entry_look *look, struct store_try *attempt)
{
    bool is_ours;
    enum err err = turn_take(put->request, &is_ours);

    while (err == ERR_OK && !is_ours) {
        if (!turn_wait(put->request))
            return error_set_detail(put->request->work.error, ERR_BUSY,
                                    "another fill replaces what is out of date under the label");
        err = store_if_nothing(put, look, attempt);
        if (err != ERR_OK || attempt->was_stored || attempt->is_good)
            return err;
        err = turn_take(put->request, &is_ours);
    }
    if (err != ERR_OK)
        return err;
    err = replace_old(put, look, attempt);
    turn_end(put->request);
    return err;
}

enum err put_refuse_present(struct error *error)
{
    return error_set(error, ERR_PRECONDITION, "There is something under this label already.");
}

enum err put_if_absent(struct put *put, struct entry_look *look)
{
    struct store_try attempt = {0};
    enum err err = put_encode(put, STORE_IF_ABSENT);

    if (err == ERR_OK)
        err = store_if_nothing(put, look, &attempt);
    if (err == ERR_OK && !attempt.was_stored && !attempt.is_good)
        err = store_in_turn(put, look, &attempt);
    put->is_kept = err == ERR_OK && attempt.was_stored;
    return err == ERR_OK && !attempt.was_stored ? put_refuse_present(put->request->work.error)
                                                : err;
}
