/* Watching a backup until it is made: a bar on a terminal, a line for each kind of rows elsewhere. */
#ifndef SERVER_CLI_PROGRESS_H
#define SERVER_CLI_PROGRESS_H

#include "cachewarden/backup.h"

#include <signal.h>
#include <stdio.h>

enum { CLI_INTERRUPTS = 3 };

struct cli_progress {
    FILE *out; /* NULL: nowhere */
    bool is_terminal;
    char what[32];    /* of which rows the last line is; empty: there is none yet */
    int64_t done;     /* of those */
    int64_t shown_ns; /* when the bar was drawn last */
    struct sigaction before[CLI_INTERRUPTS];
};

/* SIGINT, SIGTERM and SIGHUP give up what is watched, until cli_progress_end. One at a time. */
struct backup_watch cli_progress_begin(struct cli_progress *progress, FILE *out);
void cli_progress_end(struct cli_progress *progress);

#endif
