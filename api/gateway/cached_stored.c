/* Answers with what is stored. */
#include "cachewarden/app.h"
#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "gateway/answer.h"
#include "gateway/cached_private.h"

/* The head of what was found, as long as the look has that. */
static void take_stored(struct cached_request *cached)
{
    const struct stored_response *stored = cached->look.stored;

    cached->verdict.stored = (struct response_head){
        stored->status, stored->fields, stored->request_time_ms, stored->response_time_ms};
}

bool cached_get_body(struct cached_request *cached)
{
    struct call *call = cached->passage->call;
    const struct work work = {call->arena, clock_deadline_ns(call->app->budget_ms), &call->error};

    if (gateway_store_body(cached->passage->route->gateway->store, &cached->key, &cached->look,
                           work) == ERR_OK) {
        take_stored(cached);
        return true;
    }
    error_clear(&call->error);
    return false;
}

enum err cached_answer(struct cached_request *cached, const struct response_head *head,
                       int64_t age_s, enum cache_result result)
{
    const struct gateway_look *look = &cached->look;
    const struct stored_answer stored = {
        .head = *head,
        .body = look->has_body ? look->stored->body : STR_NONE,
        .body_length = look->body_length,
        .copy = look->copy,
        .age_s = age_s,
    };

    return answer_with_stored(cached->passage, &stored, result);
}

enum err cached_serve_nothing(struct cached_request *cached)
{
    static const struct http_field fields[] = {
        {STR("Content-Type"), STR("application/json")},
        {STR("Cache-Control"), STR("no-store")},
        {STR("Cache-Status"), VERDICT_NOTHING_STATUS},
    };
    struct call *call = cached->passage->call;
    struct http_field *copy =
        arena_calloc(call->arena, sizeof fields / sizeof *fields, sizeof *copy);

    if (!copy)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for an answer");
    memcpy(copy, fields, sizeof fields);
    call->reply.cache_result = CACHE_RESULT_MISS;
    call_give_foreign(call, 504, copy, sizeof fields / sizeof *fields, NULL, 0);
    call_give_content(call, STR("{\"detail\":\"Nothing is stored that may answer this request.\"}"),
                      STR_NONE);
    return ERR_OK;
}

static bool asks_for_stored_only(const struct passage *passage)
{
    struct request_directives directives;

    request_directives_parse(&passage->came, &directives);
    return directives.only_if_cached;
}

bool cached_has_what_is_needed(struct cached_request *cached)
{
    return answer_needs_no_body(cached->passage, &cached->verdict.stored) ||
           cached_get_body(cached);
}

enum err cached_serve_stored(struct cached_request *cached, enum cache_result result)
{
    struct passage *passage = cached->passage;

    if (!cached_has_what_is_needed(cached))
        return asks_for_stored_only(passage) ? cached_serve_nothing(cached)
                                             : cached_serve_miss(cached);
    verdict_tell_served(&cached->verdict, &cached->look, &passage->status);
    passage->upstream_ms =
        cached->verdict.stored.response_time_ms - cached->verdict.stored.request_time_ms;
    passage->status.collapsed = passage->request->wait && passage->request->wait->until_ns > 0;
    return cached_answer(cached, &cached->verdict.stored, cached->verdict.reuse.age_s, result);
}
