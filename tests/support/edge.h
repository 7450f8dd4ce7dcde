/*
 * The HTTP edge in this very process, with routes of the test's own and no Redis behind it: what
 * server/http/http.h does between a socket and an operation. Start it in a test or a checked fixture;
 * check runs each test in a process of its own, and threads do not survive the fork.
 *
 *     struct http_options options = edge_options();
 *     options.threads = 4;
 *     edge_open(&options);
 *     … raw_open(edge_port()) …
 *     edge_close();
 *
 * The routes, all public: GET /plain, GET /status/ (version 5, enabled), POST /echo (the body comes
 * back as text/plain), POST /small (16 bytes of body at most), POST /ignored, GET /client
 * ({"client":…,"id":…}), GET /big (6 MiB), GET /lasting (the same, not copied), GET /made and /made-chunked
 * (the same, from a source), GET /fail (our own mistake), GET /gate (waits for
 * edge_open_gate).
 */
#ifndef SUPPORT_EDGE_H
#define SUPPORT_EDGE_H

#include "http/http.h"

/* More than the kernel takes off a server's hands (tcp_wmem: 4 MiB). */
enum { EDGE_BIG_SIZE = 6 * 1024 * 1024, EDGE_BIG_BYTE = '~' };

/* 127.0.0.1 on a free port, 4 threads, 64 KiB of body, and the program's own timeouts. */
struct http_options edge_options(void);
void edge_open(const struct http_options *options);
/* Opens the gate and stops the server. Harmless when it is not running. */
void edge_close(void);

struct http *edge_http(void);
int edge_port(void); /* of the first listener */
const char *edge_url(void);
/* How many operations have been called. */
int edge_calls(void);

/* Waits until so many requests are inside /gate; ends the test when that takes 10 s. */
void edge_wait_gate(int requests);
/* Lets all of them through, and those that come later. */
void edge_open_gate(void);

/* Waits for a condition; ends the test with `what` when it is not met within 10 s. */
void edge_wait(bool (*is_met)(void *arg), void *arg, const char *what);

#endif
