#include "cli/local_server.h"

#include "cachewarden/clock.h"
#include "cachewarden/http_client.h"

#include <string.h>

enum { BODY_MAX = 16384 };

static const struct listen_address *find_listener(const struct config *config)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (!config->listen[i].tls && config->listen[i].port > 0)
            return &config->listen[i];
    return NULL;
}

struct str local_server_url(struct arena *arena, const struct config *config)
{
    const struct listen_address *listener = find_listener(config);

    if (!listener)
        return STR_NONE;
    const char *host = listener->host;
    if (strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    return str_format(arena, strchr(host, ':') ? "http://[%s]:%d" : "http://%s:%d", host,
                      listener->port);
}

static enum err read_body(struct http_peer_response *response, const struct work *work,
                          struct str *text_out)
{
    char *text = arena_alloc(work->arena, BODY_MAX);
    size_t size = 0, got = 1;
    enum err err = text ? ERR_OK : ERR_NO_MEMORY;

    while (err == ERR_OK && got > 0 && size < BODY_MAX) {
        err = response->body.next(response->body.with, work, text + size, BODY_MAX - size, &got);
        size += err == ERR_OK ? got : 0;
    }
    response->body.close(response->body.with);
    *text_out = (struct str){text, size};
    return err;
}

enum err local_server_get(const struct config *config, struct str url, struct str target,
                          const struct work *work, struct local_server_answer *answer_out)
{
    const struct http_peer_options options = {
        .url = url, .connect_timeout_ms = LOCAL_SERVER_ASK_MS, .timeout_ms = LOCAL_SERVER_ASK_MS};
    const struct config_texts *hosts = &config->server_allowed_hosts;
    const struct http_field host = {STR("Host"), str_from(hosts->count ? hosts->items[0] : NULL)};
    const struct http_peer_request request = {
        .method = STR("GET"),
        .target = target,
        .fields = &host,
        .field_count = hosts->count ? 1 : 0,
        .deadline_ns = clock_deadline_ns(LOCAL_SERVER_ASK_MS),
    };
    struct http_peer_response response = {0};
    struct http_peer *peer;

    *answer_out = (struct local_server_answer){0};
    enum err err = http_peer_new(&options, &peer, work->error);
    if (err == ERR_OK)
        err = http_peer_send(peer, &request, work, &response, &answer_out->is_unreached);
    if (err == ERR_OK && response.has_body)
        err = read_body(&response, work, &answer_out->body);
    answer_out->status = response.status;
    http_peer_free(&peer);
    return err;
}
