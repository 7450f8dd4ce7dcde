#include "http/status.h"

#include <stdio.h>

#define SENTENCE_401 "Authentication credentials were not provided."
#define SENTENCE_403 "You do not have permission to perform this action."
#define SENTENCE_404 "Not found."
#define SENTENCE_500 "Internal server error."
#define SENTENCE_503 "Service temporarily unavailable."
/* ERR_UNCERTAIN: honest where a retry could do it twice. */
#define SENTENCE_UNCERTAIN \
    "Service temporarily unavailable: the outcome is unknown, the change may have been made."

/* Redis and the users database come back within a probe or two of the circuit breaker. */
enum { RETRY_AFTER_S = 1 };

static const struct {
    int status;
    const char *phrase;
} phrases[STATUS_COUNT] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

const char *status_phrase(int status)
{
    size_t index = status_index(status);

    return index < STATUS_COUNT ? phrases[index].phrase : "Unknown";
}

size_t status_index(int status)
{
    size_t index = 0;

    while (index < STATUS_COUNT && phrases[index].status != status)
        index++;
    return index;
}

int status_at(size_t index)
{
    return phrases[index].status;
}

static int status_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return 200;
    case ERR_BAD_INPUT:
        return 400;
    case ERR_UNAUTHENTICATED:
        return 401;
    case ERR_FORBIDDEN:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_UNSUPPORTED_TYPE:
        return 415;
    case ERR_THROTTLED:
        return 429;
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_UPSTREAM_DOWN:
    case ERR_UPSTREAM_REFUSED:
    case ERR_UNCERTAIN:
        return 503;
    case ERR_NO_MEMORY:
    case ERR_INTERNAL:
    case ERR_COUNT:
        break;
    }
    return 500;
}

/* Not the caller's fault: what the older formats fold into their one 500. */
static bool is_failure(enum err err)
{
    return status_of(err) >= 500;
}

/* ---- bodies ---- */

/* An empty body buffer and the writer on it, whatever an operation may have written before. */
static struct json_writer *begin_body(struct exchange *exchange)
{
    struct reply *reply = &exchange->call.reply;

    strbuf_init(&reply->body, exchange->call.arena, 128);
    json_writer_init(&reply->json, &reply->body);
    json_open_object(&reply->json);
    return &reply->json;
}

static void begin_response(struct exchange *exchange, int status)
{
    const struct reply *reply = &exchange->call.reply;

    exchange->response = (struct http_response){
        .status = status,
        .session = reply->session,
        .rate_limit = reply->rate_limit,
        .rate_remaining = reply->rate_remaining,
        .rate_reset_s = reply->rate_reset_s,
        .cache_enabled = UNKNOWN,
        .close = exchange->response.close,
        .no_store = true,
    };
}

static void use_body(struct exchange *exchange, struct str media_type)
{
    const struct strbuf *body = &exchange->call.reply.body;

    exchange->response.media_type = media_type;
    exchange->response.body = strbuf_str(body);
    if (body->failed) {
        begin_response(exchange, 500);
        exchange->result =
            error_set_detail(&exchange->call.error, ERR_NO_MEMORY, "no memory for the answer");
        exchange->response.media_type = STR("application/json");
        exchange->response.body = STR("{\"detail\":\"" SENTENCE_500 "\"}");
    }
}

static void end_body(struct exchange *exchange, struct str media_type)
{
    json_close_object(&exchange->call.reply.json);
    use_body(exchange, media_type);
}

/* One member: {"detail":…} and {"error":…}. */
static void write_member(struct exchange *exchange, const char *name, struct str value)
{
    json_add_string(begin_body(exchange), name, value);
    end_body(exchange, STR("application/json"));
}

/* Seed 004's and seed 001's admin route. */
static void write_not_ok(struct exchange *exchange, struct str message)
{
    struct json_writer *json = begin_body(exchange);

    json_add_bool(json, "ok", false);
    json_add_string(json, "message", message);
    end_body(exchange, STR("application/json"));
}

/* Seed 000. */
static void write_not_flushed(struct exchange *exchange, struct str sentence)
{
    struct json_writer *json = begin_body(exchange);

    json_add_bool(json, "success", false);
    json_add_string(json, "error", sentence);
    json_add_bool(json, "flushed", false);
    json_add_integer(json, "keysRemoved", 0);
    end_body(exchange, STR("application/json"));
}

/* RFC 9457. */
static void write_problem(struct exchange *exchange, struct str detail)
{
    struct json_writer *json = begin_body(exchange);

    json_add_string(json, "type", STR("about:blank"));
    json_add_string(json, "title", str_from(status_phrase(exchange->response.status)));
    json_add_integer(json, "status", exchange->response.status);
    json_add_string(json, "detail", detail);
    end_body(exchange, STR("application/problem+json"));
}

/* ---- sentences ---- */

static struct str or_else(struct str given, const char *otherwise)
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

/* What {"detail":…} says. Refusals have words of their own; failures never do, for those would be
 * about what is inside. */
