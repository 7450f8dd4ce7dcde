/*
 * Connections that work and are replaced all the same, because another Redis may be behind the address by now.
 *
 * After a failover by name the old primary often lives on as a replica, and its clients stay connected. So a pool that
 * meets a replica (a write was answered READONLY, or the handshake says so) makes one connection more, once a second.
 * When that leads to a primary all others are given up. Until then who only reads is served by them.
 *
 * And a connection ends at a certain age, for what nobody hears of: an old primary that goes on as a second one, a
 * balancer that has other servers by now. A new one is made first, and the old one is used for as long as none comes.
 * The same is done when another user and password are to be used.
 */
#include "pool_private.h"

#include "cachewarden/log.h"
#include "cachewarden/resolver.h"

#define TRY_INTERVAL_NS   (1 * NS_PER_S)
#define SWEEP_INTERVAL_NS (1 * NS_PER_S)
/* A Redis that says it is a primary and refuses writes like a replica would fill the log. */
#define TELL_INTERVAL_NS (10 * NS_PER_S)

bool pool_keeps_locked(const struct pool *pool, const struct conn *conn)
{
    return conn->generation == pool->generation && conn->replication_id == pool->replication_id;
}

struct conn *pool_drop_idle_locked(struct pool *pool)
{
    struct conn *idle = pool->idle;
    pool->live -= pool->idle_count;
    pool->stats.closes += pool->idle_count;
    pool->idle = NULL;
    pool->idle_count = 0;
    return idle;
}

struct conn *pool_renew_locked(struct pool *pool)
{
    pool->generation++;
    return pool_drop_idle_locked(pool);
}

static enum pool_news meet_replica_locked(struct pool *pool, int64_t now_ns)
{
    struct pool_replica *replica = &pool->replica;
    bool is_news = !replica->is_met && now_ns >= replica->tell_next_ns;

    replica->is_met = true;
    if (!is_news)
        return POOL_NO_NEWS;
    replica->is_told = true;
    replica->tell_next_ns = now_ns + TELL_INTERVAL_NS;
    return POOL_MET_REPLICA;
}

static enum pool_news meet_primary_locked(struct pool *pool)
{
    struct pool_replica *replica = &pool->replica;
    bool is_news = replica->is_met && replica->is_told;

    replica->is_met = replica->is_told = false;
    return is_news ? POOL_MET_PRIMARY : POOL_NO_NEWS;
}

enum pool_news pool_note_made_locked(struct pool *pool, const struct conn *conn, int64_t now_ns)
{
    if (conn->is_replica) {
        pool->replica.try_next_ns = now_ns + TRY_INTERVAL_NS;
        return meet_replica_locked(pool, now_ns);
    }
    return conn->is_primary ? meet_primary_locked(pool) : POOL_NO_NEWS;
}

/* Those there are can be read at least, and some were made when it was a primary: what they lead to has been
 * agreed to. */
bool pool_spurns_locked(const struct pool *pool, const struct conn *conn, enum dial dial)
{
    size_t others = pool->live - pool->connecting - 1;

    return conn->is_replica && others > 0 && (dial == DIAL_TRIAL || !pool->replica.is_led_to);
}

/* What comes over a connection that is not kept says nothing of those that are. */
enum pool_news pool_note_replies_locked(struct pool *pool, const struct conn *conn,
                                        const struct round_trip *round_trip, int64_t now_ns)
{
    if (conn->generation != pool->generation)
        return POOL_NO_NEWS;
    if (round_trip->met_replica)
        return meet_replica_locked(pool, now_ns);
    bool is_well = round_trip->failure == ROUND_TRIP_OK && round_trip->writes && !conn->is_replica;
    return is_well && pool->replica.is_met ? meet_primary_locked(pool) : POOL_NO_NEWS;
}

bool pool_trial_due_locked(const struct pool *pool, int64_t now_ns)
{
    return pool->replica.is_met && now_ns >= pool->replica.try_next_ns;
}

/* ---- age ---- */

int64_t pool_expiry(const struct pool *pool, const struct conn *conn, int64_t now_ns)
{
    if (pool->lifetime_ns == 0)
        return INT64_MAX;
    /* The number of its next guard is by chance, too. */
    int64_t sooner_ns = (int64_t)(conn->nonce % (uint64_t)(pool->lifetime_ns / 4 + 1));
    return now_ns + pool->lifetime_ns - sooner_ns;
}

/* One at a time is made for that; who comes meanwhile uses the old one. */
bool pool_is_outlived_locked(const struct pool *pool, int64_t now_ns)
{
    return pool->idle && now_ns >= pool->idle->expires_ns && pool->connecting == 0;
}

static struct conn *drop_some_outlived_locked(struct pool *pool, int64_t now_ns, size_t most)
{
    struct conn **at = &pool->idle, *dropped = NULL;

    while (*at && most > 0) {
        struct conn *conn = *at;
        if (now_ns < conn->expires_ns) {
            at = &conn->next;
            continue;
        }
        *at = conn->next;
        conn->next = dropped;
        dropped = conn;
        most--;
        pool->idle_count--;
        pool->live--;
        pool->stats.closes++;
        pool->stats.outlived++;
    }
    return dropped;
}

struct conn *pool_drop_outlived_locked(struct pool *pool, int64_t now_ns)
{
    return drop_some_outlived_locked(pool, now_ns, pool->idle_count);
}

struct conn *pool_sweep_locked(struct pool *pool, int64_t now_ns)
{
    bool is_last = pool->live - pool->connecting < 2;

    if (now_ns < pool->sweep_next_ns || pool->is_capped || is_last)
        return NULL;
    pool->sweep_next_ns = now_ns + SWEEP_INTERVAL_NS;
    return drop_some_outlived_locked(pool, now_ns, 1);
}

/* As at their age: so nobody waits for a new one, and should it be refused, the old ones are used on. */
enum err pool_renew_login(struct pool *pool, const struct redis_address *address, bool *changed_out,
                          struct error *error)
{
    if (login_set(&pool->login, address, changed_out) != ERR_OK)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    if (!*changed_out)
        return ERR_OK;
    lock_acquire(&pool->lock);
    pool->login_number++;
    for (struct conn *conn = pool->idle; conn; conn = conn->next)
        conn->expires_ns = 0;
    lock_release(&pool->lock);
    return ERR_OK;
}

void pool_log_news(const struct pool *pool, enum pool_news news)
{
    if (news == POOL_MET_REPLICA)
        log_event(LOG_LEVEL_WARN, "redis.replica", LOG_CSTR("address", pool->description),
                  LOG_CSTR("why", "it takes no writes; connections are renewed until the address "
                                  "leads to a primary"));
    if (news == POOL_MET_PRIMARY)
        log_event(LOG_LEVEL_INFO, "redis.primary", LOG_CSTR("address", pool->description));
}

void pool_note_replica(struct pool *pool)
{
    lock_acquire(&pool->lock);
    enum pool_news news = meet_replica_locked(pool, clock_mono_ns());
    lock_release(&pool->lock);
    pool_log_news(pool, news);
}

void pool_renew(struct pool *pool)
{
    lock_acquire(&pool->lock);
    struct conn *to_close = pool_renew_locked(pool);
    pool->replication_id = REDIS_REPLICATION_ID_UNKNOWN;
    lock_release(&pool->lock);
    /* After a failover by name another address is behind it. */
    resolver_renew(pool->address.host);
    conn_close_list(to_close);
}
