/* What an operation has answered, as a response. */
#include "http/error_formats.h"
#include "http/error_texts.h"
#include "http/status_private.h"

/* What goes into the head. */
static void take_fields(struct exchange *exchange)
{
    const struct reply *reply = &exchange->call.reply;
    struct http_response *response = &exchange->response;

    response->no_store = exchange->call.route->no_store;
    response->cache_version = reply->cache_version;
    response->cache_enabled = reply->cache_enabled;
    response->cache_result = reply->cache_result;
    response->age_s = reply->age_s;
    response->ttl_s = reply->ttl_s;
    response->is_refresh = reply->is_refresh;
    response->lease = reply->lease;
    response->etag = reply->etag;
    response->user_id = reply->user_id;
    response->location = reply->location;
    response->fields = reply->fields;
    response->field_count = reply->field_count;
}

/* Who may store the answer would store our cookie with it. */
static bool is_about_caching(struct str name)
{
    return str_eq_nocase(name, STR("Cache-Control")) || str_eq_nocase(name, STR("Expires")) ||
           str_eq_nocase(name, STR("CDN-Cache-Control")) ||
           str_eq_nocase(name, STR("Surrogate-Control")) || str_eq_nocase(name, STR("Pragma"));
}

static void keep_from_caches(struct http_response *response, struct http_field *fields)
{
    size_t count = 0;

    for (size_t i = 0; i < response->field_count; i++)
        if (!is_about_caching(fields[i].name))
            fields[count++] = fields[i];
    response->field_count = count;
    response->no_store = true;
}

/* Another server's answer: nothing of ours is added to what it says of itself. */
static void render_foreign(struct exchange *exchange)
{
    struct reply *reply = &exchange->call.reply;
    struct http_response *response = &exchange->response;

    response->status = reply->foreign_status;
    response->is_foreign = true;
    response->no_store = false;
    if (reply->session.change != SESSION_UNCHANGED)
        keep_from_caches(response, reply->fields);
    response->body = reply->content;
    response->has_source = reply->source.next != NULL;
    response->source_length = response->has_source ? reply->source.length : reply->foreign_length;
}

static void take_body(struct exchange *exchange)
{
    struct reply *reply = &exchange->call.reply;
    struct http_response *response = &exchange->response;

    if (reply->has_content) {
        response->media_type = error_text_or(reply->media_type, "application/octet-stream");
        response->body = reply->content;
        response->is_content = true;
        return;
    }
    if (reply->source.next) {
        response->media_type = error_text_or(reply->media_type, "application/octet-stream");
        response->has_source = true;
        response->is_content = true;
        response->source_length = reply->source.length;
        return;
    }
    /* "Created", and no word more. */
    if (reply->outcome == OUTCOME_CREATED && reply->body.len == 0 && !reply->body.failed)
        return;
    status_use_body(exchange, error_text_or(reply->media_type, "application/json"));
    if (reply->lasting_body.len > 0) {
        response->body = reply->lasting_body;
        response->body_lasts = true;
    }
}

void status_render_reply(struct exchange *exchange)
{
    status_begin(exchange, 200);
    take_fields(exchange);
    if (exchange->call.reply.foreign_status > 0) {
        render_foreign(exchange);
        return;
    }
    switch (exchange->call.reply.outcome) {
    case OUTCOME_NO_CONTENT:
        exchange->response.status = 204;
        return;
    case OUTCOME_NOT_MODIFIED:
        exchange->response.status = 304;
        return;
    case OUTCOME_MISS:
        exchange->response.status = 404;
        error_format_write(exchange, error_format_of(exchange), STR(SENTENCE_404));
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
    take_body(exchange);
}
