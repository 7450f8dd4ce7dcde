/* What GET /metrics says of jobs. */
#include "jobs/jobs_private.h"

#include "cachewarden/exposition.h"
#include "jobs/service.h"

void jobs_write_metrics(const struct jobs *jobs, struct strbuf *out)
{
    const struct jobs_metrics *metrics = &jobs->metrics;

    exposition_single(out, "cachewarden_jobs_running", "gauge",
                      "Jobs that this node works on; one node at a time works on all of them.",
                      atomic_load(&metrics->running));
    exposition_single(out, "cachewarden_jobs_started_total", "counter", "Jobs started here.",
                      atomic_load(&metrics->started));
    exposition_family(out, "cachewarden_jobs_ended_total", "counter",
                      "Jobs that this node ended, by how.");
    exposition_count(out, "cachewarden_jobs_ended_total", "result=\"done\"",
                     atomic_load(&metrics->done));
    exposition_count(out, "cachewarden_jobs_ended_total", "result=\"failed\"",
                     atomic_load(&metrics->failed));
    exposition_count(out, "cachewarden_jobs_ended_total", "result=\"cancelled\"",
                     atomic_load(&metrics->cancelled));
    exposition_single(out, "cachewarden_jobs_claims_refused_total", "counter",
                      "Claims on the jobs that a full Redis had no room for.",
                      atomic_load(&metrics->unclaimed));
    exposition_single(out, "cachewarden_jobs_scanned_keys_total", "counter",
                      "Keys that jobs looked at, by what share of the database that was.",
                      atomic_load(&metrics->scanned));
    exposition_single(out, "cachewarden_jobs_removed_keys_total", "counter",
                      "Keys removed by jobs.", atomic_load(&metrics->removed));
}
