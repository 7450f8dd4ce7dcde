/* Whom an address belongs to, as far as limits are concerned. Pure. */
#ifndef API_LIMITS_NETWORK_H
#define API_LIMITS_NETWORK_H

#include "cachewarden/str.h"

#define LIMIT_NETWORK_SIZE 24

/*
 * An IPv4 address as it is ("192.0.2.7", mapped into IPv6 or not); of an IPv6 address the first 64
 * bits in hex ("20010db800000001"), because that is what one customer gets and may fill at will
 * (RFC 6177). What is no address at all shares one name, so it is limited too. NUL-terminated.
 */
struct str limit_network(struct str address, char buffer[LIMIT_NETWORK_SIZE]);

#endif
