#include "gateway/request.h"

#include "cachewarden/arena.h"
#include "cachewarden/xsrf.h"
#include "gateway/rules/passing.h"

/* ---- the target ---- */

static bool is_escape(struct str text, size_t at, const char *escape)
{
    return text.ptr[at] == '%' && str_eq_nocase(str_sub(text, at, 3), str_from(escape));
}

/* Some take a backslash or an encoded slash for a slash, and drop what is behind a semicolon. */
static bool ends_segment(struct str path, size_t at)
{
    char c = path.ptr[at];

    return c == '/' || c == '\\' || c == ';' || is_escape(path, at, "%2f") ||
           is_escape(path, at, "%5c") || is_escape(path, at, "%3b");
}

static bool has_dot_segment(struct str path)
{
    size_t dots = 0, others = 0;

    for (size_t i = 0; i < path.len; i++) {
        bool is_escaped = path.ptr[i] == '%';
        if (ends_segment(path, i)) {
            if (others == 0 && (dots == 1 || dots == 2))
                return true;
            dots = others = 0;
        } else if (path.ptr[i] == '.' || is_escape(path, i, "%2e")) {
            dots++;
        } else {
            others++;
        }
        if (is_escaped && (ends_segment(path, i) || is_escape(path, i, "%2e")))
            i += 2;
    }
    return others == 0 && (dots == 1 || dots == 2);
}

static bool has_nul(struct str path)
{
    for (size_t i = 0; i < path.len; i++)
        if (is_escape(path, i, "%00"))
            return true;
    return false;
}

const char *request_target_fault(const struct gateway_request *request)
{
    if (has_dot_segment(request->path))
        return "A path with a segment . or .. is not passed on.";
    if (has_nul(request->path))
        return "A path with %00 is not passed on.";
    if (str_find(request->path, '#') >= 0 || str_find(request->query.raw, '#') >= 0)
        return "A target with a # is not passed on.";
    return NULL;
}

bool request_is_stripped(const struct gateway_route *route)
{
    return route->options.strip_prefix && route->options.prefix.len > 1;
}

struct str request_target(const struct gateway_route *route, const struct gateway_request *request,
                          struct arena *arena)
{
    struct str path = request->path, prefix = route->options.prefix;
    struct strbuf target;

    if (request_is_stripped(route))
        path = str_sub(path, prefix.len, path.len);
    strbuf_init(&target, arena, path.len + request->query.raw.len + 3);
    if (path.len == 0 || path.ptr[0] != '/')
        strbuf_add_char(&target, '/');
    strbuf_add(&target, path);
    if (request->query.present)
        strbuf_add_char(&target, '?');
    strbuf_add(&target, request->query.raw);
    return target.failed ? STR_NONE : strbuf_str(&target);
}

/* ---- fields ---- */

struct builder {
    struct arena *arena;
    struct http_field *items;
    size_t count;
    bool failed;
};

/* How many fields are added at most. */
enum { ADDED_MAX = 12 };

static void add(struct builder *builder, struct str name, struct str value)
{
    builder->failed = builder->failed || !value.ptr;
    builder->items[builder->count++] = (struct http_field){name, value};
}

/* Made here, by who sends the body, or for this connection only. */
static const struct str made_anew[] = {
    STR("Host"),   STR("Content-Length"), STR("Transfer-Encoding"),
    STR("Expect"), STR("X-Request-Id"),
};

/* By which a client shows who it is. */
static const struct str credentials[] = {
    STR("Authorization"), STR("Proxy-Authorization"), STR("X-Api-Key"),
    STR("Cookie"),        STR("X-XSRF-TOKEN"),
};

static bool keep(const struct http_field *field, void *arg)
{
    const struct gateway_route *route = arg;

    return !name_is_among(field->name, made_anew, sizeof made_anew / sizeof *made_anew) &&
           (route->options.pass_credentials ||
            !name_is_among(field->name, credentials, sizeof credentials / sizeof *credentials));
}

static struct str scheme_of(const struct gateway_request *request)
{
    return request->is_secure ? STR("https") : STR("http");
}

struct str request_origin(const struct gateway_request *request, struct arena *arena)
{
    struct strbuf origin;

    strbuf_init(&origin, arena, request->host.len + 16);
    strbuf_add(&origin, scheme_of(request));
    strbuf_add(&origin, STR("://"));
    strbuf_add(&origin, request->host);
    return origin.failed ? STR_NONE : strbuf_str(&origin);
}

static bool is_behind_proxy(const struct gateway_request *request, const struct call *call)
{
    return !str_eq(request->peer_address, call->client_address);
}

