/*
 * The HTTP library with next to nothing on top: a fixed answer, one write, kept connections. What a
 * request costs here is what the library and the kernel take; compare with bench_edge and the server.
 *
 *     bench_bare_handler PORT THREADS
 *     wrk -t2 -c64 -d3s http://127.0.0.1:PORT/
 *
 * On SIGTERM or SIGINT it says how many requests it answered and how much CPU each took.
 */
#include "bench.h"

#include <civetweb.h>

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: application/json\r\n"
                             "Content-Length: 57\r\n"
                             "Connection: keep-alive\r\n"
                             "\r\n" BENCH_BODY;

static int on_request(struct mg_connection *connection)
{
    mg_write(connection, answer, sizeof answer - 1);
    bench_count();
    return 200;
}

int main(int argc, char **argv)
{
    const struct bench_arguments arguments = bench_arguments(argc, argv);
    char listeners[32], threads[16];
    const char *options[] = {
        "listening_ports",   listeners, "num_threads", threads,
        "enable_keep_alive", "yes",     "tcp_nodelay", "1",
        "connection_queue",  "512",     "decode_url",  "no",
        "listen_backlog",    "1024",    NULL,
    };
    const struct mg_callbacks callbacks = {.begin_request = on_request};

    snprintf(listeners, sizeof listeners, "127.0.0.1:%d", arguments.port);
    snprintf(threads, sizeof threads, "%d", arguments.threads);
    mg_init_library(MG_FEATURES_DEFAULT);
    struct mg_context *library = mg_start(&callbacks, NULL, options);
    if (!library) {
        fprintf(stderr, "cannot listen on %s\n", listeners);
        return EXIT_FAILURE;
    }
    bench_run("bare handler");
    mg_stop(library);
    return EXIT_SUCCESS;
}
