/*
 * A TCP proxy on a free port of 127.0.0.1 that remembers who said what in which order: put between
 * the server and Redis it counts round trips. One thread carries all connections, so the order of
 * what it remembers is the order in which it happened.
 */
#ifndef SUPPORT_TCP_PROXY_H
#define SUPPORT_TCP_PROXY_H

#include <stdbool.h>
#include <stddef.h>

struct tcp_proxy;

/* What arrived in one read. Never changed, and kept until tcp_proxy_stop. */
struct proxy_segment {
    int connection;  /* 0, 1, … in order of arrival */
    bool is_request; /* from the side that connected */
    size_t size;
    const char *bytes; /* NUL-terminated */
};

/* Ends the test when it cannot listen. Runs a thread: start it in the process that uses it. */
struct tcp_proxy *tcp_proxy_start(int target_port);
/* Closes every connection and waits for the thread. */
void tcp_proxy_stop(struct tcp_proxy **proxy);
int tcp_proxy_port(const struct tcp_proxy *proxy);
/* Connections that come from now on lead there; those there are stay where they are. So a name changes its address. */
void tcp_proxy_lead_to(struct tcp_proxy *proxy, int target_port);

/* From now on whatever the target answers reaches the other side as this text (borrowed), once for
 * each read; NULL: unchanged again. */
void tcp_proxy_garble(struct tcp_proxy *proxy, const char *answer);

/*
 * The `nth` request (1: the next) that has this text (borrowed) in it is not passed on, nor what comes
 * behind it over that connection, until tcp_proxy_release. tcp_proxy_wait_held: until one is held.
 */
void tcp_proxy_hold(struct tcp_proxy *proxy, const char *text, int nth);
/* The same of the next request, but what stands in it before the text is passed on. */
void tcp_proxy_hold_from(struct tcp_proxy *proxy, const char *text);
void tcp_proxy_wait_held(struct tcp_proxy *proxy);
void tcp_proxy_release(struct tcp_proxy *proxy);

/* The next request that has this text (borrowed) in it is passed on up to there, and then its connection ends. */
void tcp_proxy_cut(struct tcp_proxy *proxy, const char *text);

/* How many segments there have been; counts only upwards. */
size_t tcp_proxy_count(struct tcp_proxy *proxy);
struct proxy_segment tcp_proxy_segment(struct tcp_proxy *proxy, size_t index);

#endif
