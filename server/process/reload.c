/* The settings of a running server: at the start, and again at SIGHUP. */
#include "process/serve_private.h"

#include "config/certificates.h"
#include "http/access_log.h"

#include "cachewarden/audit.h"
#include "cachewarden/clock.h"
#include "cachewarden/jobs.h"
#include "cachewarden/log.h"

#include <stdlib.h>
#include <unistd.h>

void settings_log_report(const struct config_report *report)
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

bool settings_load(struct server *server)
{
    struct config_report report;
    prepare_input(server);
    enum err err = config_load(&server->input, &server->config, &report);
    if (err == ERR_OK) {
        server->newest = server->config;
        /* The file of the start must be there at a reload, too: no defaults in its place. */
        server->input.file = server->config->file;
        config_warn_of_certificates(server->config, clock_wall_s(), &report);
        configure_log(server->config);
        settings_log_report(&report);
    } else if (report.count > 0) {
        config_report_print(&report);
    } else {
        log_say("cachewarden: cannot read the settings: %s\n", err_name(err));
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

/* Where the settings have none, it stands in a file beside the SQLite database. */
static enum err apply_secrets_with(struct server *server, struct config_report *report,
                                   bool *changed_out, struct error *error)
{
    const struct config *config = server->newest;
    const char *database = config->auth_secret ? NULL : config_sqlite_path(config);
    char *beside = NULL;
    enum err err = database ? config_secret_read(database, &beside, report, error) : ERR_OK;
    struct secrets secrets = config_secrets(config, beside);
    if (err == ERR_NOT_FOUND)
        err = error_set(error, err, "auth.secret: %s.secret is not there", database);
    if (err == ERR_OK)
        err = app_set_secrets(server->app, &secrets, changed_out, error);
    if (beside)
        secret_wipe(beside, strlen(beside));
    free(beside);
    return err;
}

static void apply_secrets(struct server *server)
{
    struct config_report report = {0};
    struct error error = {0};
    bool changed = false;
    enum err err = apply_secrets_with(server, &report, &changed, &error);
    settings_log_report(&report);
    config_report_fini(&report);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_ERROR, "config.secrets_kept",
                  LOG_CSTR("error", error.caller[0] ? error.caller : err_name(err)));
    else if (changed)
        log_event(LOG_LEVEL_INFO, "config.secrets_renewed", LOG_CSTR("setting", "auth.secret"));
}

static void apply_logins(struct server *server)
{
    struct app_logins logins;
    struct error error = {0};
    bool redis_changed = false, users_changed = false;
    struct arena *arena = arena_new(1024, 0);
    enum err err = ERR_NO_MEMORY;
    if (arena)
        err = config_logins(server->config, server->newest, arena, &logins);
    if (err == ERR_OK)
        err = app_renew_logins(server->app, &logins, &redis_changed, &users_changed, &error);
    if (err != ERR_OK)
        log_event(LOG_LEVEL_ERROR, "config.logins_kept",
                  LOG_CSTR("error", error.caller[0] ? error.caller : err_name(err)));
    if (redis_changed)
        log_event(LOG_LEVEL_INFO, "config.login_renewed", LOG_CSTR("of", "redis"));
    if (users_changed)
        log_event(LOG_LEVEL_INFO, "config.login_renewed", LOG_CSTR("of", "users"));
    arena_free(&arena);
}

/* What can change under running requests: each is one atomic word, read anew by every request, but
 * for the issuers, the secrets and the logins, which see to it themselves. */
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
    jobs_set_duty(server->app, (int)config->jobs_duty_percent);
    apply_issuers(server);
    apply_secrets(server);
    apply_logins(server);
}

void settings_reload(struct server *server)
{
    struct config_report report;
    struct config *fresh;
    enum err err = config_load(&server->input, &fresh, &report);
    if (err == ERR_OK)
        config_warn_of_certificates(fresh, clock_wall_s(), &report);
    settings_log_report(&report);
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
