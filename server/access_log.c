#include "access_log.h"

#include "cachewarden/log.h"

/* Who: the account's id, or the key's name; nothing for a stranger. */
static struct log_field principal_field(const struct principal *principal)
{
    if (principal->kind == PRINCIPAL_API_KEY)
        return LOG_STR("principal", principal->name);
    if (principal->kind == PRINCIPAL_USER)
        return LOG_INT("principal", principal->user_id);
    return LOG_CSTR("principal", "-");
}

static struct str or_dash(struct str value)
{
    return value.len > 0 ? value : STR("-");
}

void access_log_write(const struct exchange *exchange, size_t bytes_sent, int64_t duration_ns)
{
    const struct http_request *request = &exchange->request;
    const struct call *call = &exchange->call;

    if (!log_enabled(LOG_LEVEL_INFO))
        return;
    const struct log_field fields[] = {
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
        LOG_CSTR("detail", call->error.detail),
    };
    size_t count = sizeof fields / sizeof *fields;
    bool has_detail = exchange->result != ERR_OK && call->error.detail[0] != '\0';

    log_write(LOG_LEVEL_INFO, "http.request", fields, has_detail ? count : count - 1);
}
