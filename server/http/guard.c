#include "http/guard.h"

static const struct {
    struct str name;
    bool once; /* a second one is refused: which of the two counts is anybody's guess */
} known_fields[FIELD_COUNT] = {
    [FIELD_HOST] = {STR("Host"), true},
    [FIELD_CONTENT_LENGTH] = {STR("Content-Length"), true},
    [FIELD_TRANSFER_ENCODING] = {STR("Transfer-Encoding"), true},
    [FIELD_CONTENT_TYPE] = {STR("Content-Type"), true},
    [FIELD_CONTENT_ENCODING] = {STR("Content-Encoding"), false},
    [FIELD_AUTHORIZATION] = {STR("Authorization"), true},
    [FIELD_API_KEY] = {STR("X-Api-Key"), true},
    [FIELD_EXPECT] = {STR("Expect"), true},
    [FIELD_CONNECTION] = {STR("Connection"), false},
    [FIELD_ORIGIN] = {STR("Origin"), true},
    [FIELD_PREFLIGHT_METHOD] = {STR("Access-Control-Request-Method"), true},
    [FIELD_FORWARDED_FOR] = {STR("X-Forwarded-For"), false},
    [FIELD_FORWARDED_PROTO] = {STR("X-Forwarded-Proto"), false},
    [FIELD_REQUEST_ID] = {STR("X-Request-Id"), false},
    [FIELD_COOKIE] = {STR("Cookie"), false},
    [FIELD_XSRF_TOKEN] = {STR("X-XSRF-TOKEN"), true},
    [FIELD_IF_NONE_MATCH] = {STR("If-None-Match"), false},
    [FIELD_IF_MATCH] = {STR("If-Match"), false},
    [FIELD_IF_UNMODIFIED_SINCE] = {STR("If-Unmodified-Since"), false},
    [FIELD_CONTENT_RANGE] = {STR("Content-Range"), false},
    [FIELD_LEASE] = {STR("X-Cache-Lease"), true},
};

/*
 * Fields a proxy may not be told to drop: `Connection: Authorization` would strip who the caller
 * is, or where a message ends, somewhere between it and us; others what a write depends on.
 */
static const struct str never_hop_by_hop[] = {
    STR("Host"),
    STR("Content-Length"),
    STR("Transfer-Encoding"),
    STR("Content-Type"),
    STR("Content-Encoding"),
    STR("Authorization"),
    STR("X-Api-Key"),
    STR("Cookie"),
    STR("X-XSRF-TOKEN"),
    STR("Origin"),
    STR("Expect"),
    STR("X-Forwarded-For"),
    STR("X-Forwarded-Proto"),
    STR("X-Request-Id"),
    STR("If-None-Match"),
    STR("If-Match"),
    STR("If-Unmodified-Since"),
    STR("Content-Range"),
    STR("X-Cache-Lease"),
};

#define GUARD_REFUSE(code, sentence) ((struct guard_verdict){(code), STR(sentence)})
#define ACCEPT                       ((struct guard_verdict){0, STR_NONE})

/* RFC 1035: a name has at most 253 characters; a port 5 and a colon. */
enum { HOST_MAX = 253 + 6 };

/* "http://host/path": false for any other form. */
static bool split_absolute(struct str target, struct str *host_out, struct str *path_out)
{
    ptrdiff_t colon = str_find(target, ':');

    if (colon <= 0 || target.ptr[0] == '/')
        return false;
    struct str scheme = str_sub(target, 0, (size_t)colon);
    struct str rest = str_sub(target, (size_t)colon, target.len);
    if (!str_starts(rest, STR("://")) ||
        !(str_eq_nocase(scheme, STR("http")) || str_eq_nocase(scheme, STR("https"))))
        return false;
    rest = str_sub(rest, 3, rest.len);
    ptrdiff_t slash = str_find(rest, '/');
    size_t end = slash < 0 ? rest.len : (size_t)slash;
    *host_out = str_sub(rest, 0, end);
    *path_out = str_sub(rest, end, rest.len);
    return true;
}

/* Of "http://host" the path is "/"; OPTIONS asks about the whole server then (RFC 9112, section 3.2.4). */
static void take_target(struct http_request *request)
{
    struct str host, path;

    request->host_field = request->known[FIELD_HOST];
    request->is_absolute = split_absolute(request->path, &host, &path);
    if (!request->is_absolute)
        return;
    request->known[FIELD_HOST] = host;
    request->path = path;
    if (path.len == 0)
        request->path =
            request->method == METHOD_OPTIONS && !request->query.present ? STR("*") : STR("/");
}

