/* What the files share that run the server. The main thread alone uses it. */
#ifndef SERVER_PROCESS_SERVE_PRIVATE_H
#define SERVER_PROCESS_SERVE_PRIVATE_H

#include "config/config.h"
#include "demo/demo.h"
#include "http/certificates.h"
#include "http/http.h"
#include "process/serve.h"
#include "process/watchdog.h"

#include <signal.h>

struct server {
    const struct serve_options *options;
    struct config_override overrides[8];
    struct config_input input;
    struct config *config; /* of the start; the listeners borrow from it */
    struct config *newest; /* of the last reload, or the same */
    struct demo *demo;
    struct app *app;
    struct http_options http_options;
    struct strbuf schema; /* the OpenAPI document */
    struct http *http;
    struct certificates_in_use certificates;
    struct watchdog watchdog;
    sigset_t signals;
    int stop_signal; /* that it was told to stop by; 0: none */
};

/* Tells the watchdog that all is well, when it is due and the workers get on. */
void serve_feed_watchdog(struct server *server);

/* ---- reload.c ---- */

/* At the start. False after a complaint. */
bool settings_load(struct server *server);
/* At SIGHUP: read again, and what can change under running requests does. Settings with mistakes change
 * nothing; the log tells. */
void settings_reload(struct server *server);
/* Problems as lines of the log. */
void settings_log_report(const struct config_report *report);
/* "cachewarden: …" on standard error, for whoever started the server. */
void serve_complain(enum err err, const struct error *error);

/* ---- stop.c ---- */

/* Whether the signal asks the server to stop. */
bool stop_is_asked(const struct server *server, int signal_number);
/* Serves on until load balancers know, then lets requests under way end, for server.drain_s at most; or
 * until a second signal. */
void stop_serving(struct server *server);

#endif
