#include "cachewarden/pool.h"

#include "batch.h"
#include "pool_private.h"

#include <stdlib.h>

#define CLIENT_NAME "cachewarden"
/* Commands of one write. Replies of that many small commands are some 30 KiB. */
#define BATCH_LIMIT 1024
/* An attempt that its caller's own deadline cut shorter than this says nothing about Redis. */
#define TELLING_NS (50 * NS_PER_MS)

/*
 * The spread, and how it was chosen (tests/bench/bench_pool, and an HTTP server in front of it,
 * on two cores shared with client and Redis):
 * - Few callers: a connection each is fastest, since nobody waits for anybody (4 callers: 46,000
 *   requests/s against 39,000 over one connection).
 * - Many: one connection at a time and large batches, since a batch costs Redis and us one pair of
 *   system calls however large it is. At 64 callers two connections did worse than one, four worse
 *   than two, and one each worst of all, in CPU time of both sides. The two meet at about 8.
 * - Wherever a crowd is in between, mixing both ways is worse than either; hence `crowd`, a peak
 *   that fades slowly (by 1/64 a pipeline), and not the number of the moment.
 * - A leader yields its processor once before it writes. Threads of ours that are ready to run do so
 *   first and join: at 64 callers batches grow from 7 to 38 pipelines, and the CPU time of a
 *   request falls by a tenth for us and by 40 % for Redis. With a processor idle it costs nothing.
 *   Sleeping until most of the last batch were back did less (batches of 10 to 19) and cost more.
 * - When Redis is far away or slow, one connection at a time means waiting; after hedge_ns a
 *   batch takes a further one. A busy machine alone hardly ever lets it come to that.
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

static enum err check(const struct pool_options *options, struct error *error)
{
    if (options->size < 1 || options->size > 10000)
        return error_set(error, ERR_BAD_INPUT, "pool size must be 1 to 10000");
    if (options->borrow_timeout_ms < 1 || options->connect_timeout_ms < 1 ||
        options->command_timeout_ms < 1)
        return error_set(error, ERR_BAD_INPUT,
                         "the timeouts of the Redis pool must be at least 1 ms");
    if (!options->address.host && !options->address.unix_path)
        return error_set(error, ERR_BAD_INPUT, "the Redis address has neither host nor path");
    if (options->address.tls)
        return error_set(error, ERR_BAD_INPUT,
                         "TLS to Redis (rediss://) is not supported; use redis:// or unix://");
    if (options->client_name && !is_client_name(options->client_name))
        return error_set(error, ERR_BAD_INPUT,
                         "the client name must be printable ASCII without blanks");
    return ERR_OK;
}

enum err pool_open(const struct pool_options *options, struct pool **pool_out, struct error *error)
{
    enum err err = check(options, error);
    if (err)
        return err;
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool || redis_address_copy(&options->address, &pool->address) != ERR_OK ||
        !(pool->client_name = strdup(options->client_name ? options->client_name : CLIENT_NAME))) {
        if (pool)
            redis_address_fini(&pool->address);
        free(pool);
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    }
    redis_address_describe(&pool->address, pool->description, sizeof pool->description);
    pool->size = options->size;
    pool->batch_limit = options->batch_limit ? options->batch_limit : BATCH_LIMIT;
    pool->borrow_timeout_ns = options->borrow_timeout_ms * NS_PER_MS;
    pool->connect_timeout_ns = options->connect_timeout_ms * NS_PER_MS;
    pool->command_timeout_ns = options->command_timeout_ms * NS_PER_MS;
    pool->telling_ns =
        pool->command_timeout_ns < TELLING_NS ? pool->command_timeout_ns : TELLING_NS;
    pool->tuning = default_tuning;
    lock_init(&pool->lock, LOCK_RANK_POOL, "pool");
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
    lock_fini(&p->lock);
    redis_address_fini(&p->address);
    free(p->client_name);
    free(p);
    *pool = NULL;
}

void pool_stats_read(struct pool *pool, struct pool_stats *stats_out)
{
    lock_take(&pool->lock);
    *stats_out = pool->stats;
    stats_out->size = pool->size;
    stats_out->idle = pool->idle_count;
    stats_out->busy = pool->busy;
    stats_out->breaker_open = pool->breaker.is_open;
    lock_give(&pool->lock);
}

bool pool_is_down(struct pool *pool)
{
    lock_take(&pool->lock);
    bool is_down = pool->breaker.is_open;
    lock_give(&pool->lock);
    return is_down;
}
void pool_count_refusal(struct pool *pool)
{
    lock_take(&pool->lock);
    pool->stats.replies_refused++;
    lock_give(&pool->lock);
}
