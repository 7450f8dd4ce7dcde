/* What commands share that work on the services: settings, app, the person at the keyboard. */
#include "cli/cli.h"

#include "cachewarden/audit.h"
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
    bool asked = config->sources[SETTING_log_level].layer > CONFIG_DEFAULT;
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

static bool open_services(const struct cli *cli, const char *cache,
                          struct cli_services *services_out)
{
    bool direct = cache != NULL;
    struct config_report report = {0};
    struct error error = {0};
    *services_out = (struct cli_services){0};
    if (!cli_load_config(cli, direct, &services_out->config))
        return false;
    services_out->config->only_cache = cache;
    if (!direct)
        services_out->other_process =
            users_other_process(str_from(services_out->config->users_database));
    services_out->arena = arena_new(65536, 0);
    enum err err = ERR_NO_MEMORY;
    if (services_out->arena)
        err = config_open_app(services_out->config, direct, &report, &services_out->app, &error);
    config_report_print(&report);
    config_report_fini(&report);
    if (err != ERR_OK) {
        cli_fail("%s", error.caller[0] ? error.caller : err_name(err));
        cli_close(services_out);
        return false;
    }
    app_follow(services_out->app);
    services_out->principal = (struct principal){
        .kind = PRINCIPAL_USER,
        .credential = CREDENTIAL_OPERATOR,
        .name = user_name(services_out->arena),
        .is_admin = true,
    };
    return true;
}

bool cli_open(const struct cli *cli, struct cli_services *services_out)
{
    return open_services(cli, NULL, services_out);
}

bool cli_open_to_change(const struct cli *cli, struct cli_services *services_out)
{
    struct error error = {0};
    if (!cli_open(cli, services_out))
        return false;
    enum err err = app_admit(services_out->app, cli_work(services_out, &error));
    if (err == ERR_OK)
        return true;
    (void)cli_fail_with(err, &error);
    cli_close(services_out);
    return false;
}

bool cli_open_cache(const struct cli *cli, const char *name, struct cli_services *services_out)
{
    return open_services(cli, name, services_out);
}

void cli_close(struct cli_services *services)
{
    app_close(&services->app);
    arena_free(&services->arena);
    config_free(&services->config);
}

struct work cli_work(const struct cli_services *services, struct error *error)
{
    return (struct work){services->arena, clock_deadline_ns(services->app->budget_ms), error};
}

enum err cli_audit(struct cli_services *services, const char *route, struct str target,
                   enum err err, int64_t count, bool is_flush)
{
    const struct audit_record record = {
        .principal = &services->principal,
        .client_address = STR("local"),
        .request_id = random_hex(services->arena, 8),
        .route = route,
        .target = target,
        .result = err_name(err),
        .count = count,
        .is_flush = is_flush && err == ERR_OK,
    };
    audit_write(services->app, &record);
    return err;
}

int cli_fail_with(enum err err, const struct error *error)
{
    const char *text = error->caller[0] ? error->caller : err_name(err);
    if (err == ERR_UNCERTAIN)
        return cli_fail("%s: it may have happened all the same", text);
    return cli_fail("%s", text);
}

void cli_name_process(pid_t pid, char out[CLI_PROCESS_SIZE])
{
    char path[32], name[32] = "";

    if (pid == USERS_PROCESS_ELSEWHERE) {
        snprintf(out, CLI_PROCESS_SIZE, "a process in another container");
        return;
    }
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && !fgets(name, sizeof name, file))
        name[0] = '\0';
    if (file)
        fclose(file);
    name[strcspn(name, "\n")] = '\0';
    snprintf(out, CLI_PROCESS_SIZE, "process %d%s%s%s", (int)pid, name[0] ? " (" : "", name,
             name[0] ? ")" : "");
}
