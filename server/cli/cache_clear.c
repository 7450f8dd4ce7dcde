/* `cache clear` of the entries of a namespace: all at once, or by a job those whose labels match a pattern. */
#include "cli/job.h"

#include "cachewarden/audit.h"
#include "cachewarden/entries.h"
#include "cachewarden/namespace.h"
#include "cachewarden/random.h"

#include <stdio.h>

/* ---- all of it ---- */

static int print_cleared(const struct cli *cli, const struct cli_services *services,
                         const struct namespace *space, int64_t generation)
{
    struct str name = namespace_text(services->arena, space);
    struct strbuf text;
    struct json_writer json;

    strbuf_init(&text, NULL, 128);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        json_open_object(&json);
        json_add_string(&json, "namespace", name);
        json_add_bool(&json, "cleared", true);
        json_add_integer(&json, "generation", generation);
        json_close_object(&json);
        strbuf_add_char(&text, '\n');
    } else {
        strbuf_addf(&text, "%s %.*s cleared (generation: %lld)\n",
                    space->is_gateway ? "Responses of the" : "Entries of", STR_ARG(name),
                    (long long)generation);
    }
    return cli_print(&text);
}

int cli_clear_namespace(const struct cli *cli, const struct namespace *space)
{
    struct cli_services services;
    struct error error = {0};
    int64_t generation = -1;

    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    const struct entry_request request = {
        .app = services.app, .work = cli_work(&services, &error), .space = *space};
    enum err err = entries_clear(&request, &generation);
    (void)cli_audit(&services, "entries.clear", namespace_text(services.arena, space), err,
                    err == ERR_OK ? generation : -1, false);
    int status = err == ERR_OK ? print_cleared(cli, &services, space, generation)
                               : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

/* ---- by a pattern ---- */

static enum err run_job(const struct cli *cli, struct cli_services *services,
                        const struct namespace *space, struct str pattern, struct job *job_out,
                        struct error *error)
{
    char target[JOB_AUDIT_TARGET_SIZE];
    const struct job_order order = {
        .target = job_target_of_entries(services->arena, space),
        .pattern = pattern,
        .principal = &services->principal,
        .client_address = STR("local"),
        .request_id = random_hex(services->arena, 8),
        .part = AUDIT_CHANGES,
    };
    enum err err = jobs_start(services->app, cli_work(services, error), &order, job_out);

    (void)job_audit_target(namespace_text(services->arena, space), pattern, target);
    (void)cli_audit(services, "entries.clear", str_from(target), err, -1, false);
    if (err != ERR_OK)
        return err;
    struct str id = job_out->id;
    return cli_job_follow(services, id, cli_flag(cli, "json") ? NULL : stdout, job_out, error);
}

static int print_job(const struct cli *cli, const struct job *job)
{
    struct strbuf text;
    struct json_writer json;

    strbuf_init(&text, NULL, 256);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        job_write_whole(&json, job);
        strbuf_add_char(&text, '\n');
    } else if (job->state == JOB_DONE) {
        strbuf_addf(&text, "Entries removed: %lld\n", (long long)job->removed);
    }
    int status = cli_print(&text);
    if (status == CLI_OK && job->state != JOB_DONE)
        return cli_fail("%.*s (entries removed before: %lld)", STR_ARG(job->reason),
                        (long long)job->removed);
    return status;
}

int cli_clear_by_pattern(const struct cli *cli, const struct namespace *space, struct str pattern)
{
    struct cli_services services;
    struct error error = {0};
    struct job job;

    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    enum err err = run_job(cli, &services, space, pattern, &job, &error);
    int status = err == ERR_OK ? print_job(cli, &job) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}
