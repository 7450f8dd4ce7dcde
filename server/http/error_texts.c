#include "http/error_texts.h"

#include "cachewarden/redis_error.h"

struct str error_text_or(struct str given, const char *otherwise)
{
    return given.len > 0 ? given : str_from(otherwise);
}

/* Who sees to the service, and is known to. */
static bool is_for_admins(const struct call *call)
{
    return call->route && call->route->permit == PERMIT_ADMIN && call->principal.is_admin;
}

/* 503: the reason is for the log alone. Who is signed in learns why Redis did not do it, from a closed list; admins
 * learn what is full, or where, so that they can mend it; anybody else may know no more than that it is not their
 * fault. */
static struct str unavailable(struct exchange *exchange)
{
    const struct call *call = &exchange->call;
    enum redis_error cause = call->error.redis;

    if (!cause && call->error.caller[0] && is_for_admins(call))
        return str_format(call->arena, SENTENCE_503 " %s", call->error.caller);
    if (!cause || !call->route || call->route->permit == PERMIT_PUBLIC)
        return STR(SENTENCE_503);
    return str_format(call->arena, "Service temporarily unavailable: %s.", redis_error_text(cause));
}

struct str error_text_detail(struct exchange *exchange, enum err err)
{
    struct call *call = &exchange->call;
    struct str given = str_from(call->error.caller);

    switch (err) {
    case ERR_BAD_INPUT:
        return error_text_or(given, "Bad request.");
    case ERR_UNAUTHENTICATED:
        return error_text_or(given, SENTENCE_401);
    case ERR_FORBIDDEN:
        return error_text_or(given, SENTENCE_403);
    case ERR_NOT_FOUND:
        return error_text_or(given, SENTENCE_404);
    case ERR_CONFLICT:
        return error_text_or(given, "Conflict with what is there already.");
    case ERR_PRECONDITION:
        return error_text_or(given, "Precondition failed: nothing was changed.");
    case ERR_TOO_LARGE:
        return error_text_or(given, "Request body is too large.");
    case ERR_UNSUPPORTED_TYPE:
        return error_text_or(given, "Unsupported media type.");
    case ERR_UNPROCESSABLE:
        return error_text_or(given, "That is not fit for this.");
    case ERR_THROTTLED:
        return str_format(call->arena, "Request was throttled. Expected available in %lld seconds.",
                          (long long)exchange->response.retry_after_s);
    case ERR_UNCERTAIN:
        return STR(SENTENCE_UNCERTAIN);
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_UPSTREAM_DOWN:
    case ERR_UPSTREAM_REFUSED:
        return unavailable(exchange);
    case ERR_OK:
    case ERR_NO_MEMORY:
    case ERR_INTERNAL:
    case ERR_COUNT:
        break;
    }
    return STR(SENTENCE_500); /* our own mistakes are for the log */
}

const char *error_text_cause(enum err err, const struct error *error)
{
    if (error->redis)
        return redis_error_text(error->redis);
    switch (err) {
    case ERR_BUSY:
        return redis_error_text(REDIS_ERROR_BUSY);
    case ERR_TIMEOUT:
        return redis_error_text(REDIS_ERROR_TIMEOUT);
    case ERR_UPSTREAM_DOWN:
        return redis_error_text(REDIS_ERROR_UNAVAILABLE);
    case ERR_UPSTREAM_REFUSED:
        return redis_error_text(REDIS_ERROR_REFUSED);
    case ERR_UNCERTAIN:
        return redis_error_text(REDIS_ERROR_UNCERTAIN);
    default:
        return "internal error";
    }
}
