/* Which headers an answer carries, beside those that are HTTP's own (Date, Content-Type, …) and those
 * for pages of other origins. A test holds each answer against it, both ways. */
#include "reference/openapi_private.h"

#include <stdio.h>

enum presence { PRESENT_NEVER, PRESENT_SOMETIMES, PRESENT_ALWAYS };

/* Rows whose answers differ from those of others. A test finds each in the table. */
enum named_row {
    ROW_LOGIN,
    ROW_LOGOUT,
    ROW_CACHE_ENABLE,
    ROW_CACHE_DISABLE,
    ROW_CACHE_FLUSH,
    ROW_ENTRY_GET,
    ROW_ENTRY_PUT,
    ROW_ENTRY_INCREMENT,
    ROWS
};
static const char *const row_names[ROWS] = {
    [ROW_LOGIN] = "auth.login",          [ROW_LOGOUT] = "auth.logout",
    [ROW_CACHE_ENABLE] = "cache.enable", [ROW_CACHE_DISABLE] = "cache.disable",
    [ROW_CACHE_FLUSH] = "caches.flush",  [ROW_ENTRY_GET] = "entries.get",
    [ROW_ENTRY_PUT] = "entries.put",     [ROW_ENTRY_INCREMENT] = "entries.increment",
};

const char *openapi_named_row(size_t i)
{
    return i < ROWS ? row_names[i] : NULL;
}

static bool is_row(const struct route *route, enum named_row row)
{
    return strcmp(route->name, row_names[row]) == 0;
}

/* ---- when ---- */

static enum presence always(const struct route *route, int status)
{
    (void)route;
    (void)status;
    return PRESENT_ALWAYS;
}

static enum presence unauthenticated(const struct route *route, int status)
{
    (void)route;
    return status == 401 ? PRESENT_ALWAYS : PRESENT_NEVER;
}

static enum presence try_again(const struct route *route, int status)
{
    (void)route;
    return status == 429 || status == 503 ? PRESENT_ALWAYS : PRESENT_NEVER;
}

/* Who may call is counted against the limit before anything else, but for a read, whose operation
 * counts on its way. Limits may be off, or Redis away, and then nothing was counted. Whether there are any
 * callers of a COMMON limit is up to the settings, and a document that told of it would mostly be wrong. */
static enum presence counted(const struct route *route, int status)
{
    bool was_let_in = route->permit == PERMIT_PUBLIC || (status != 401 && status != 403);
    bool has_begun = route->effect != EFFECT_READ || status < 400 || status >= 500;

    /* By the operation, which tells of it only when it was too much. */
    if (route_counts_bytes(route))
        return status == 429 ? PRESENT_ALWAYS : PRESENT_NEVER;
    /* Where it starts a job: by the operation, for an API key that acts for nobody. */
    if (route_starts_jobs(route) && status != 429)
        return status == 202 || status == 409 ? PRESENT_SOMETIMES : PRESENT_NEVER;
    if (route_starts_jobs(route))
        return PRESENT_ALWAYS;
    if (route->limit == LIMIT_NONE || limit_by(route->limit) == LIMIT_BY_COMMON)
        return PRESENT_NEVER;
    if (status == 429)
        return PRESENT_ALWAYS;
    /* Counted for a token that is good. */
    if (limit_by(route->limit) == LIMIT_BY_FAMILY)
        return status < 300 ? PRESENT_SOMETIMES : PRESENT_NEVER;
    return was_let_in && has_begun ? PRESENT_SOMETIMES : PRESENT_NEVER;
}

static bool tells_cache(const struct route *route, int status)
{
    return status < 300 && str_starts(str_from(route->path), STR("/api/cache/"));
}

/* In an account's namespace, not in an application's. */
static bool may_tell_cache(const struct route *route, int status)
{
    if (is_row(route, ROW_ENTRY_GET))
        return status < 400 || status == 404;
    return (is_row(route, ROW_ENTRY_PUT) && status < 300) ||
           (is_row(route, ROW_ENTRY_INCREMENT) && status == 200);
}

static enum presence cache_told(const struct route *route, int status)
{
    if (may_tell_cache(route, status))
        return PRESENT_SOMETIMES;
    return tells_cache(route, status) ? PRESENT_ALWAYS : PRESENT_NEVER;
}

static enum presence user_told(const struct route *route, int status)
{
    return tells_cache(route, status) ? PRESENT_ALWAYS : PRESENT_NEVER;
}

/* A cache that is off has no version to go by. */
static enum presence cache_version(const struct route *route, int status)
{
    if (is_row(route, ROW_ENTRY_GET) && may_tell_cache(route, status))
        return PRESENT_SOMETIMES;
    if (!tells_cache(route, status) || is_row(route, ROW_CACHE_DISABLE))
        return PRESENT_NEVER;
    return is_row(route, ROW_CACHE_ENABLE) ? PRESENT_ALWAYS : PRESENT_SOMETIMES;
}

/* No body may come compressed; of some, other types than theirs are 415, too. */
static enum presence uncompressed(const struct route *route, int status)
{
    bool has_type = route->body == BODY_FIELDS || route->body == BODY_NO_PARAMS;

    if (status != 415)
        return PRESENT_NEVER;
    return has_type ? PRESENT_SOMETIMES : PRESENT_ALWAYS;
}

/* ---- the cache service ---- */

