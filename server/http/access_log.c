#include "http/access_log.h"

#include "cachewarden/log.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { FIELDS_MIN = 11, FIELDS_MAX = FIELDS_MIN + 5 };

static atomic_int configured = ACCESS_LOG_ALL;

void access_log_configure(enum access_log which)
{
    atomic_store_explicit(&configured, (int)which, memory_order_relaxed);
}

/* Asked every few seconds by whoever watches. */
static bool is_routine(const struct route *route)
{
    return route && (route_is_probe(route) || strcmp(route->path, "/metrics") == 0);
}

/* False: no line. */
static bool choose_level(const struct exchange *exchange, enum log_level *level_out)
{
    int which = atomic_load_explicit(&configured, memory_order_relaxed);
    int status = exchange->response.status;
    /* A miss is a 404 that went well; that of another server's is not. */
    bool is_miss = exchange->result == ERR_OK && !exchange->response.is_foreign;
    bool went_well = status > 0 && (status < 400 || is_miss) && exchange->cut == NOT_CUT;

    *level_out = LOG_LEVEL_INFO;
    if (exchange->cut == CUT_NO_ROOM || exchange->cut == CUT_SOURCE_FAILED ||
        (status >= 500 && exchange->result != ERR_BAD_INPUT)) /* 505 is the client's affair */
        *level_out = LOG_LEVEL_WARN;
    else if (which == ACCESS_LOG_OFF || (which == ACCESS_LOG_FAILED && went_well))
        return false;
    else if (went_well && is_routine(exchange->call.route))
        *level_out = LOG_LEVEL_DEBUG;
    return log_enabled(*level_out);
}

/* Who: the account's id, or the name of a key or of a stranger, whose number may be an account's too. */
static struct log_field principal_field(const struct principal *principal)
{
    if (principal->kind == PRINCIPAL_API_KEY || principal->is_stranger)
        return LOG_STR("principal", principal->name);
    if (principal->kind == PRINCIPAL_USER)
        return LOG_INT("principal", principal->user_id);
    return LOG_CSTR("principal", "-");
}

static struct str or_dash(struct str value)
{
    return value.len > 0 ? value : STR("-");
}

static const char *cut_name(const struct exchange *exchange)
{
    switch (exchange->cut) {
    case CUT_NO_ROOM:
        return "no_room";
    case CUT_NOT_TAKEN:
        return "not_taken";
    case CUT_SOURCE_FAILED:
        return "source_failed";
    case CUT_CLIENT_GONE:
    case NOT_CUT:
        break;
    }
    return "client_gone";
}

/* NULL: no cache is in it. */
static const char *cache_word(const struct exchange *exchange)
{
    switch (exchange->response.cache_result) {
    case CACHE_RESULT_MISS:
        return "miss";
    case CACHE_RESULT_HIT:
        return exchange->call.is_coalesced ? "coalesced" : "hit";
    case CACHE_RESULT_STALE:
        return "stale";
    case CACHE_RESULT_BYPASS:
        return "bypass";
    case CACHE_RESULT_NONE:
        break;
    }
    return NULL;
}

static char *keep(struct str *text, char *at)
{
    if (text->len > 0)
        memcpy(at, text->ptr, text->len);
    text->ptr = at;
    return at + text->len;
}

struct exchange *access_log_keep(const struct exchange *exchange)
{
    const struct http_request *request = &exchange->request;
    size_t size = request->id.len + request->client_address.len + request->method_name.len +
                  request->path.len + exchange->call.principal.name.len;
    struct exchange *kept = malloc(sizeof *kept + size);

    if (!kept)
        return NULL;
    *kept = *exchange;
    char *at = keep(&kept->request.id, (char *)(kept + 1));
    at = keep(&kept->request.client_address, at);
    at = keep(&kept->request.method_name, at);
    at = keep(&kept->request.path, at);
    (void)keep(&kept->call.principal.name, at);
    return kept;
}

void access_log_write(const struct exchange *exchange, size_t bytes_sent, int64_t duration_ns)
{
    const struct http_request *request = &exchange->request;
    const struct call *call = &exchange->call;

    enum log_level level;

    if (!choose_level(exchange, &level))
        return;
    struct log_field fields[FIELDS_MAX] = {
        LOG_STR("request_id", request->id),
        LOG_STR("client", request->client_address),
        LOG_STR("method", or_dash(request->method_name)),
        LOG_STR("path", or_dash(request->path)),
        LOG_CSTR("route", call->route ? call->route->name : "-"),
        LOG_INT("status", exchange->response.status),
        LOG_INT("bytes", bytes_sent),
        LOG_INT("duration_us", duration_ns / 1000),
        principal_field(&call->principal),
        LOG_CSTR("credential", credential_name(call->principal.credential)),
        LOG_CSTR("error", err_name(exchange->result)),
    };
    size_t count = FIELDS_MIN;
    const struct error *error = &call->error;

    if (cache_word(exchange))
        fields[count++] = LOG_CSTR("cache", cache_word(exchange));
    if (call->upstream_ns > 0)
        fields[count++] = LOG_INT("upstream_us", call->upstream_ns / 1000);
    if (exchange->cut != NOT_CUT)
        fields[count++] = LOG_CSTR("cut", cut_name(exchange));

    /* A failure's short words may name what its long ones do not: Redis, the users database. */
    if (level == LOG_LEVEL_WARN && error->caller[0] && strcmp(error->caller, error->detail) != 0)
        fields[count++] = LOG_CSTR("cause", error->caller);
    if (exchange->result != ERR_OK && error->detail[0] != '\0')
        fields[count++] = LOG_CSTR("detail", error->detail);
    log_write(level, "http.request", fields, count);
}
