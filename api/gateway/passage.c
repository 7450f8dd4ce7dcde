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
    const char *fault = request_target_fault(request);
    if (fault)
        return error_set(&call->error, ERR_BAD_INPUT, "%s", fault);
    passage->target = request_target(route, request, call->arena);
    enum err err = request_fields(route, request, call, &passage->sent);
    if (err != ERR_OK || !passage->target.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a request");
    return ERR_OK;
}

bool passage_is_left(const struct passage *passage)
{
    const struct gateway_request *request = passage->request;

    return request->is_unwanted && request->is_unwanted(request->unwanted_with);
}
