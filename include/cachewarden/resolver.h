/*
 * Addresses of host names, for everything that connects. A look-up may take as long as name servers are
 * silent, and nothing can end it. So each name has a thread that looks it up, again and again, and nobody else
 * waits for longer than they want to. The last good answer is kept, and is used while no new one comes.
 *
 * One for the process, as the C library's is. Thread-safe; its lock is a leaf and is not held across a look-up. Its
 * threads are never waited for, at the end of the process neither.
 */
#ifndef CACHEWARDEN_RESOLVER_H
#define CACHEWARDEN_RESOLVER_H

#include "cachewarden/error.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    RESOLVER_ADDRESSES_MAX = 16, /* of a name; further ones are left out */
    RESOLVER_NAMES_MAX = 256,
};

struct resolver_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t size;
};

/* In the order in which they are to be tried. */
struct resolver_answer {
    struct resolver_address addresses[RESOLVER_ADDRESSES_MAX];
    size_t count; /* one at least */
};

/*
 * The addresses of a host, with `port` in each. A numeric one is none of the resolver's affairs: it is answered at
 * once. So is a name that has been answered before, but for one whose renewal was asked for a moment ago: that waits
 * half a second for the new answer. The first answer is waited for until deadline_ns (clock_mono_ns); after a
 * second that is logged.
 * ERR_TIMEOUT: there was none. ERR_UPSTREAM_DOWN: the name is unknown, or name servers failed; also told at once to
 * those who ask within a second after that. ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err resolver_find(const char *host, int port, int64_t deadline_ns,
                                     struct resolver_answer *answer_out, struct error *error);

/* What the name led to is not there any more, or not what it was: looks it up anew, once a second at most. Does not
 * wait. Harmless for numeric hosts, those that nobody has looked for, and NULL. */
void resolver_renew(const char *host);

/* Before the log ends: look-ups that are under way then, and may be for minutes, say nothing any more. */
void resolver_stop(void);

/* "192.0.2.1", "2001:db8::1". */
#define RESOLVER_TEXT_SIZE 64
void resolver_write(const struct resolver_address *address, char out[RESOLVER_TEXT_SIZE]);

struct resolver_stats {
    uint64_t lookups, failures; /* that ended */
    size_t names;               /* that are looked up */
    size_t overdue; /* of these, those whose last look-up failed, or has been under way for 5 s */
};
void resolver_stats_read(struct resolver_stats *stats_out);

#endif
