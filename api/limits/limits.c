/* The life of the limits, and how many calls each allows. */
#include "limits/limits_private.h"
#include "limits/service.h"

#include <stdlib.h>

enum err limits_open(const struct limit_settings *settings, struct limits **limits_out,
                     struct error *error)
{
    struct limits *limits = calloc(1, sizeof *limits);

    *limits_out = limits;
    if (!limits || local_counters_new(&limits->local) != ERR_OK)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for limits");
    limits_set(limits, settings);
    return ERR_OK;
}

void limits_close(struct limits **limits)
{
    if (!*limits)
        return;
    local_counters_free(&(*limits)->local);
    free(*limits);
    *limits = NULL;
}

static void set(_Atomic int64_t *setting, int64_t value)
{
    atomic_store_explicit(setting, value, memory_order_relaxed);
}

void limits_set(struct limits *limits, const struct limit_settings *settings)
{
#define LIMIT(symbol, name, key) set(&limits->max[LIMIT_##symbol], settings->name##_per_minute);
#include "cachewarden/limits.def"
#undef LIMIT
    set(&limits->login_failures, settings->login_failures);
    set(&limits->fill_bytes, settings->fill_bytes);
    /* Last: a thread that reads `enabled` as true then reads these numbers, too. */
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
