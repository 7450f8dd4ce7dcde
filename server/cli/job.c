/* `job`: what works in the background. */
#include "cli/job.h"

#include "cachewarden/clock.h"

static struct str short_time(int64_t wall_ms, char buffer[CLOCK_RFC3339_SIZE])
{
    return wall_ms > 0 ? str_sub(clock_rfc3339(wall_ms, buffer), 0, 19) : STR("-");
}

/* ---- list ---- */

static void print_jobs(struct strbuf *out, const struct job *jobs, size_t count)
{
    static const char *const heads[] = {"ID", "STARTED", "STATE", "DONE", "REMOVED", "BY"};
    static const size_t widths[] = {34, 21, 9, 7, 12, 18};
    char text[CLOCK_RFC3339_SIZE];

    for (size_t i = 0; i < 6; i++)
        cli_pad(out, str_from(heads[i]), widths[i]);
    strbuf_addf(out, "TARGET\n");
    for (size_t i = 0; i < count; i++) {
        const struct job *job = &jobs[i];
        cli_pad(out, job->id, widths[0]);
        cli_pad(out, short_time(job->started_ms, text), widths[1]);
        cli_pad(out, str_from(job_state_name(job->state)), widths[2]);
        snprintf(text, sizeof text, "%d %%", (int)(job->progress / 10000));
        cli_pad(out, str_from(text), widths[3]);
        snprintf(text, sizeof text, "%lld", (long long)job->removed);
        cli_pad(out, str_from(text), widths[4]);
        cli_pad(out, job->by, widths[5]);
        strbuf_addf(out, "%.*s%s%.*s\n", STR_ARG(job->target), job->pattern.len > 0 ? " " : "",
                    STR_ARG(job->pattern));
    }
}

static void write_jobs(struct strbuf *out, const struct job *jobs, size_t count)
{
    struct json_writer json;

    json_writer_init(&json, out);
    json_open_array(&json);
    for (size_t i = 0; i < count; i++)
        job_write_whole(&json, &jobs[i]);
    json_close_array(&json);
    strbuf_add_char(out, '\n');
}

static int run_list(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct job *jobs;
    size_t count;
    struct strbuf text;

    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err = jobs_list(services.app, cli_work(&services, &error), &jobs, &count);
    int status = CLI_FAILED;
    if (err != ERR_OK) {
        status = cli_fail_with(err, &error);
    } else {
        strbuf_init(&text, NULL, 4096);
        if (cli_flag(cli, "json"))
            write_jobs(&text, jobs, count);
        else
            print_jobs(&text, jobs, count);
        status = cli_print(&text);
    }
    cli_close(&services);
    return status;
}

/* ---- one ---- */

static void print_job(struct strbuf *out, const struct job *job)
{
    char started[CLOCK_RFC3339_SIZE], finished[CLOCK_RFC3339_SIZE];

    strbuf_addf(out, "Job %.*s: %s%s%.*s\n", STR_ARG(job->id), job_state_name(job->state),
                job->reason.len > 0 ? ", " : "", STR_ARG(job->reason));
    strbuf_addf(out, "  target    %.*s%s%.*s%s\n", STR_ARG(job->target),
                job->pattern.len > 0 ? ", pattern " : "", STR_ARG(job->pattern),
                job->only_counts ? ", counts only" : "");
    strbuf_addf(out, "  started   %.*s by %.*s\n", STR_ARG(short_time(job->started_ms, started)),
                STR_ARG(job->by));
    strbuf_addf(out, "  finished  %.*s\n", STR_ARG(short_time(job->finished_ms, finished)));
    strbuf_addf(out, "  progress  %d %%, %lld keys looked at, %lld found, %lld removed\n",
                (int)(job->progress / 10000), (long long)job->scanned, (long long)job->found,
                (long long)job->removed);
}

static int print_one(const struct cli *cli, const struct job *job)
{
    struct strbuf text;
    struct json_writer json;

    strbuf_init(&text, NULL, 512);
    if (cli_flag(cli, "json")) {
        json_writer_init(&json, &text);
        job_write_whole(&json, job);
        strbuf_add_char(&text, '\n');
    } else {
        print_job(&text, job);
    }
    return cli_print(&text);
}

static int run_show(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct job job;

    if (!cli_open(cli, &services))
        return CLI_FAILED;
    enum err err =
        jobs_find(services.app, cli_work(&services, &error), str_from(cli_argument(cli, 0)), &job);
    int status = err == ERR_OK ? print_one(cli, &job) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

/* One that has ended is not cancelled any more; whoever asks for it sees how it ended. */
static int run_cancel(struct cli *cli)
{
    struct cli_services services;
    struct error error = {0};
    struct job job;
    bool was_running;

    if (!cli_open_to_change(cli, &services))
        return CLI_FAILED;
    enum err err = jobs_cancel(services.app, cli_work(&services, &error),
                               str_from(cli_argument(cli, 0)), &job, &was_running);
    if (was_running || (err != ERR_OK && err != ERR_NOT_FOUND))
        (void)cli_audit(&services, "jobs.cancel",
                        str_format(services.arena, "job:%.64s", cli_argument(cli, 0)), err,
                        err == ERR_OK ? job.removed : -1, false);
    int status = err == ERR_OK ? print_one(cli, &job) : cli_fail_with(err, &error);
    cli_close(&services);
    return status;
}

/* ---- the table ---- */

static const struct cli_option json_only[] = {CLI_JSON, CLI_OPTIONS_END};

const struct cli_command cli_job = {
    .name = "job",
    .arguments = "list | show | cancel",
    .summary = "looks at and cancels what works in the background",
    .subcommands =
        (const struct cli_command[]){
            {.name = "list",
             .arguments = "[--json]",
             .summary = "lists the jobs of the last day, newest first",
             .options = json_only,
             .run = run_list},
            {.name = "show",
             .arguments = "ID [--json]",
             .summary = "how far a job is, and how it ended",
             .options = json_only,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_show},
            {.name = "cancel",
             .arguments = "ID [--json]",
             .summary = "ends a job where it is; what it removed stays removed",
             .options = json_only,
             .min_arguments = 1,
             .max_arguments = 1,
             .run = run_cancel},
            {.name = NULL},
        },
};
