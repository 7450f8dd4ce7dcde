#include "http/response.h"

#include "http/cookies.h"
#include "http/status.h"

#include "cachewarden/clock.h"

/* All header lines but Location and the request's own words stay below this. */
enum { HEAD_RESERVE = 1024 };

/* What a script of another origin may read beside the body, and send beside the simple headers. */
#define EXPOSED                                                                          \
    "X-Cache-Version, X-Cache-Enabled, X-User-Id, X-Request-Id, Retry-After, Location, " \
    "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "                            \
    "X-Cache, X-Cache-TTL, X-Cache-Lease, X-Cache-Refresh, Age, ETag"
#define ACCEPTED \
    "Authorization, Content-Type, X-Api-Key, X-Request-Id, If-None-Match, X-Cache-Lease"
/* Browsers keep a preflight's answer this long, seconds; Chromium's own limit is 7200. */
#define PREFLIGHT_MAX_AGE "600"

void response_allow_origin(struct exchange *exchange, const char *const *origins, size_t count)
{
    const struct http_request *request = &exchange->request;
    struct str origin = request->known[FIELD_ORIGIN];

    for (size_t i = 0; origin.len > 0 && i < count; i++) {
        if (!str_eq(origin, str_from(origins[i])))
            continue;
        exchange->response.cors_origin = origin;
        exchange->response.cors_preflight =
            request->method == METHOD_OPTIONS && request->known_count[FIELD_PREFLIGHT_METHOD] > 0;
    }
}

/* Whether the operation has added a field of that name: then it stands, as of an answer that was made elsewhere, or
 * before, the Date. */
static bool is_added(const struct http_response *response, struct str name)
{
    for (size_t i = 0; i < response->field_count; i++) {
        if (str_eq_nocase(response->fields[i].name, name))
            return true;
    }
    return false;
}

static void add_line(struct strbuf *head, struct str name_and_colon, struct str value)
{
    strbuf_add(head, name_and_colon);
    strbuf_add(head, value);
    strbuf_add(head, STR("\r\n"));
}

static void add_number(struct strbuf *head, struct str name_and_colon, int64_t value)
{
    strbuf_add(head, name_and_colon);
    strbuf_add_int64(head, value);
    strbuf_add(head, STR("\r\n"));
}

static void add_date(struct strbuf *head, struct response_date *date, int64_t wall_s)
{
    if (date->len == 0 || date->wall_s != wall_s) {
        char text[CLOCK_RFC3339_SIZE];
        struct str value = clock_http_date(wall_s, text);
        memcpy(date->line, "Date: ", 6);
        memcpy(date->line + 6, value.ptr, value.len);
        memcpy(date->line + 6 + value.len, "\r\n", 2);
        date->len = 6 + value.len + 2;
        date->wall_s = wall_s;
    }
    strbuf_add(head, (struct str){date->line, date->len});
}

static void add_cors(struct strbuf *head, const struct http_response *response)
{
    add_line(head, STR("Access-Control-Allow-Origin: "), response->cors_origin);
    strbuf_add(head, STR("Vary: Origin\r\n"));
    if (response->cors_preflight) {
        add_line(head, STR("Access-Control-Allow-Methods: "), response->allow);
        strbuf_add(head, STR("Access-Control-Allow-Headers: " ACCEPTED "\r\n"
                             "Access-Control-Max-Age: " PREFLIGHT_MAX_AGE "\r\n"));
    } else {
        strbuf_add(head, STR("Access-Control-Expose-Headers: " EXPOSED "\r\n"));
    }
}

/* The fields of the early drafts of draft-ietf-httpapi-ratelimit-headers: what clients know. */
static void add_rate(struct strbuf *head, const struct http_response *response)
{
    add_number(head, STR("RateLimit-Limit: "), response->rate_limit);
    add_number(head, STR("RateLimit-Remaining: "), response->rate_remaining);
    add_number(head, STR("RateLimit-Reset: "), response->rate_reset_s);
}

static void add_cache_result(struct strbuf *head, const struct http_response *response)
{
    static const struct str words[] = {
        [CACHE_RESULT_NONE] = STR(""),         [CACHE_RESULT_MISS] = STR("MISS"),
        [CACHE_RESULT_HIT] = STR("HIT"),       [CACHE_RESULT_STALE] = STR("STALE"),
        [CACHE_RESULT_BYPASS] = STR("BYPASS"),
    };

    add_line(head, STR("X-Cache: "), words[response->cache_result]);
    if (response->age_s >= 0 && !is_added(response, STR("Age")))
        add_number(head, STR("Age: "), response->age_s);
    if (response->ttl_s >= 0)
        add_number(head, STR("X-Cache-TTL: "), response->ttl_s);
    if (response->is_refresh)
        strbuf_add(head, STR("X-Cache-Refresh: 1\r\n"));
}

static void add_cached(struct strbuf *head, const struct http_response *response)
{
    if (response->cache_result != CACHE_RESULT_NONE)
        add_cache_result(head, response);
    if (response->lease.len > 0)
        add_line(head, STR("X-Cache-Lease: "), response->lease);
    if (response->etag.len > 0 && !is_added(response, STR("ETag"))) {
        strbuf_add(head, STR("ETag: \""));
        add_line(head, response->etag, STR("\""));
    }
    /* What somebody stored is no page of ours: a browser runs nothing in it as if it were, and does not
     * guess what it is. */
    if (response->is_content && !is_added(response, STR("X-Content-Type-Options")))
        strbuf_add(head, STR("X-Content-Type-Options: nosniff\r\n"));
    if (response->is_content && !is_added(response, STR("Content-Security-Policy")))
        strbuf_add(head, STR("Content-Security-Policy: sandbox\r\n"));
}

