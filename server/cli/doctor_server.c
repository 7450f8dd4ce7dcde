/*
 * The doctor's questions to the server that runs here, and how this machine runs it. That doctor reaches Redis tells
 * nothing about a server that still has the password of last week.
 */
#include "cli/doctor.h"

#include "cachewarden/clock.h"
#include "cachewarden/http_client.h"
#include "cachewarden/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char check[] = "server";

enum { ASK_MS = 3000, BODY_MAX = 16384 };

#define OTHER_SETTINGS                                                                        \
    "if doctor finds it well, the server runs with other settings: restart it, and see what " \
    "variables it has"

/* ---- asking /health ---- */

/* The first listener that can be asked without a certificate; NULL: there is none. */
static const struct listen_address *find_listener(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (!config->listen[i].tls && config->listen[i].port > 0)
            return &config->listen[i];
    return NULL;
}

static struct str url_of(struct doctor *doctor, const struct listen_address *listener)
{
    const char *host = listener->host;
    if (strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    return str_format(doctor->arena, strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host,
                      listener->port);
}

static enum err read_body(struct http_peer_response *response, const struct work *work,
                          struct str *text_out)
{
    char *text = arena_alloc(work->arena, BODY_MAX);
    size_t size = 0, got = 1;
    enum err err = text ? ERR_OK : ERR_NO_MEMORY;
    while (err == ERR_OK && got > 0 && size < BODY_MAX) {
        err = response->body.next(response->body.with, work, text + size, BODY_MAX - size, &got);
        size += err == ERR_OK ? got : 0;
    }
    response->body.close(response->body.with);
    *text_out = (struct str){text, size};
    return err;
}

/* *unreached_out: nobody listens there. */
static enum err ask(struct doctor *doctor, const struct config *config, struct str url,
                    struct str *body_out, bool *unreached_out, struct error *error)
{
    const struct http_peer_options options = {
        .url = url, .connect_timeout_ms = ASK_MS, .timeout_ms = ASK_MS};
    const struct config_texts *hosts = &config->server_allowed_hosts;
    const struct http_field host = {STR("Host"), str_from(hosts->count ? hosts->items[0] : NULL)};
    const struct http_peer_request request = {
        .method = STR("GET"),
        .target = STR("/health"),
        .fields = &host,
        .field_count = hosts->count ? 1 : 0,
        .deadline_ns = clock_deadline_ns(ASK_MS),
    };
    const struct work work = {doctor->arena, request.deadline_ns, error};
    struct http_peer_response response = {0};
    struct http_peer *peer;
    *unreached_out = false;
    enum err err = http_peer_new(&options, &peer, error);
    if (err == ERR_OK)
        err = http_peer_send(peer, &request, &work, &response, unreached_out);
    if (err == ERR_OK && response.has_body)
        err = read_body(&response, &work, body_out);
    http_peer_free(&peer);
    return err;
}

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
    const struct listen_address *listener = find_listener(config);
    struct str url, body = STR_NONE;
    struct error error = {0};
    bool is_unreached;
    if (!listener) {
        doctor_say(doctor, DOCTOR_UNKNOWN, check, "ask its /health yourself",
                   "not asked: no listener has a port of its own and no TLS");
        return;
    }
    url = url_of(doctor, listener);
    enum err err = ask(doctor, config, url, &body, &is_unreached, &error);
    if (err == ERR_OK)
        judge(doctor, url, body);
    else if (is_unreached)
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
