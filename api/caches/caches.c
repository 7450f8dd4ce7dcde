/* Emptying named caches, counting what is in them, and who emptied them last. */
#include "caches/targets.h"

#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/redis_error.h"
#include "control/installation.h"
#include "keyspace.h"
#include "redis_reply.h"

#include <inttypes.h>

const struct target *caches_find(const struct caches *caches, struct str name)
{
    for (size_t i = 0; i < caches->count; i++) {
        if (str_eq(caches->targets[i].name, name))
            return &caches->targets[i];
    }
    return NULL;
}

bool caches_kind(const struct app *app, struct str name, enum cache_kind *kind_out)
{
    const struct target *target = caches_find(app->caches, name);

    if (target)
        *kind_out = target->kind;
    return target != NULL;
}

/* ---- keys ---- */

/*
 * One command a key, all in one round trip: each reply tells whether that key was there. What is
 * known to be gone is reported even when a later command was refused.
 */
static enum err flush_keys(const struct target *target, struct work work, uint64_t replication_id,
                           bool dry_run, struct flush_result *result_out)
{
    struct pipeline *pipeline =
        pipeline_new(work.arena, dry_run ? PIPELINE_READ : PIPELINE_WRITE_FREE);
    struct str *found = arena_calloc(work.arena, target->key_count, sizeof *found);

    if (!found)
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for a list of keys");
    pipeline_require(pipeline, replication_id);
    for (size_t i = 0; i < target->key_count; i++)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, dry_run ? STR("EXISTS") : STR("UNLINK"),
                     target->keys[i]);
    enum err err = redis_run(target->redis, pipeline, work);

    result_out->keys = found;
    for (size_t i = 0; i < target->key_count; i++) {
        const struct value *value = pipeline_value(pipeline, i);
        if (value->kind == VALUE_INTEGER && value->integer == 1)
            found[result_out->key_count++] = target->keys[i];
        else if (err == ERR_OK && value->integer != 0)
            err = refuse_reply(work.error, "one key removed %" PRId64 " times", value->integer);
    }
    result_out->removed = (int64_t)result_out->key_count;
    return err;
}

/* ---- a whole database ---- */

static enum err check_size(const struct value *dbsize, struct error *error)
{
    if (dbsize->integer < 0)
        return refuse_reply(error, "DBSIZE answered %" PRId64, dbsize->integer);
    return ERR_OK;
}

/*
 * How many keys there are, after a look for control data: two addresses may be one database in
 * ways no configuration shows. The audit is there once anything at all was done.
 */
static enum err look_at_database(const struct target *target, struct work work, int64_t *size_out)
{
    struct key keys[1 + AUDIT_PARTS] = {key_dataset()};
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    bool is_control_data = false;

    for (int part = 0; part < AUDIT_PARTS; part++)
        keys[1 + part] = key_audit((enum audit_part)part);
    for (size_t i = 0; i < 1 + AUDIT_PARTS; i++)
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXISTS"), key_str(&keys[i]));
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DBSIZE"));
    enum err err = redis_run(target->redis, pipeline, work);
    if (err != ERR_OK)
        return err;

    for (size_t i = 0; i < 1 + AUDIT_PARTS; i++)
        is_control_data |= pipeline_value(pipeline, i)->integer != 0;
    if (is_control_data)
        return error_set(work.error, ERR_CONFLICT,
                         "The database of cache %.*s holds control data and was left alone. "
                         "Give the cache a database of its own.",
                         STR_ARG(target->name));
    const struct value *size = pipeline_value(pipeline, 1 + AUDIT_PARTS);
    *size_out = size->integer;
    return check_size(size, work.error);
}

static enum err flush_database(const struct target *target, struct work work, bool dry_run,
                               struct flush_result *result_out)
{
    enum err err = look_at_database(target, work, &result_out->removed);

    if (err != ERR_OK || dry_run)
        return err;
    result_out->removed = 0;

    /* FLUSHDB does not count. Its size right before, in the same write, is as near as one gets:
     * only a key that expires or arrives between the two commands is off. */
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE_FREE);
    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DBSIZE"));
    PIPELINE_ADD(pipeline, EXPECT_OK, STR("FLUSHDB"), STR("ASYNC"));
    err = redis_run(target->redis, pipeline, work);
    if (err != ERR_OK)
        return err;
    result_out->removed = pipeline_value(pipeline, 0)->integer;
    return check_size(pipeline_value(pipeline, 0), work.error);
}

static void count_flush(struct target_counts *counts, enum err err, int64_t removed)
{
    atomic_fetch_add_explicit(err == ERR_OK ? &counts->flushes : &counts->failures, 1,
                              memory_order_relaxed);
    if (removed > 0)
        atomic_fetch_add_explicit(&counts->removed, (uint64_t)removed, memory_order_relaxed);
}

