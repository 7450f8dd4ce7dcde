/* The routes that pass on what the edge knows: its counters, and the document about itself. */
#include "ops.h"

#include "cachewarden/app.h"

/* Prometheus' text exposition format. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

static enum err no_edge(struct call *call)
{
    return error_set_detail(&call->error, ERR_INTERNAL, "nobody told what the edge knows");
}

enum err op_metrics(struct call *call)
{
    const struct app_edge *edge = call->app->edge;

    if (!edge)
        return no_edge(call);
    edge->write_metrics(edge->with, &call->reply.body);
    call->reply.media_type = STR(METRICS_TYPE);
    return call_finish(call);
}

enum err op_schema(struct call *call)
{
    const struct app_edge *edge = call->app->edge;

    if (!edge || edge->schema.len == 0)
        return no_edge(call);
    call->reply.lasting_body = edge->schema;
    return ERR_OK;
}
