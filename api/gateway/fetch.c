#include "gateway/fetch.h"

#include "cachewarden/clock.h"
#include "gateway/rules/invalidation.h"
#include "gateway/rules/passing.h"
#include "gateway/sharing.h"

/* How long a client waits at most for a body to be whole before it is sent the first of it. */
enum { KEPT_MS = 5000 };

static bool is_idempotent(struct str method)
{
    return method_is_safe(method) || str_eq(method, STR("PUT")) || str_eq(method, STR("DELETE"));
}

/* What one upstream says before its answer is for the client that waits for it. */
static void pass_interim(void *with, int status, const struct http_field *items, size_t count)
{
    const struct passage *passage = with;
    const struct gateway_request *request = passage->request;
    /* The rules only read them. */
    const struct http_fields came = {(struct http_field *)(uintptr_t)items, count};
    struct http_fields passed;

    if (request->send_interim &&
        response_fields_to_pass(passage->call->arena, &came, &passed) == ERR_OK)
        request->send_interim(request->interim_with, status, passed.items, passed.count);
}

static enum err send(const struct passage *passage, const struct http_fields *fields,
                     struct relay *relay, struct http_peer_response *response_out)
{
    const struct work work = call_work(passage->call);
    const struct body_source *body = relay_request(relay);
    const struct http_peer_request upstream = {
        .method = passage->request->method,
        .target = passage->target,
        .fields = fields->items,
        .field_count = fields->count,
        .body = body,
        .may_repeat = !body && is_idempotent(passage->request->method),
        .is_unwanted = sharing_is_unwanted,
        .unwanted_with = (void *)(uintptr_t)passage,
        .on_interim = pass_interim,
        .interim_with = (void *)(uintptr_t)passage,
    };
    int64_t began_ns = clock_mono_ns();
    enum err err = upstream_send(passage->route->upstream, &upstream, &work, response_out);

    passage->call->upstream_ns += clock_mono_ns() - began_ns;
    relay_end_request(relay);
    return err;
}

enum err fetch_head(const struct passage *passage, const struct http_fields *fields,
                    struct fetched *fetched_out)
{
    struct relay *relay = relay_new(passage->call->body_source);
    struct http_peer_response response;

    *fetched_out = (struct fetched){0};
    if (!relay)
        return error_set_detail(&passage->call->error, ERR_NO_MEMORY, "no memory for a body");
    enum err err = send(passage, fields, relay, &response);
    fetched_out->was_sent = response.was_sent;
    if (err != ERR_OK) {
        relay_free(&relay);
        return err;
    }
    if (response.has_body)
        relay_take(relay, &response.body);
    else
        relay_free(&relay);
    *fetched_out = (struct fetched){
        .head = {.status = response.status,
                 .fields = {response.fields, response.field_count},
                 .request_time_ms = response.request_time_ms,
                 .response_time_ms = response.response_time_ms},
        .relay = relay,
        .is_whole = !response.has_body,
        .was_sent = true,
    };
    return ERR_OK;
}

enum err fetch_body(const struct passage *passage, size_t limit, struct fetched *fetched)
{
    const struct work work = call_work(passage->call);
    const struct body_watch watch = {
        .is_unwanted = sharing_is_unwanted,
        .with = (void *)(uintptr_t)passage,
        .until_ns = clock_deadline_ns(KEPT_MS),
    };

    return fetched->relay ? relay_read(fetched->relay, limit, watch, &work, &fetched->is_whole)
                          : ERR_OK;
}

struct str fetched_bytes(const struct fetched *fetched)
{
    return fetched->relay ? relay_bytes(fetched->relay) : STR_NONE;
}

void fetch_end(struct fetched *fetched)
{
    relay_free(&fetched->relay);
}
