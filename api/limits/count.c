/* Counting a call against the limit of its row: before it is done, or on the way of what it reads. */
#include "limits/count.h"

#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "limits/limits_private.h"
#include "limits/network.h"
#include "limits/redis_counters.h"

/* A stranger must not use up what the account has that has the same number. */
static struct key key_of_principal(enum limit limit, const struct principal *principal)
{
    const char *name = limit_name(limit);

    if (limit_by(limit) == LIMIT_BY_CALLER && principal->kind == PRINCIPAL_API_KEY)
        return key_limit_key(name, principal->token_id);
    if (limit_by(limit) == LIMIT_BY_CALLER && principal->family.len > 0)
        return key_limit_family(name, principal->family);
    if (principal->is_stranger)
        return key_limit_stranger(name, principal->user_id, principal->issuer);
    return key_limit_user(name, principal->user_id);
}

struct key limits_key(const struct call *call)
{
    enum limit limit = call->route->limit;
    char buffer[LIMIT_NETWORK_SIZE];

    if (limit_by(limit) == LIMIT_BY_ADDRESS)
        return key_limit_network(limit_name(limit), limit_network(call->client_address, buffer));
    return key_of_principal(limit, &call->principal);
}

/* Those who may do it by a right of their own do it as often as their work takes. So does a key that acts
 * for no account, where accounts are counted: it works in the namespace of an application. */
static bool is_exempt(const struct call *call)
{
    const struct principal *principal = &call->principal;
    enum limit_by by = limit_by(call->route->limit);

    return (by == LIMIT_BY_COMMON &&
            (principal->is_admin || principal->kind == PRINCIPAL_API_KEY)) ||
           (by == LIMIT_BY_USER && principal->user_id == 0);
}

static enum err count_for(struct call *call, enum limit limit, const struct key *key)
{
    return limit_judge(call, limits_max(call->app->limits, limit),
                       limits_count(call, key, LIMIT_WINDOW_MS));
}

static enum err count(struct call *call, const struct key *key)
{
    return count_for(call, call->route->limit, key);
}

enum err limits_check(struct call *call)
{
    const struct route *route = call->route;

    if (route->limit == LIMIT_NONE || is_exempt(call) || !limits_are_on(call->app->limits))
        return ERR_OK;
    call->is_limit_pending =
        route->effect == EFFECT_READ || limit_by(route->limit) == LIMIT_BY_FAMILY;
    if (call->is_limit_pending)
        return ERR_OK;
    struct key key = limits_key(call);
    return count(call, &key);
}

enum err limits_count_job(struct call *call)
{
    const struct principal *principal = &call->principal;
    bool was_counted = call->route->limit != LIMIT_NONE && !is_exempt(call);

    if (principal->kind != PRINCIPAL_API_KEY || principal->is_admin || was_counted ||
        !limits_are_on(call->app->limits))
        return ERR_OK;
    struct key key = key_of_principal(LIMIT_JOB, principal);
    return count_for(call, LIMIT_JOB, &key);
}

enum err limits_check_family(struct call *call, struct str family, int64_t user_id)
{
    const char *name = limit_name(call->route->limit);

    if (limit_by(call->route->limit) != LIMIT_BY_FAMILY || !call->is_limit_pending)
        return ERR_OK;
    call->is_limit_pending = false;
    struct key key =
        key_is_token_id(family) ? key_limit_family(name, family) : key_limit_user(name, user_id);
    return count(call, &key);
}

enum err limits_finish(struct call *call, enum err err)
{
    if (!call->is_limit_pending)
        return err;
    call->is_limit_pending = false;
    if (limit_by(call->route->limit) == LIMIT_BY_FAMILY)
        return err != ERR_OK ? err
                             : error_set_detail(&call->error, ERR_INTERNAL,
                                                "the operation counted no family");
    struct key key = limits_key(call);
    enum err counted = count(call, &key);
    return counted == ERR_OK ? err : counted;
}

/* ---- on the way ---- */

void limits_append(struct call *call, struct pipeline *pipeline,
                   struct limit_appended *appended_out)
{
    const struct limits *limits = call->app->limits;

    appended_out->is_on = call->is_limit_pending;
    if (!appended_out->is_on)
        return;
    call->is_limit_pending = false;
    appended_out->key = limits_key(call);
    appended_out->first = pipeline_count(pipeline);
    appended_out->max = limits_max(limits, call->route->limit);
    redis_counters_add(pipeline, &appended_out->key, LIMIT_WINDOW_MS);
}

enum err limits_collect(struct call *call, const struct pipeline *pipeline,
                        const struct limit_appended *appended, enum err err)
{
    struct limit_window window;

    if (!appended->is_on)
        return err;
    if (err == ERR_OK && redis_counters_take(pipeline, appended->first, &window))
        limits_restore_expiry(call, &appended->key, LIMIT_WINDOW_MS, &window);
    else
        window = limits_count_here(call, &appended->key, LIMIT_WINDOW_MS);
    if (window.count <= appended->max) {
        limit_show(call, appended->max, window);
        return err;
    }
    return limit_judge(call, appended->max, window);
}
