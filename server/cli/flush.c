/* `flush`: empties a named cache, straight in Redis. Its lines are those of the helper it replaces. */
#include "cachewarden/redis_error.h"
#include "cli/cli.h"
#include "cli/job.h"

#include "cachewarden/audit.h"
#include "cachewarden/caches.h"
#include "cachewarden/control.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/random.h"
#include "cachewarden/users.h"

#include <stdio.h>
#include <unistd.h>

#define DEFAULT_TARGET "messages"

struct flush {
    const struct cli *cli;
    struct cli_services services;
    struct str target;
    bool dry_run;
    bool json;
};

/* A line as soon as it is true, so that a wait shows where it waits. */
static void say(const struct flush *flush, const char *line)
{
    if (flush->json)
        return;
    puts(line);
    fflush(stdout);
}

static int complain(const char *what, const char *fix)
{
    fflush(stdout);
    fprintf(stderr, "❌ Error flushing cache: %s\n💡 %s\n", what, fix);
    return CLI_FAILED;
}

/* What a person can do about it. */
static const char *fix_for(enum err err, const struct error *error)
{
    if (error->redis == REDIS_ERROR_AUTHENTICATION)
        return "Check REDIS_USERNAME and REDIS_PASSWORD, or redis.url";
    switch (err) {
    case ERR_UPSTREAM_REFUSED:
        return "Look at the log of Redis, and at the rights of the user in its ACL";
    case ERR_UNCERTAIN:
        return "The keys may be gone all the same; it is safe to flush again";
    case ERR_NOT_FOUND:
        return "The setting caches lists the names: cachewarden help settings caches";
    case ERR_CONFLICT:
        return "Look at the setting caches: cachewarden help settings caches";
    default:
        return "Make sure Redis is running and environment variables are set correctly";
    }
}

static enum err ping(struct cli_services *services, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(services->arena, PIPELINE_READ);
    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    return redis_run(services->app->control, pipeline, cli_work(services, error));
}

/* The id of the users database that all of the settings name; empty: there is none, it is away, or the
 * settings are wrong elsewhere. */
static void look_at_users(const struct flush *flush, char install_out[USERS_INSTALL_SIZE])
{
    const struct config_input input = {
        .file = cli_value(flush->cli, "config"),
        .environment = (const char *const *)environ,
    };
    struct config_report report = {0};
    struct config *config = NULL;
    struct users_sight sight = {0};
    struct error error = {0};
    enum err err = config_load(&input, &config, &report);
    if (err == ERR_OK)
        err = users_look(str_from(config->users_database), &sight, &error);
    snprintf(install_out, USERS_INSTALL_SIZE, "%s", err == ERR_OK ? sight.install : "");
    config_report_fini(&report);
    config_free(&config);
}

/*
 * Whether it is known that the control data in this Redis is another installation's: where both tell.
 * On a machine without the users database, or while that is away, a flush works all the same. The
 * database is looked at only where there is control data.
 */
static bool is_anothers(struct flush *flush)
{
    struct cli_services *services = &flush->services;
    char ours[USERS_INSTALL_SIZE];
    struct error error = {0};
    struct str install;
    enum err err =
        control_installation(services->app->control, cli_work(services, &error), &install);
    if (err != ERR_OK || install.len == 0)
        return false;
    look_at_users(flush, ours);
    return ours[0] && !str_eq(str_from(ours), install);
}

static void print_text(const struct flush *flush, const struct flush_result *result)
{
    struct strbuf text;
    strbuf_init(&text, NULL, 256);
    strbuf_addf(
        &text, "📊 %s: %lld\n🔑 %s: ", flush->dry_run ? "Keys that would be removed" : "Keys removed",
        (long long)result->removed, flush->dry_run ? "Keys" : "Deleted keys");
    for (size_t i = 0; i < result->key_count; i++)
        strbuf_addf(&text, "%s%.*s", i ? ", " : "", STR_ARG(result->keys[i]));
    /* A database is emptied as a whole: nobody knows the names. A prefix may have millions. */
    if (result->key_count == 0)
        strbuf_addf(&text, "%s",
                    result->removed == 0             ? "none"
                    : result->kind == CACHE_DATABASE ? "the whole database"
                                                     : "all that begin with its prefix");
    strbuf_add_char(&text, '\0');
    if (!flush->dry_run)
        say(flush, "✅ Cache flushed successfully!");
    if (!text.failed)
        say(flush, text.ptr);
    strbuf_fini(&text);
}

static int print_json(const struct flush *flush, const struct flush_result *result)
{
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, NULL, 256);
    json_writer_init(&json, &text);
    json_open_object(&json);
    json_add_string(&json, "target", flush->target);
    json_add_bool(&json, "flushed", !flush->dry_run);
    json_add_integer(&json, "keysRemoved", flush->dry_run ? 0 : result->removed);
    json_name(&json, "keys");
    json_open_array(&json);
    for (size_t i = 0; i < result->key_count; i++)
        json_write_string(&json, result->keys[i]);
    json_close_array(&json);
    if (flush->dry_run) {
        json_add_bool(&json, "dry_run", true);
        json_add_integer(&json, "wouldRemove", result->removed);
    }
    json_close_object(&json);
    strbuf_add_char(&text, '\n');
    return cli_print(&text);
}

/*
 * A cache with a prefix is emptied by a job. What was started is recorded here; what came of it, by the
 * program that ends the job: this one, or a server.
 */
