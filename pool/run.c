/* Running a pipeline on one pool: attempts, and what a failed one means. */
#include "batch.h"
#include "cachewarden/redis_error.h"
#include "pipeline_private.h"
#include "pool_private.h"

static const char *failure_text(enum round_trip_failure failure)
{
    switch (failure) {
    case ROUND_TRIP_OK:
        break;
    case ROUND_TRIP_LOST:
        return "connection lost";
    case ROUND_TRIP_TIMED_OUT:
        return "no answer in time";
    case ROUND_TRIP_PROTOCOL_ERROR:
        return "the replies make no sense";
    case ROUND_TRIP_TOO_LARGE:
        return "a reply is larger than allowed";
    case ROUND_TRIP_NO_MEMORY:
        return "out of memory while reading replies";
    }
    return "unknown";
}

enum err pipeline_failed(const struct pool_request *request, const struct round_trip *round_trip,
                         size_t from, bool *may_retry_out, struct error *error)
{
    const char *text = failure_text(round_trip->failure);
    bool was_sent = round_trip->sent > from;
    /* The connection was dead or out of step before this round trip, and nobody had noticed. A read, or
     * what was never sent, may be tried on a fresh one. */
    bool was_lost_before = round_trip->failure == ROUND_TRIP_LOST && round_trip->received == 0;
    bool was_bad_before = round_trip->is_reused &&
                          (was_lost_before || round_trip->failure == ROUND_TRIP_PROTOCOL_ERROR);
    *may_retry_out = was_bad_before && (!was_sent || request->effect == PIPELINE_READ);
    if (was_sent && request->effect == PIPELINE_WRITE)
        return redis_error_set(error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN,
                               "after a write was sent: %s", text);
    if (round_trip->failure == ROUND_TRIP_TIMED_OUT)
        return redis_error_set(error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT, "%s", text);
    if (round_trip->failure == ROUND_TRIP_NO_MEMORY)
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE, "%s", text);
    return redis_error_set(error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE, "%s", text);
}

enum err pipeline_wrong_redis(struct error *error)
{
    return redis_error_set(error, ERR_CONFLICT, REDIS_ERROR_UNAVAILABLE,
                           "the connection leads to another Redis");
}

enum err pipeline_late(const struct pool_request *request, bool was_sent, struct error *error)
{
    if (was_sent && request->effect == PIPELINE_WRITE)
        return redis_error_set(error, ERR_UNCERTAIN, REDIS_ERROR_UNCERTAIN,
                               "no answer to a write in time");
    if (was_sent || request->acquire_deadline_ns == request->deadline_ns)
        return redis_error_set(error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT, "the deadline passed %s",
                               was_sent ? "before the answer came"
                                        : "while waiting for a connection");
    return redis_error_set(error, ERR_BUSY, REDIS_ERROR_BUSY, "no connection came free in time");
}

/* The request has the connection for itself; the replies go straight into the pipeline's arena. */
static enum err run_alone(struct pool *pool, struct conn *conn, const struct pool_request *request,
                          bool *may_retry_out, struct error *error)
{
    struct pipeline *pipeline = request->pipeline;
    struct round_trip round_trip = {.out = &pipeline->out,
                                    .values = pipeline->values,
                                    .owed = pipeline->count,
                                    .arena = pipeline->arena,
                                    .writes = request->effect == PIPELINE_WRITE,
                                    .is_large = request->is_large,
                                    .began_ns = clock_mono_ns()};
    size_t own_size = pipeline->out.len;
    if (request->required && conn->replication_id != request->required) {
        pool_release_unused(pool, conn);
        pool_count_out(pool);
        return pipeline_wrong_redis(error);
    }
    if (conn_begin(conn, &round_trip)) {
        pool_release_unused(pool, conn);
        pool_count_out(pool);
        return redis_error_set(error, ERR_NO_MEMORY, REDIS_ERROR_UNAVAILABLE,
                               "pipeline: out of memory");
    }
    if (round_trip.is_large)
        pool_note_large_sent(pool);
    int64_t reply_by_ns = round_trip.began_ns + pool->command_timeout_ns;
    int64_t until_ns = reply_by_ns < request->deadline_ns ? reply_by_ns : request->deadline_ns;
    if (conn_continue(conn, &round_trip, until_ns) == ROUND_TRIP_WAITING)
        conn_abort(conn, &round_trip);
    enum round_trip_failure failure = round_trip.failure;
    pipeline->received = round_trip.received;
    pipeline->replication_id = round_trip.replication_id;
    pipeline->is_replica = round_trip.is_replica;
    pool_release(pool, conn, &round_trip, NULL);
    pipeline->out.len = own_size; /* without the guard, for another try */
    return failure ? pipeline_failed(request, &round_trip, 0, may_retry_out, error) : ERR_OK;
}

