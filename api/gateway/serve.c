/* A request to the gateway, from its admission to its answer. */
#include "gateway/relay.h"
#include "gateway/request.h"

#include "cachewarden/arena.h"
#include "gateway/rules/cache_status.h"
#include "gateway/rules/invalidation.h"
#include "gateway/rules/passing.h"

static bool is_idempotent(struct str method)
{
    return method_is_safe(method) || str_eq(method, STR("PUT")) || str_eq(method, STR("DELETE"));
}

/* ---- the response ---- */

static bool is_value(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* What could end a line would be a head of its own for who reads it. */
static bool are_sound(const struct http_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++)
        if (!str_is_token(fields->items[i].name) || !is_value(fields->items[i].value))
            return false;
    return true;
}

/* The edge says these of its own message. */
static bool keep(const struct http_field *field, void *arg)
{
    (void)arg;
    return !str_eq_nocase(field->name, STR("Content-Length")) &&
           !str_eq_nocase(field->name, STR("X-Request-Id"));
}

static int64_t announced_length(const struct http_fields *fields)
{
    int64_t length;

    return str_to_int64(fields_value(fields, STR("Content-Length")), 0, INT64_MAX, &length) ? length
                                                                                            : -1;
}

/* What the client sees of the head. */
static enum err fields_for_client(struct call *call, const struct http_fields *came,
                                  const struct cache_status *status, struct http_fields *out)
{
    struct http_fields passed, kept;
    struct str text = cache_status_text(call->arena, status);
    enum err err = response_fields_to_pass(call->arena, came, &passed);

    if (err == ERR_OK)
        err = fields_filter(call->arena, &passed, keep, NULL, &kept);
    if (err != ERR_OK || !text.ptr)
        return ERR_NO_MEMORY;
    struct http_field *items = arena_calloc(call->arena, kept.count + 1, sizeof *items);
    if (!items)
        return ERR_NO_MEMORY;
    if (kept.count > 0)
        memcpy(items, kept.items, kept.count * sizeof *items);
    items[kept.count] = (struct http_field){STR("Cache-Status"), text};
    *out = (struct http_fields){items, kept.count + 1};
    return ERR_OK;
}

/* Takes the response's body over, and the relay with it, where it succeeds. */
static enum err give_response(struct call *call, const struct upstream_response *response,
                              const struct cache_status *status, struct relay **relay)
{
    const struct http_fields came = {response->fields, response->field_count};
    struct http_fields fields;
    struct body_source body;

    if (!are_sound(&came))
        return error_set_detail(&call->error, ERR_UPSTREAM_DOWN,
                                "the upstream's head has a field that is none");
    enum err err = fields_for_client(call, &came, status, &fields);
    if (err != ERR_OK)
        return error_set_detail(&call->error, err, "no memory for the fields of an answer");
    if (response->has_body)
        relay_hand_over(relay, &response->body, &body);
    call->reply.cache_result = CACHE_RESULT_BYPASS;
    call_give_foreign(call, response->status, fields.items, fields.count,
                      response->has_body ? &body : NULL, announced_length(&came));
    return ERR_OK;
}

/* ---- passing on ---- */

static enum err send(const struct gateway_route *route, const struct gateway_request *request,
                     struct call *call, struct relay *relay, struct upstream_response *response_out)
{
    const struct work work = call_work(call);
    struct http_fields fields;
    struct str target = request_target(route, request, call->arena);
    enum err err = request_fields(route, request, call, &fields);

    if (err != ERR_OK || !target.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a request");
    const struct upstream_request upstream = {
        .method = request->method,
        .target = target,
        .fields = fields.items,
        .field_count = fields.count,
        .body = relay_request(relay),
        .may_repeat = !call->body_source && is_idempotent(request->method),
    };
    err = upstream_send(route->upstream, &upstream, &work, response_out);
    relay_end_request(relay);
    return err;
}

static enum err pass_on(const struct gateway_route *route, const struct gateway_request *request,
                        struct call *call, const struct cache_status *status)
{
    struct relay *relay = relay_new(call->body_source);
    struct upstream_response response;

    if (!relay)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a body");
    enum err err = send(route, request, call, relay, &response);
    if (err == ERR_OK) {
        err = give_response(call, &response, status, &relay);
        if (err != ERR_OK && response.has_body)
            response.body.close(response.body.with);
    }
    relay_free(&relay);
    return err;
}

enum err gateway_serve(const struct gateway_route *route, const struct gateway_request *request,
                       struct call *call)
{
    bool is_read = str_eq(request->method, STR("GET")) || str_eq(request->method, STR("HEAD"));
    const struct cache_status status = {.forwarded = is_read ? FORWARDED_BYPASS : FORWARDED_METHOD};

    if (!request_path_is_plain(request->path))
        return error_set(&call->error, ERR_BAD_INPUT,
                         "A path with a segment . or .. is not passed on.");
    return pass_on(route, request, call, &status);
}