/* What lives beside the control data may only go from the Redis that was looked at. */
static enum err flush_at(const struct target *target, struct work work, uint64_t replication_id,
                         bool dry_run, struct flush_result *result_out)
{
    if (target->kind == CACHE_KEYS)
        return flush_keys(target, work, target->owns_redis ? 0 : replication_id, dry_run,
                          result_out);
    return flush_database(target, work, dry_run, result_out);
}

/* Redis may become another one in between, but not for ever. */
#define TRIES_MAX 3

static enum err flush_ours(struct app *app, const struct target *target, struct work work,
                           bool dry_run, struct flush_result *result_out)
{
    uint64_t replication_id = 0;

    for (int i = 0; i < TRIES_MAX; i++) {
        enum err err = installation_admit(app, work, replication_id, &replication_id);
        if (err == ERR_OK)
            err = flush_at(target, work, replication_id, dry_run, result_out);
        if (err != ERR_CONFLICT || target->kind == CACHE_DATABASE)
            return err;
    }
    return redis_error_set(work.error, ERR_UPSTREAM_DOWN, REDIS_ERROR_UNAVAILABLE,
                           "Redis became another one again and again");
}

enum err caches_flush(struct app *app, struct work work, struct str name, bool dry_run,
                      struct flush_result *result_out)
{
    const struct target *target = caches_find(app->caches, name);

    *result_out = (struct flush_result){0};
    if (!target)
        return error_set(work.error, ERR_NOT_FOUND, "There is no cache named %.*s.",
                         STR_ARG(str_sub(name, 0, 64)));
    result_out->kind = target->kind;
    if (target->kind == CACHE_PREFIX)
        return error_set_detail(work.error, ERR_INTERNAL,
                                "a cache with a prefix is emptied by a job");
    enum err err = flush_ours(app, target, work, dry_run, result_out);
    if (!dry_run)
        count_flush(target->counts, err, result_out->removed);
    return err;
}

/* ---- the list ---- */

/* A reply of HMGET by, at, removed. A record that is not whole counts as none. */
static void read_last_flush(const struct value *reply, struct cache_info *info)
{
    if (reply->count != 3)
        return;
    const struct value *by = &reply->items[0], *at = &reply->items[1], *removed = &reply->items[2];
    if (by->kind != VALUE_STRING || at->kind != VALUE_STRING || removed->kind != VALUE_STRING ||
        !str_to_int64(removed->text, 0, INT64_MAX, &info->flushed_removed))
        return;
    info->flushed_by = by->text;
    info->flushed_at = at->text;
    info->was_flushed = true;
}

static enum err read_last_flushes(struct app *app, struct work work, struct cache_info *infos,
                                  size_t count)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);

    for (size_t i = 0; i < count; i++) {
        struct key key = key_last_flush(infos[i].target->name);
        PIPELINE_KEY(pipeline, EXPECT_ARRAY, STR("HMGET"), key_str(&key), STR("by"), STR("at"),
                     STR("removed"));
    }
    installation_ask(pipeline);
    enum err err = redis_run(app->control, pipeline, work);
    if (err == ERR_OK)
        err = installation_check(app, pipeline_value(pipeline, count), work.error);
    for (size_t i = 0; i < count && err == ERR_OK; i++)
        read_last_flush(pipeline_value(pipeline, i), &infos[i]);
    return err;
}

static enum err count_keys(const struct target *target, struct work work, int64_t *size_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    int64_t size = 0;

    if (target->kind == CACHE_KEYS) {
        for (size_t i = 0; i < target->key_count; i++)
            PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXISTS"), target->keys[i]);
    } else {
        PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("DBSIZE"));
    }
    enum err err = redis_run(target->redis, pipeline, work);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < pipeline_count(pipeline); i++)
        size += pipeline_value(pipeline, i)->integer;
    *size_out = size;
    return ERR_OK;
}

enum err caches_list(struct app *app, struct work work, struct cache_info **infos_out,
                     size_t *count_out)
{
    const struct caches *caches = app->caches;
    struct cache_info *infos = arena_calloc(work.arena, caches->count, sizeof *infos);

    if (!infos)
        return error_set_detail(work.error, ERR_NO_MEMORY, "no memory for the list of caches");
    for (size_t i = 0; i < caches->count; i++)
        infos[i] = (struct cache_info){.target = &caches->targets[i], .size = -1};
    enum err err = read_last_flushes(app, work, infos, caches->count);
    if (err != ERR_OK)
        return err;

    for (size_t i = 0; i < caches->count; i++) {
        struct error cause = {0};
        if (infos[i].target->kind == CACHE_PREFIX)
            continue;
        if (count_keys(infos[i].target, (struct work){work.arena, work.deadline_ns, &cause},
                       &infos[i].size) != ERR_OK)
            infos[i].cause = str_dup(work.arena, str_from(cause.caller));
    }
    *infos_out = infos;
    *count_out = caches->count;
    return ERR_OK;
}
