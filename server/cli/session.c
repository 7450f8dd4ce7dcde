/* What commands share that work on the services: settings, app, the person at the keyboard. */
#include "cli/cli.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A command's own words say what failed; the log's would only be in between, unless asked for. */
static void configure_log(const struct config *config)
{
    bool asked = config->origins[SETTING_log_level].source > CONFIG_DEFAULT;
    log_configure(asked ? (enum log_level)config->log_level : LOG_LEVEL_ERROR,
                  (enum log_format)config->log_format);
}

bool cli_load_config(const struct cli *cli, bool direct, struct config **config_out)
{
    const struct config_input input = {
        .file = cli_value(cli, "config"),
        .environment = (const char *const *)environ,
        .direct = direct,
    };
    struct config_report report;
    enum err err = config_load(&input, config_out, &report);
    config_report_print(&report);
    if (err != ERR_OK && report.count == 0)
        cli_fail("cannot read the settings: %s", err_name(err));
    config_report_fini(&report);
    if (err == ERR_OK)
        configure_log(*config_out);
    return err == ERR_OK;
}

/* The name of the person, for the audit: of the real user, whatever the effective one is. */
static struct str user_name(struct arena *arena)
{
    struct passwd entry, *found = NULL;
    size_t size = 16384;
    char *buffer = arena_alloc(arena, size);
    if (buffer && getpwuid_r(getuid(), &entry, buffer, size, &found) == 0 && found)
        return str_from(found->pw_name);
    return str_format(arena, "uid %u", (unsigned)getuid());
}

static bool open_services(const struct cli *cli, const char *cache, struct session *session_out)
{
    bool direct = cache != NULL;
    struct config_report report = {0};
    struct error error = {0};
    *session_out = (struct session){0};
    if (!cli_load_config(cli, direct, &session_out->config))
        return false;
    session_out->config->only_cache = cache;
    session_out->arena = arena_new(65536, 0);
    enum err err = ERR_NO_MEMORY;
    if (session_out->arena)
        err = config_open_app(session_out->config, direct, &report, &session_out->app, &error);
    config_report_print(&report);
    config_report_fini(&report);
    if (err != ERR_OK) {
        cli_fail("%s", error.caller[0] ? error.caller : err_name(err));
        session_close(session_out);
        return false;
    }
    app_follow(session_out->app);
    session_out->principal = (struct principal){
        .kind = PRINCIPAL_USER,
        .credential = CREDENTIAL_OPERATOR,
        .name = user_name(session_out->arena),
        .is_admin = true,
    };
    return true;
}

bool session_open(const struct cli *cli, struct session *session_out)
{
    return open_services(cli, NULL, session_out);
}

bool session_open_cache(const struct cli *cli, const char *name, struct session *session_out)
{
    return open_services(cli, name, session_out);
}

void session_close(struct session *session)
{
    app_close(&session->app);
    arena_free(&session->arena);
    config_free(&session->config);
}

int64_t session_deadline_ns(const struct session *session)
{
    return clock_deadline_ns(session->app->budget_ms);
}

enum err session_audit(struct session *session, const char *route, struct str target, enum err err,
                       int64_t count, bool is_flush)
{
    const struct audit_record record = {
        .principal = &session->principal,
        .client_address = STR("local"),
        .request_id = random_hex(session->arena, 8),
        .route = route,
        .target = target,
        .result = err_name(err),
        .count = count,
        .is_flush = is_flush && err == ERR_OK,
    };
    audit_write(session->app, &record);
    return err;
}

int session_fail(enum err err, const struct error *error)
{
    const char *text = error->caller[0] ? error->caller : err_name(err);
    if (err == ERR_UNCERTAIN)
        return cli_fail("%s: it may have happened all the same", text);
    return cli_fail("%s", text);
}
