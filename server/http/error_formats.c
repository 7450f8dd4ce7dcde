/* The shapes of error bodies, one for each enum error_format. */
#include "http/error_formats.h"

#include "http/error_texts.h"
#include "http/status.h"

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

static void end_body(struct exchange *exchange, struct str media_type)
{
    json_close_object(&exchange->call.reply.json);
    status_use_body(exchange, media_type);
}

void error_format_write_member(struct exchange *exchange, const char *name, struct str value)
{
    json_add_string(begin_body(exchange), name, value);
    end_body(exchange, STR("application/json"));
}

/* What an admin's clear of a user's cache answers. */
static void write_not_ok(struct exchange *exchange, struct str message)
{
    struct json_writer *json = begin_body(exchange);

    json_add_bool(json, "ok", false);
    json_add_string(json, "message", message);
    end_body(exchange, STR("application/json"));
}

/* The message cache, by HTTP as by the command line. */
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

void error_format_write(struct exchange *exchange, enum error_format error_format,
                        struct str detail)
{
    if (error_format == ERROR_FORMAT_PROBLEM)
        write_problem(exchange, detail);
    else
        error_format_write_member(exchange, "detail", detail);
}

enum error_format error_format_of(const struct exchange *exchange)
{
    return exchange->call.route ? exchange->call.route->error_format : ERROR_FORMAT_DETAIL;
}

static void write_failure(struct exchange *exchange, enum err err)
{
    const struct route *route = exchange->call.route;
    struct str failure = error_text_or(str_from(route->failure), SENTENCE_500);

    status_begin(exchange, 500);
    switch (route->error_format) {
    case ERROR_FORMAT_CONTROL:
        error_format_write_member(exchange, "error", failure);
        break;
    case ERROR_FORMAT_ADMIN_CLEAR:
        write_not_ok(exchange, failure);
        break;
    case ERROR_FORMAT_MESSAGES:
        write_not_flushed(exchange, failure);
        break;
    case ERROR_FORMAT_ANALYTICS:
    default:
        error_format_write_member(exchange, "detail",
                                  str_format(exchange->call.arena, "%.*s: %s", STR_ARG(failure),
                                             error_text_cause(err, &exchange->call.error)));
        break;
    }
}

bool error_format_write_own(struct exchange *exchange, enum err err)
{
    enum error_format error_format = exchange->call.route->error_format;

    if (error_format == ERROR_FORMAT_DETAIL || error_format == ERROR_FORMAT_PROBLEM)
        return false;
    if (status_is_failure(err)) {
        write_failure(exchange, err);
        return true;
    }
    if (error_format == ERROR_FORMAT_ADMIN_CLEAR && err == ERR_FORBIDDEN) {
        error_format_write_member(exchange, "error",
                                  STR("Superuser or Admin group membership required"));
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
        error_format_write_member(exchange, "detail", STR("Not authorized"));
        return true;
    }
    return false;
}
