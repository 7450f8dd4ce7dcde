#include "http/status.h"

#include "http/error_formats.h"
#include "http/error_texts.h"
#include "http/status_private.h"

#include <stdio.h>

/* Redis and the users database come back within a probe or two of the circuit breaker. */
enum { RETRY_AFTER_S = 1 };

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
    case ERR_PRECONDITION:
        return 412;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_UNSUPPORTED_TYPE:
        return 415;
    case ERR_UNPROCESSABLE:
        return 422;
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

bool status_is_failure(enum err err)
{
    return status_of(err) >= 500;
}

/* ---- responses ---- */

void status_begin(struct exchange *exchange, int status)
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

void status_use_body(struct exchange *exchange, struct str media_type)
{
    const struct strbuf *body = &exchange->call.reply.body;

    exchange->response.media_type = media_type;
    exchange->response.body = strbuf_str(body);
    if (body->failed) {
        status_begin(exchange, 500);
        exchange->result =
            error_set_detail(&exchange->call.error, ERR_NO_MEMORY, "no memory for the answer");
        exchange->response.media_type = STR("application/json");
        exchange->response.body = STR("{\"detail\":\"" SENTENCE_500 "\"}");
    }
}

/* ---- errors ---- */

static void write_detail(struct exchange *exchange, enum err err)
{
    /* 401 and 403 are the same bytes on every route that has no words of its own for them. */
    bool is_fixed = err == ERR_UNAUTHENTICATED || err == ERR_FORBIDDEN;

    error_format_write(exchange, is_fixed ? ERROR_FORMAT_DETAIL : error_format_of(exchange),
                       error_text_detail(exchange, err));
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

    status_begin(exchange, status_of(err));
    exchange->result = err;
    if (status_is_failure(err))
        ensure_cause(&exchange->call.error);
    exchange->response.challenge = err == ERR_UNAUTHENTICATED;
    if (err == ERR_THROTTLED || exchange->response.status == 503)
        exchange->response.retry_after_s = retry_after_s > 0 ? retry_after_s : RETRY_AFTER_S;
}

/* What an operation left to be written as it is must not end a header line, or the quotes of a tag. */
static bool has_broken_header(const struct reply *reply)
{
    return str_has_control(reply->media_type) || str_has_control(reply->location) ||
           str_has_control(reply->lease) || str_has_control(reply->etag) ||
           str_find(reply->etag, '"') >= 0;
}

void status_render(struct exchange *exchange, enum err err)
{
    const struct reply *reply = &exchange->call.reply;

    exchange->result = err;
    if (err == ERR_OK && reply->body.failed)
        err = error_set_detail(&exchange->call.error, ERR_NO_MEMORY, "no memory for the answer");
    if (err == ERR_OK && has_broken_header(reply))
        err = error_set_detail(&exchange->call.error, ERR_INTERNAL,
                               "a control character in what becomes a header field");
    if (err == ERR_OK) {
        status_render_reply(exchange);
        return;
    }
    begin_error(exchange, err);
    if (!error_format_write_own(exchange, err))
        write_detail(exchange, err);
}

static int gateway_status_of(enum err err)
{
    switch (err) {
    case ERR_UPSTREAM_DOWN:
    case ERR_UPSTREAM_REFUSED:
        return 502;
    case ERR_TIMEOUT:
        return 504;
    default:
        return status_of(err);
    }
}

static struct str gateway_sentence(int status)
{
    switch (status) {
    case 502:
        return STR("The server behind this path cannot be reached, or gave no sound answer.");
    case 503:
        return STR("Too many requests wait for the server behind this path.");
    default:
        return STR("The server behind this path did not answer in time.");
    }
}

void status_gateway_failed(struct exchange *exchange, enum err err)
{
    int status = gateway_status_of(err);

    if (err == ERR_OK || status < 502 || status > 504) {
        status_render(exchange, err);
        return;
    }
    begin_error(exchange, err);
    exchange->response.status = status;
    if (status != 503)
        exchange->response.retry_after_s = 0;
    error_format_write(exchange, error_format_of(exchange), gateway_sentence(status));
}

/* What is left is for the log. */
static void say_nothing(struct error *error)
{
    error->caller[0] = '\0';
    error->redis = REDIS_ERROR_NONE;
}

void status_identity_failed(struct exchange *exchange, enum err err)
{
    begin_error(exchange, err);
    /* "Conflicting credentials." and "CSRF Failed" are the only texts a caller may see. */
    if (err != ERR_BAD_INPUT && err != ERR_FORBIDDEN)
        say_nothing(&exchange->call.error);
    if (err == ERR_BAD_INPUT) /* the same bytes on every route */
        error_format_write_member(exchange, "detail", error_text_detail(exchange, err));
    else if (err != ERR_UNAUTHENTICATED || !error_format_write_own(exchange, err))
        write_detail(exchange, err);
}

void status_denied(struct exchange *exchange, enum permit_answer answer)
{
    enum err err = answer == PERMIT_NO_CREDENTIAL ? ERR_UNAUTHENTICATED : ERR_FORBIDDEN;

    begin_error(exchange, err);
    say_nothing(&exchange->call.error);
    if (!error_format_write_own(exchange, err))
        write_detail(exchange, err);
}

void status_not_found(struct exchange *exchange)
{
    begin_error(exchange, ERR_NOT_FOUND);
    error_format_write_member(exchange, "detail", STR(SENTENCE_404));
}

void status_not_allowed(struct exchange *exchange, enum error_format error_format, struct str allow)
{
    struct str detail = str_format(exchange->call.arena, "Method \"%.*s\" not allowed.",
                                   STR_ARG(str_sub(exchange->request.method_name, 0, 32)));

    status_begin(exchange, 405);
    exchange->result = ERR_BAD_INPUT;
    exchange->response.allow = allow;
    error_format_write(exchange, error_format, detail);
}

void status_options(struct exchange *exchange, struct str allow)
{
    status_begin(exchange, 204);
    exchange->result = ERR_OK;
    exchange->response.no_store = false;
    exchange->response.allow = allow;
}

void status_refused(struct exchange *exchange, int status, struct str detail)
{
    enum err code = status == 503                    ? ERR_BUSY
                    : status >= 500 && status != 505 ? ERR_INTERNAL
                                                     : ERR_BAD_INPUT; /* 505: the client's choice */

    status_begin(exchange, status);
    exchange->result = error_set_detail(&exchange->call.error, code, "%.*s", STR_ARG(detail));
    exchange->response.close = true;
    if (status == 503)
        exchange->response.retry_after_s = RETRY_AFTER_S;
    error_format_write(exchange, error_format_of(exchange), detail);
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
    case BODY_STOPPED:
        status_refused(exchange, 503, STR(SENTENCE_503));
        exchange->result = error_set_detail(&exchange->call.error, ERR_BUSY,
                                            "the server stops, and does not wait");
        break;
    default:
        status_refused(exchange, 503, STR(SENTENCE_503));
        exchange->result = error_set_detail(&exchange->call.error, ERR_BUSY, STATUS_MADE_ROOM);
        break;
    }
}
