#include "process/serve_private.h"

#include "process/notify.h"
#include "process/renewal.h"
#include "reference/openapi.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/resolver.h"
#include "cachewarden/zone.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often it looks, while nothing happens, whether lost lines of the log can be told of. */
#define LOOK_S 1
/* A few load balancers and browsers; with fewer it is easily crowded. */
#define CONNECTIONS_GOOD 1024

void serve_complain(enum err err, const struct error *error)
{
    log_say("cachewarden: %s\n", error->caller[0] ? error->caller : err_name(err));
}

/* ---- starting ---- */

/* "127.0.0.1:8000, [::1]:8443s" with the real ports. */
static void describe_listeners(const struct server *server, struct strbuf *out)
{
    for (size_t i = 0; i < server->config->listen_count; i++) {
        const struct listen_address *listen = &server->config->listen[i];
        bool is_ipv6 = strchr(listen->host, ':') != NULL;
        strbuf_addf(out, is_ipv6 ? "%s[%s]:%d%s" : "%s%s:%d%s", i ? ", " : "", listen->host,
                    http_port(server->http, i), listen->tls ? "s" : "");
    }
}

static void notify_ready(const struct server *server)
{
    struct strbuf status;
    strbuf_init(&status, NULL, 160);
    strbuf_addf(&status, "Listening on ");
    describe_listeners(server, &status);
    notify_manager("READY=1", strbuf_str(&status));
    strbuf_fini(&status);
}

static void reload(struct server *server)
{
    notify_reloading();
    settings_reload(server);
    /* Whatever became of the settings: a slip in them must not let a certificate expire. */
    renewal_run(&server->certificates, server->newest, server->http, server->app);
    notify_ready(server);
}

/* What fits is in the line about the start; what is less than most installations need is told, too. */
static void warn_of_few_connections(const struct server *server)
{
    int fit = http_connections_max(server->http);
    if (fit < CONNECTIONS_GOOD)
        log_event(LOG_LEVEL_WARN, "server.few_connections", LOG_INT("connections", fit),
                  LOG_CSTR("fix", "raise the limit of open files: LimitNOFILE=, ulimit -Hn"));
}

static void announce(const struct server *server)
{
    struct strbuf listeners;
    char redis[256];
    strbuf_init(&listeners, NULL, 128);
    describe_listeners(server, &listeners);
    redis_address_describe(&server->config->redis, redis, sizeof redis);
    log_event(LOG_LEVEL_INFO, "server.started", LOG_STR("listening", strbuf_str(&listeners)),
              LOG_INT("threads", server->config->server_threads),
              LOG_INT("connections", http_connections_max(server->http)), LOG_CSTR("redis", redis),
              LOG_CSTR("users", users_driver_name(server->app->users)),
              LOG_CSTR("environment", server->config->environment), LOG_CSTR("version", CW_VERSION),
              LOG_INT("pid", getpid()));
    warn_of_few_connections(server);
    if (server->demo)
        demo_print(server->demo, &server->config->listen[0], http_port(server->http, 0));
    notify_ready(server);
    strbuf_fini(&listeners);
}

/* The zone is the process's: it has no other thread yet. */
static bool open_services(struct server *server)
{
    struct config_report report = {0};
    struct error error = {0};
    enum err err = zone_use(str_from(server->config->backup_timezone), &error);
    if (err == ERR_OK)
        err = config_open_app(server->config, false, &report, &server->app, &error);
    settings_log_report(&report);
    config_report_fini(&report);
    if (err == ERR_OK && server->demo)
        err = demo_prepare(server->demo, server->app, &error);
    if (err != ERR_OK)
        serve_complain(err, &error);
    else if (server->demo)
        app_own_redis(server->app);
    else if (server->options->adopt)
        app_adopt(server->app);
    return err == ERR_OK;
}

/* Before anything is made or changed. */
static bool check_edge(struct server *server)
{
    struct error error = {0};
    config_http_options(server->config, &server->http_options);
    enum err err = http_check(&server->http_options, &error);
    if (err != ERR_OK)
        serve_complain(err, &error);
    return err == ERR_OK;
}

static enum err write_schema(struct server *server, struct error *error)
{
    strbuf_init(&server->schema, NULL, 128 * 1024);
    openapi_write(&server->schema);
    server->http_options.schema = strbuf_str(&server->schema);
    return server->schema.failed ? error_set(error, ERR_NO_MEMORY, "out of memory") : ERR_OK;
}

