/* app->entries: what the files of the cache service share. */
#ifndef API_ENTRIES_ENTRIES_PRIVATE_H
#define API_ENTRIES_ENTRIES_PRIVATE_H

#include "cachewarden/app.h"
#include "cachewarden/mac.h"
#include "cachewarden/redis.h"
#include "entries/metrics.h"
#include "entries/recent.h"
#include "entries/wait.h"

struct entries {
    struct redis *redis; /* where entries live: that of control data, or one of their own */
    bool owns_redis;
    int64_t default_ttl_s;
    struct mac_key *lease_key;
    struct recent *recent;
    struct waits *waits;
    struct entries_metrics *metrics;
};

/* Of options: entries; and tokens.secret, from which the key of leases is derived. `control` is borrowed, and closed
 * after entries_close. Not without users. ERR_BAD_INPUT names the setting. */
CW_MUST_CHECK enum err entries_open(const struct app_options *options, struct redis *control,
                                    struct entries **entries_out, struct error *error);
void entries_close(struct entries **entries);
/* Where entries live; their own Redis, or that of the control data. */
struct redis *entries_redis(const struct entries *entries);
bool entries_own_redis(const struct entries *entries);
/* redis_renew_tls for the pool of their own, if they have one. `entries` may be NULL. */
CW_MUST_CHECK enum err entries_renew_tls(struct entries *entries, const struct redis_address *files,
                                         bool changed_out[TLS_PARTS], struct error *error);

#endif
