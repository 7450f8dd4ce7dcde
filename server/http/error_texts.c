#include "http/error_texts.h"

struct str error_text_or(struct str given, const char *otherwise)
{
    return given.len > 0 ? given : str_from(otherwise);
}

/* The causes a pipeline gives (pipeline.h): the only ones a caller may be told. */
static const char *const causes[] = {
    "redis unavailable",   "redis timeout",      "redis busy",       "redis refused the command",
    "redis out of memory", "redis is read-only", "redis is loading", "redis authentication failed",
    "outcome unknown",
};

static const char *known_cause(const struct error *error)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (strcmp(error->caller, causes[i]) == 0)
            return causes[i];
    return NULL;
}

/* 503: the reason is for the log alone. Who is signed in learns which trouble of Redis it is, from a
 * fixed list; anybody else may know no more than that it is not their fault. */
static struct str unavailable(struct exchange *exchange)
{
    const struct call *call = &exchange->call;
    const char *cause = known_cause(&call->error);

    if (!cause || !call->route || call->route->permit == PERMIT_PUBLIC)
        return STR(SENTENCE_503);
    return str_format(call->arena, "Service temporarily unavailable: %s.", cause);
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
    case ERR_TOO_LARGE:
        return error_text_or(given, "Request body is too large.");
    case ERR_UNSUPPORTED_TYPE:
        return error_text_or(given, "Unsupported media type.");
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
    const char *cause = known_cause(error);

    if (cause)
        return cause;
    switch (err) {
    case ERR_BUSY:
        return "redis busy";
    case ERR_TIMEOUT:
        return "redis timeout";
    case ERR_UPSTREAM_DOWN:
        return "redis unavailable";
    case ERR_UPSTREAM_REFUSED:
        return "redis refused the command";
    case ERR_UNCERTAIN:
        return "outcome unknown";
    default:
        return "internal error";
    }
}
