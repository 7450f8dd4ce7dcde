#include "gateway/changes.h"

#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "gateway/clear.h"
#include "gateway/key_of.h"
#include "gateway/owed.h"
#include "gateway/request.h"
#include "gateway/rules/invalidation.h"

/* Time of its own: the upstream has had that of the request. */
static struct work work_of(const struct passage *passage, struct error *error)
{
    error_clear(error);
    return (struct work){passage->call->arena, clock_deadline_ns(passage->call->app->budget_ms),
                         error};
}

static void clear_models(const struct passage *passage)
{
    const struct gateway_route_options *options = &passage->route->options;
    struct error error;
    const struct work work = work_of(passage, &error);

    if (gateway_clear_models(passage->call->app, options->models, options->model_count, work) !=
        ERR_OK)
        owed_note_models(passage->route, &error);
}

/* Of one more path of ours, as the same caller asks for it. */
static void drop_target(const struct passage *passage, struct str target)
{
    struct gateway_request request = *passage->request;
    struct str rest = target;
    struct error error;
    struct gateway_key key;

    request.query.present = str_find(target, '?') >= 0;
    (void)str_split(&rest, '?', &request.path);
    request.query.raw = request.query.present ? rest : STR_NONE;
    const struct gateway_route *route = gateway_match(passage->route->gateway, request.path);
    if (!route)
        return;
    const struct work work = work_of(passage, &error);
    if (key_of(route, &request, passage->call, &passage->sent, &key) != ERR_OK)
        owed_note_all(route, &passage->call->error);
    else if (gateway_store_drop(route->gateway->store, &key, work) != ERR_OK)
        owed_note_path(route, &key, passage->call->arena, &error);
}

/* An upstream that does not see the prefix may name its paths without. */
static void drop_named(const struct passage *passage, struct str target)
{
    const struct gateway_route *route = passage->route;

    drop_target(passage, target);
    if (request_is_stripped(route) && gateway_match(route->gateway, target) != route)
        drop_target(passage, str_format(passage->call->arena, "%.*s%.*s",
                                        STR_ARG(route->options.prefix), STR_ARG(target)));
}

static void drop_targets(const struct passage *passage, int status,
                         const struct http_fields *fields)
{
    const struct gateway_request *request = passage->request;
    struct arena *arena = passage->call->arena;
    const struct str origins[] = {
        str_format(arena, "http://%.*s", STR_ARG(request->host)),
        str_format(arena, "https://%.*s", STR_ARG(request->host)),
    };
    const struct request_target target = {
        .target = str_format(arena, "%.*s%s%.*s", STR_ARG(request->path),
                             request->query.present ? "?" : "", STR_ARG(request->query.raw)),
        .origins = origins,
        .origin_count = sizeof origins / sizeof *origins,
    };
    struct invalidated gone;
    struct error error;

    if (invalidated_by(arena, request->method, status, &target, fields, &gone) != ERR_OK) {
        error_clear(&error);
        (void)!error_set_detail(&error, ERR_NO_MEMORY, "no memory for what was changed");
        owed_note_all(passage->route, &error);
        return;
    }
    for (size_t i = 0; i < gone.count; i++)
        drop_named(passage, gone.targets[i]);
}

void changes_follow(const struct passage *passage, const struct response_head *response)
{
    if (method_is_safe(passage->request->method) || response->status >= 400)
        return;
    clear_models(passage);
    drop_targets(passage, response->status, &response->fields);
}

void changes_suspect(const struct passage *passage)
{
    const struct http_fields none = {0};

    if (method_is_safe(passage->request->method))
        return;
    clear_models(passage);
    drop_targets(passage, 200, &none);
}
