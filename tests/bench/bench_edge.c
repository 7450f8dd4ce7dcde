/*
 * The edge with an operation that writes a fixed body: library, guard, router, dispatch, status and
 * access log, but no credential and no Redis. What it takes more than bench_bare_handler is ours.
 *
 *     bench_edge PORT THREADS [--log]
 *     wrk -t2 -c64 -d3s http://127.0.0.1:PORT/api/cache/status/
 *
 * With --log the access log is written, to standard error.
 */
#include "bench.h"

#include "http/http.h"

#include "cachewarden/log.h"
#include "cachewarden/routes.h"

static enum err op_status(struct call *call)
{
    struct json_writer *json = &call->reply.json;

    json_open_object(json);
    json_add_bool(json, "enabled", true);
    json_add_integer(json, "version", 5);
    json_add_string(json, "message", STR("Cache is enabled"));
    json_close_object(json);
    call->reply.cache_version = 5;
    call->reply.cache_enabled = YES;
    bench_count();
    return ERR_OK;
}

int main(int argc, char **argv)
{
    static const struct route route = {.method = METHOD_GET,
                                       .path = "/api/cache/status/",
                                       .name = "cache.status",
                                       .operation = op_status,
                                       .permit = PERMIT_PUBLIC,
                                       .no_store = true};
    static struct app app = {.budget_ms = 1000};
    const struct bench_arguments arguments = bench_arguments(argc, argv);
    const struct listen_address listen = {"127.0.0.1", arguments.port, false};
    const struct http_options options = {.app = &app,
                                         .routes = &route,
                                         .route_count = 1,
                                         .listen = &listen,
                                         .listen_count = 1,
                                         .threads = arguments.threads,
                                         .max_body = 1024 * 1024,
                                         .header_timeout_ms = 5000,
                                         .body_timeout_ms = 10000,
                                         .keep_alive_timeout_ms = 1000};
    struct http *http;
    struct error error;

    log_configure(arguments.log ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    if (http_start(&options, &http, &error) != ERR_OK) {
        fprintf(stderr, "%s\n", error.caller);
        return EXIT_FAILURE;
    }
    bench_run("edge");
    http_stop(&http);
    return EXIT_SUCCESS;
}