static bool open_listeners(struct server *server)
{
    struct error error = {0};
    enum err err = write_schema(server, &error);
    server->http_options.app = server->app;
    server->http_options.certificates = &server->certificates;
    renewal_note(&server->certificates, OWNER_LISTENERS, server->config);
    renewal_note(&server->certificates, OWNER_REDIS, server->config);
    app_expect_watch(server->app);
    if (err == ERR_OK)
        err = http_start(&server->http_options, &server->http, &error);
    /* Only now, so that a port in use is not hidden among lines about a Redis that is down. */
    if (err == ERR_OK)
        err = app_watch(server->app, &error);
    if (err == ERR_OK) {
        app_await_start(server->app);
        if (!app_is_foreign(server->app, &error))
            return true;
    }
    serve_complain(err, &error);
    if (server->demo)
        log_say("cachewarden: choose another address with --listen 127.0.0.1:8001\n");
    return false;
}

static bool open_demo(struct server *server)
{
    struct error error = {0};
    enum err err = demo_open(&server->demo, &error);
    if (err != ERR_OK)
        serve_complain(err, &error);
    return err == ERR_OK;
}

/* Before there is any other thread, so that all of them have the signals blocked too. */
static void block_signals(struct server *server)
{
    sigemptyset(&server->signals);
    sigaddset(&server->signals, SIGTERM);
    sigaddset(&server->signals, SIGINT);
    sigaddset(&server->signals, SIGHUP);
    if (server->options->demo)
        sigaddset(&server->signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
}

/* ---- waiting and stopping ---- */

void serve_feed_watchdog(struct server *server)
{
    struct http_stats stats;
    int64_t now_ns = clock_mono_ns();
    if (!watchdog_is_due(&server->watchdog, now_ns))
        return;
    http_stats_read(server->http, &stats);
    watchdog_check(&server->watchdog, &stats, now_ns);
}

/* The next signal; 0 when it is time to look at workers and log instead. */
static int next_signal(struct server *server)
{
    struct timespec wait, look = {LOOK_S, 0};
    if (!watchdog_wait(&server->watchdog, clock_mono_ns(), &wait) || wait.tv_sec >= LOOK_S)
        wait = look;
    int signal_number = sigtimedwait(&server->signals, NULL, &wait);
    return signal_number > 0 ? signal_number : 0;
}

/* Waits for the signal to stop; false when the server cannot go on. */
static bool wait_for_stop(struct server *server)
{
    for (;;) {
        int signal_number = next_signal(server);
        serve_feed_watchdog(server);
        log_report_lost();
        if (stop_is_asked(server, signal_number)) {
            server->stop_signal = signal_number;
            return true;
        }
        if (signal_number == SIGHUP)
            reload(server);
        if (signal_number == SIGCHLD && waitpid(demo_redis(server->demo), NULL, WNOHANG) > 0) {
            log_event(LOG_LEVEL_ERROR, "demo.redis_ended",
                      LOG_CSTR("fix", "see .cachewarden/redis.log"));
            return false;
        }
    }
}

static void close_all(struct server *server)
{
    bool was_started = server->http != NULL;
    http_stop(&server->http);
    app_close(&server->app);
    strbuf_fini(&server->schema);
    demo_close(&server->demo);
    if (was_started)
        log_event(LOG_LEVEL_INFO, "server.stopped", LOG_INT("pid", getpid()));
    if (server->newest != server->config)
        config_free(&server->newest);
    config_free(&server->config);
}

static bool run(struct server *server)
{
    if ((server->options->demo && !open_demo(server)) || !settings_load(server) ||
        !check_edge(server) || !open_services(server) || !open_listeners(server))
        return false;
    server->app->ready = true;
    watchdog_init(&server->watchdog, server->config->server_body_timeout_ms +
                                         config_gateway_silence_ms(server->config));
    announce(server);

    bool asked = wait_for_stop(server);
    stop_serving(server);
    return asked;
}

bool serve_run(const struct serve_options *options)
{
    struct server server = {.options = options};
    block_signals(&server);
    log_start();
    bool asked = run(&server);
    close_all(&server);
    resolver_stop();
    log_stop();
    return asked;
}