/* One attempt: acquire, the round trip, the replies. *may_retry_out: nothing has happened, try again. */
static enum err attempt(struct pool *pool, const struct pool_request *request, bool *may_retry_out,
                        struct error *error)
{
    struct acquired acquired;
    enum err err = pool_acquire(pool, request, &acquired, error);
    if (err)
        return err;
    switch (acquired.kind) {
    case ACQUIRED_LEADER:
        return batch_lead(pool, acquired.batch, acquired.slot, request, may_retry_out, error);
    case ACQUIRED_FOLLOWER:
        return batch_follow(pool, acquired.batch, acquired.slot, request, may_retry_out, error);
    case ACQUIRED_WAITER:
        err = batch_wait_alone(pool, acquired.batch, acquired.slot, request, &acquired.conn, error);
        if (err)
            return err;
        break;
    case ACQUIRED_CONN:
        if (acquired.conn && pool_check_idle(pool, &acquired.conn, request->effect))
            break;
        bool is_down;
        err = pool_connect(pool, request->deadline_ns, acquired.dial, &acquired.conn, &is_down,
                           error);
        if (err) {
            pool_count_out(pool);
            *may_retry_out = !is_down;
            return err;
        }
        break;
    }
    return run_alone(pool, acquired.conn, request, may_retry_out, error);
}

/* What changed nothing may be tried again, but not for ever while connections keep breaking. */
#define ATTEMPTS_MAX 3

static enum err attempt_again(struct pool *pool, struct pool_request *request, struct error *error)
{
    enum err err = ERR_INTERNAL;
    bool may_retry = true;
    for (int i = 0; may_retry && i < ATTEMPTS_MAX; i++) {
        may_retry = false;
        if (i > 0)
            request->start_ns = clock_mono_ns();
        err = attempt(pool, request, &may_retry, error);
    }
    return err;
}

static enum err run_large(struct pool *pool, struct pool_request *request, struct error *error)
{
    if (!pool_enter_large(pool, request))
        return pipeline_late(request, false, error);
    enum err err = attempt_again(pool, request, error);
    pool_leave_large(pool);
    return err;
}

enum err pool_run(struct pool *pool, struct pipeline *pipeline, int64_t deadline_ns,
                  struct error *error)
{
    struct pool_request request = {.pipeline = pipeline,
                                   .effect = pipeline->effect,
                                   .bytes = strbuf_str(&pipeline->out),
                                   .commands = pipeline->count,
                                   .required = pipeline->required,
                                   .is_large = large_is_expected(&pool->large_keys, pipeline),
                                   .deadline_ns = deadline_ns};
    request.start_ns = clock_mono_ns();
    int64_t acquire_deadline_ns = request.start_ns + pool->borrow_timeout_ns;
    request.acquire_deadline_ns =
        acquire_deadline_ns < deadline_ns ? acquire_deadline_ns : deadline_ns;
    if (request.start_ns >= deadline_ns)
        return redis_error_set(error, ERR_TIMEOUT, REDIS_ERROR_TIMEOUT,
                               "the deadline had passed before anything was sent");
    enum err err =
        request.is_large ? run_large(pool, &request, error) : attempt_again(pool, &request, error);
    large_learn(&pool->large_keys, pipeline, err == ERR_OK);
    return err;
}
