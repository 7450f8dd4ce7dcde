/* The routes of the gateway: what the gateway is told of them. */
#include "config/config_private.h"

static enum err take_texts(struct arena *arena, const struct config_texts *texts,
                           const struct str **texts_out, size_t *count_out)
{
    struct str *copies = arena_calloc(arena, texts->count, sizeof *copies);

    if (!copies)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < texts->count; i++)
        copies[i] = str_from(texts->items[i]);
    *texts_out = copies;
    *count_out = texts->count;
    return ERR_OK;
}

static enum err fill(const struct config_route *route, struct arena *arena,
                     struct gateway_route_options *options)
{
    *options = (struct gateway_route_options){
        .prefix = str_from(route->prefix),
        .upstream_ca = str_from(route->upstream_ca),
        .is_public = route->scope == ROUTE_PUBLIC,
        .strip_prefix = route->strip_prefix,
        .pass_credentials = route->pass_credentials,
        .ttl_s = route->ttl_s,
        .heuristic_percent = (int)route->heuristic_percent,
        .stale_while_revalidate_s = route->stale_while_revalidate_s,
        .stale_if_error_s = route->stale_if_error_s,
        .timeout_ms = (int)route->timeout_ms,
        .max_connections = (int)route->max_connections,
    };
    enum err err =
        take_texts(arena, &route->upstream, &options->upstreams, &options->upstream_count);
    return err == ERR_OK
               ? take_texts(arena, &route->models, &options->models, &options->model_count)
               : err;
}

enum err config_gateway_options(const struct config *config, struct arena *arena,
                                struct gateway_options *options_out)
{
    const struct config_route *routes = config->gateway_routes.items;
    size_t count = config->gateway_routes.count;
    struct gateway_route_options *options = arena_calloc(arena, count, sizeof *options);
    int64_t three_quarters = config->server_threads * 3 / 4;
    enum err err = options ? ERR_OK : ERR_NO_MEMORY;

    for (size_t i = 0; i < count && err == ERR_OK; i++)
        err = fill(&routes[i], arena, &options[i]);
    *options_out = (struct gateway_options){
        .routes = options,
        .route_count = err == ERR_OK ? count : 0,
        .memory_bytes = config->gateway_memory_mb << 20,
        .stored_max = (size_t)config->server_max_body, /* as of other entries */
        .refill_per_s = config->gateway_refill_per_s,
        .max_waiting = (int)(config->gateway_max_waiting > 0 ? config->gateway_max_waiting
                             : three_quarters > 0            ? three_quarters
                                                             : 1),
    };
    return err;
}

/* Once for connecting, and once for the answer. */
int64_t config_gateway_silence_ms(const struct config *config)
{
    const struct config_route *routes = config->gateway_routes.items;
    int64_t longest_ms = 0;

    for (size_t i = 0; i < config->gateway_routes.count; i++)
        if (routes[i].timeout_ms > longest_ms)
            longest_ms = routes[i].timeout_ms;
    return 2 * longest_ms;
}
