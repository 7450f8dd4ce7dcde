/*
 * CivetWeb as patched, without the program around it: a server of two workers that echoes what it made
 * of a request, its fixture (start, stop), and what its tests share. Include it in one file a test.
 */
#ifndef TESTS_CIVETWEB_ECHO_SERVER_H
#define TESTS_CIVETWEB_ECHO_SERVER_H

#include "http_client.h"
#include "patience.h"
#include "slowness.h"
#include "suite.h"

#include <check.h>
#include <civetweb.h>
#include <civetweb_extra.h>
#include <errno.h>
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
    BODY_MAX = 100000,
    FLOOD = 16 << 20, /* socket buffers hold much less than half (tcp_wmem: 4 MiB) */
    LASTING = 1 << 20,
    SOME = 20000,
};

static struct mg_context *server;
static int port;

static inline int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void answer(struct mg_connection *conn, int status, const char *body)
{
    char text[2048];
    int size = snprintf(
        text, sizeof text, "HTTP/1.1 %d Answer\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n%s",
        status, strlen(body), mg_will_keep_alive(conn) ? "keep-alive" : "close", body);

    mg_write(conn, text, (size_t)size);
}

/* What /both writes. */
static char both[2][FLOOD / 2];

static inline char both_byte(size_t at)
{
    return (char)('A' + at % 25);
}

static inline void write_both(struct mg_connection *conn, size_t size)
{
    for (size_t i = 0; i < size; i++)
        both[i / (FLOOD / 2)][i % (FLOOD / 2)] = both_byte(i);
    if (size <= FLOOD / 2)
        mg_write_both(conn, both[0], size / 4, both[0] + size / 4, size - size / 4);
    else
        mg_write_both(conn, both[0], FLOOD / 2, both[1], size - FLOOD / 2);
}

static inline void write_zeros(struct mg_connection *conn, size_t size)
{
    char *bytes = calloc(1, size);

    mg_write(conn, bytes, size);
    free(bytes);
}

/* What /lasting writes behind its own first bytes: more than the kernel takes. */
static char lasting[LASTING] = "it lasts";

/* So many workers are in /hold, and so many stay there, those that came first. */
static int holders, held_back;

static inline void hold(void)
{
    int64_t start_ms = now_ms();
    int before = __atomic_fetch_add(&holders, 1, __ATOMIC_SEQ_CST);

    while (before < __atomic_load_n(&held_back, __ATOMIC_SEQ_CST) &&
           now_ms() - start_ms < PATIENCE_MS)
        poll(NULL, 0, 1);
    __atomic_fetch_sub(&holders, 1, __ATOMIC_SEQ_CST);
}

/* What /source writes: as many bytes as its query says, in pieces of any size. */
struct made {
    size_t at, size;
    bool fails; /* behind them */
    bool is_ahead;
};

/* A client of /source/ahead, and what had reached it when its source was asked first. */
static int ahead_fd, ahead_seen;

