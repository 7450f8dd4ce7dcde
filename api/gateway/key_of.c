#include "gateway/key_of.h"

#include "gateway/request.h"

/* Whose number it is: two issuers may have one user of that number each. */
static struct str route_part(const struct gateway_route *route, const struct call *call)
{
    const struct principal *principal = &call->principal;

    if (route->options.is_public || !principal->is_stranger)
        return route->options.prefix;
    return str_format(call->arena, "%.*s\nstranger:%.*s", STR_ARG(route->options.prefix),
                      STR_ARG(principal->issuer));
}

enum err key_of(const struct gateway_route *route, const struct gateway_request *request,
                struct call *call, const struct http_fields *sent, struct gateway_key *key_out)
{
    const struct query *query = &request->query;
    /* One that is empty is not none. */
    const struct str raw = {query->raw.ptr ? query->raw.ptr : "", query->raw.len};

    *key_out = (struct gateway_key){
        .user_id = route->options.is_public ? 0 : call->principal.user_id,
        .route = route_part(route, call),
        .host = request_origin(request, call->arena),
        .path = request->path,
        .query = query->present ? raw : STR_NONE,
        .models = route->options.models,
        .model_count = route->options.model_count,
        .request = *sent,
    };
    return key_out->route.ptr && key_out->host.ptr
               ? ERR_OK
               : error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a key");
}
