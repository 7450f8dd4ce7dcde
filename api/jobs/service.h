/* The life of the jobs, and what other folders ask of them. */
#ifndef API_JOBS_SERVICE_H
#define API_JOBS_SERVICE_H

#include "cachewarden/app.h"
#include "cachewarden/call.h"

/* Of options: jobs_duty_percent, jobs_give_up_ms. `app` is borrowed, and complete when a job runs. */
CW_MUST_CHECK enum err jobs_open(struct app *app, const struct app_options *options,
                                 struct jobs **jobs_out, struct error *error);
/* Starts the runner, which works on jobs whenever no other node does. */
CW_MUST_CHECK enum err jobs_watch(struct jobs *jobs, struct error *error);
/* Lets another node go on with what is under way. */
void jobs_close(struct jobs **jobs);
struct job;
/* The answer of an operation that has started a job. */
CW_MUST_CHECK enum err jobs_answer_started(struct call *call, const struct job *job);
/* For GET /metrics. */
void jobs_write_metrics(const struct jobs *jobs, struct strbuf *out);

#endif
