/* The life of the service. */
#include "cachewarden/app.h"
#include "entries/entries_private.h"
#include "entries/lease.h"

#include <stdlib.h>

enum { DEFAULT_TTL_S = 3600, WAITS_WITHOUT_WORKERS = 64 };

/* A quarter of the workers: the others go on serving. A program without workers has threads of its own. */
static unsigned waits_max(unsigned workers)
{
    return workers > 0 ? workers / 4 : WAITS_WITHOUT_WORKERS;
}

/* Of a URL that leads to the control data there is nothing to be had apart. */
static bool is_apart(const struct redis_address *address, const struct redis_address *control)
{
    return !redis_address_same_server(address, control) || address->database != control->database;
}

/* Another Redis has as many connections, and as much time; its certificate is checked with the same files. */
static enum err open_own_redis(struct entries *entries, const struct app_options *options,
                               struct error *error)
{
    struct redis_options own = options->control;
    struct error cause = {0};
    enum err err = redis_address_parse(options->entries.redis_url, &own.address, &cause);

    if (err != ERR_OK)
        return error_set(error, err, "entries.redis_url: %s", cause.caller);
    if (is_apart(&own.address, &options->control.address)) {
        err = redis_address_copy_tls(&options->control.address, &own.address);
        own.topology = (struct redis_topology){0}; /* the URL leads to one server */
        own.asks_replication_id = true; /* a scan is of one Redis, and begins anew on another one */
        if (err == ERR_OK)
            err = redis_open(&own, &entries->redis, error);
        entries->owns_redis = err == ERR_OK;
        entries->has_own_memory =
            !redis_address_same_server(&own.address, &options->control.address);
    }
    redis_address_fini(&own.address);
    return err;
}

static enum err open_leases(struct entries *entries, const struct app_options *options,
                            struct error *error)
{
    const struct secrets secrets = token_secrets(&options->tokens);

    return lease_keys_new(&secrets, &entries->lease_keys, error);
}

enum err entries_open(const struct app_options *options, struct redis *control,
                      struct entries **entries_out, struct error *error)
{
    struct entries *entries = calloc(1, sizeof *entries);

    *entries_out = NULL;
    if (!entries)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the entries");
    entries->redis = control;
    room_init(&entries->room, options->entries.memory_percent);
    entries->default_ttl_s =
        options->entries.default_ttl_s > 0 ? options->entries.default_ttl_s : DEFAULT_TTL_S;
    enum err err =
        options->entries.redis_url.len > 0 ? open_own_redis(entries, options, error) : ERR_OK;
    if (err == ERR_OK)
        err = recent_new(&entries->recent, error);
    if (err == ERR_OK)
        err = waits_new(waits_max(options->workers), &entries->waits, error);
    if (err == ERR_OK && entries_metrics_new(&entries->metrics) != ERR_OK)
        err = error_set_detail(error, ERR_NO_MEMORY, "no memory for the metrics of entries");
    if (err == ERR_OK)
        err = open_leases(entries, options, error);
    if (err == ERR_OK)
        *entries_out = entries;
    else
        entries_close(&entries);
    return err;
}

enum err entries_renew_login(struct entries *entries, struct str url, bool *changed_out,
                             struct error *error)
{
    struct redis_address address;

    *changed_out = false;
    if (!entries || !entries->owns_redis || url.len == 0)
        return ERR_OK;
    enum err err = redis_address_parse(url, &address, error);
    if (err != ERR_OK)
        return err;
    err = redis_renew_login(entries->redis, &address, changed_out, error);
    redis_address_fini(&address);
    return err;
}

enum err entries_set_secrets(struct entries *entries, const struct secrets *secrets,
                             struct error *error)
{
    bool changed;

    return entries ? key_ring_set(entries->lease_keys, secrets, &changed, error) : ERR_OK;
}

void entries_look_for_room(struct entries *entries, int64_t deadline_ns)
{
    if (!entries->has_own_memory)
        room_look(&entries->room, entries->redis, deadline_ns);
}

void entries_find_room(struct app *app, struct work work)
{
    entries_look_for_room(app->entries, work.deadline_ns);
}

struct redis *entries_redis(const struct entries *entries)
{
    return entries->redis;
}

bool entries_own_redis(const struct entries *entries)
{
    return entries->owns_redis;
}

enum err entries_renew_tls(struct entries *entries, const struct redis_address *files,
                           bool changed_out[TLS_PARTS], struct error *error)
{
    memset(changed_out, 0, TLS_PARTS * sizeof *changed_out);
    return entries && entries->owns_redis
               ? redis_renew_tls(entries->redis, files, changed_out, error)
               : ERR_OK;
}

void entries_close(struct entries **entries)
{
    struct entries *closing = *entries;

    if (!closing)
        return;
    if (closing->owns_redis)
        redis_close(&closing->redis);
    recent_free(&closing->recent);
    waits_free(&closing->waits);
    entries_metrics_free(&closing->metrics);
    key_ring_free(&closing->lease_keys);
    free(closing);
    *entries = NULL;
}