static void add_fields(struct strbuf *head, const struct http_response *response)
{
    for (size_t i = 0; i < response->field_count; i++) {
        strbuf_add(head, response->fields[i].name);
        add_line(head, STR(": "), response->fields[i].value);
    }
}

static void add_optional(struct strbuf *head, const struct http_response *response)
{
    if (response->no_store && !is_added(response, STR("Cache-Control")))
        strbuf_add(head, STR("Cache-Control: no-store\r\n"));
    if (response->cache_version > 0)
        add_number(head, STR("X-Cache-Version: "), response->cache_version);
    if (response->cache_enabled != UNKNOWN)
        add_line(head, STR("X-Cache-Enabled: "),
                 response->cache_enabled == YES ? STR("true") : STR("false"));
    if (response->user_id > 0)
        add_number(head, STR("X-User-Id: "), response->user_id);
    add_cached(head, response);
    if (response->allow.len > 0)
        add_line(head, STR("Allow: "), response->allow);
    if (response->retry_after_s > 0)
        add_number(head, STR("Retry-After: "), response->retry_after_s);
    if (response->rate_limit > 0)
        add_rate(head, response);
    if (response->challenge)
        strbuf_add(head, STR("WWW-Authenticate: Bearer\r\n"));
    if (response->refuses_coding)
        strbuf_add(head, STR("Accept-Encoding: identity\r\n"));
    if (response->session.change != SESSION_UNCHANGED)
        cookies_write(head, &response->session);
    if (response->location.len > 0 && !is_added(response, STR("Location")))
        add_line(head, STR("Location: "), response->location);
    if (response->field_count > 0)
        add_fields(head, response);
    if (response->cors_origin.len > 0)
        add_cors(head, response);
}

static void add_status_line(struct strbuf *head, int status)
{
    if (status == 200) { /* nearly always */
        strbuf_add(head, STR("HTTP/1.1 200 OK\r\n"));
        return;
    }
    strbuf_add(head, STR("HTTP/1.1 "));
    strbuf_add_int64(head, status);
    strbuf_add_char(head, ' ');
    add_line(head, str_from(status_phrase(status)), STR_NONE);
}

static struct str out_of_memory(struct exchange *exchange)
{
    exchange->response =
        (struct http_response){.status = 500, .cache_enabled = UNKNOWN, .close = true};
    exchange->result =
        error_set_detail(&exchange->call.error, ERR_NO_MEMORY, "no memory for the answer's head");
    return STR("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: "
               "close\r\nCache-Control: no-store\r\n\r\n");
}

/* A body without a length ends with its last chunk; for HTTP/1.0, with the connection. */
static void add_framing(struct strbuf *head, const struct exchange *exchange)
{
    const struct http_response *response = &exchange->response;
    bool is_head = exchange->request.method == METHOD_HEAD;

    if (response->is_foreign && is_head && !response->has_source) {
        if (response->source_length >= 0) /* as it would be for GET */
            add_number(head, STR("Content-Length: "), response->source_length);
    } else if (!response->has_source)
        add_number(head, STR("Content-Length: "), (int64_t)response->body.len);
    else if (response->source_length >= 0)
        add_number(head, STR("Content-Length: "), response->source_length);
    else if (exchange->request.minor_version > 0 && !is_head)
        strbuf_add(head, STR("Transfer-Encoding: chunked\r\n"));
}

/* Smaller bodies are copied, which costs less than a second piece. */
enum { APART_MIN_SIZE = 8 * 1024 };

static bool sends_body(const struct exchange *exchange)
{
    const struct http_response *response = &exchange->response;

    return response->status != 204 && response->status != 304 &&
           exchange->request.method != METHOD_HEAD && !response->body_lasts;
}

struct str response_body_apart(const struct exchange *exchange)
{
    struct str body = exchange->response.body;

    return sends_body(exchange) && body.len >= APART_MIN_SIZE ? body : STR_NONE;
}

struct str response_compose(struct exchange *exchange, struct response_date *date, int64_t wall_s,
                            bool keep)
{
    const struct http_response *response = &exchange->response;
    bool has_length = response->status != 204 && response->status != 304;
    bool has_body = sends_body(exchange) && response->body.len < APART_MIN_SIZE;
    struct strbuf head;

    strbuf_init(&head, exchange->call.arena, HEAD_RESERVE + (has_body ? response->body.len : 0));
    add_status_line(&head, response->status);
    if (!is_added(response, STR("Date")))
        add_date(&head, date, wall_s);
    if (has_length) {
        if (response->media_type.len > 0)
            add_line(&head, STR("Content-Type: "), response->media_type);
        add_framing(&head, exchange);
    }
    strbuf_add(&head, keep ? STR("Connection: keep-alive\r\n") : STR("Connection: close\r\n"));
    add_line(&head, STR("X-Request-Id: "), exchange->request.id);
    add_optional(&head, response);
    strbuf_add(&head, STR("\r\n"));
    if (has_body)
        strbuf_add(&head, response->body);
    return head.failed ? out_of_memory(exchange) : strbuf_str(&head);
}
