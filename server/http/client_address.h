/*
 * Which address a request came from. X-Forwarded-For is anybody's to write, so it is believed only
 * when the peer is a proxy we trust, and only as far back as trusted proxies wrote it. Pure.
 */
#ifndef SERVER_HTTP_CLIENT_ADDRESS_H
#define SERVER_HTTP_CLIENT_ADDRESS_H

#include "http/exchange.h"
#include "http/http.h"

struct arena;

/* `address` is numeric, IPv4 or IPv6. False for anything that is not an address. */
bool client_is_trusted(const struct cidr *proxies, size_t count, struct str address);

/*
 * The nearest address that is no trusted proxy, reading X-Forwarded-For (all of them, in order)
 * from its end; the farthest one when all are trusted. Where an entry is no address, the hop that
 * passed it on is the answer. `peer` must be trusted. In the arena, in canonical form; `peer` when
 * memory is out.
 */
struct str client_behind_proxies(const struct cidr *proxies, size_t count,
                                 const struct http_request *request, struct str peer,
                                 struct arena *arena);

#endif
