#include "cachewarden/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const char *const metadata_v4[] = {"100.100.100.200", "192.0.0.192"};
static const char *const metadata_v6[] = {"fd00:ec2::254", "fd20:ce::254"};

static enum http_address_kind kind_of_v4(struct in_addr address)
{
    struct in_addr metadata;

    if (ntohl(address.s_addr) >> 16 == 0xa9fe) /* 169.254.0.0/16 */
        return HTTP_ADDRESS_LINK_LOCAL;
    for (size_t i = 0; i < sizeof metadata_v4 / sizeof *metadata_v4; i++) {
        if (inet_pton(AF_INET, metadata_v4[i], &metadata) == 1 && metadata.s_addr == address.s_addr)
            return HTTP_ADDRESS_METADATA;
    }
    return HTTP_ADDRESS_PLAIN;
}

static enum http_address_kind kind_of_v6(const struct in6_addr *address)
{
    struct in6_addr metadata;
    struct in_addr inside;

    if (IN6_IS_ADDR_LINKLOCAL(address))
        return HTTP_ADDRESS_LINK_LOCAL;
    if (IN6_IS_ADDR_V4MAPPED(address) || IN6_IS_ADDR_V4COMPAT(address)) {
        memcpy(&inside, &address->s6_addr[12], sizeof inside);
        return kind_of_v4(inside);
    }
    for (size_t i = 0; i < sizeof metadata_v6 / sizeof *metadata_v6; i++) {
        if (inet_pton(AF_INET6, metadata_v6[i], &metadata) == 1 &&
            memcmp(&metadata, address, sizeof metadata) == 0)
            return HTTP_ADDRESS_METADATA;
    }
    return HTTP_ADDRESS_PLAIN;
}

enum http_address_kind http_address_kind(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return kind_of_v4(v4.sin_addr);
    }
    if (address->sa_family != AF_INET6)
        return HTTP_ADDRESS_PLAIN;
    memcpy(&v6, address, sizeof v6);
    return kind_of_v6(&v6.sin6_addr);
}
