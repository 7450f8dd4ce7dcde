/* A request to the gateway, from its admission to its answer. */
#include "gateway/answer.h"
#include "gateway/cached.h"
#include "gateway/changes.h"
#include "gateway/metrics.h"

static enum err pass_on(struct passage *passage)
{
    struct fetched fetched;
    enum err err = fetch_head(passage, &passage->sent, &fetched);

    if (err == ERR_OK) {
        changes_follow(passage, &fetched.head);
        err = answer_with_response(passage, &fetched, CACHE_RESULT_BYPASS);
    } else if (fetched.was_sent) {
        changes_suspect(passage);
    }
    fetch_end(&fetched);
    return err;
}

static enum err serve(struct passage *passage)
{
    if (cached_may_ask(passage))
        return cached_serve(passage);
    passage->status.forwarded = passage->is_head || str_eq(passage->request->method, STR("GET"))
                                    ? FORWARDED_BYPASS
                                    : FORWARDED_METHOD;
    return pass_on(passage);
}

enum err gateway_serve(const struct gateway_route *route, const struct gateway_request *request,
                       struct call *call)
{
    struct passage passage;
    enum err err = passage_begin(&passage, route, request, call);

    if (err != ERR_OK)
        return err;
    err = serve(&passage);
    if (!request->wait || !request->wait->is_paused) /* it will come again */
        gateway_metrics_note(&passage, err);
    return err;
}
