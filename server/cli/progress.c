#include "cli/progress.h"

#include "cachewarden/clock.h"

#include <unistd.h>

enum { BAR_WIDTH = 30, DRAW_EVERY_MS = 100 };

/* ---- interrupted ---- */

static _Atomic bool is_interrupted;

static void note_interrupt(int signal_number)
{
    (void)signal_number;
    atomic_store(&is_interrupted, true);
}

static const int interrupts[CLI_INTERRUPTS] = {SIGINT, SIGTERM, SIGHUP};

/* ---- drawing ---- */

static void draw(struct cli_progress *progress, const char *what, int64_t done, int64_t total)
{
    static const char full[] = "##############################",
                      empty[] = "..............................";

    if (total <= 0) {
        fprintf(progress->out, "\r%-10s %lld\033[K", what, (long long)done);
    } else {
        int percent = done < total ? (int)(done * 100 / total) : 100;
        int width = percent * BAR_WIDTH / 100;
        fprintf(progress->out, "\r%-10s [%.*s%.*s] %3d %%  %lld\033[K", what, width, full,
                BAR_WIDTH - width, empty, percent, (long long)done);
    }
    fflush(progress->out);
}

/* The rows of a kind are all there. */
static void end_kind(struct cli_progress *progress)
{
    if (!progress->what[0])
        return;
    if (progress->is_terminal)
        draw(progress, progress->what, progress->done, progress->done);
    else
        fprintf(progress->out, "%s: %lld\n", progress->what, (long long)progress->done);
}

static void show(void *with, const char *what, int64_t done, int64_t total)
{
    struct cli_progress *progress = with;
    int64_t now_ns = clock_mono_ns();

    if (strcmp(progress->what, what) != 0) {
        end_kind(progress);
        snprintf(progress->what, sizeof progress->what, "%s", what);
    } else if (now_ns - progress->shown_ns < DRAW_EVERY_MS * NS_PER_MS) {
        progress->done = done;
        return;
    }
    progress->done = done;
    progress->shown_ns = now_ns;
    if (progress->is_terminal)
        draw(progress, what, done, total);
}

struct backup_watch cli_progress_begin(struct cli_progress *progress, FILE *out)
{
    const struct sigaction action = {.sa_handler = note_interrupt};

    *progress = (struct cli_progress){.out = out, .is_terminal = out && isatty(fileno(out))};
    atomic_store(&is_interrupted, false);
    for (size_t i = 0; i < CLI_INTERRUPTS; i++)
        sigaction(interrupts[i], &action, &progress->before[i]);
    return (struct backup_watch){
        .progress = out ? show : NULL,
        .with = progress,
        .is_stopping = &is_interrupted,
    };
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->out)
        end_kind(progress);
    if (progress->is_terminal && progress->what[0])
        fputs("\r\033[K", progress->out);
    for (size_t i = 0; i < CLI_INTERRUPTS; i++)
        sigaction(interrupts[i], &progress->before[i], NULL);
}
