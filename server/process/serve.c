#include "process/serve.h"

#include "cli/cli.h"
#include "config/config.h"
#include "demo/demo.h"
#include "http/access_log.h"
#include "http/http.h"
#include "http/tls_certificates.h"
#include "process/drain.h"
#include "process/notify.h"
#include "process/watchdog.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often a draining server looks whether it is asked to hurry. */
#define DRAIN_STEP_MS 20
/* What a server that was told to hurry may still take before it is ended by force. */
#define HURRY_S 2
/* What the end takes besides: connections that linger, audit records that wait for Redis. */
#define STOP_RESERVE_MS 15000
/* How often it looks, while nothing happens, whether lost lines of the log can be told of. */
#define LOOK_S 1
/* A few load balancers and browsers; with fewer it is easily crowded. */
#define CONNECTIONS_GOOD 1024

struct server {
    const struct serve_options *options;
    struct config_override overrides[8];
    struct config_input input;
    struct config *config; /* of the start; the listeners borrow from it */
    struct config *newest; /* of the last reload, or the same */
    struct demo *demo;
    struct app *app;
    struct http_options http_options;
    struct http *http;
    struct certificates certificates;
    struct watchdog watchdog;
    sigset_t signals;
    int stop_signal; /* that it was told to stop by; 0: none */
};

/* ---- settings ---- */

static void log_report(const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        bool is_error = report->items[i].severity == CONFIG_ERROR;
        log_event(is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
                  is_error ? "config.error" : "config.warning",
                  LOG_CSTR("text", report->items[i].text));
    }
}

static void configure_log(const struct config *config)
{
    log_configure((enum log_level)config->log_level, (enum log_format)config->log_format);
    access_log_configure((enum access_log)config->log_access);
}

static void prepare_input(struct server *server)
{
    size_t count = 0;
    if (server->options->listen)
        server->overrides[count++] =
            (struct config_override){"server.listen", server->options->listen, "--listen"};
    if (server->demo) {
        size_t more;
        const struct config_override *overrides = demo_overrides(server->demo, &more);
        for (size_t i = 0; i < more && count < sizeof server->overrides / sizeof *server->overrides;
             i++)
            server->overrides[count++] = overrides[i];
    }
    server->input = (struct config_input){
        .file = server->options->config_file,
        .no_default_file = server->options->demo,
        .environment = (const char *const *)environ,
        .overrides = server->overrides,
        .override_count = count,
    };
}

static bool load(struct server *server)
{
    struct config_report report;
    prepare_input(server);
    enum err err = config_load(&server->input, &server->config, &report);
    if (err == ERR_OK) {
        server->newest = server->config;
        /* The file of the start must be there at a reload, too: no defaults in its place. */
        server->input.file = server->config->file;
        certificates_warn(server->config, clock_wall_s(), &report);
        configure_log(server->config);
        log_report(&report);
    } else if (report.count > 0) {
        cli_print_report(&report);
    } else {
        cli_fail("cannot read the settings: %s", err_name(err));
    }
    config_report_fini(&report);
    return err == ERR_OK;
}

/* ---- SIGHUP ---- */

static void log_applied(const char *name, bool reloadable, void *arg)
{
    (void)arg;
    if (reloadable)
        log_event(LOG_LEVEL_INFO, "config.reloaded", LOG_CSTR("setting", name));
}

static void log_postponed(const char *name, bool reloadable, void *arg)
{
    (void)arg;
    if (!reloadable)
        log_event(LOG_LEVEL_WARN, "config.needs_restart", LOG_CSTR("setting", name));
}

/* A file may have changed since the settings were checked: then the issuers stay as they are. */
static void apply_issuers(struct server *server)
{
    const struct issuer_spec *specs;
    struct error error = {0};
    size_t count;
    struct arena *arena = arena_new(1024, 0);
    enum err err = ERR_NO_MEMORY;
    if (arena)
        err = config_issuer_specs(server->newest, arena, &specs, &count);
    if (err == ERR_OK)
        err = identity_set_issuers(server->app->identity, specs, count, &error);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_ERROR, "config.issuers_kept",
                  LOG_CSTR("error", error.caller[0] ? error.caller : err_name(err)));
    arena_free(&arena);
}

/* What can change under running requests: each is one atomic word, read anew by every request, but
 * for the issuers, which see to it themselves. */
static void apply(struct server *server)
{
    const struct config *config = server->newest;
    configure_log(config);
    server->app->registration_open = config->users_registration == REGISTRATION_OPEN;
    server->app->policy.flush_for_authenticated =
        config->auth_flush_permission == FLUSH_AUTHENTICATED;
    struct limit_settings limits;
    config_limit_settings(config, &limits);
    limits_set(server->app->limits, &limits);
    int64_t keep[AUDIT_PARTS];
    config_audit_keep(config, keep);
    audit_keep(server->app, keep);
    apply_issuers(server);
}

