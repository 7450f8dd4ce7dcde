/* The end of a server: it serves on while somebody may still send, then lets requests end. */
#include "process/serve_private.h"

#include "process/drain.h"
#include "process/notify.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdio.h>
#include <unistd.h>

/* How often a draining server looks whether it is asked to hurry. */
#define DRAIN_STEP_MS 20
/* What a server that was told to hurry may still take before it is ended by force. */
#define HURRY_S 2
/* What the end takes besides: connections that linger, audit records that wait for Redis. */
#define STOP_RESERVE_MS 15000

bool stop_is_asked(const struct server *server, int signal_number)
{
    return signal_number == SIGTERM || signal_number == SIGINT ||
           (signal_number == SIGHUP && server->demo);
}

/* From here on a further signal, or so much time, ends the process whatever it is doing. */
static void hurry(unsigned most_s)
{
    sigset_t deadly;
    sigemptyset(&deadly);
    sigaddset(&deadly, SIGTERM);
    sigaddset(&deadly, SIGINT);
    alarm(most_s);
    pthread_sigmask(SIG_UNBLOCK, &deadly, NULL);
}

static void cut_off(struct server *server, const char *reason)
{
    struct http_stats stats;
    server->app->is_ending = true;
    http_stats_read(server->http, &stats);
    if (stats.requests_under_way > 0)
        log_event(LOG_LEVEL_WARN, "server.cut_off", LOG_CSTR("reason", reason),
                  LOG_INT("requests", stats.requests_under_way));
}

/* Tells the manager, too, which may have less patience with a stop than the settings ask for. */
static void announce_stop(const struct server *server, const struct drain *drain)
{
    char state[64], status[96];
    int64_t serves_ms = (drain->until_ns - drain->began_ns) / NS_PER_MS;
    int64_t most_ms = (drain->deadline_ns - drain->began_ns) / NS_PER_MS;
    log_event(LOG_LEVEL_INFO, "server.stopping",
              LOG_CSTR("signal", server->stop_signal ? sigabbrev_np(server->stop_signal) : "none"),
              LOG_INT("serves_on_ms", serves_ms), LOG_INT("most_ms", most_ms));
    snprintf(state, sizeof state, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
             (long long)(most_ms + STOP_RESERVE_MS) * 1000);
    snprintf(status, sizeof status, "%s requests",
             serves_ms > 0 ? "Not ready any more, and still serving" : "Finishing");
    notify_manager(state, str_from(status));
}

void stop_serving(struct server *server)
{
    const struct timespec at_once = {0, 0}, step = {0, DRAIN_STEP_MS * NS_PER_MS};
    const struct config *config = server->newest;
    struct drain drain;
    /* Before readiness says no, so that each of its refusals closes its connection. */
    http_drain(server->http);
    server->app->ready = false;
    drain_begin(&drain, server->app, server->stop_signal != SIGTERM, config->server_lame_duck_s,
                config->server_drain_s, clock_mono_ns());
    announce_stop(server, &drain);
    for (;;) {
        int64_t step_ns = clock_deadline_ns(DRAIN_STEP_MS);
        bool is_idle =
            http_wait_idle(server->http,
                           step_ns < drain.deadline_ns ? step_ns : drain.deadline_ns) == ERR_OK;
        int64_t now_ns = clock_mono_ns();
        if (is_idle && drain_may_end(&drain, server->http, server->app, now_ns)) {
            hurry(STOP_RESERVE_MS / 1000);
            return;
        }
        if (now_ns >= drain.gives_up_ns)
            server->app->is_ending = true;
        serve_feed_watchdog(server);
        if (stop_is_asked(server,
                          sigtimedwait(&server->signals, NULL, is_idle ? &step : &at_once))) {
            hurry(HURRY_S);
            cut_off(server, "second signal");
            return;
        }
        if (now_ns >= drain.deadline_ns) {
            hurry(STOP_RESERVE_MS / 1000);
            cut_off(server, "server.drain_s is over");
            return;
        }
    }
}
