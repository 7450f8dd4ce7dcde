/*
 * A TCP proxy on a free port of 127.0.0.1 that does, when told, what networks and broken servers
 * do: put between the server and Redis it strikes the next bytes that pass. One thread carries all
 * connections, as many as come; a delay holds all of them up.
 */
#ifndef SUPPORT_FAULT_PROXY_H
#define SUPPORT_FAULT_PROXY_H

#include <stddef.h>
#include <stdint.h>

enum fault_kind {
    FAULT_DELAY, /* the first two do no harm */
    FAULT_DRIP,  /* byte by byte */
    FAULT_RESET,
    FAULT_CLOSE,
    FAULT_TRUNCATE,  /* half of an answer, then the end */
    FAULT_GARBAGE,   /* random bytes in place of an answer */
    FAULT_DUPLICATE, /* an answer twice */
    FAULT_FOREIGN,   /* a well-formed answer to somebody else in front of ours */
    FAULT_REPLAY,    /* an earlier answer of the same connection in place of this one */
    FAULT_HALF_ASK,  /* half of a request, then the end */
    FAULT_SWALLOW,   /* an answer disappears, the connection stays: only time tells */
    FAULT_FLIP,      /* one bit of an answer is another one: only TLS can tell */
    FAULT_KINDS
};
const char *fault_name(enum fault_kind kind);

struct fault_proxy;

/* The same seed makes the same choices (of bytes and places; time is not the proxy's to repeat). */
struct fault_proxy *fault_proxy_start(int target_port, uint64_t seed);
void fault_proxy_stop(struct fault_proxy **proxy);
int fault_proxy_port(const struct fault_proxy *proxy);

/* The next bytes of that direction are struck, once, but not among the first `spared` answers of a
 * connection (TLS and Redis handshake). In place of a fault that has not struck yet. */
void fault_proxy_arm(struct fault_proxy *proxy, enum fault_kind kind, int spared);
/* How many faults have struck since the start. */
size_t fault_proxy_struck(struct fault_proxy *proxy);

#endif
