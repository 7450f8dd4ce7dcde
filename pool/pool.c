#include "pool_private.h"

#include "batch.h"
#include "transport/tls.h"

#include <stdlib.h>

#define CLIENT_NAME "cachewarden"
/* Commands of one write. Replies of that many small commands are some 30 KiB. */
#define BATCH_LIMIT 1024

/*
 * The spread, and how it was chosen: tests/bench/bench_pool, medians of short runs in turns, two
 * busy cores shared by callers, clients and Redis; requests/s (us of CPU: ours + Redis's).
 *
 *   callers   a connection each      one connection        two, yielding        the default
 *         4   45,300 (19.9 +  9.3)   35,100 (21.4 + 7.4)                        50,000 (19.8 + 8.8)
 *         8   55,500 (17.0 +  9.2)   61,600 (15.9 + 3.9)   58,700 (17.0 + 6.3)  57,600 (15.1 + 4.0)
 *        16   61,400 (17.7 +  7.3)   79,100 (13.4 + 2.7)   71,100 (14.6 + 3.9)  79,700 (12.9 + 2.6)
 *        64   56,300 (16.3 +  7.3)   71,900 (11.9 + 2.2)   76,300 (12.2 + 2.0)  82,100 (12.5 + 2.1)
 *       256   44,200 (20.8 +  9.0)   71,800 (13.4 + 2.1)   88,900 (12.8 + 1.5)  90,600 (12.5 + 1.2)
 *
 * - Few callers: a connection each, since nobody waits for anybody. Many: one connection at a
 *   time, since a batch costs one pair of system calls and one pair of task switches at Redis
 *   however large it is. The two meet between 4 and 8.
 * - To mix both ways is worse than either, so it is a fading peak of the callers (`recent_peak`)
 *   that decides; the number of the moment swings across any limit.
 * - A leader yields its processor once before it writes: threads of ours that are ready to run do
 *   so first and join. At 64 callers batches grow from 13 to 32 pipelines; without it the default
 *   made 74,700 (13.5 + 2.5). Where a processor is idle it costs nothing.
 * - Also tried: to sleep until most of the last batch were back (batches of 10 to 19, no better
 *   than not waiting); a timer for each follower (1.2 us more a request).
 * - When Redis is far away or slow, one connection at a time means waiting; after hedge_ns the
 *   batch that has waited for longest takes a further one. Small pipelines hardly ever let it come to
 *   that, on a busy machine either. Large ones, which share no batch, do.
 */
static const struct pool_tuning default_tuning = {
    .spread_until = 6,
    .spread_beyond = 1,
    .hedge_ns = 5 * NS_PER_MS,
    .yields = true,
};

static bool is_client_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (*c < '!' || *c > '~') /* what CLIENT SETNAME allows */
            return false;
    return *name != '\0';
}

static enum err check(const struct redis_options *options, struct error *error)
{
    if (options->size < 1 || options->size > 10000)
        return error_set(error, ERR_BAD_INPUT, "pool size must be 1 to 10000");
    if (options->borrow_timeout_ms < 1 || options->connect_timeout_ms < 1 ||
        options->command_timeout_ms < 1 || options->connection_lifetime_s < 0)
        return error_set(error, ERR_BAD_INPUT,
                         "the timeouts of the Redis pool must be at least 1 ms");
    if (!options->address.host && !options->address.unix_path)
        return error_set(error, ERR_BAD_INPUT, "the Redis address has neither host nor path");
    if (options->address.tls && !options->address.host)
        return error_set(error, ERR_BAD_INPUT, "a Unix socket to Redis takes no TLS");
    if (options->client_name && !is_client_name(options->client_name))
        return error_set(error, ERR_BAD_INPUT,
                         "the client name must be printable ASCII without blanks");
    return ERR_OK;
}

static enum err complain_tls(enum err err, enum redis_tls_file file, const struct error *why,
                             struct error *error)
{
    static const char *const names[] = {[REDIS_TLS_CA] = "tls_ca",
                                        [REDIS_TLS_CERTIFICATE] = "tls_certificate",
                                        [REDIS_TLS_KEY] = "tls_key"};
    if (err == ERR_BAD_INPUT)
        return error_set(error, err, "redis.%s: %s", names[file], why->caller);
    return err ? error_set(error, err, "out of memory") : ERR_OK;
}

/* *tls_out NULL: no TLS is asked for. */
static enum err open_tls(const struct redis_address *address, struct tls_context **tls_out,
                         struct error *error)
{
    *tls_out = NULL;
    if (!address->tls)
        return ERR_OK;
    enum redis_tls_file file;
    struct error why;
    enum err err = tls_context_new(address, tls_out, &file, &why);
    return complain_tls(err, file, &why, error);
}

