/*
 * CivetWeb as patched, without the program around it: a server of two workers that echoes what it made
 * of a request, its fixture (start, stop), and what its tests share. Include it in one file a test.
 */
#ifndef TESTS_CIVETWEB_ECHO_SERVER_H
#define TESTS_CIVETWEB_ECHO_SERVER_H

#include "http_client.h"
#include "suite.h"

#include <check.h>
#include <civetweb.h>
#include <civetweb_extra.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    WORKERS = 2,
    HEAD_TIMEOUT_MS = 600,  /* request_timeout_ms */
    IDLE_TIMEOUT_MS = 2000, /* keep_alive_timeout_ms */
    DEADLINE_MS = 500,      /* what the echo sets for body and answer */
    PATIENCE_MS = 20000,
};

static struct mg_context *server;
static int port;

/* What became of the last answer to /flood: written by a worker, the time last and atomically. */
static int flood_was_whole, flood_was_kept;
static int flood_took_ms;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void answer(struct mg_connection *conn, int status, const char *body)
{
    char text[2048];
    int size = snprintf(
        text, sizeof text, "HTTP/1.1 %d Answer\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s",
        status, strlen(body), mg_will_keep_alive(conn) ? "keep-alive" : "close", body);

    mg_write(conn, text, (size_t)size);
}

/* More than socket buffers hold, to a peer that does not take it. */
static void flood(struct mg_connection *conn, int64_t start_ms)
{
    enum { FLOOD = 64 << 20 };
    char *bytes = calloc(1, FLOOD);

    flood_was_whole = mg_write(conn, bytes, FLOOD) == FLOOD;
    flood_was_kept = mg_will_keep_alive(conn);
    __atomic_store_n(&flood_took_ms, (int)(now_ms() - start_ms), __ATOMIC_SEQ_CST);
    free(bytes);
}

/* /hold does not answer while this is set. */
static int is_holding;

static void hold(void)
{
    int64_t start_ms = now_ms();

    while (__atomic_load_n(&is_holding, __ATOMIC_SEQ_CST) && now_ms() - start_ms < PATIENCE_MS)
        poll(NULL, 0, 1);
}

static int begin_request(struct mg_connection *conn)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    char body[4096], text[1024];
    int size = 0, last = 0;
    int64_t start_ms = now_ms();
    uint64_t deadline_ns = (uint64_t)(start_ms + DEADLINE_MS) * 1000000;

    if (strcmp(info->local_uri, "/hold") != 0)
        mg_set_write_deadline(conn, deadline_ns);
    if (strcmp(info->local_uri, "/flood") == 0) {
        flood(conn, start_ms);
        return 200;
    }
    if (strcmp(info->local_uri, "/hold") == 0)
        hold();
    if (strcmp(info->local_uri, "/unread") == 0) {
        answer(conn, 200, "unread");
        return 200;
    }
    if (strcmp(info->local_uri, "/refuse") == 0) {
        mg_disable_connection_keep_alive(conn);
        answer(conn, 413, "too much");
        return 413;
    }
    if (strcmp(info->local_uri, "/no-deadline") != 0)
        mg_set_read_deadline(conn, deadline_ns);
    if (info->content_length > 0 || mg_get_header(conn, "Transfer-Encoding") != NULL) {
        while ((last = mg_read(conn, body, sizeof body)) > 0)
            size += last;
    }
    /* The head ends where its last field does, and what came with it lies behind. */
    if (strcmp(info->local_uri, "/forget") == 0) {
        const char *last_value = info->http_headers[info->num_headers - 1].value;
        answer(conn, 200, memmem(last_value, 64, "canary", 6) ? "kept" : "forgotten");
        return 200;
    }
    snprintf(text, sizeof text, "%s %s body=%d last=%d fields=%d from=%s resumed=%d",
             info->request_method, info->local_uri_raw, size, last, info->num_headers,
             info->remote_addr, mg_is_resumed(conn));
    answer(conn, 200, text);
    return 200;
}

static int http_error(struct mg_connection *conn, int status, const char *message)
{
    answer(conn, status, message);
    return 0;
}

static void start(void)
{
    const char *options[] = {"listening_ports",
                             "127.0.0.1:0",
                             "num_threads",
                             "2",
                             "request_timeout_ms",
                             "600",
                             "keep_alive_timeout_ms",
                             "2000",
                             "enable_keep_alive",
                             "yes",
                             "decode_url",
                             "no",
                             NULL};
    struct mg_callbacks callbacks = {.begin_request = begin_request, .http_error = http_error};
    struct mg_server_port ports;

    mg_init_library(0);
    server = mg_start(&callbacks, NULL, options);
    ck_assert_ptr_nonnull(server);
    ck_assert_int_eq(mg_get_server_ports(server, 1, &ports), 1);
    port = ports.port;
}

static void stop(void)
{
    int64_t start_ms = now_ms();

    mg_stop(server);
    mg_exit_library();
    /* Without our SOCKET_TIMEOUT_QUANTUM a waiting worker notices after 2 s. */
    ck_assert_int_lt(now_ms() - start_ms, 1900);
}

/* Sends the text, expects this status and a body that begins so. */
static void expect(struct raw *raw, const char *request, int status, const char *body)
{
    raw_send(raw, request, strlen(request));
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_msg(reply != NULL, "no answer to \"%s\"", request);
    ck_assert_msg(reply->status == status, "\"%s\" got %d %s", request, reply->status, reply->body);
    ck_assert_msg(strncmp(reply->body, body, strlen(body)) == 0, "\"%s\" got \"%s\"", request,
                  reply->body);
}

#define HOST "Host: x\r\n"

#endif