/* RFC 7239: an IPv6 address has brackets, and both need quotes. */
static void add_hop(struct strbuf *out, struct str address)
{
    bool is_v6 = str_find(address, ':') >= 0;

    strbuf_add(out, is_v6 ? STR("for=\"[") : STR("for="));
    strbuf_add(out, address);
    strbuf_add(out, is_v6 ? STR("]\"") : STR_NONE);
}

static struct str forwarded(const struct gateway_request *request, const struct call *call)
{
    struct strbuf out;

    strbuf_init(&out, call->arena, 128);
    add_hop(&out, call->client_address);
    if (request->host.len > 0) {
        strbuf_add(&out, STR(";host=\""));
        strbuf_add(&out, request->host);
        strbuf_add_char(&out, '"');
    }
    strbuf_add(&out, STR(";proto="));
    strbuf_add(&out, scheme_of(request));
    if (is_behind_proxy(request, call)) {
        strbuf_add(&out, STR(", "));
        add_hop(&out, request->peer_address);
    }
    return out.failed ? STR_NONE : strbuf_str(&out);
}

static void add_way(struct builder *builder, const struct gateway_request *request,
                    const struct call *call)
{
    struct str addresses = call->client_address;

    if (is_behind_proxy(request, call))
        addresses = str_format(call->arena, "%.*s, %.*s", STR_ARG(addresses),
                               STR_ARG(request->peer_address));
    add(builder, STR("Via"),
        request->minor_version > 0 ? STR("1.1 cachewarden") : STR("1.0 cachewarden"));
    add(builder, STR("Forwarded"), forwarded(request, call));
    add(builder, STR("X-Forwarded-For"), addresses);
    add(builder, STR("X-Forwarded-Proto"), scheme_of(request));
    if (request->host.len > 0)
        add(builder, STR("X-Forwarded-Host"), request->host);
    add(builder, STR("X-Request-Id"), call->request_id);
}

static void add_identity(struct builder *builder, const struct call *call)
{
    const struct principal *principal = &call->principal;

    if (principal->user_id <= 0)
        return;
    add(builder, STR("X-User-Id"), str_dup(call->arena, STR_INT64(principal->user_id)));
    if (principal->name.len > 0 && !str_has_control(principal->name))
        add(builder, STR("X-User-Name"), principal->name);
}

/*
 * The session of a browser is between it and us: with it, an upstream could act here as its user. The rest of the
 * cookies as they came, in the arena; {"",0}: there is no other. {NULL,0}: memory is out.
 */
static struct str without_session(struct arena *arena, struct str cookies)
{
    struct str rest = cookies, cookie;
    struct strbuf left;
    bool has_session = false;

    strbuf_init(&left, arena, cookies.len + 1);
    while (str_split(&rest, ';', &cookie)) {
        cookie = str_trim(cookie);
        if (str_starts(cookie, STR(COOKIE_SESSION "="))) {
            has_session = true;
            continue;
        }
        strbuf_add(&left, left.len > 0 ? STR("; ") : STR_NONE);
        strbuf_add(&left, cookie);
    }
    if (!has_session)
        return cookies;
    return left.failed ? STR_NONE : left.len > 0 ? strbuf_str(&left) : STR("");
}

static void add_passed(struct builder *builder, const struct http_field *field)
{
    struct str value = field->value;

    if (str_eq_nocase(field->name, STR("Cookie")) && value.len > 0) {
        value = without_session(builder->arena, value);
        if (value.ptr && value.len == 0)
            return;
    }
    add(builder, field->name, value);
}

enum err request_fields(const struct gateway_route *route, const struct gateway_request *request,
                        const struct call *call, struct http_fields *fields_out)
{
    /* fields_filter only reads them. */
    const struct http_fields came = {(struct http_field *)(uintptr_t)request->fields,
                                     request->field_count};
    struct builder builder = {.arena = call->arena};
    struct http_fields passed, kept;
    enum err err = request_fields_to_pass(call->arena, request->method, &came, &passed);

    if (err == ERR_OK)
        err = fields_filter(call->arena, &passed, keep, (void *)(uintptr_t)route, &kept);
    if (err != ERR_OK)
        return err;
    builder.items = arena_calloc(call->arena, kept.count + ADDED_MAX, sizeof *builder.items);
    if (!builder.items)
        return ERR_NO_MEMORY;
    if (request->host.len > 0)
        add(&builder, STR("Host"), request->host);
    for (size_t i = 0; i < kept.count; i++)
        add_passed(&builder, &kept.items[i]);
    add_way(&builder, request, call);
    if (request_is_stripped(route))
        add(&builder, STR("X-Forwarded-Prefix"), route->options.prefix);
    if (!route->options.is_public)
        add_identity(&builder, call);
    *fields_out = (struct http_fields){builder.items, builder.count};
    return builder.failed ? ERR_NO_MEMORY : ERR_OK;
}
