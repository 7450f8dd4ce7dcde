/* `doctor`: looks at everything the server depends on, and leaves it as it was. */
#include "cli/doctor.h"
#include "cli/cli.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/users.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const verdicts[] = {
    [DOCTOR_OK] = "ok",
    [DOCTOR_UNKNOWN] = "unknown",
    [DOCTOR_WARNING] = "warning",
    [DOCTOR_FAILURE] = "FAILED",
};

void doctor_say(struct doctor *doctor, enum doctor_verdict verdict, const char *check,
                const char *fix, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (verdict == DOCTOR_FAILURE)
        doctor->failures++;
    if (doctor->count >= DOCTOR_FINDINGS_MAX)
        return;
    doctor->findings[doctor->count++] =
        (struct doctor_finding){check, verdict, str_dup(doctor->arena, str_from(text)), fix};
}

/* ---- configuration ---- */

static enum err load(const struct cli *cli, bool direct, struct config **config_out,
                     struct config_report *report_out)
{
    const struct config_input input = {
        .file = cli_value(cli, "config"),
        .environment = (const char *const *)environ,
        .direct = direct,
    };
    return config_load(&input, config_out, report_out);
}

static void say_report(struct doctor *doctor, const struct config_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const char *text = report->items[i].text;
        bool is_error = report->items[i].severity == CONFIG_ERROR;
        bool has_fix = strstr(text, "; ") != NULL;
        doctor_say(doctor, is_error ? DOCTOR_FAILURE : DOCTOR_WARNING, "configuration",
                   is_error && !has_fix ? "correct the setting; see cachewarden help settings"
                                        : NULL,
                   "%s", text);
    }
}

/* With settings that are wrong elsewhere, what Redis needs may still be known. */
static struct config *check_configuration(struct doctor *doctor, const struct cli *cli)
{
    struct config *config = NULL;
    struct config_report report = {0};
    enum err err = load(cli, false, &config, &report);
    doctor->knows_all = err == ERR_OK;
    say_report(doctor, &report);
    if (err == ERR_OK)
        doctor_say(doctor, DOCTOR_OK, "configuration", NULL, "%s is good",
                   config->file ? config->file : "what the environment and the defaults say");
    else if (report.errors == 0)
        doctor_say(doctor, DOCTOR_FAILURE, "configuration", NULL, "cannot be read: %s",
                   err_name(err));
    config_report_fini(&report);
    if (err != ERR_OK) {
        err = load(cli, true, &config, &report);
        config_report_fini(&report);
        doctor_say(doctor, DOCTOR_UNKNOWN, "users database", NULL,
                   "not looked at: the configuration has errors");
    }
    return err == ERR_OK ? config : NULL;
}

/* ---- users database ---- */

/* Whoever has kept the numbers apart since then need not hear of it for ever. */
static void say_stranger(struct doctor *doctor, const struct users_sight *sight)
{
    const int64_t told_s = 7 * 24 * 3600;
    int64_t since_s = clock_wall_s() - sight->stranger_seen_s;
    if (since_s > told_s)
        return;
    doctor_say(doctor, DOCTOR_WARNING, "numbers",
               "keep them apart with users.first_id and new accounts, or set accounts = \"local\" "
               "where both are the same people",
               "a token that was minted elsewhere came with the number of an account here, %" PRId64
               ", %" PRId64 " minutes ago: the two share a cache, and no rights",
               sight->stranger, since_s > 0 ? since_s / 60 : 0);
}

static void check_users(struct doctor *doctor, const struct config *config)
{
    static const char check[] = "users database";
    struct users_sight sight;
    struct error error = {0};
    enum err err = users_look(str_from(config->users_database), &sight, &error);
    const char *why = error.caller[0] ? error.caller : err_name(err);
    /* The line begins with these words already. */
    if (strncmp(why, "users database: ", sizeof check + 1) == 0)
        why += sizeof check + 1;
    if (err == ERR_NOT_FOUND)
        doctor_say(doctor, DOCTOR_UNKNOWN, check, "it is made by the first start", "%s", why);
    else if (err == ERR_CONFLICT)
        doctor_say(doctor, DOCTOR_FAILURE, check, "install the newer program, or restore a backup",
                   "%s", why);
    else if (err != ERR_OK)
        doctor_say(doctor, DOCTOR_FAILURE, check,
                   "correct users.database or the rights on its folder and file, or bring the "
                   "database back",
                   "%s", why);
    else if (sight.version == 0)
        doctor_say(doctor, DOCTOR_UNKNOWN, check, "its tables are made by the first start",
                   "%s answers and is empty", sight.driver);
    else if (sight.version < sight.known)
        doctor_say(doctor, DOCTOR_OK, check, NULL,
                   "%s answers; the next start brings its schema from version %d to %d",
                   sight.driver, sight.version, sight.known);
    else
        doctor_say(doctor, DOCTOR_OK, check, NULL, "%s answers, schema version %d", sight.driver,
                   sight.version);
    if (err == ERR_OK && sight.stranger > 0)
        say_stranger(doctor, &sight);
}

