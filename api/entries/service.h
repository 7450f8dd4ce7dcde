/* The life of the cache service, and what other folders ask of it. */
#ifndef API_ENTRIES_SERVICE_H
#define API_ENTRIES_SERVICE_H

#include "cachewarden/app.h"
#include "cachewarden/redis.h"
#include "cachewarden/str.h"

/* Of options: entries; and tokens.secret, from which the key of leases is derived. `control` is borrowed, and closed
 * after entries_close. Not without users. ERR_BAD_INPUT names the setting. */
CW_MUST_CHECK enum err entries_open(const struct app_options *options, struct redis *control,
                                    struct entries **entries_out, struct error *error);
void entries_close(struct entries **entries);

/* For the janitor: asks how much room there is for entries beside the control data, if anybody filled since. */
void entries_look_for_room(struct entries *entries, int64_t deadline_ns);
/* Takes so much of the room that is left for what lives where entries do (room.h). False: there is less. */
bool entries_take_room(struct entries *entries, size_t bytes, int64_t deadline_ns);
/* Whether there is so much, for who asks again and again and takes it once. */
bool entries_has_room(struct entries *entries, size_t bytes, int64_t deadline_ns);
/* Where entries live; their own Redis, or that of the control data. */
struct redis *entries_redis(const struct entries *entries);
bool entries_own_redis(const struct entries *entries);
/* redis_renew_tls for the pool of their own, if they have one. `entries` may be NULL. */
CW_MUST_CHECK enum err entries_renew_tls(struct entries *entries, const struct redis_address *files,
                                         bool changed_out[TLS_PARTS], struct error *error);
/* redis_renew_login with the user and password of `url` (that of the options) for the pool of their own, if they have
 * one. `entries` may be NULL. ERR_BAD_INPUT: it is no URL of a Redis. */
CW_MUST_CHECK enum err entries_renew_login(struct entries *entries, struct str url,
                                           bool *changed_out, struct error *error);
/* Leases are signed with these secrets from here on (key_ring_set). `entries` may be NULL. */
CW_MUST_CHECK enum err entries_set_secrets(struct entries *entries, const struct secrets *secrets,
                                           struct error *error);
/* For GET /metrics. */
void entries_write_metrics(const struct entries *entries, struct strbuf *out);

#endif
