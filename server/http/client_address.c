#include "http/client_address.h"

#include "cachewarden/arena.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { ADDRESS_SIZE = 16 };

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* IPv4 becomes IPv4-mapped IPv6 (RFC 4291, section 2.5.5.2), so that one comparison serves both. */
static bool parse_address(struct str text, uint8_t bytes[ADDRESS_SIZE])
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET6, copy, bytes) == 1)
        return true;
    memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
    return inet_pton(AF_INET, copy, bytes + sizeof mapped_prefix) == 1;
}

static bool is_inside(const uint8_t bytes[ADDRESS_SIZE], const struct cidr *block)
{
    int whole = block->bits / 8;
    int rest = block->bits % 8;

    if (memcmp(bytes, block->bytes, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ block->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_trusted(const struct cidr *proxies, size_t count, const uint8_t bytes[ADDRESS_SIZE])
{
    for (size_t i = 0; i < count; i++)
        if (is_inside(bytes, &proxies[i]))
            return true;
    return false;
}

bool client_is_trusted(const struct cidr *proxies, size_t count, struct str address)
{
    uint8_t bytes[ADDRESS_SIZE];

    return parse_address(address, bytes) && is_trusted(proxies, count, bytes);
}

/* "1.2.3.4", "1.2.3.4:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static struct str without_port(struct str entry)
{
    ptrdiff_t end;

    if (entry.len > 0 && entry.ptr[0] == '[') {
        end = str_find(entry, ']');
        return end > 0 ? str_sub(entry, 1, (size_t)end - 1) : STR_NONE;
    }
    end = str_find(entry, ':');
    if (end >= 0 && str_find(str_sub(entry, (size_t)end + 1, entry.len), ':') < 0)
        return str_sub(entry, 0, (size_t)end);
    return entry;
}

static struct str format_address(struct arena *arena, const uint8_t bytes[ADDRESS_SIZE],
                                 struct str otherwise)
{
    bool is_v4 = memcmp(bytes, mapped_prefix, sizeof mapped_prefix) == 0;
    char *text = arena_alloc(arena, INET6_ADDRSTRLEN);

    if (!text || !inet_ntop(is_v4 ? AF_INET : AF_INET6,
                            is_v4 ? bytes + sizeof mapped_prefix : bytes, text, INET6_ADDRSTRLEN))
        return otherwise;
    return str_from(text);
}

/* Takes the part behind the last comma off *rest. */
static struct str take_last(struct str *rest)
{
    size_t start = rest->len;

    while (start > 0 && rest->ptr[start - 1] != ',')
        start--;
    struct str last = str_sub(*rest, start, rest->len);
    *rest = start > 0 ? str_sub(*rest, 0, start - 1) : STR_NONE;
    return str_trim(last);
}

struct str client_behind_proxies(const struct cidr *proxies, size_t count,
                                 const struct http_request *request, struct str peer,
                                 struct arena *arena)
{
    uint8_t best[ADDRESS_SIZE], bytes[ADDRESS_SIZE];
    bool found = false;

    for (size_t i = request->field_count; i-- > 0;) {
        struct str rest = request->fields[i].value;
        if (!str_eq_nocase(request->fields[i].name, STR("X-Forwarded-For")))
            continue;
        while (rest.len > 0) {
            if (!parse_address(without_port(take_last(&rest)), bytes))
                return found ? format_address(arena, best, peer) : peer;
            memcpy(best, bytes, sizeof best);
            found = true;
            if (!is_trusted(proxies, count, bytes))
                return format_address(arena, best, peer);
        }
    }
    return found ? format_address(arena, best, peer) : peer;
}
