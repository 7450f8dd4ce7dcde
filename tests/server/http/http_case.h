/* What the tests of the edge share: a server, a raw connection to it, and what is expected of both. */
#ifndef TESTS_SERVER_HTTP_HTTP_CASE_H
#define TESTS_SERVER_HTTP_HTTP_CASE_H

#include "edge.h"
#include "expect.h"
#include "http_client.h"

#include "patience.h"
#include "suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOON_MS = PATIENCE_MS };

#define H "Host: a\r\n"

static struct raw *raw;

static inline void open_edge(void)
{
    struct http_options options = edge_options();

    edge_open(&options);
    raw = raw_open(edge_port());
}

static inline void close_edge(void)
{
    raw_close(&raw);
    edge_close();
}

/* Another server than the fixture's. */
static inline void reopen_edge(const struct http_options *options)
{
    close_edge();
    edge_open(options);
    raw = raw_open(edge_port());
}

static inline const struct http_reply *reply(void)
{
    const struct http_reply *got = raw_reply(raw, SOON_MS);

    ck_assert_msg(got != NULL, "the connection was closed without an answer");
    return got;
}

static inline void expect_closed(void)
{
    ck_assert_msg(raw_is_closed(raw, SOON_MS), "the connection was kept");
}

/* The connection is still good for a request. */
static inline void expect_kept(void)
{
    raw_print(raw, "GET /plain HTTP/1.1\r\n" H "\r\n");
    expect_body(reply(), 200, "{\"plain\":true}");
}

/* A bare socket; receive_room in bytes, 0: the system's default. */
static inline int connect_to_edge(int receive_room)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)edge_port()),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (receive_room > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_room, sizeof receive_room);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

#endif
