/* The routes of named caches. */
#include "ops.h"

#include "audit/calls.h"
#include "caches/targets.h"
#include "cachewarden/caches.h"
#include "cachewarden/jobs.h"
#include "cachewarden/limits.h"
#include "jobs/service.h"

enum err caches_flush_recorded(struct call *call, struct str name, struct flush_result *result_out)
{
    enum err err = caches_flush(call->app, call_work(call), name, false, result_out);

    audit_flush(call, name, err, result_out->removed);
    return err;
}

/* A count, and nothing changed: "flushed" must not say otherwise. */
static enum err dry_run(struct call *call, struct str name)
{
    struct json_writer *json = &call->reply.json;
    struct flush_result result;
    enum err err = caches_flush(call->app, call_work(call), name, true, &result);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_add_string(json, "name", name);
    json_add_bool(json, "flushed", false);
    json_add_integer(json, "keysRemoved", 0);
    json_add_bool(json, "dry_run", true);
    json_add_integer(json, "wouldRemove", result.removed);
    json_close_object(json);
    return call_finish(call);
}

/* Counting takes a job, too. What was started is recorded; what came of it is, when it ends. */
static enum err start_job(struct call *call, struct str name, bool only_counts)
{
    const struct job_order order = {
        .target = job_target_of_cache(call->arena, name),
        .only_counts = only_counts,
        .principal = &call->principal,
        .client_address = call->client_address,
        .request_id = call->request_id,
        .part = audit_part_of(call),
    };
    struct job job;
    enum err err = limits_count_job(call);

    if (err != ERR_OK)
        return err;
    err = jobs_start(call->app, call_work(call), &order, &job);
    if (!only_counts)
        audit_clear(call, name, err, -1);
    return err == ERR_OK ? jobs_answer_started(call, &job) : err;
}

enum err op_caches_flush(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct str name = call_param(call, "name")->text;
    struct flush_result result;
    enum cache_kind kind;

    if (caches_kind(call->app, name, &kind) && kind == CACHE_PREFIX)
        return start_job(call, name, call_param(call, "dry_run")->integer != 0);
    if (call_param(call, "dry_run")->integer)
        return dry_run(call, name);
    enum err err = caches_flush_recorded(call, name, &result);
    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_add_string(json, "name", name);
    json_add_bool(json, "flushed", true);
    json_add_integer(json, "keysRemoved", result.removed);
    json_close_object(json);
    return call_finish(call);
}

static void write_info(struct json_writer *json, const struct cache_info *info)
{
    static const char *const kinds[] = {
        [CACHE_KEYS] = "keys", [CACHE_DATABASE] = "database", [CACHE_PREFIX] = "prefix"};
    bool is_database = info->target->kind == CACHE_DATABASE;

    json_open_object(json);
    json_add_string(json, "name", info->target->name);
    json_add_string(json, "kind", str_from(kinds[info->target->kind]));
    json_name(json, is_database ? "size" : "keys");
    if (info->size >= 0)
        json_write_integer(json, info->size);
    else
        json_write_null(json);
    if (info->cause.len > 0)
        json_add_string(json, "error", info->cause);
    json_name(json, "last_flush");
    if (info->was_flushed) {
        json_open_object(json);
        json_add_string(json, "by", info->flushed_by);
        json_add_string(json, "at", info->flushed_at);
        json_add_integer(json, "removed", info->flushed_removed);
        json_close_object(json);
    } else {
        json_write_null(json);
    }
    json_close_object(json);
}

enum err op_caches_list(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct cache_info *infos;
    size_t count;
    enum err err = caches_list(call->app, call_work(call), &infos, &count);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_name(json, "caches");
    json_open_array(json);
    for (size_t i = 0; i < count; i++)
        write_info(json, &infos[i]);
    json_close_array(json);
    json_close_object(json);
    return call_finish(call);
}
