/*
 * A fill that may be stored only where nothing is, or something out of date (If-None-Match: *). What is out of date is
 * removed first, by one at a time.
 */
#include "cachewarden/app.h"
#include "entries/old.h"
#include "entries/put.h"
#include "entries/turn.h"

/* What is in the way is removed this often, if something void comes in its place each time. */
#define REMOVALS_MAX 4

/* What became of it where something was in the way. */
struct store_try {
    const struct pipeline *pipeline; /* of the try, with what was there */
    size_t first;                    /* of these replies */
    bool was_stored;
    bool is_good; /* what is there */
    bool is_off;  /* the cache */
    bool is_void; /* it was cleared since its lease */
};

static bool is_over(const struct store_try *attempt)
{
    return attempt->was_stored || attempt->is_good || attempt->is_off || attempt->is_void;
}

/* By the numbers of the look, which come first: in their Redis there is no guess that a reader could be refused for. */
static enum err try_elsewhere(struct put *put, struct store_try *attempt)
{
    struct pipeline *pipeline = entry_pipeline(put->request, PIPELINE_WRITE);

    put_add_step(put, pipeline);
    enum err err = entry_run(put->request, pipeline);
    attempt->pipeline = pipeline;
    attempt->first = PUT_HEAD;
    attempt->was_stored = err == ERR_OK && put_was_stored(put, pipeline);
    return err;
}

/* In one step with the numbers. What is stored with other ones is out of date. */
static enum err look_and_try(struct put *put, struct entry_look *look, struct store_try *attempt)
{
    struct envelope tried = put->envelope;

    *look = put_look(put);
    enum err err = entry_look(look);
    if (err != ERR_OK)
        return err;
    attempt->pipeline = look->pipeline;
    attempt->first = look->first;
    attempt->is_off = !look->is_enabled;
    attempt->is_void = !put_stamp_again(put, look);
    attempt->was_stored = !attempt->is_off && !attempt->is_void &&
                          put_was_stored(put, look->pipeline) && put_has_numbers_of(put, &tried);
    return ERR_OK;
}

static enum err store_if_nothing(struct put *put, struct entry_look *look,
                                 struct store_try *attempt)
{
    bool is_elsewhere = put->request->app->entries->owns_redis;
    enum err err = put_encode(put, STORE_IF_ABSENT);

    *attempt = (struct store_try){0};
    if (err == ERR_OK)
        err = is_elsewhere ? try_elsewhere(put, attempt) : look_and_try(put, look, attempt);
    return err == ERR_OK && !is_over(attempt)
               ? entry_judge_head(look, attempt->pipeline, attempt->first,
                                  put->envelope.stored_at_ms, &attempt->is_good)
               : err;
}

static enum err replace_old(struct put *put, struct entry_look *look, struct store_try *attempt)
{
    for (int i = 0;; i++) {
        enum err err = store_if_nothing(put, look, attempt);
        if (err != ERR_OK || is_over(attempt))
            return err;
        if (i == REMOVALS_MAX)
            return error_set_detail(put->request->work.error, ERR_BUSY,
                                    "something void is stored under the label again and again");
        err = old_remove(put->request, &put->key, attempt->pipeline, attempt->first, look->version,
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
        if (err != ERR_OK || is_over(attempt))
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

enum err put_if_absent(struct put *put, struct entry_look *look, struct entry_stored *stored_out)
{
    struct store_try attempt;
    enum err err = store_if_nothing(put, look, &attempt);

    if (err == ERR_OK && !is_over(&attempt))
        err = store_in_turn(put, look, &attempt);
    put->is_kept = err == ERR_OK && attempt.was_stored;
    if (err != ERR_OK)
        return err;
    stored_out->is_enabled = !attempt.is_off;
    stored_out->is_void = attempt.is_void;
    if (attempt.is_off)
        return put_drop(put);
    return attempt.is_good ? put_refuse_present(put->request->work.error) : ERR_OK;
}
