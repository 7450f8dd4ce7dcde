#include "gateway/passage.h"

#include "gateway/request.h"

enum err passage_begin(struct passage *passage, const struct gateway_route *route,
                       const struct gateway_request *request, struct call *call)
{
    *passage = (struct passage){
        .route = route,
        .request = request,
        .call = call,
        .is_head = str_eq(request->method, STR("HEAD")),
        /* The rules only read them. */
        .came = {(struct http_field *)(uintptr_t)request->fields, request->field_count},
    };
    if (!request_path_is_plain(request->path))
        return error_set(&call->error, ERR_BAD_INPUT,
                         "A path with a segment . or .. is not passed on.");
    /* No target has a fragment (RFC 9112, section 3.2), but some cut one off, and see another path than we do. */
    if (str_find(request->path, '#') >= 0 || str_find(request->query.raw, '#') >= 0)
        return error_set(&call->error, ERR_BAD_INPUT, "A target with a # is not passed on.");
    passage->target = request_target(route, request, call->arena);
    enum err err = request_fields(route, request, call, &passage->sent);
    if (err != ERR_OK || !passage->target.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a request");
    return ERR_OK;
}
