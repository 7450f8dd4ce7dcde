/* The life of the service. */
#include "cachewarden/app.h"
#include "entries/entries_private.h"
#include "entries/lease.h"
#include "services.h"

#include <stdlib.h>

enum { DEFAULT_TTL_S = 3600, WAITS_WITHOUT_WORKERS = 64 };

/* A quarter of the workers: the others go on serving. A program without workers has threads of its own. */
static unsigned waits_max(unsigned workers)
{
    return workers > 0 ? (workers + 3) / 4 : WAITS_WITHOUT_WORKERS;
}

enum err entries_open(const struct app_options *options, struct pool *control,
                      struct entries **entries_out, struct error *error)
{
    struct entries *entries = calloc(1, sizeof *entries);

    *entries_out = NULL;
    if (!entries)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the entries");
    entries->pool = control;
    entries->default_ttl_s =
        options->entries.default_ttl_s > 0 ? options->entries.default_ttl_s : DEFAULT_TTL_S;
    enum err err = recent_new(&entries->recent, error);
    if (err == ERR_OK)
        err = waits_new(waits_max(options->workers), &entries->waits, error);
    if (err == ERR_OK && entry_counts_new(&entries->counts) != ERR_OK)
        err = error_set_detail(error, ERR_NO_MEMORY, "no memory for the counts of entries");
    if (err == ERR_OK)
        err = lease_key_new(options->tokens.secret, &entries->lease_key);
    if (err == ERR_OK)
        *entries_out = entries;
    else
        entries_close(&entries);
    return err;
}

void entries_close(struct entries **entries)
{
    struct entries *closing = *entries;

    if (!closing)
        return;
    if (closing->owns_pool)
        pool_close(&closing->pool);
    recent_free(&closing->recent);
    waits_free(&closing->waits);
    entry_counts_free(&closing->counts);
    mac_key_free(&closing->lease_key);
    free(closing);
    *entries = NULL;
}