static void read_again(struct server *server)
{
    struct config_report report;
    struct config *fresh;
    enum err err = config_load(&server->input, &fresh, &report);
    if (err == ERR_OK)
        certificates_warn(fresh, clock_wall_s(), &report);
    log_report(&report);
    config_report_fini(&report);
    if (err != ERR_OK) {
        log_event(LOG_LEVEL_ERROR, "config.kept", LOG_CSTR("error", err_name(err)));
        return;
    }
    config_compare(server->newest, fresh, log_applied, NULL);
    config_compare(server->config, fresh, log_postponed, NULL);
    if (server->newest != server->config)
        config_free(&server->newest);
    server->newest = fresh;
    apply(server);
    log_event(LOG_LEVEL_INFO, "config.loaded",
              LOG_CSTR("file", fresh->file ? fresh->file : "(none)"));
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
    read_again(server);
    /* Whatever became of the settings: a slip in them must not let a certificate expire. */
    certificates_renew(&server->certificates, server->newest, server->http, server->app);
    notify_ready(server);
}

/* What fits is in the line about the start; what is less than most installations need is told, too. */
static void warn_of_few_connections(const struct server *server)
{
    int fit = http_connections_max(server->http);
    if (fit < CONNECTIONS_GOOD)
        log_event(LOG_LEVEL_WARN, "server.few_connections", LOG_INT("connections", fit),
                  LOG_CSTR("mend", "raise the limit of open files: LimitNOFILE=, ulimit -Hn"));
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

static bool open_services(struct server *server)
{
    struct config_report report = {0};
    struct error error = {0};
    enum err err = config_open_app(server->config, false, &report, &server->app, &error);
    log_report(&report);
    config_report_fini(&report);
    if (err == ERR_OK && server->demo)
        err = demo_prepare(server->demo, server->app, &error);
    if (err != ERR_OK)
        cli_fail("%s", error.caller[0] ? error.caller : err_name(err));
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
        cli_fail("%s", error.caller[0] ? error.caller : err_name(err));
    return err == ERR_OK;
}

static bool open_listeners(struct server *server)
{
    struct error error = {0};
    server->http_options.app = server->app;
    server->http_options.certificates = &server->certificates;
    certificates_note(&server->certificates, OWNER_LISTENERS, server->config);
    certificates_note(&server->certificates, OWNER_REDIS, server->config);
    enum err err = http_start(&server->http_options, &server->http, &error);
    /* Only now, so that a port in use is not hidden among lines about a Redis that is down. */
    if (err == ERR_OK)
        err = app_watch(server->app, &error);
    if (err == ERR_OK) {
        app_await_watch(server->app);
        if (!app_is_foreign(server->app, &error))
            return true;
    }
    cli_fail("%s", error.caller[0] ? error.caller : err_name(err));
    if (server->demo)
        cli_fail("choose another address with --listen 127.0.0.1:8001");
    return false;
}

static bool open_demo(struct server *server)
{
    struct error error = {0};
    enum err err = demo_open(&server->demo, &error);
    if (err != ERR_OK)
        cli_fail("%s", error.caller[0] ? error.caller : err_name(err));
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

static bool is_stop(const struct server *server, int signal_number)
{
    return signal_number == SIGTERM || signal_number == SIGINT ||
           (signal_number == SIGHUP && server->demo);
}

static void watch(struct server *server)
{
    struct http_stats stats;
    int64_t now_ns = clock_mono_ns();
    if (!watchdog_is_due(&server->watchdog, now_ns))
        return;
    http_stats_read(server->http, &stats);
    watchdog_look(&server->watchdog, &stats, now_ns);
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
        watch(server);
        log_tell_lost();
        if (is_stop(server, signal_number)) {
            server->stop_signal = signal_number;
            return true;
        }
        if (signal_number == SIGHUP)
            reload(server);
        if (signal_number == SIGCHLD && waitpid(demo_redis(server->demo), NULL, WNOHANG) > 0) {
            log_event(LOG_LEVEL_ERROR, "demo.redis_ended",
                      LOG_CSTR("mend", "see .cachewarden/redis.log"));
            return false;
        }
    }
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

/* Serves on until load balancers know, then lets requests under way end, for server.drain_s at most; or
 * until a second signal. */
static void drain(struct server *server)
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
        watch(server);
        if (is_stop(server, sigtimedwait(&server->signals, NULL, is_idle ? &step : &at_once))) {
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

static void close_all(struct server *server)
{
    bool was_started = server->http != NULL;
    http_stop(&server->http);
    app_close(&server->app);
    demo_close(&server->demo);
    if (was_started)
        log_event(LOG_LEVEL_INFO, "server.stopped", LOG_INT("pid", getpid()));
    if (server->newest != server->config)
        config_free(&server->newest);
    config_free(&server->config);
}

static int run(struct server *server)
{
    if ((server->options->demo && !open_demo(server)) || !load(server) || !check_edge(server) ||
        !open_services(server) || !open_listeners(server))
        return CLI_FAILED;
    server->app->ready = true;
    watchdog_init(&server->watchdog, server->config->server_body_timeout_ms);
    announce(server);

    bool asked = wait_for_stop(server);
    drain(server);
    return asked ? CLI_OK : CLI_FAILED;
}

int serve_run(const struct serve_options *options)
{
    struct server server = {.options = options};
    block_signals(&server);
    log_start();
    int status = run(&server);
    close_all(&server);
    log_stop();
    return status;
}
