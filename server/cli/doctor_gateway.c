/* The doctor's look at the gateway: whether upstreams can be reached, and what makes a route useless. */
#include "cli/doctor.h"
#include "config/certificates.h"

#include "cachewarden/clock.h"
#include "cachewarden/http_client.h"

#include <inttypes.h>

static const char check[] = "gateway";

/* One address that is silent keeps nobody from the others. */
enum { CONNECT_MS = 2000, ALL_MS = 10000, DAY_S = 86400 };

/* What came of a route's addresses. */
struct reach {
    size_t reached, failed;
};

static void judge_expiry(struct doctor *doctor, struct str url, int64_t expires_s)
{
    int64_t left_s = expires_s - clock_wall_s();

    if (expires_s > 0 && left_s < CERTIFICATE_NEAR_S)
        doctor_say(doctor, DOCTOR_WARNING, check,
                   "renew it there, or requests will be answered 502",
                   "%.*s: its certificate ends in %" PRId64 " days", STR_ARG(url),
                   left_s > 0 ? left_s / DAY_S : 0);
}

static void try_address(struct doctor *doctor, const struct gateway_route_options *route,
                        struct str url, struct reach *reach)
{
    const struct http_peer_options options = {.url = url,
                                              .ca_file = route->upstream_ca,
                                              .connect_timeout_ms = CONNECT_MS,
                                              .timeout_ms = CONNECT_MS};
    struct error error = {0};
    struct http_peer *peer;
    int64_t expires_s = 0;
    enum err err = http_peer_new(&options, &peer, &error);

    if (err == ERR_OK)
        err = http_peer_try(peer, &expires_s, &error);
    http_peer_free(&peer);
    if (err == ERR_OK) {
        reach->reached++;
        judge_expiry(doctor, url, expires_s);
        return;
    }
    reach->failed++;
    doctor_say(doctor, route->upstream_count > 1 ? DOCTOR_WARNING : DOCTOR_FAILURE, check,
               "start it, or correct upstream or upstream_ca of the route",
               "%.*s: no connection to %.*s: %s", STR_ARG(route->prefix), STR_ARG(url),
               error.detail[0] ? error.detail : err_name(err));
}

static void try_upstreams(struct doctor *doctor, const struct gateway_route_options *route,
                          int64_t deadline_ns)
{
    struct reach reach = {0};

    for (size_t i = 0; i < route->upstream_count && clock_left_ms(deadline_ns) > 0; i++)
        try_address(doctor, route, route->upstreams[i], &reach);
    if (reach.reached + reach.failed < route->upstream_count)
        doctor_say(doctor, DOCTOR_UNKNOWN, check, NULL,
                   "%.*s: not all upstreams were tried, others took too long",
                   STR_ARG(route->prefix));
    else if (reach.reached == 0 && route->upstream_count > 1)
        doctor_say(doctor, DOCTOR_FAILURE, check, "start one of them",
                   "%.*s: no upstream can be connected to; all requests are answered 502",
                   STR_ARG(route->prefix));
    else if (reach.reached > 0)
        doctor_say(doctor, DOCTOR_OK, check, NULL,
                   "%.*s, %s: %zu of %zu upstreams can be connected to", STR_ARG(route->prefix),
                   route->is_public ? "public" : "of users", reach.reached, route->upstream_count);
}

/* ---- settings ---- */

/* A label names one thing, or many by a pattern; a model is a word that a clear names whole. */
static bool is_like_label(struct str model)
{
    return str_find(model, ':') >= 0 || str_find(model, '*') >= 0 || str_find(model, '?') >= 0;
}

static void judge_settings(struct doctor *doctor, const struct gateway_route_options *route)
{
    for (size_t i = 0; i < route->model_count; i++)
        if (is_like_label(route->models[i]))
            doctor_say(
                doctor, DOCTOR_WARNING, check, "name what the answers are about: products",
                "%.*s: the model \"%.*s\" looks like a label or a pattern, but is cleared by "
                "its whole name alone",
                STR_ARG(route->prefix), STR_ARG(route->models[i]));
}

void doctor_check_gateway(struct doctor *doctor, const struct config *config)
{
    struct gateway_options gateway;
    int64_t deadline_ns = clock_deadline_ns(ALL_MS);

    if (config_gateway_options(config, doctor->arena, &gateway) != ERR_OK)
        return;
    for (size_t i = 0; i < gateway.route_count; i++) {
        judge_settings(doctor, &gateway.routes[i]);
        try_upstreams(doctor, &gateway.routes[i], deadline_ns);
    }
}
