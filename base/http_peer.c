#include "http_exchange.h"

#include "cachewarden/clock.h"
#include "cachewarden/http_client.h"
#include "cachewarden/lock.h"

#include <stdlib.h>

enum {
    IDLE_MAX_S = 60,
    /* No server closes a connection that fast. One that was idle for longer may be closed at the very moment at
     * which a request is sent that must not be sent twice. */
    IDLE_SURE_MS = 1000,
    TRIM_EVERY_S = 1
};

struct http_peer {
    char *url, *authority;
    char *socket_path, *ca_file; /* NULL: none */
    bool is_https;
    struct http_sessions *sessions; /* of https */
    struct http_peer_options options;
    struct lock lock;
    /* guarded by lock */
    struct http_exchange *idle; /* newest first */
    int64_t trimmed_ns;
};

/* ---- where it is ---- */

static enum err copy_socket(struct http_peer *peer, struct str path, struct error *error)
{
    if (!str_starts(path, STR("/")) || str_has_control(path))
        return error_set(error, ERR_BAD_INPUT, "unix: needs the absolute path of a socket");
    peer->socket_path = strndup(path.ptr, path.len);
    peer->url = strdup("http://localhost");
    peer->authority = strdup("localhost");
    return peer->socket_path && peer->url && peer->authority ? ERR_OK : ERR_NO_MEMORY;
}

static enum err copy_address(struct http_peer *peer, struct str text, struct error *error)
{
    struct http_url url;

    if (str_starts(text, STR("unix:")))
        return copy_socket(peer, str_sub(text, 5, text.len), error);
    if (!http_url_parse(text, &url) || url.has_user || url.target.len > 1)
        return error_set(
            error, ERR_BAD_INPUT,
            "must be http://host:port, https://host:port or unix:/path, without a path");
    peer->is_https = url.is_https;
    peer->url = strndup(url.server.ptr, url.server.len);
    peer->authority = strndup(url.authority.ptr, url.authority.len);
    return peer->url && peer->authority ? ERR_OK : ERR_NO_MEMORY;
}

enum err http_peer_new(const struct http_peer_options *options, struct http_peer **peer_out,
                       struct error *error)
{
    struct http_peer *peer = calloc(1, sizeof *peer);

    *peer_out = NULL;
    if (!peer)
        return ERR_NO_MEMORY;
    lock_init(&peer->lock, LOCK_RANK_LEAF, "http_peer");
    peer->options = *options;
    enum err err = copy_address(peer, options->url, error);
    if (!err && options->ca_file.len > 0) {
        peer->ca_file = strndup(options->ca_file.ptr, options->ca_file.len);
        err = peer->ca_file ? ERR_OK : ERR_NO_MEMORY;
    }
    if (!err && peer->is_https) {
        peer->sessions = http_sessions_new();
        err = peer->sessions ? ERR_OK : ERR_NO_MEMORY;
    }
    peer->options.url = peer->options.ca_file = STR_NONE; /* they were lent */
    if (err)
        http_peer_free(&peer);
    *peer_out = peer;
    return err;
}

static void free_list(struct http_exchange *list)
{
    while (list) {
        struct http_exchange *first = list;
        list = first->next;
        http_exchange_free(&first);
    }
}

void http_peer_free(struct http_peer **peer)
{
    struct http_peer *freed = *peer;

    *peer = NULL;
    if (!freed)
        return;
    free_list(freed->idle);
    http_sessions_free(&freed->sessions);
    lock_fini(&freed->lock);
    free(freed->url);
    free(freed->authority);
    free(freed->socket_path);
    free(freed->ca_file);
    free(freed);
}

/* ---- kept connections ---- */

/* The newest one, if it was used a short enough time ago. */
static struct http_exchange *pop(struct http_peer *peer, int64_t max_idle_ms)
{
    int64_t oldest_ns = clock_mono_ns() - max_idle_ms * NS_PER_MS;

    lock_acquire(&peer->lock);
    struct http_exchange *found = peer->idle;
    if (found && found->last_used_ns < oldest_ns)
        found = NULL;
    if (found)
        peer->idle = found->next;
    lock_release(&peer->lock);
    return found;
}