static void find_known(struct http_request *request)
{
    memset(request->known, 0, sizeof request->known);
    memset(request->known_count, 0, sizeof request->known_count);
    for (size_t i = 0; i < request->field_count; i++) {
        const struct http_field *field = &request->fields[i];
        for (int known = 0; known < FIELD_COUNT; known++) {
            if (field->name.len == known_fields[known].name.len &&
                str_eq_nocase(field->name, known_fields[known].name)) {
                request->known[known] = field->value;
                request->known_count[known]++;
                break;
            }
        }
    }
}

void guard_index(struct http_request *request)
{
    find_known(request);
    take_target(request);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* RFC 9110, section 5.5: visible characters, blank, TAB, and bytes above 127. Without a way out before
 * the end the compiler looks at many bytes at once. */
static bool is_field_value(struct str value)
{
    unsigned char bad = 0;

    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        bad |= (unsigned char)((c < 0x20 && c != '\t') || c == 0x7f);
    }
    return !bad;
}

static struct guard_verdict check_fields(const struct http_request *request)
{
    if (request->field_count > HTTP_MAX_FIELDS)
        return GUARD_REFUSE(431, "Too many header fields.");
    for (size_t i = 0; i < request->field_count; i++) {
        if (!str_is_token(request->fields[i].name))
            return GUARD_REFUSE(400, "A header field has an invalid name.");
        if (!is_field_value(request->fields[i].value))
            return GUARD_REFUSE(400, "A header field holds a control character.");
    }
    for (int known = 0; known < FIELD_COUNT; known++)
        if (known_fields[known].once && request->known_count[known] > 1)
            return GUARD_REFUSE(400, "A header field that must be unique is given more than once.");
    return ACCEPT;
}

static struct guard_verdict check_framing(const struct http_request *request)
{
    bool has_length = request->known_count[FIELD_CONTENT_LENGTH] > 0;
    bool has_coding = request->known_count[FIELD_TRANSFER_ENCODING] > 0;
    int64_t length;

    if (has_length && has_coding)
        return GUARD_REFUSE(400, "Content-Length and Transfer-Encoding exclude each other.");
    if (has_length && !str_to_int64(request->known[FIELD_CONTENT_LENGTH], 0, INT64_MAX, &length))
        return GUARD_REFUSE(400, "Content-Length is not a decimal number.");
    if (has_coding && request->minor_version == 0)
        return GUARD_REFUSE(400, "HTTP/1.0 has no Transfer-Encoding.");
    if (has_coding && !str_eq_nocase(request->known[FIELD_TRANSFER_ENCODING], STR("chunked")))
        return GUARD_REFUSE(400, "Transfer-Encoding must be chunked.");
    return ACCEPT;
}

static struct guard_verdict check_connection(const struct http_request *request)
{
    if (request->known_count[FIELD_CONNECTION] == 0)
        return ACCEPT;
    for (size_t i = 0; i < request->field_count; i++) {
        struct str rest = request->fields[i].value;
        struct str option;
        if (!str_eq_nocase(request->fields[i].name, STR("Connection")))
            continue;
        while (str_split(&rest, ',', &option)) {
            option = str_trim(option);
            for (size_t n = 0; n < sizeof never_hop_by_hop / sizeof *never_hop_by_hop; n++)
                if (str_eq_nocase(option, never_hop_by_hop[n]))
                    return GUARD_REFUSE(400,
                                        "Connection names a header field that is not its to name.");
        }
    }
    return ACCEPT;
}

/*
 * Splits a Host value into name and port; false when it is no uri-host [":" port] (RFC 9112,
 * section 3.2). Of RFC 3986's reg-name only what names of hosts are made of: percent-escapes and
 * sub-delims have no honest use here.
 */
static bool split_host(struct str host, struct str *name_out)
{
    size_t end = 0;

    if (host.len == 0 || host.len > HOST_MAX)
        return false;
    if (host.ptr[0] == '[') {
        ptrdiff_t bracket = str_find(host, ']');
        if (bracket < 2)
            return false;
        for (ptrdiff_t i = 1; i < bracket; i++) {
            char c = host.ptr[i];
            bool is_hex = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            if (!is_hex && c != ':' && c != '.')
                return false;
        }
        end = (size_t)bracket + 1;
    } else {
        while (end < host.len && (is_alnum(host.ptr[end]) ||
                                  (host.ptr[end] != '\0' && strchr("-._~", host.ptr[end]))))
            end++;
        if (end == 0)
            return false;
    }
    *name_out = str_sub(host, 0, end);
    if (end == host.len)
        return true;

    /* No digits mean the scheme's port. */
    struct str port = str_sub(host, end + 1, host.len);
    int64_t number;
    return host.ptr[end] == ':' && (port.len == 0 || str_to_int64(port, 1, 65535, &number));
}

