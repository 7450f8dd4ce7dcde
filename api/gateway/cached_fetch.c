/* What the upstream is asked, what of its answer is stored, and what is dropped after it. */
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "gateway/answer.h"
#include "gateway/cached_private.h"
#include "gateway/changes.h"
#include "gateway/rules/validation.h"
#include "gateway/storing.h"

static void note_response(struct cached_request *cached, const struct fetched *fetched)
{
    struct cache_status *status = &cached->passage->status;

    status->forwarded_status = fetched->head.status;
}

/* An answer to HEAD tells of what is stored for GET, too (RFC 9111, section 4.3.5). */
static void take_head(struct cached_request *cached, const struct fetched *fetched)
{
    struct passage *passage = cached->passage;
    struct response_head fresh = cached->verdict.stored;

    if (!passage->is_head || !cached->look.stored)
        return;
    switch (head_effect_of(fetched->head.status, &fetched->head.fields, &cached->verdict.stored,
                           (int64_t)cached->look.body_length)) {
    case HEAD_SAYS_NOTHING:
        return;
    case HEAD_FRESHENS:
        if (!cached_get_body(cached) ||
            freshened_fields(passage->call->arena, &cached->verdict.stored.fields,
                             &fetched->head.fields, &fresh.fields) != ERR_OK)
            return;
        fresh.request_time_ms = fetched->head.request_time_ms;
        fresh.response_time_ms = fetched->head.response_time_ms;
        (void)storing_take_confirmed(passage, &cached->key, &cached->look, &fresh);
        return;
    case HEAD_INVALIDATES:
        changes_drop(passage, &cached->key);
        return;
    }
}

/* The response is the answer, and is stored first where it may be. */
static enum err take_response(struct cached_request *cached, struct fetched *fetched)
{
    struct passage *passage = cached->passage;
    const char *why_not;
    enum err err = storing_take_response(passage, &cached->key, &cached->look, fetched, &why_not);

    passage->status.stored = !why_not;
    if (why_not)
        passage->status.detail = str_format(passage->call->arena, "not stored: %s", why_not);
    note_response(cached, fetched);
    take_head(cached, fetched);
    return err == ERR_OK ? answer_with_response(passage, fetched, CACHE_RESULT_MISS) : err;
}

enum err cached_serve_miss(struct cached_request *cached)
{
    struct fetched fetched;
    enum err err = fetch_head(cached->passage, &cached->passage->sent, &fetched);

    if (err == ERR_OK)
        err = take_response(cached, &fetched);
    fetch_end(&fetched);
    return err;
}

/* While the cache is off its user sees what is there now. What is stored may be older, and is not to follow on it when
 * the cache is on again. */
static void drop_what_is_older(const struct cached_request *cached, const struct fetched *fetched)
{
    const struct passage *passage = cached->passage;

    if (cached->is_off && !passage->is_head && !status_is_error(fetched->head.status))
        changes_drop(passage, &cached->key);
}

enum err cached_serve_past(struct cached_request *cached)
{
    struct fetched fetched;
    enum err err = fetch_head(cached->passage, &cached->passage->sent, &fetched);

    if (err == ERR_OK)
        drop_what_is_older(cached, &fetched);
    if (err == ERR_OK)
        err = answer_with_response(cached->passage, &fetched, CACHE_RESULT_BYPASS);
    fetch_end(&fetched);
    return err;
}

/* ---- asking the upstream whether what is stored is good still ---- */

/* It is: with the fields that came, it is stored anew, and is the answer. */
static enum err take_confirmed(struct cached_request *cached, const struct fetched *fetched)
{
    struct passage *passage = cached->passage;
    struct response_head fresh = cached->verdict.stored;
    enum err err = freshened_fields(passage->call->arena, &cached->verdict.stored.fields,
                                    &fetched->head.fields, &fresh.fields);

    if (err != ERR_OK)
        return error_set_detail(&passage->call->error, err, "no memory for fields");
    fresh.request_time_ms = fetched->head.request_time_ms;
    fresh.response_time_ms = fetched->head.response_time_ms;
    passage->status.stored = storing_take_confirmed(passage, &cached->key, &cached->look, &fresh);
    note_response(cached, fetched);
    return cached_answer(cached, &fresh, storing_age_s(passage, &fresh), CACHE_RESULT_MISS);
}

static enum err serve_after_failure(struct cached_request *cached, struct fetched *fetched)
{
    fetch_end(fetched);
    error_clear(&cached->passage->call->error);
    return cached_serve_stored(cached, CACHE_RESULT_STALE);
}

enum err cached_serve_validated(struct cached_request *cached)
{
    struct passage *passage = cached->passage;
    struct http_fields fields = passage->sent;
    struct fetched fetched = {0};
    /* What is confirmed is stored with its body. */
    bool can_be_asked =
        response_can_be_validated(&cached->verdict.stored) && cached_get_body(cached);

    if (can_be_asked && validation_fields(passage->call->arena, &passage->sent,
                                          &cached->verdict.stored, &fields) != ERR_OK)
        return error_set_detail(&passage->call->error, ERR_NO_MEMORY, "no memory for fields");
    enum err err = fetch_head(passage, &fields, &fetched);
    bool failed = (err == ERR_OK && status_is_error(fetched.head.status)) || err == ERR_BUSY ||
                  err == ERR_TIMEOUT || err == ERR_UPSTREAM_DOWN;
    if (failed && cached->verdict.reuse.serve_on_error && cached_has_what_is_needed(cached))
        return serve_after_failure(cached, &fetched);
    if (err == ERR_OK && can_be_asked && fetched.head.status == 304) {
        if (not_modified_is_about(&fetched.head.fields, &cached->verdict.stored)) {
            err = take_confirmed(cached, &fetched);
        } else {
            fetch_end(&fetched);
            return cached_serve_miss(cached);
        }
    } else if (err == ERR_OK) {
        err = take_response(cached, &fetched);
    }
    fetch_end(&fetched);
    return err;
}