static enum presence read_told(const struct route *route, int status)
{
    bool is_told = status < 400 || status == 404;

    return is_row(route, ROW_ENTRY_GET) && is_told ? PRESENT_ALWAYS : PRESENT_NEVER;
}

static enum presence hit(const struct route *route, int status)
{
    return is_row(route, ROW_ENTRY_GET) && status < 400 ? PRESENT_ALWAYS : PRESENT_NEVER;
}

/* What others stored is not to be taken for another type than they said. */
static enum presence content(const struct route *route, int status)
{
    return is_row(route, ROW_ENTRY_GET) && status == 200 ? PRESENT_ALWAYS : PRESENT_NEVER;
}

/* Of a miss, while the cache is on; of a hit that is to be filled anew. Who asks with HEAD is
 * not asked to. */
static enum presence lease(const struct route *route, int status)
{
    if (route->method == METHOD_HEAD && status < 400)
        return PRESENT_NEVER;
    return read_told(route, status) == PRESENT_ALWAYS ? PRESENT_SOMETIMES : PRESENT_NEVER;
}

static enum presence refresh(const struct route *route, int status)
{
    if (route->method == METHOD_HEAD)
        return PRESENT_NEVER;
    return hit(route, status) == PRESENT_ALWAYS ? PRESENT_SOMETIMES : PRESENT_NEVER;
}

/* A browser's session is begun, kept alive and ended by its cookies; one that is good for nothing is
 * taken back wherever it is looked at. */
static enum presence for_a_browser(const struct route *route, int status)
{
    bool begins = is_row(route, ROW_LOGIN) && status < 300;

    return begins || route->permit != PERMIT_PUBLIC ? PRESENT_SOMETIMES : PRESENT_NEVER;
}

/* To who logged out with a session. */
static enum presence leaves(const struct route *route, int status)
{
    return status == 200 && is_row(route, ROW_LOGOUT) ? PRESENT_SOMETIMES : PRESENT_NEVER;
}

/* Where to ask how far it is, or for what was made. */
static enum presence is_elsewhere(const struct route *route, int status)
{
    bool is_made = status == 201 && route->method == METHOD_POST &&
                   str_starts(str_from(route->path), STR("/api/v1/"));

    return status == 202 || is_made ? PRESENT_ALWAYS : PRESENT_NEVER;
}

/* ---- telling ---- */

static const struct {
    const char *name, *type, *description;
    enum presence (*presence)(const struct route *route, int status);
} headers[] = {
    {"X-Request-Id", "string", "Names this request in the log and in the audit.", always},
    {"Cache-Control", "string", "Always no-store.", always},
    {"WWW-Authenticate", "string", "Always Bearer.", unauthenticated},
    {"Retry-After", "integer", "Seconds until it is worth another try.", try_again},
    {"RateLimit-Limit", "integer", "Calls allowed in a window of a minute.", counted},
    {"RateLimit-Remaining", "integer", "Calls left in this window.", counted},
    {"RateLimit-Reset", "integer", "Seconds until this window is over.", counted},
    {"X-Cache-Enabled", "boolean", "Whether the caller's cache is on.", cache_told},
    {"X-Cache-Version", "integer", "Its version; not there while it is off.", cache_version},
    {"X-User-Id", "integer", "The caller's account.", user_told},
    {"Accept-Encoding", "string", "Always identity.", uncompressed},
    {"X-Content-Type-Options", "string", "Always nosniff.", content},
    {"Content-Security-Policy", "string", "Always sandbox.", content},
    {"X-Cache", "string", "HIT or MISS.", read_told},
    {"Age", "integer", "Seconds since it was stored.", hit},
    {"X-Cache-TTL", "integer", "Seconds it has to live.", hit},
    {"ETag", "string", "Of type and bytes, for If-None-Match.", hit},
    {"X-Cache-Lease", "string", "To be sent back with the fill.", lease},
    {"X-Cache-Refresh", "integer", "1: this reader is asked to fill it anew.", refresh},
    {"Set-Cookie", "string",
     "The cookies of a browser's session: begun, kept alive, or taken back.", for_a_browser},
    {"Location", "string", "The path of what was started or made.", is_elsewhere},
    {"Clear-Site-Data", "string", "What a browser is to forget of this origin with its session.",
     leaves},
};

static void write_header(struct json_writer *json, size_t i, bool is_required)
{
    json_name(json, headers[i].name);
    json_open_object(json);
    json_add_string(json, "description", str_from(headers[i].description));
    json_add_bool(json, "required", is_required);
    openapi_write_type(json, headers[i].type);
    json_close_object(json);
}

void openapi_write_header_components(struct json_writer *json)
{
    json_name(json, "headers");
    json_open_object(json);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        write_header(json, i, true);
    json_close_object(json);
}

void openapi_write_headers(struct json_writer *json, const struct route *route, int status)
{
    json_name(json, "headers");
    json_open_object(json);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        char ref[64];
        enum presence presence = headers[i].presence(route, status);
        if (presence == PRESENT_SOMETIMES)
            write_header(json, i, false);
        if (presence != PRESENT_ALWAYS)
            continue;
        snprintf(ref, sizeof ref, "#/components/headers/%s", headers[i].name);
        json_name(json, headers[i].name);
        json_open_object(json);
        json_add_string(json, "$ref", str_from(ref));
        json_close_object(json);
    }
    json_close_object(json);
}
