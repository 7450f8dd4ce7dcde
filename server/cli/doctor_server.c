/*
 * The doctor's questions to the server that runs here, and how this machine runs it. That doctor reaches Redis tells
 * nothing about a server that still has the password of last week.
 */
#include "cli/doctor.h"

#include "cli/local_server.h"

#include "cachewarden/clock.h"
#include "cachewarden/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char check[] = "server";

#define OTHER_SETTINGS                                                                        \
    "if doctor finds it well, the server runs with other settings: restart it, and see what " \
    "variables it has"

/* ---- what it says ---- */

/* One of its stores; true: it has it. */
static bool judge_store(struct doctor *doctor, const struct json *health, const char *name,
                        const char *what)
{
    const struct json *store = json_get(health, name), *works = json_get(store, "read_write_test");
    bool is_there = str_eq(json_string(json_get(store, "status")), STR("connected"));
    if (!store || (is_there && (!works || json_bool(works))))
        return true;
    struct str message = json_string(json_get(store, "message"));
    doctor_say(doctor, DOCTOR_FAILURE, check, OTHER_SETTINGS,
               "the server that runs here does not have %s: %.*s", what, STR_ARG(message));
    return false;
}

static void judge(struct doctor *doctor, struct str url, struct str body)
{
    static const struct {
        const char *name, *what;
    } stores[] = {{"redis", "redis.url"},
                  {"users_database", "users.database"},
                  {"entries_redis", "entries.redis_url"}};
    const struct json *health;
    bool has_all = true;
    if (json_parse(doctor->arena, body, &health, NULL) != ERR_OK ||
        !json_get(json_get(health, "redis"), "read_write_test")) {
        doctor_say(doctor, DOCTOR_WARNING, check,
                   "look at who listens there: ss -ltnp; or correct server.listen",
                   "what answers at %.*s is not this program", STR_ARG(url));
        return;
    }
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
        has_all = judge_store(doctor, health, stores[i].name, stores[i].what) && has_all;
    if (has_all)
        doctor_say(doctor, DOCTOR_OK, check, NULL,
                   "the server that runs here (%.*s) has Redis and the users database",
                   STR_ARG(url));
}

static void ask_server(struct doctor *doctor, const struct config *config)
{
    struct str url = local_server_url(doctor->arena, config);
    struct error error = {0};
    const struct work work = {doctor->arena, clock_deadline_ns(LOCAL_SERVER_ASK_MS), &error};
    struct local_server_answer answer;
    if (!url.ptr) {
        doctor_say(doctor, DOCTOR_UNKNOWN, check, "ask its /health yourself",
                   "not asked: no listener has a port of its own and no TLS");
        return;
    }
    enum err err = local_server_get(config, url, STR("/health"), &work, &answer);
    if (err == ERR_OK)
        judge(doctor, url, answer.body);
    else if (answer.is_unreached)
        doctor_say(doctor, DOCTOR_UNKNOWN, check, NULL, "none answers at %.*s", STR_ARG(url));
    else
        doctor_say(doctor, DOCTOR_WARNING, check, "look at its log",
                   "who listens at %.*s does not answer: %s", STR_ARG(url),
                   error.detail[0] ? error.detail : err_name(err));
}

/* ---- how it is run ---- */

/* As a service: this very process, or one that is installed on a machine with systemd. */
static bool is_under_systemd(void)
{
    static const char *const units[] = {"/etc/systemd/system/cachewarden.service",
                                        "/usr/lib/systemd/system/cachewarden.service",
                                        "/lib/systemd/system/cachewarden.service"};
    bool is_installed = false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        is_installed = is_installed || access(units[i], F_OK) == 0;
    return getenv("INVOCATION_ID") || (is_installed && access("/run/systemd/system", F_OK) == 0);
}

/* The default; a service seldom means it, and empties the wrong keys. */
static void check_environment(struct doctor *doctor, const struct config *config)
{
    if (strcmp(config->environment, "development") == 0 && is_under_systemd())
        doctor_say(doctor, DOCTOR_WARNING, "environment",
                   "set environment = \"production\", or what your applications have in the names "
                   "of their keys",
                   "is \"development\" under systemd: {env} in the keys of named caches stands for "
                   "it");
}

void doctor_check_server(struct doctor *doctor, const struct config *config)
{
    check_environment(doctor, config);
    ask_server(doctor, config);
}
