/* What GET /metrics says of jobs. */
#include "jobs/jobs_private.h"

#include "cachewarden/exposition.h"
#include "jobs/service.h"

void jobs_write_metrics(const struct jobs *jobs, struct strbuf *out)
{
    const struct jobs_counts *counts = &jobs->counts;

    exposition_single(out, "cachewarden_jobs_running", "gauge",
                      "Jobs that this node works on; one node at a time works on all of them.",
                      atomic_load(&counts->running));
    exposition_single(out, "cachewarden_jobs_started_total", "counter", "Jobs started here.",
                      atomic_load(&counts->started));
    exposition_family(out, "cachewarden_jobs_ended_total", "counter",
                      "Jobs that this node ended, by how.");
    exposition_count(out, "cachewarden_jobs_ended_total", "result=\"done\"",
                     atomic_load(&counts->done));
    exposition_count(out, "cachewarden_jobs_ended_total", "result=\"failed\"",
                     atomic_load(&counts->failed));
    exposition_count(out, "cachewarden_jobs_ended_total", "result=\"cancelled\"",
                     atomic_load(&counts->cancelled));
    exposition_single(out, "cachewarden_jobs_claims_refused_total", "counter",
                      "Claims on the jobs that a full Redis had no room for.",
                      atomic_load(&counts->unclaimed));
    exposition_single(out, "cachewarden_jobs_scanned_keys_total", "counter",
                      "Keys that jobs looked at, by what share of the database that was.",
                      atomic_load(&counts->scanned));
    exposition_single(out, "cachewarden_jobs_removed_keys_total", "counter",
                      "Keys removed by jobs.", atomic_load(&counts->removed));
}