/* ---- words ---- */

static void write_text(const struct doctor *doctor, struct strbuf *out)
{
    for (size_t i = 0; i < doctor->count; i++) {
        const struct doctor_finding *finding = &doctor->findings[i];
        cli_pad(out, str_from(verdicts[finding->verdict]), 9);
        strbuf_addf(out, "%s: %.*s", finding->check, STR_ARG(finding->text));
        if (finding->fix)
            strbuf_addf(out, "; %s", finding->fix);
        strbuf_add_char(out, '\n');
    }
}

static void write_json(const struct doctor *doctor, struct strbuf *out)
{
    struct json_writer json;
    json_writer_init(&json, out);
    json_open_object(&json);
    json_add_bool(&json, "ok", doctor->failures == 0);
    json_name(&json, "checks");
    json_open_array(&json);
    for (size_t i = 0; i < doctor->count; i++) {
        const struct doctor_finding *finding = &doctor->findings[i];
        const char *verdict = verdicts[finding->verdict];
        json_open_object(&json);
        json_add_string(&json, "check", str_from(finding->check));
        json_add_string(&json, "result",
                        finding->verdict == DOCTOR_FAILURE ? STR("failed") : str_from(verdict));
        json_add_string(&json, "text", finding->text);
        json_name(&json, "fix");
        if (finding->fix)
            json_write_string(&json, str_from(finding->fix));
        else
            json_write_null(&json);
        json_close_object(&json);
    }
    json_close_array(&json);
    json_close_object(&json);
    strbuf_add_char(out, '\n');
}

static void examine(struct doctor *doctor, const struct cli *cli)
{
    struct config *config = check_configuration(doctor, cli);
    if (!config) {
        doctor_say(doctor, DOCTOR_UNKNOWN, "redis", NULL,
                   "not looked at: the configuration has errors");
        return;
    }
    doctor_check_redis(doctor, config);
    if (doctor->knows_all) {
        check_users(doctor, config);
        doctor_check_server(doctor, config);
        doctor_check_issuers(doctor, config);
        doctor_check_gateway(doctor, config);
        doctor_check_files(doctor, config);
        doctor_check_backups(doctor, config);
    }
    config_free(&config);
}

static int run_doctor(struct cli *cli)
{
    struct arena *arena = arena_new(65536, 0);
    struct doctor *doctor = arena ? arena_calloc(arena, 1, sizeof *doctor) : NULL;
    struct strbuf text;
    if (!doctor) {
        arena_free(&arena);
        return cli_fail("out of memory");
    }
    doctor->arena = arena;
    /* The findings tell it in better words. */
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    examine(doctor, cli);
    strbuf_init(&text, NULL, 4096);
    if (cli_flag(cli, "json"))
        write_json(doctor, &text);
    else
        write_text(doctor, &text);
    int status = cli_print(&text);
    if (doctor->failures > 0)
        status = CLI_FAILED;
    arena_free(&arena);
    return status;
}

const struct cli_command cli_doctor = {
    .name = "doctor",
    .arguments = "[--json]",
    .summary = "tells what is wrong with the installation, and how to repair it",
    .details =
        "One line a check: the settings, Redis (version, role, rights, eviction, persistence, "
        "clock, a key that is written and removed), whose the control data is, what the server "
        "that runs here says of both stores, the Redis of named "
        "caches, the users database, the "
        "keys of other issuers, the upstreams of the gateway, numbers that an account here and a "
        "user of somebody else both "
        "have, the signing key, modes of files, certificates, room on disk, and the last backups. "
        "\"unknown\" is what "
        "it cannot tell. It leaves everything as it was and prints no secret; run it as the user "
        "the server "
        "runs as. Exit status 1 if a check failed.",
    .options = (const struct cli_option[]){CLI_JSON, CLI_OPTIONS_END},
    .run = run_doctor,
};
