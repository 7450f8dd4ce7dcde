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

/* ---- paths: all of a request are dropped in one round trip ---- */

/* An upstream that does not see the prefix may name its paths without: each is two then. */
enum { DROPS_MAX = 2 * INVALIDATED_MAX };

struct drops {
    const struct passage *passage;
    struct gateway_path paths[DROPS_MAX];
    const struct gateway_route *routes[DROPS_MAX]; /* whose they are */
    size_t count;
};

static void add_path(struct drops *drops, const struct gateway_route *route,
                     const struct gateway_path *path)
{
    for (size_t i = 0; i < drops->count; i++)
        if (gateway_path_eq(&drops->paths[i], path))
            return;
    drops->paths[drops->count] = *path;
    drops->routes[drops->count++] = route;
}

/* Of one more path of ours, as the same caller asks for it. */
static void add_target(struct drops *drops, struct str target)
{
    const struct passage *passage = drops->passage;
    struct gateway_request request = *passage->request;
    struct call *call = passage->call;
    struct str rest = target;
    struct gateway_key key;

    request.query.present = str_find(target, '?') >= 0;
    (void)str_split(&rest, '?', &request.path);
    request.query.raw = request.query.present ? rest : STR_NONE;
    const struct gateway_route *route = gateway_match(passage->route->gateway, request.path);
    if (!route)
        return;
    struct gateway_path path;
    enum err err = key_of(route, &request, call, &passage->sent, &key);
    path.user_id = key.user_id;
    if (err == ERR_OK)
        err = gateway_key_path(&key, call->arena, &path.digest);
    if (err == ERR_OK)
        add_path(drops, route, &path);
    else
        owed_note_all(route, &call->error);
}

static void add_named(struct drops *drops, struct str target)
{
    const struct gateway_route *route = drops->passage->route;

    add_target(drops, target);
    if (request_is_stripped(route) && gateway_match(route->gateway, target) != route)
        add_target(drops, str_format(drops->passage->call->arena, "%.*s%.*s",
                                     STR_ARG(route->options.prefix), STR_ARG(target)));
}

/* What Redis refuses of several may be any of them. */
static void drop_all(const struct drops *drops)
{
    struct error error;
    const struct work work = work_of(drops->passage, &error);

    if (drops->count == 0 || gateway_store_drop_paths(drops->passage->route->gateway->store,
                                                      drops->paths, drops->count, work) == ERR_OK)
        return;
    for (size_t i = 0; i < drops->count; i++)
        owed_note_path(drops->routes[i], &drops->paths[i], &error);
}

static void drop_targets(const struct passage *passage, int status,
                         const struct http_fields *fields)
{
    const struct gateway_request *request = passage->request;
    struct drops drops = {.passage = passage};
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
        add_named(&drops, gone.targets[i]);
    drop_all(&drops);
}

void changes_drop(const struct passage *passage, const struct gateway_key *key)
{
    struct drops drops = {.passage = passage};
    struct gateway_path path = {.user_id = key->user_id};

    if (gateway_key_path(key, passage->call->arena, &path.digest) != ERR_OK) {
        owed_note_all(passage->route, &passage->call->error);
        return;
    }
    add_path(&drops, passage->route, &path);
    drop_all(&drops);
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