static struct http_exchange *take_idle(struct http_peer *peer,
                                       const struct http_peer_request *request)
{
    bool may_repeat = request->may_repeat && !request->body;
    int64_t max_idle_ms = may_repeat ? IDLE_MAX_S * INT64_C(1000) : IDLE_SURE_MS;
    struct http_exchange *exchange;

    while ((exchange = pop(peer, max_idle_ms)) != NULL) {
        if (http_exchange_is_quiet(exchange))
            return exchange;
        http_exchange_free(&exchange);
    }
    return NULL;
}

/* Takes off those that nobody used for too long: the end of the list. */
static struct http_exchange *trim_locked(struct http_peer *peer, int64_t now_ns)
    CW_NEEDS_LOCK(&peer->lock)
{
    struct http_exchange **at = &peer->idle;

    if (now_ns - peer->trimmed_ns < TRIM_EVERY_S * NS_PER_S)
        return NULL;
    peer->trimmed_ns = now_ns;
    while (*at && (*at)->last_used_ns > now_ns - IDLE_MAX_S * NS_PER_S)
        at = &(*at)->next;
    struct http_exchange *old = *at;
    *at = NULL;
    return old;
}

static void keep(struct http_peer *peer, struct http_exchange *exchange)
{
    int64_t now_ns = clock_mono_ns();

    exchange->last_used_ns = now_ns;
    lock_acquire(&peer->lock);
    exchange->next = peer->idle;
    peer->idle = exchange;
    struct http_exchange *old = trim_locked(peer, now_ns);
    lock_release(&peer->lock);
    free_list(old);
}

static void give_back(struct http_exchange *exchange)
{
    if (http_exchange_is_clean(exchange))
        keep(exchange->peer, exchange);
    else
        http_exchange_free(&exchange);
}

static struct http_connection_options options_of(const struct http_peer *peer)
{
    return (struct http_connection_options){.url = peer->url,
                                            .socket_path = peer->socket_path,
                                            .ca_file = peer->ca_file,
                                            .uses_proxy =
                                                peer->options.uses_proxy && peer->is_https,
                                            .sessions = peer->sessions,
                                            .timeout_ms = peer->options.connect_timeout_ms,
                                            .stops = peer->options.stops};
}

enum err http_peer_try(const struct http_peer *peer, int64_t *expires_s_out, struct error *error)
{
    struct http_connection_options options = options_of(peer);
    struct http_connection *connection;

    *expires_s_out = 0;
    options.sessions = NULL; /* a session that is taken up shows no certificates */
    options.wants_expiry = peer->is_https;
    enum err err = http_connection_open(&options, &connection, error);
    if (err == ERR_OK)
        *expires_s_out = http_connection_expires_s(connection);
    http_connection_close(&connection);
    return err;
}

static enum err open_fresh(struct http_peer *peer, const struct http_peer_request *request,
                           struct http_exchange **exchange_out, struct error *error)
{
    struct http_connection_options options = options_of(peer);
    struct http_connection *connection;

    options.is_unwanted = request->is_unwanted;
    options.unwanted_with = request->unwanted_with;
    *exchange_out = NULL;
    if (request->deadline_ns > 0) {
        int left_ms = clock_left_ms(request->deadline_ns);
        if (left_ms == 0)
            return error_set_detail(error, ERR_TIMEOUT, "Timeout: it took too long");
        if (left_ms < options.timeout_ms)
            options.timeout_ms = left_ms;
    }
    enum err err = http_connection_open(&options, &connection, error);
    if (!err)
        err = http_exchange_new(connection, peer->options.timeout_ms, exchange_out);
    if (!err)
        (*exchange_out)->peer = peer;
    return err;
}

/* ---- a request ---- */

static bool is_framing(struct str name)
{
    return str_eq_nocase(name, STR("Content-Length")) ||
           str_eq_nocase(name, STR("Transfer-Encoding"));
}

/* HTTP/1.1 has one always (RFC 9112, section 3.2). */
static bool has_host(const struct http_peer_request *request)
{
    for (size_t i = 0; i < request->field_count; i++) {
        if (str_eq_nocase(request->fields[i].name, STR("Host")))
            return true;
    }
    return false;
}

static bool is_target(struct str target)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.ptr[i] <= ' ' || target.ptr[i] == 0x7f || target.ptr[i] == '#')
            return false;
    }
    return target.len > 0 && (target.ptr[0] == '/' || str_eq(target, STR("*")));
}

