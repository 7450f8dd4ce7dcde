/*
 * The life of the server: settings, log, services, listeners, then waiting for signals, and all of
 * it backwards. Runs in the main thread; every other thread has the signals blocked.
 *
 *   SIGTERM, SIGINT   stop: not ready, answers close their connections, requests under way may end
 *   again             stop now, whatever is under way
 *   SIGHUP            read the settings again (the demo: stop)
 */
#ifndef SERVER_PROCESS_SERVE_H
#define SERVER_PROCESS_SERVE_H

#include <stdbool.h>

struct serve_options {
    const char *config_file; /* NULL: the default one */
    const char *listen;      /* as in CACHEWARDEN_LISTEN; NULL: as the settings say */
    bool demo;
    bool adopt; /* the control data in Redis is taken over from another users database */
};

/* Returns when the server has stopped: true if it was asked to; false if it could not start or go on, after
 * a complaint. */
bool serve_run(const struct serve_options *options);

#endif