static inline void look_ahead(struct made *made)
{
    char byte;

    if (made->is_ahead && made->at == 0)
        ahead_seen = recv(ahead_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static int sources_closed, sources_whole;
static size_t source_bytes; /* of all sources so far */

static inline char made_byte(size_t at)
{
    return (char)('a' + at % 23);
}

static inline int source_next(struct mg_connection *conn, void *with, char *buf, size_t size)
{
    struct made *made = with;
    size_t left = made->size - made->at, part = size - made->at % 1000;

    (void)conn;
    look_ahead(made);
    if (left == 0)
        return made->fails ? MG_SOURCE_FAILED : MG_SOURCE_END;
    if (part > left)
        part = left;
    for (size_t i = 0; i < part; i++)
        buf[i] = made_byte(made->at + i);
    made->at += part;
    __atomic_fetch_add(&source_bytes, part, __ATOMIC_SEQ_CST);
    return (int)part;
}

static inline void source_close(void *with, int is_whole)
{
    free(with);
    __atomic_fetch_add(&sources_whole, is_whole, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&sources_closed, 1, __ATOMIC_SEQ_CST);
}

/* A thousandth of a second for each byte, but with /source/hasty never more than DEADLINE_MS ahead. */
static inline void write_source(struct mg_connection *conn, const char *path, const char *query)
{
    bool is_hasty = strcmp(path, "/source/hasty") == 0;
    struct made *made = calloc(1, sizeof *made);
    const bool is_ahead = strstr(path, "/ahead") != NULL;
    struct mg_source source = {
        .next = source_next,
        .close = source_close,
        .with = made,
        .pace = {1000000, (uint64_t)(is_hasty ? DEADLINE_MS : PATIENCE_MS) * 1000000},
        .is_at_hand = is_ahead};

    made->size = strtoul(query, NULL, 10);
    made->fails = strstr(path, "fails") != NULL;
    made->is_ahead = is_ahead;
    if (is_ahead)
        mg_write_ahead(conn, "->", 2);
    else
        mg_write(conn, "->", 2);
    mg_write_source(conn, &source);
}

static const char *const body_states[] = {"unknown", "whole",  "awaited", "too large",
                                          "late",    "broken", "no room"};

/* What there was of the request's body; nothing while it is awaited. */
static inline void echo(struct mg_connection *conn, uint64_t deadline_ns)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    int *begun = mg_request_memory(conn);
    const char *body;
    char text[1024];
    size_t size;
    enum mg_body_state state = mg_body(conn, BODY_MAX, deadline_ns, &body, &size);

    ++*begun;
    if (state == MG_BODY_AWAITED)
        return;
    snprintf(text, sizeof text, "%s %s body=%zu %s \"%.*s\" fields=%d from=%s begun=%d",
             info->request_method, info->local_uri_raw, size, body_states[state],
             size < 64 ? (int)size : 64, body, info->num_headers, info->remote_addr, *begun);
    answer(conn, 200, text);
}

/* Where a body lay, in the memory of a worker. */
static const char *seen_body;

static inline void look_at_body(struct mg_connection *conn)
{
    size_t size;

    mg_body(conn, BODY_MAX, 0, &seen_body, &size);
    answer(conn, 200, memmem(seen_body, size, "canary", 6) ? "seen" : "not seen");
}

static inline void look_back(struct mg_connection *conn)
{
    answer(conn, 200, memmem(seen_body, 1000, "canary", 6) ? "kept" : "forgotten");
}

static inline uint64_t mono_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int paused_left;

static inline void note_left(struct mg_connection *conn)
{
    (void)conn;
    __atomic_fetch_add(&paused_left, 1, __ATOMIC_SEQ_CST);
}

static inline int begin_request(struct mg_connection *conn)
{
    const char *path = mg_get_request_info(conn)->local_uri;
    uint64_t now_ns = mono_ns(); /* exactly: whose deadline is first is the oldest */
    uint64_t deadline_ns = now_ns + (uint64_t)DEADLINE_MS * 1000000;

    if (strstr(path, "/patient") != NULL)
        deadline_ns = now_ns + (uint64_t)PATIENCE_MS * 1000000;
    mg_set_write_deadline(conn, deadline_ns);
    if (strncmp(path, "/hold", 5) == 0)
        hold();
    if (strncmp(path, "/flood", 6) == 0) {
        write_zeros(conn, FLOOD);
    } else if (strncmp(path, "/lasting", 8) == 0) {
        mg_write(conn, lasting, strlen(lasting));
        mg_write_lasting(conn, lasting, LASTING);
    } else if (strncmp(path, "/source", 7) == 0) {
        write_source(conn, path, mg_get_request_info(conn)->query_string);
    } else if (strncmp(path, "/both", 5) == 0) {
        write_both(conn, strtoul(mg_get_request_info(conn)->query_string, NULL, 10));
    } else if (strcmp(path, "/some") == 0) {
        write_zeros(conn, SOME);
    } else if (strcmp(path, "/unread") == 0) {
        answer(conn, 200, "unread");
    } else if (strcmp(path, "/refuse") == 0) {
        mg_disable_connection_keep_alive(conn);
        answer(conn, 413, "too much");
    } else if (strcmp(path, "/pause") == 0) {
        mg_pause(conn, now_ns + (uint64_t)PATIENCE_MS * 1000000, note_left); /* again and again */
    } else if (strcmp(path, "/look") == 0) {
        look_at_body(conn);
    } else if (strcmp(path, "/look-back") == 0) {
        look_back(conn);
    } else {
        echo(conn, deadline_ns);
    }
    return 200;
}

static inline int http_error(struct mg_connection *conn, int status, const char *message)
{
    answer(conn, status, message);
    return 0;
}

static inline void start_with(const char *request_timeout_ms, const char *keep_alive_timeout_ms)
{
    const char *options[] = {"listening_ports",
                             "127.0.0.1:0",
                             "num_threads",
                             "2",
                             "request_timeout_ms",
                             request_timeout_ms,
                             "keep_alive_timeout_ms",
                             keep_alive_timeout_ms,
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

static inline void start(void)
{
    start_with("600", "2000");
}

static inline void stop(void)
{
    int64_t start_ms = now_ms();

    mg_stop(server);
    mg_exit_library();
    expect_within_ms(now_ms() - start_ms, 1900);
}

/* Sends the text, expects this status and a body that begins so. */
static inline void expect(struct raw *raw, const char *request, int status, const char *body)
{
    raw_send(raw, request, strlen(request));
    const struct http_reply *reply = raw_reply(raw, PATIENCE_MS);
    ck_assert_msg(reply != NULL, "no answer to \"%s\"", request);
    ck_assert_msg(reply->status == status, "\"%s\" got %d %s", request, reply->status, reply->body);
    ck_assert_msg(strncmp(reply->body, body, strlen(body)) == 0, "\"%s\" got \"%s\"", request,
                  reply->body);
}

static inline void expect_closed(struct raw **raw)
{
    ck_assert(raw_is_closed(*raw, PATIENCE_MS));
    raw_close(raw);
}

/* A small receive buffer makes a client that takes little at a time; 0: the system's. */
static inline int connect_socket(int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (receive_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline struct mg_waiting_stats waiting_stats(void)
{
    struct mg_waiting_stats stats;

    mg_get_waiting_stats(server, &stats);
    return stats;
}

/* Waits for a condition on `stats`. */
#define AWAIT(condition)                                                                        \
    do {                                                                                        \
        struct mg_waiting_stats stats = waiting_stats();                                        \
        int64_t start_ms = now_ms();                                                            \
        while (!(condition)) {                                                                  \
            ck_assert_msg(now_ms() - start_ms < PATIENCE_MS,                                    \
                          #condition ": %d wait, %d are unfinished, %lld bytes", stats.waiting, \
                          stats.unfinished, (long long)stats.bytes);                            \
            poll(NULL, 0, 1);                                                                   \
            stats = waiting_stats();                                                            \
        }                                                                                       \
    } while (0)

/* Waits until there are so many connections, all without a worker. */
static inline void await_waiting(int count)
{
    AWAIT(stats.open == count && stats.waiting == count);
}

/* Waits until so many requests are without a worker. */
static inline void await_unfinished(int count)
{
    AWAIT(stats.unfinished == count);
}

/* Waits until the last connection is closed and has left nothing. */
static inline void await_nothing(void)
{
    AWAIT(stats.open == 0 && stats.unfinished == 0 && stats.bytes == 0);
}

#define HOST "Host: x\r\n"

#endif
