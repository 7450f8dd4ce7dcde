/* Health, readiness and the Redis test; metrics and the schema are in ops_edge.c. */
#include "ops.h"

#include "backup/service.h"
#include "cachewarden/app.h"
#include "cachewarden/clock.h"
#include "cachewarden/redis.h"
#include "cachewarden/users.h"
#include "health/probe.h"

static void add_timestamp(struct json_writer *json)
{
    char now[CLOCK_RFC3339_SIZE];

    json_add_string(json, "timestamp", clock_rfc3339(clock_wall_ms(), now));
}

static struct str status_of(bool is_connected)
{
    return is_connected ? STR("connected") : STR("unavailable");
}

/* The janitor asks it once a second, so nobody has to be kept waiting for it. */
static bool has_users(const struct app *app)
{
    return !app->users || !users_is_away(app->users);
}

static void add_redis(struct json_writer *json, const char *name,
                      const struct health_report *report)
{
    json_name(json, name);
    json_open_object(json);
    json_add_string(json, "status", status_of(report->connected));
    json_add_string(json, "message", str_from(report->message));
    json_add_bool(json, "read_write_test", report->read_write);
    json_close_object(json);
}

enum err op_health(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    bool are_users_there = has_users(call->app);
    struct health_report control, entries;

    health_probe(call->app, call->arena, call->deadline_ns, &control);
    bool has_entries = health_probe_entries(call->app, call->arena, call->deadline_ns, &entries);
    bool is_well = control.read_write && are_users_there && (!has_entries || entries.read_write);
    json_open_object(json);
    json_add_string(json, "status", is_well ? STR("ok") : STR("degraded"));
    add_redis(json, "redis", &control);
    json_name(json, "users_database");
    json_open_object(json);
    json_add_string(json, "status", status_of(are_users_there));
    json_add_string(json, "message",
                    are_users_there ? STR("it answers") : STR("users database unavailable"));
    json_close_object(json);
    if (has_entries)
        add_redis(json, "entries_redis", &entries);
    if (call->principal.is_admin)
        backups_write_health(call->app->backups, call_work(call), json);
    add_timestamp(json);
    json_close_object(json);
    return call_finish(call);
}

enum err op_health_live(struct call *call)
{
    struct json_writer *json = &call->reply.json;

    json_open_object(json);
    json_add_string(json, "status", STR("alive"));
    json_close_object(json);
    return call_finish(call);
}

/* "connected", "unavailable", or what it refuses: "redis refused MULTI (NOPERM)". */
static struct str readiness(const struct health_report *report)
{
    bool is_refusing =
        report->connected || str_starts(str_from(report->message), STR("redis refused"));

    return report->read_write ? STR("connected")
           : is_refusing      ? str_from(report->message)
                              : STR("unavailable");
}

/* What else is there does not make a node unready: each route does what it can without. */
static enum err answer_ready(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct health_report control, entries;

    health_probe(call->app, call->arena, call->deadline_ns, &control);
    bool has_entries = health_probe_entries(call->app, call->arena, call->deadline_ns, &entries);
    json_open_object(json);
    json_add_string(json, "status", STR("ready"));
    json_add_string(json, "redis", readiness(&control));
    json_add_string(json, "users_database", status_of(has_users(call->app)));
    if (has_entries)
        json_add_string(json, "entries_redis", readiness(&entries));
    json_close_object(json);
    return call_finish(call);
}

enum err op_health_ready(struct call *call)
{
    struct app *app = call->app;
    int64_t now_ns = clock_mono_ns();

    atomic_store(&app->ready_asked_before_ns, atomic_exchange(&app->ready_asked_ns, now_ns));
    if (app_is_ready(app))
        return answer_ready(call);
    atomic_store(&app->ready_refused_ns, now_ns);
    call->reply.retry_after_s = 1;
    if (!app_knows_callers(app)) {
        /* Nobody else may ask it while no requests come; the answer counts the next time. */
        (void)!users_ping(app->users, NULL);
        return error_set(&call->error, ERR_BUSY,
                         "the users database is away, and no caller is known without it");
    }
    if (app_is_foreign(app, NULL))
        return error_set(&call->error, ERR_BUSY,
                         "the control data in redis belongs to another users database");
    return error_set(&call->error, ERR_BUSY, "starting or draining");
}

enum err op_redis_test(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct health_tests tests;

    health_test(call->app, call->arena, call->deadline_ns, &tests);
    json_open_object(json);
    json_name(json, "redis_test_results");
    json_open_object(json);
    json_add_bool(json, "basic_set_get", tests.basic_set_get);
    json_add_bool(json, "token_storage", tests.token_storage);
    json_add_bool(json, "token_revocation", tests.token_revocation);
    json_add_bool(json, "increment", tests.increment);
    json_add_bool(json, "pipeline", tests.pipeline);
    json_name(json, "latency_ms");
    if (tests.latency_ms >= 0)
        json_write_real(json, tests.latency_ms, 3);
    else
        json_write_null(json);
    json_close_object(json);
    if (tests.message[0])
        json_add_string(json, "message", str_from(tests.message));
    add_timestamp(json);
    json_close_object(json);
    return call_finish(call);
}
