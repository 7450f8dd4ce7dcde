#include "gateway/rules/invalidation.h"

bool method_is_safe(struct str method)
{
    static const struct str methods[] = {
        STR("GET"),      STR("HEAD"),   STR("OPTIONS"), STR("TRACE"),
        STR("PROPFIND"), STR("REPORT"), STR("SEARCH"),
    };

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_eq(method, methods[i]))
            return true;
    return false;
}

/* Up to the first of `ends`, or all. */
static struct str until(struct str text, const char *ends)
{
    size_t length = 0;

    while (length < text.len && (text.ptr[length] == '\0' || !strchr(ends, text.ptr[length])))
        length++;
    return str_sub(text, 0, length);
}

static struct str after(struct str text, struct str taken)
{
    return str_sub(text, taken.len, text.len);
}

/* The port that everybody means is none. */
static struct str without_default_port(struct str scheme, struct str authority)
{
    const struct str port = str_eq_nocase(scheme, STR("https")) ? STR(":443") : STR(":80");

    if (str_ends(authority, port))
        return str_sub(authority, 0, authority.len - port.len);
    return str_ends(authority, STR(":")) ? str_sub(authority, 0, authority.len - 1) : authority;
}

/* Takes "//authority" off. */
static bool take_authority(struct str *rest, struct str *authority_out)
{
    if (!str_starts(*rest, STR("//")))
        return false;
    *authority_out = until(str_sub(*rest, 2, rest->len), "/?#");
    *rest = str_sub(*rest, 2 + authority_out->len, rest->len);
    return true;
}

/* Without a scheme, that of the origin. */
static bool is_same_origin(struct str origin, struct str scheme, struct str authority)
{
    const struct str own_scheme = until(origin, ":");
    struct str rest = str_sub(origin, own_scheme.len + 1, origin.len), own;

    return take_authority(&rest, &own) && (scheme.len == 0 || str_eq_nocase(scheme, own_scheme)) &&
           str_eq_nocase(without_default_port(own_scheme, authority),
                         without_default_port(own_scheme, own));
}

static bool is_own(const struct request_target *request, struct str scheme, struct str authority)
{
    for (size_t i = 0; i < request->origin_count; i++)
        if (is_same_origin(request->origins[i], scheme, authority))
            return true;
    return false;
}

/* Takes a scheme and an authority off, if there are any. false: they are another origin's, or no place at all. */
static bool take_origin(const struct request_target *request, struct str *reference)
{
    const struct str head = until(*reference, ":/?#");
    struct str scheme = STR_NONE, authority;

    if (head.len < reference->len && reference->ptr[head.len] == ':') {
        scheme = head;
        *reference = str_sub(*reference, head.len + 1, reference->len);
        if (scheme.len == 0 || !str_starts(*reference, STR("//")))
            return false;
    }
    return !take_authority(reference, &authority) || is_own(request, scheme, authority);
}

/* RFC 3986, section 5.2.4, for a path that begins with a slash. */
static void add_without_dots(struct strbuf *out, struct str path)
{
    const size_t start = out->len;

    while (path.len > 0) {
        const struct str segment = until(str_sub(path, 1, path.len), "/");

        path = str_sub(path, segment.len + 1, path.len);
        if (str_eq(segment, STR("..")))
            while (out->len > start && out->ptr[--out->len] != '/') {
            }
        if (str_eq(segment, STR(".")) || str_eq(segment, STR(".."))) {
            if (path.len == 0)
                strbuf_add_char(out, '/');
            continue;
        }
        strbuf_add_char(out, '/');
        strbuf_add(out, segment);
    }
}

/* The path up to its last slash, which a relative path is put behind. */
static struct str folder_of(struct str path)
{
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

/* RFC 3986, section 5.2.2, of what stands behind scheme and authority. */
static enum err resolve(struct arena *arena, struct str target, struct str reference,
                        bool had_authority, struct str *resolved_out)
{
    const struct str base_path = until(target, "?#");
    const struct str path = until(reference, "?#");
    const struct str behind = after(reference, path);
    const struct str query = str_starts(behind, STR("?")) ? until(behind, "#") : STR_NONE;
    struct strbuf whole, out;

    strbuf_init(&whole, arena, 64);
    strbuf_init(&out, arena, 64);
    if (path.len == 0 && had_authority)
        strbuf_add_char(&whole, '/');
    else if (path.len == 0)
        strbuf_add(&whole, base_path);
    else if (path.ptr[0] != '/')
        strbuf_add(&whole, folder_of(base_path));
    strbuf_add(&whole, path);
    if (path.len == 0 && !had_authority)
        strbuf_add(&out, strbuf_str(&whole));
    else
        add_without_dots(&out, strbuf_str(&whole));
    if (path.len == 0 && !had_authority && query.len == 0)
        strbuf_add(&out, until(after(target, base_path), "#"));
    strbuf_add(&out, query);
    *resolved_out = strbuf_str(&out);
    return whole.failed || out.failed ? ERR_NO_MEMORY : ERR_OK;
}

static void add_target(struct invalidated *all, struct str target)
{
    for (size_t i = 0; i < all->count; i++)
        if (str_eq(all->targets[i], target))
            return;
    all->targets[all->count++] = target;
}

static enum err add_reference(struct arena *arena, const struct request_target *request,
                              struct str reference, struct invalidated *all)
{
    struct str rest = reference, resolved;

    if (reference.ptr == NULL || !take_origin(request, &rest))
        return ERR_OK;
    const bool had_authority = rest.ptr != reference.ptr;
    const enum err err = resolve(arena, request->target, rest, had_authority, &resolved);
    if (err == ERR_OK && str_starts(resolved, STR("/")))
        add_target(all, resolved);
    return err;
}

enum err invalidated_by(struct arena *arena, struct str method, int status,
                        const struct request_target *request, const struct http_fields *response,
                        struct invalidated *invalidated_out)
{
    static const struct str names[] = {STR("location"), STR("content-location")};
    enum err err = ERR_OK;

    invalidated_out->count = 0;
    if (method_is_safe(method) || status < 200 || status > 399)
        return ERR_OK;
    add_target(invalidated_out, request->target);
    for (size_t i = 0; i < sizeof names / sizeof *names && err == ERR_OK; i++)
        err = add_reference(arena, request, fields_value(response, names[i]), invalidated_out);
    return err;
}
