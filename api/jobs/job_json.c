/* A job as JSON. */
#include "cachewarden/jobs.h"

#include "cachewarden/clock.h"
#include "jobs/pace.h"

static void write_time(struct json_writer *json, const char *name, int64_t wall_ms)
{
    char buffer[CLOCK_RFC3339_SIZE];

    json_name(json, name);
    if (wall_ms > 0)
        json_write_string(json, clock_rfc3339(wall_ms, buffer));
    else
        json_write_null(json);
}

static void write_members(struct json_writer *json, const struct job *job)
{
    int64_t percent = job->progress / (PACE_WHOLE / 100);

    json_add_string(json, "id", job->id);
    json_add_string(json, "state", str_from(job_state_name(job->state)));
    json_add_integer(json, "scanned", job->scanned);
    json_add_integer(json, "removed", job->removed);
    json_name(json, "progress");
    /* Cut, not rounded: 1 is said at the end alone. */
    if (job->progress >= PACE_WHOLE)
        json_write_integer(json, 1);
    else
        json_write_real(json, (double)percent / 100, 2);
    write_time(json, "started_at", job->started_ms);
    write_time(json, "finished_at", job->finished_ms);
    if (job->state == JOB_FAILED)
        json_add_string(json, "reason", job->reason);
    if (job->only_counts) {
        json_add_bool(json, "dry_run", true);
        json_add_integer(json, "wouldRemove", job->found);
    }
}

void job_write(struct json_writer *json, const struct job *job)
{
    json_open_object(json);
    write_members(json, job);
    json_close_object(json);
}

void job_write_whole(struct json_writer *json, const struct job *job)
{
    json_open_object(json);
    write_members(json, job);
    json_add_string(json, "target", job->target);
    json_add_string(json, "pattern", job->pattern);
    json_add_string(json, "by", job->by);
    json_close_object(json);
}