static struct str detail_of(struct exchange *exchange, enum err err)
{
    struct call *call = &exchange->call;
    struct str given = str_from(call->error.caller);

    switch (err) {
    case ERR_BAD_INPUT:
        return or_else(given, "Bad request.");
    case ERR_UNAUTHENTICATED:
        return or_else(given, SENTENCE_401);
    case ERR_FORBIDDEN:
        return or_else(given, SENTENCE_403);
    case ERR_NOT_FOUND:
        return or_else(given, SENTENCE_404);
    case ERR_CONFLICT:
        return or_else(given, "Conflict with what is there already.");
    case ERR_TOO_LARGE:
        return or_else(given, "Request body is too large.");
    case ERR_UNSUPPORTED_TYPE:
        return or_else(given, "Unsupported media type.");
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

static const char *cause_of(enum err err, const struct error *error)
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

/* ---- error formats ---- */

static void write_in(struct exchange *exchange, enum error_format error_format, struct str detail)
{
    if (error_format == ERROR_FORMAT_PROBLEM)
        write_problem(exchange, detail);
    else
        write_member(exchange, "detail", detail);
}

/* Before there is a row, an error is put as on the older routes. */
static enum error_format format_of(const struct exchange *exchange)
{
    return exchange->call.route ? exchange->call.route->error_format : ERROR_FORMAT_DETAIL;
}

static void write_detail(struct exchange *exchange, enum err err)
{
    /* 401 and 403 are the same bytes on every route that has no words of its own for them. */
    bool is_fixed = err == ERR_UNAUTHENTICATED || err == ERR_FORBIDDEN;

    write_in(exchange, is_fixed ? ERROR_FORMAT_DETAIL : format_of(exchange),
             detail_of(exchange, err));
}

static void write_failure(struct exchange *exchange, enum err err)
{
    const struct route *route = exchange->call.route;
    struct str failure = or_else(str_from(route->failure), SENTENCE_500);

    begin_response(exchange, 500);
    switch (route->error_format) {
    case ERROR_FORMAT_CONTROL:
        write_member(exchange, "error", failure);
        break;
    case ERROR_FORMAT_ADMIN_CLEAR:
        write_not_ok(exchange, failure);
        break;
    case ERROR_FORMAT_MESSAGES:
        write_not_flushed(exchange, failure);
        break;
    case ERROR_FORMAT_ANALYTICS:
    default:
        write_member(exchange, "detail",
                     str_format(exchange->call.arena, "%.*s: %s", STR_ARG(failure),
                                cause_of(err, &exchange->call.error)));
        break;
    }
}

/* True when the row's error format had a shape of its own for this error. */
static bool write_own_format(struct exchange *exchange, enum err err)
{
    enum error_format error_format = exchange->call.route->error_format;

    if (error_format == ERROR_FORMAT_DETAIL || error_format == ERROR_FORMAT_PROBLEM)
        return false;
    if (is_failure(err)) {
        write_failure(exchange, err);
        return true;
    }
    if (error_format == ERROR_FORMAT_ADMIN_CLEAR && err == ERR_FORBIDDEN) {
        write_member(exchange, "error", STR("Superuser or Admin group membership required"));
        return true;
    }
    if (error_format == ERROR_FORMAT_ADMIN_CLEAR && err == ERR_BAD_INPUT) {
        write_not_ok(exchange, STR("Invalid user_id parameter"));
        return true;
    }
    if (error_format == ERROR_FORMAT_MESSAGES &&
        (err == ERR_FORBIDDEN || err == ERR_UNAUTHENTICATED)) {
        write_not_flushed(exchange, err == ERR_FORBIDDEN ? STR(SENTENCE_403) : STR(SENTENCE_401));
        return true;
    }
    if (error_format == ERROR_FORMAT_ANALYTICS && err == ERR_FORBIDDEN) {
        write_member(exchange, "detail", STR("Not authorized"));
        return true;
    }
    return false;
}

/* No failure is without a cause in the log, even one that nobody gave words to. */
static void ensure_cause(struct error *error)
{
    if (error->detail[0] == '\0')
        snprintf(error->detail, sizeof error->detail, "%s",
                 error->caller[0] ? error->caller : "no cause was given");
}

static void begin_error(struct exchange *exchange, enum err err)
{
    int64_t retry_after_s = exchange->call.reply.retry_after_s;

    begin_response(exchange, status_of(err));
    exchange->result = err;
    if (is_failure(err))
        ensure_cause(&exchange->call.error);
    exchange->response.challenge = err == ERR_UNAUTHENTICATED;
    if (err == ERR_THROTTLED || exchange->response.status == 503)
        exchange->response.retry_after_s = retry_after_s > 0 ? retry_after_s : RETRY_AFTER_S;
}

static void render_reply(struct exchange *exchange)
{
    struct reply *reply = &exchange->call.reply;

    begin_response(exchange, 200);
    exchange->response.no_store = exchange->call.route->no_store;
    exchange->response.cache_version = reply->cache_version;
    exchange->response.cache_enabled = reply->cache_enabled;
    exchange->response.user_id = reply->user_id;
    exchange->response.location = reply->location;
    switch (reply->outcome) {
    case OUTCOME_NO_CONTENT:
        exchange->response.status = 204;
        return;
    case OUTCOME_CREATED:
        exchange->response.status = 201;
        break;
    case OUTCOME_ACCEPTED:
        exchange->response.status = 202;
        break;
    case OUTCOME_OK:
        break;
    }
    use_body(exchange, or_else(reply->media_type, "application/json"));
    if (reply->lasting_body.len > 0) {
        exchange->response.body = reply->lasting_body;
        exchange->response.body_lasts = true;
    }
}

/* What an operation left to be written as it is must not end a header line. */
static bool has_broken_header(const struct reply *reply)
{
    return str_has_control(reply->media_type) || str_has_control(reply->location);
}

void status_render(struct exchange *exchange, enum err err)
{
    const struct reply *reply = &exchange->call.reply;

    exchange->result = err;
    if (err == ERR_OK && reply->body.failed)
        err = error_set_detail(&exchange->call.error, ERR_NO_MEMORY, "no memory for the answer");
    if (err == ERR_OK && has_broken_header(reply))
        err = error_set_detail(&exchange->call.error, ERR_INTERNAL,
                               "a control character in the media type or the location");
    if (err == ERR_OK) {
        render_reply(exchange);
        return;
    }
    begin_error(exchange, err);
    if (!write_own_format(exchange, err))
        write_detail(exchange, err);
}

void status_identity_failed(struct exchange *exchange, enum err err)
{
    begin_error(exchange, err);
    /* "Conflicting credentials." and "CSRF Failed" are the only texts a caller may see. */
    if (err != ERR_BAD_INPUT && err != ERR_FORBIDDEN)
        exchange->call.error.caller[0] = '\0';
    if (err == ERR_BAD_INPUT) /* the same bytes on every route */
        write_member(exchange, "detail", detail_of(exchange, err));
    else if (err != ERR_UNAUTHENTICATED || !write_own_format(exchange, err))
        write_detail(exchange, err);
}

void status_denied(struct exchange *exchange, enum permit_answer answer)
{
    enum err err = answer == PERMIT_NO_CREDENTIAL ? ERR_UNAUTHENTICATED : ERR_FORBIDDEN;

    begin_error(exchange, err);
    exchange->call.error.caller[0] = '\0';
    if (!write_own_format(exchange, err))
        write_detail(exchange, err);
}

void status_not_found(struct exchange *exchange)
{
    begin_error(exchange, ERR_NOT_FOUND);
    write_member(exchange, "detail", STR(SENTENCE_404));
}

void status_not_allowed(struct exchange *exchange, enum error_format error_format, struct str allow)
{
    struct str detail = str_format(exchange->call.arena, "Method \"%.*s\" not allowed.",
                                   STR_ARG(str_sub(exchange->request.method_name, 0, 32)));

    begin_response(exchange, 405);
    exchange->result = ERR_BAD_INPUT;
    exchange->response.allow = allow;
    write_in(exchange, error_format, detail);
}

void status_options(struct exchange *exchange, struct str allow)
{
    begin_response(exchange, 204);
    exchange->result = ERR_OK;
    exchange->response.no_store = false;
    exchange->response.allow = allow;
}

void status_refused(struct exchange *exchange, int status, struct str detail)
{
    enum err code = status == 503                    ? ERR_BUSY
                    : status >= 500 && status != 505 ? ERR_INTERNAL
                                                     : ERR_BAD_INPUT; /* 505: the client's choice */

    begin_response(exchange, status);
    exchange->result = error_set_detail(&exchange->call.error, code, "%.*s", STR_ARG(detail));
    exchange->response.close = true;
    if (status == 503)
        exchange->response.retry_after_s = RETRY_AFTER_S;
    write_in(exchange, format_of(exchange), detail);
}

void status_coding_refused(struct exchange *exchange)
{
    status_refused(exchange, 415,
                   STR("Send the body as it is: a Content-Encoding is not taken here."));
    exchange->result = ERR_UNSUPPORTED_TYPE;
    exchange->response.refuses_coding = true;
}

void status_body_refused(struct exchange *exchange, int status)
{
    switch (status) {
    case 413:
        status_refused(exchange, status, STR("Request body is too large."));
        exchange->result = ERR_TOO_LARGE;
        break;
    case 408:
        status_refused(exchange, status, STR("The request body did not arrive in time."));
        exchange->result = ERR_TIMEOUT;
        break;
    case 400:
        status_refused(exchange, status,
                       STR("The request body is cut short or its chunks are broken."));
        break;
    default:
        status_refused(exchange, 503, STR(SENTENCE_503));
        exchange->result = error_set_detail(&exchange->call.error, ERR_BUSY, STATUS_MADE_ROOM);
        break;
    }
}
