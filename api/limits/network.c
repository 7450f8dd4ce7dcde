#include "limits/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static struct str write_v4(const uint8_t bytes[4], char *buffer)
{
    int len =
        snprintf(buffer, LIMIT_NETWORK_SIZE, "%d.%d.%d.%d", bytes[0], bytes[1], bytes[2], bytes[3]);

    return (struct str){buffer, (size_t)len};
}

static struct str write_v6(const struct in6_addr *address, char *buffer)
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        return write_v4(address->s6_addr + 12, buffer);
    for (size_t i = 0; i < 8; i++)
        snprintf(buffer + 2 * i, 3, "%02x", address->s6_addr[i]);
    return (struct str){buffer, 16};
}

struct str limit_network(struct str address, char buffer[LIMIT_NETWORK_SIZE])
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    uint8_t v4[4];
    /* The scope of a link-local address ("fe80::1%eth0") is ours, not the client's. */
    ptrdiff_t scope = str_find(address, '%');
    struct str bare = scope < 0 ? address : str_sub(address, 0, (size_t)scope);

    snprintf(text, sizeof text, "%.*s", STR_ARG(bare));
    if (inet_pton(AF_INET, text, v4) == 1)
        return write_v4(v4, buffer);
    if (inet_pton(AF_INET6, text, &v6) == 1)
        return write_v6(&v6, buffer);
    snprintf(buffer, LIMIT_NETWORK_SIZE, "unknown");
    return str_from(buffer);
}
