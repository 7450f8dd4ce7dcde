/* Jobs on the command line: what `job`, `flush` and `cache clear` share. */
#ifndef SERVER_CLI_JOB_H
#define SERVER_CLI_JOB_H

#include "cli/cli.h"

#include "cachewarden/jobs.h"

#include <stdio.h>

/*
 * Works on a job that was just started until it ends, unless a server does. Shows how far it is on `out`
 * (NULL: nowhere). SIGINT, SIGTERM and SIGHUP cancel the job. Once for each cli_services. ERR_OK: it ended,
 * well or not. Errors of jobs_find: it is not known whether it did, and servers go on with it.
 */
CW_MUST_CHECK enum err cli_job_follow(struct cli_services *services, struct str id, FILE *out,
                                      struct job *job_out, struct error *error);

/* `cache clear` of a namespace (cache_clear.c); the exit status. */
int cli_clear_namespace(const struct cli *cli, const struct namespace *space);
int cli_clear_by_pattern(const struct cli *cli, const struct namespace *space, struct str pattern);

#endif
