#include "limits/limits_private.h"
#include "limits/network.h"
#include "limits/shared.h"
#include "services.h"

#include <stdlib.h>

enum err limits_open(const struct limit_settings *settings, struct limits **limits_out,
                     struct error *error)
{
    struct limits *limits = calloc(1, sizeof *limits);

    *limits_out = limits;
    if (!limits || limit_table_new(&limits->table) != ERR_OK)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for limits");
    limits_set(limits, settings);
    return ERR_OK;
}

void limits_close(struct limits **limits)
{
    if (!*limits)
        return;
    limit_table_free(&(*limits)->table);
    free(*limits);
    *limits = NULL;
}

static void set(_Atomic int64_t *setting, int64_t value)
{
    atomic_store_explicit(setting, value, memory_order_relaxed);
}

void limits_set(struct limits *limits, const struct limit_settings *settings)
{
    set(&limits->max[LIMIT_STATUS], settings->status_per_minute);
    set(&limits->max[LIMIT_TOGGLE], settings->toggle_per_minute);
    set(&limits->max[LIMIT_CLEAR], settings->clear_per_minute);
    set(&limits->max[LIMIT_LOGIN], settings->login_per_minute);
    set(&limits->max[LIMIT_REGISTER], settings->register_per_minute);
    set(&limits->login_failures, settings->login_failures);
    /* Last: who sees them on sees the numbers too. */
    atomic_store_explicit(&limits->enabled, settings->enabled, memory_order_release);
}

bool limits_are_on(const struct limits *limits)
{
    return limits && atomic_load_explicit(&limits->enabled, memory_order_acquire);
}

int64_t limits_max(const struct limits *limits, enum limit limit)
{
    return atomic_load_explicit(&limits->max[limit], memory_order_relaxed);
}

struct key limits_key(const struct call *call)
{
    enum limit limit = call->route->limit;
    char buffer[LIMIT_NETWORK_SIZE];

    if (limit == LIMIT_LOGIN || limit == LIMIT_REGISTER)
        return key_limit_network(limit_name(limit), limit_network(call->client_address, buffer));
    return key_limit_user(limit_name(limit), call->principal.user_id);
}

enum err limits_check(struct call *call)
{
    const struct route *route = call->route;
    const struct limits *limits = call->app->limits;

    if (route->limit == LIMIT_NONE || route->effect == EFFECT_READ || !limits_are_on(limits))
        return ERR_OK;
    struct key key = limits_key(call);
    return limit_judge(call, limits_max(limits, route->limit),
                       limits_count(call, &key, LIMIT_WINDOW_MS));
}