/* Where a method is one that has a body, its absence is said (RFC 9110, section 8.6). */
static void add_framing(struct strbuf *text, const struct http_peer_request *request)
{
    bool wants_body = str_eq(request->method, STR("POST")) || str_eq(request->method, STR("PUT")) ||
                      str_eq(request->method, STR("PATCH"));

    if (request->body && request->body->length == BODY_LENGTH_UNKNOWN) {
        strbuf_add(text, STR("Transfer-Encoding: chunked\r\n"));
    } else if (request->body || wants_body) {
        strbuf_add(text, STR("Content-Length: "));
        strbuf_add_int64(text, request->body ? request->body->length : 0);
        strbuf_add(text, STR("\r\n"));
    }
    strbuf_add(text, STR("\r\n"));
}

static enum err write_head(const struct http_peer *peer, const struct http_peer_request *request,
                           const struct work *work, struct str *head_out)
{
    struct strbuf text;

    if (!str_is_token(request->method) || !is_target(request->target))
        return error_set_detail(work->error, ERR_BAD_INPUT, "no such request line is sent");
    strbuf_init(&text, work->arena, 1024);
    strbuf_add(&text, request->method);
    strbuf_add_char(&text, ' ');
    strbuf_add(&text, request->target);
    strbuf_add(&text, STR(" HTTP/1.1\r\n"));
    if (!has_host(request))
        strbuf_addf(&text, "Host: %s\r\n", peer->authority);
    for (size_t i = 0; i < request->field_count; i++) {
        const struct http_field *field = &request->fields[i];
        if (!str_is_token(field->name) || !http_is_field_value(field->value))
            return error_set_detail(work->error, ERR_BAD_INPUT, "no such field is sent");
        if (is_framing(field->name))
            continue;
        strbuf_add(&text, field->name);
        strbuf_add(&text, STR(": "));
        strbuf_add(&text, field->value);
        strbuf_add(&text, STR("\r\n"));
    }
    add_framing(&text, request);
    *head_out = strbuf_str(&text);
    return text.failed ? ERR_NO_MEMORY : ERR_OK;
}

/* ---- its response ---- */

static enum err next_of_body(void *with, const struct work *work, char *buffer, size_t size,
                             size_t *len_out)
{
    return http_exchange_read(with, work, buffer, size, len_out);
}

static void close_body(void *with)
{
    give_back(with);
}

static enum err converse(struct http_exchange *exchange, struct str head,
                         const struct http_peer_request *request, const struct work *work,
                         struct http_peer_response *response_out)
{
    enum err err = http_exchange_run(exchange, head, request, work, response_out);

    response_out->was_sent = exchange->has_sent;
    if (err)
        return err;
    response_out->body.next = next_of_body;
    response_out->body.close = close_body;
    response_out->body.with = exchange;
    if (!response_out->has_body)
        give_back(exchange);
    return ERR_OK;
}

/* The server closed it while it was idle, as it may. Its request's body is untouched where there was none. */
static bool is_worth_another(const struct http_exchange *exchange,
                             const struct http_peer_request *request, enum err err)
{
    return err == ERR_UPSTREAM_DOWN && !exchange->has_heard && !request->body &&
           (request->may_repeat || !exchange->has_sent);
}

enum err http_peer_send(struct http_peer *peer, const struct http_peer_request *request,
                        const struct work *work, struct http_peer_response *response_out,
                        bool *unreached_out)
{
    struct str head;

    *response_out = (struct http_peer_response){0};
    *unreached_out = false;
    enum err err = write_head(peer, request, work, &head);
    if (err)
        return err;
    struct http_exchange *exchange = take_idle(peer, request);
    bool was_sent = false;
    if (exchange) {
        err = converse(exchange, head, request, work, response_out);
        if (!err)
            return ERR_OK;
        was_sent = response_out->was_sent;
        bool is_stale = is_worth_another(exchange, request, err);
        http_exchange_free(&exchange);
        if (!is_stale)
            return err;
    }
    err = open_fresh(peer, request, &exchange, work->error);
    *unreached_out = err != ERR_OK;
    if (!err)
        err = converse(exchange, head, request, work, response_out);
    if (err)
        http_exchange_free(&exchange);
    response_out->was_sent = response_out->was_sent || was_sent;
    return err;
}
