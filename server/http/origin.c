#include "http/origin.h"

/* "example", "example:8000", "[::1]:8000"; a bare port number out of range does not matter here, it
 * only has to be the same. */
static bool split_port(struct str text, int64_t otherwise, struct str *host_out, int64_t *port_out)
{
    ptrdiff_t bracket = str_find(text, ']');
    size_t from = bracket < 0 ? 0 : (size_t)bracket;
    ptrdiff_t colon = str_find(str_sub(text, from, text.len), ':');

    *host_out = text;
    *port_out = otherwise;
    if (colon < 0)
        return text.len > 0;
    size_t end = from + (size_t)colon;
    *host_out = str_sub(text, 0, end);
    return end > 0 && str_to_int64(str_sub(text, end + 1, text.len), 1, 65535, port_out);
}

static bool is_host(struct str host, struct str other, int64_t default_port)
{
    struct str name, other_name;
    int64_t port, other_port;

    return split_port(host, default_port, &name, &port) &&
           split_port(other, default_port, &other_name, &other_port) &&
           str_eq_nocase(name, other_name) && port == other_port;
}

static bool is_configured(const struct origin_policy *policy, struct str origin)
{
    for (size_t i = 0; i < policy->origin_count; i++)
        if (str_eq(origin, str_from(policy->origins[i])))
            return true;
    return false;
}

bool origin_is_own(const struct http_request *request, const struct origin_policy *policy,
                   bool is_secure)
{
    const struct str https = STR("https://"), http = STR("http://");
    struct str origin = request->known[FIELD_ORIGIN], host = request->known[FIELD_HOST];

    if (origin.len == 0)
        return false;
    if (policy->origin_count > 0)
        return is_configured(policy, origin);
    if (str_starts(origin, https))
        return is_host(str_sub(origin, https.len, origin.len), host, 443);
    return !is_secure && str_starts(origin, http) &&
           is_host(str_sub(origin, http.len, origin.len), host, 80);
}