static enum err flush_by_job(struct flush *flush, struct flush_result *result_out,
                             struct error *error)
{
    struct cli_services *services = &flush->services;
    const struct job_order order = {
        .target = job_target_of_cache(services->arena, flush->target),
        .only_counts = flush->dry_run,
        .principal = &services->principal,
        .client_address = STR("local"),
        .request_id = random_hex(services->arena, 8),
        .part = AUDIT_CHANGES,
    };
    struct job job;
    enum err err = jobs_start(services->app, cli_work(services, error), &order, &job);
    if (!flush->dry_run)
        (void)cli_audit(services, "caches.flush", flush->target, err, -1, false);
    if (err == ERR_OK)
        err = cli_job_follow(services, job.id, flush->json ? NULL : stdout, &job, error);
    if (err != ERR_OK)
        return err;
    *result_out = (struct flush_result){.removed = flush->dry_run ? job.found : job.removed,
                                        .kind = CACHE_PREFIX};
    if (job.state == JOB_DONE)
        return ERR_OK;
    return error_set(error, ERR_UPSTREAM_REFUSED, "%.*s (keys removed before: %lld)",
                     STR_ARG(job.reason), (long long)job.removed);
}

static enum err flush_directly(struct flush *flush, struct flush_result *result_out,
                               struct error *error)
{
    struct cli_services *services = &flush->services;
    enum err err = caches_flush(services->app, cli_work(services, error), flush->target,
                                flush->dry_run, result_out);
    if (!flush->dry_run && err != ERR_NOT_FOUND)
        (void)cli_audit(services, "caches.flush", flush->target, err, result_out->removed, true);
    return err;
}

static int empty_target(struct flush *flush)
{
    struct cli_services *services = &flush->services;
    struct flush_result result;
    enum cache_kind kind;
    struct error error = {0};
    enum err err = ping(services, &error);
    if (err == ERR_UPSTREAM_REFUSED || (err != ERR_OK && error.redis == REDIS_ERROR_AUTHENTICATION))
        return complain(error.caller, fix_for(err, &error));
    if (err != ERR_OK)
        return complain("Redis connection failed", fix_for(err, &error));
    say(flush, "✅ Connected to Redis");
    if (is_anothers(flush))
        return complain(
            "Redis holds the control data of another users database; nothing was removed",
            "Check users.database and redis.url: one of them is another "
            "installation's. If its users database is gone for good, take the data "
            "over: cachewarden serve --adopt");

    char line[128];
    bool is_messages = str_eq(flush->target, STR(DEFAULT_TARGET));
    snprintf(line, sizeof line, "🗑️  %s %.*s cache...",
             flush->dry_run ? "Counting" : "Flushing", is_messages ? 8 : (int)flush->target.len,
             is_messages ? "WhatsApp" : flush->target.ptr);
    say(flush, line);
    bool by_job = caches_kind(services->app, flush->target, &kind) && kind == CACHE_PREFIX;
    err = by_job ? flush_by_job(flush, &result, &error) : flush_directly(flush, &result, &error);
    if (err == ERR_CONFLICT && by_job)
        return complain(error.caller, "Wait until it has ended, or: cachewarden job cancel ID");
    if (by_job && str_starts(str_from(error.caller), STR("cancelled")))
        return complain(error.caller, "What was removed stays removed; it is safe to flush again");
    if (err == ERR_OK && flush->json)
        return print_json(flush, &result);
    if (err == ERR_OK)
        print_text(flush, &result);
    int status = err == ERR_OK ? CLI_OK
                               : complain(error.caller[0] ? error.caller : err_name(err),
                                          fix_for(err, &error));
    return status;
}

/* `file`: as --config names it, or NULL. */
static int complain_of_config(const char *file)
{
    char fix[4200];
    snprintf(fix, sizeof fix, "Look at it with: cachewarden serve --check-config%s%s",
             file ? " --config " : "", file ? file : "");
    return complain("The configuration cannot be used", fix);
}

static int run_flush(struct cli *cli)
{
    const char *target = cli_argument(cli, 0);
    struct flush flush = {
        .cli = cli,
        .target = target ? str_from(target) : STR(DEFAULT_TARGET),
        .dry_run = cli_flag(cli, "dry-run"),
        .json = cli_flag(cli, "json"),
    };
    say(&flush, "🔄 Initializing cache flush...");
    if (!cli_open_cache(cli, flush.target.ptr, &flush.services))
        return complain_of_config(cli_value(cli, "config"));
    int status = empty_target(&flush);
    cli_close(&flush.services);
    if (status == CLI_OK)
        say(&flush, "🔌 Disconnected from Redis");
    return status;
}

const struct cli_command cli_flush = {
    .name = "flush",
    .arguments = "[TARGET] [--dry-run] [--json]",
    .summary = "empties a named cache (default " DEFAULT_TARGET "), straight in Redis",
    .details =
        "Uses the settings of the server for Redis and the named caches, but needs no server, no\n"
        "users database and no auth.secret. Where there is a users database, and the control data\n"
        "in this Redis is another one's, nothing is removed. Doing it twice is fine.",
    .options = (const struct cli_option[]){{"dry-run", 0, NULL, false, "count, and change nothing"},
                                           CLI_JSON,
                                           CLI_OPTIONS_END},
    .max_arguments = 1,
    .run = run_flush,
};