enum err redis_address_check_tls(const struct redis_address *address, enum redis_tls_file *file_out,
                                 struct tls_summary *summary_out, struct error *error)
{
    struct tls_context *tls;
    enum err err = tls_context_new(address, &tls, file_out, error);
    if (err == ERR_OK && summary_out)
        tls_context_summarize(tls, summary_out);
    tls_context_free(&tls);
    return err;
}

enum err pool_renew_tls(struct pool *pool, const struct redis_address *files,
                        bool changed_out[TLS_PARTS], struct error *error)
{
    struct tls_summary before, after;
    struct error why;
    enum redis_tls_file file;
    bool is_other = false;

    memset(changed_out, 0, TLS_PARTS * sizeof *changed_out);
    if (!pool->tls)
        return ERR_OK;
    tls_context_summarize(pool->tls, &before);
    enum err err = tls_context_renew(pool->tls, files, &file, &why);
    if (err)
        return complain_tls(err, file, &why, error);
    tls_context_summarize(pool->tls, &after);
    for (int part = 0; part < TLS_PARTS; part++) {
        changed_out[part] =
            memcmp(before.prints[part], after.prints[part], sizeof before.prints[part]) != 0;
        is_other = is_other || changed_out[part];
    }
    /* Whom we no longer trust, or who no longer trusts us, is not talked to for another hour. */
    if (is_other)
        pool_renew(pool);
    return ERR_OK;
}

enum err pool_open(const struct redis_options *options, struct pool **pool_out, struct error *error)
{
    struct tls_context *tls;
    enum err err = check(options, error);
    if (!err)
        err = open_tls(&options->address, &tls, error);
    if (err)
        return err;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool || redis_address_copy(&options->address, &pool->address) != ERR_OK ||
        !(pool->client_name = strdup(options->client_name ? options->client_name : CLIENT_NAME))) {
        if (pool)
            redis_address_fini(&pool->address);
        free(pool);
        tls_context_free(&tls);
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    pool->tls = tls;
    login_init(&pool->login, &pool->address);
    redis_address_describe(&pool->address, pool->description, sizeof pool->description);
    pool->size = options->size;
    pool->target = (struct conn_target){.address = &pool->address,
                                        .login = &pool->login,
                                        .tls = tls,
                                        .client_name = pool->client_name,
                                        .asks_replication_id = options->asks_replication_id};
    pool->batch_limit = options->batch_limit ? options->batch_limit : BATCH_LIMIT;
    pool->borrow_timeout_ns = options->borrow_timeout_ms * NS_PER_MS;
    pool->connect_timeout_ns = options->connect_timeout_ms * NS_PER_MS;
    pool->command_timeout_ns = options->command_timeout_ms * NS_PER_MS;
    pool->lifetime_ns = options->connection_lifetime_s * NS_PER_S;
    pool->tuning = default_tuning;
    lock_init(&pool->lock, LOCK_RANK_POOL, "pool");
    lock_cond_init(&pool->large_left);
    *pool_out = pool;
    return ERR_OK;
}

void pool_close(struct pool **pool)
{
    struct pool *p = *pool;
    if (!p)
        return;
    conn_close_list(p->idle);
    while (p->spare) {
        struct batch *next = p->spare->next;
        batch_free(&p->spare);
        p->spare = next;
    }
    tls_context_free(&p->tls);
    lock_cond_fini(&p->large_left);
    lock_fini(&p->lock);
    login_fini(&p->login);
    redis_address_fini(&p->address);
    free(p->client_name);
    free(p);
    *pool = NULL;
}

void pool_stats_read(struct pool *pool, struct redis_stats *stats_out)
{
    lock_acquire(&pool->lock);
    *stats_out = pool->stats;
    stats_out->size = pool->size;
    stats_out->idle = pool->idle_count;
    stats_out->busy = pool->busy;
    stats_out->connecting = pool->connecting;
    stats_out->under_way = pool->under_way;
    stats_out->breaker_open = pool->breaker.is_open;
    lock_release(&pool->lock);
}

bool pool_is_in_trouble(struct pool *pool)
{
    lock_acquire(&pool->lock);
    bool is_in_trouble = pool->breaker.is_open || pool->replica.is_met;
    lock_release(&pool->lock);
    return is_in_trouble;
}

bool pool_is_down(struct pool *pool)
{
    lock_acquire(&pool->lock);
    bool is_down = pool->breaker.is_open;
    lock_release(&pool->lock);
    return is_down;
}