static bool is_address(struct str name)
{
    bool is = true;

    for (size_t i = 0; i < name.len; i++)
        is = is && (is_digit(name.ptr[i]) || name.ptr[i] == '.');
    return is || name.ptr[0] == '[';
}

/*
 * Load balancers ask by address, or with HTTP/1.0 and no name at all, and many cannot be told otherwise. What
 * they are told depends on no host; and a page that has its own name lead to us sends that name.
 */
static bool is_probe(struct str path, struct str host)
{
    return is_address(host) && (str_eq(path, STR("/health")) || str_eq(path, STR("/health/live")) ||
                                str_eq(path, STR("/health/ready")));
}

static bool is_allowed(const struct guard_policy *policy, struct str name)
{
    /* "[::1]" in the request, "::1" or "[::1]" in the settings. */
    struct str bare = name.len > 2 && name.ptr[0] == '[' ? str_sub(name, 1, name.len - 2) : name;

    for (size_t i = 0; i < policy->allowed_host_count; i++) {
        struct str allowed = str_from(policy->allowed_hosts[i]);
        if (str_eq_nocase(allowed, name) || str_eq_nocase(allowed, bare))
            return true;
    }
    return policy->allowed_host_count == 0;
}

/* A name that means the machine it is said on. */
static bool is_loopback(struct str name)
{
    return str_eq_nocase(name, STR("localhost")) || str_eq(name, STR("127.0.0.1")) ||
           str_eq(name, STR("[::1]"));
}

static struct guard_verdict check_host(const struct http_request *request,
                                       const struct guard_policy *policy)
{
    struct str field = STR_NONE, name;

    if (request->known_count[FIELD_HOST] == 0 && request->minor_version > 0)
        return GUARD_REFUSE(400, "HTTP/1.1 needs a Host.");
    if (request->known_count[FIELD_HOST] > 0 && !split_host(request->host_field, &field))
        return GUARD_REFUSE(400, "Host is not the name of a host.");
    name = field;
    if (request->is_absolute && !split_host(request->known[FIELD_HOST], &name))
        return GUARD_REFUSE(400, "The request target does not name a host.");
    if (!is_allowed(policy, name) && !is_probe(request->path, name))
        return GUARD_REFUSE(421, "This host is not served here.");
    /* Whatever host is asked for is ours then, but nobody asks us for another one than they name. */
    if (policy->allowed_host_count == 0 && !str_eq_nocase(name, field) && !is_loopback(name))
        return GUARD_REFUSE(421, "This host is not served here.");
    return ACCEPT;
}

/* A path, or "*" for OPTIONS; of absolute form only the path is left here. */
static struct guard_verdict check_target(const struct http_request *request)
{
    struct str path = request->path;

    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] <= ' ' || path.ptr[i] >= 0x7f)
            return GUARD_REFUSE(
                400, "The request target holds a character that must be percent-encoded.");
    if (path.len > 0 && path.ptr[0] == '/')
        return ACCEPT;
    if (str_eq(path, STR("*")) && request->method == METHOD_OPTIONS && !request->query.present)
        return ACCEPT;

    ptrdiff_t colon = str_find(path, ':');
    if (colon > 0 && str_starts(str_sub(path, (size_t)colon, path.len), STR("://")))
        return GUARD_REFUSE(421, "Only http and https are served here.");
    return GUARD_REFUSE(400, "The request target must begin with a slash.");
}

static struct guard_verdict check_expect(const struct http_request *request)
{
    if (request->known_count[FIELD_EXPECT] > 0 &&
        !str_eq_nocase(request->known[FIELD_EXPECT], STR("100-continue")))
        return GUARD_REFUSE(417, "The only expectation met here is 100-continue.");
    return ACCEPT;
}

struct guard_verdict guard_check(const struct http_request *request,
                                 const struct guard_policy *policy)
{
    struct guard_verdict verdict = check_fields(request);

    if (verdict.status == 0)
        verdict = check_framing(request);
    if (verdict.status == 0)
        verdict = check_connection(request);
    if (verdict.status == 0)
        verdict = check_target(request);
    if (verdict.status == 0)
        verdict = check_host(request, policy);
    if (verdict.status == 0)
        verdict = check_expect(request);
    return verdict;
}
