#include "issuers/jwks_fetch.h"

#include "issuers/jwks.h"

#include "cachewarden/clock.h"
#include "cachewarden/http_client.h"

#include <stdlib.h>

enum {
    /* A part of the whole time: an address that answers nothing leaves time for the next one. */
    CONNECT_DIVISOR = 2,
    ARENA_SIZE = 4096,
    ARENA_MAX_SIZE = 1024 * 1024
};

enum err jwks_fetch_check(struct str text, struct error *error)
{
    struct http_url url;

    if (str_find(text, '\0') >= 0 || str_find(text, ' ') >= 0 || str_has_control(text))
        return error_set(error, ERR_BAD_INPUT, "has blanks or control characters");
    if (!str_starts(text, STR("https://")) && !str_starts(text, STR("http://")))
        return error_set(error, ERR_BAD_INPUT, "must begin with https://");
    if (!http_url_parse(text, &url))
        return error_set(error, ERR_BAD_INPUT, "is not a URL with a host");
    if (!url.is_https && !http_url_is_loopback(&url))
        return error_set(
            error, ERR_BAD_INPUT,
            "must begin with https://; http:// is for this very machine only "
            "(127.0.0.1, [::1], localhost), as anybody on the way could change the keys");
    if (url.has_user)
        return error_set(error, ERR_BAD_INPUT,
                         "must not have a user or a password; key sets are public");
    return ERR_OK;
}

/* ---- fetching ---- */

static enum err too_large(const struct work *work)
{
    return error_set_detail(work->error, ERR_TOO_LARGE, "the key set has more than %d bytes",
                            JWKS_MAX_SIZE);
}

static enum err read_body(struct body_source *source, const struct work *work, char *body,
                          size_t *size_out)
{
    size_t len = 1;

    if (source->length > JWKS_MAX_SIZE)
        return too_large(work);
    /* There is room for one byte more than there may be. */
    while (len > 0) {
        enum err err = source->next(source->with, work, body + *size_out,
                                    (size_t)JWKS_MAX_SIZE + 1 - *size_out, &len);
        if (err)
            return err;
        *size_out += len;
        if (*size_out > JWKS_MAX_SIZE)
            return too_large(work);
    }
    return ERR_OK;
}

static enum err take_response(struct http_peer_response *response, const struct work *work,
                              char *body, size_t *size_out)
{
    enum err err = ERR_OK;

    if (response->status != 200)
        err = error_set_detail(work->error, ERR_UPSTREAM_DOWN, "it answered %d%s", response->status,
                               response->status / 100 == 3 ? "; redirects are not followed" : "");
    else if (response->has_body)
        err = read_body(&response->body, work, body, size_out);
    if (response->has_body)
        response->body.close(response->body.with);
    return err;
}

static enum err get(struct http_peer *peer, const struct http_url *url, int timeout_ms,
                    const struct work *work, char *body, size_t *size_out)
{
    const struct http_field fields[] = {
        {STR("Host"), url->authority},
        {STR("Accept"), STR("application/jwk-set+json, application/json")},
        {STR("User-Agent"), STR("cachewarden/" CW_VERSION)},
    };
    const struct http_peer_request request = {
        .method = STR("GET"),
        .target = url->target.len > 0 ? url->target : STR("/"),
        .fields = fields,
        .field_count = sizeof fields / sizeof *fields,
        .deadline_ns = clock_deadline_ns(timeout_ms),
    };
    struct http_peer_response response;
    bool is_unreached;

    enum err err = http_peer_send(peer, &request, work, &response, &is_unreached);
    return err ? err : take_response(&response, work, body, size_out);
}

static enum err fetch(const struct jwks_fetch_options *options, const struct work *work, char *body,
                      size_t *size_out)
{
    struct http_url url;
    struct http_peer *peer = NULL;

    if (!http_url_parse(str_from(options->url), &url))
        return error_set_detail(work->error, ERR_UPSTREAM_DOWN, "not a URL with a host");
    const struct http_peer_options peer_options = {
        .url = url.server,
        .ca_file = str_from(options->ca_file),
        .connect_timeout_ms = options->timeout_ms / CONNECT_DIVISOR,
        .timeout_ms = options->timeout_ms,
        .uses_proxy = true,
        .stops = options->stops,
    };
    enum err err = http_peer_new(&peer_options, &peer, work->error);
    if (!err)
        err = get(peer, &url, options->timeout_ms, work, body, size_out);
    http_peer_free(&peer);
    return err;
}

enum err jwks_fetch(const struct jwks_fetch_options *options, char **body_out, size_t *size_out,
                    struct error *error)
{
    struct error why = {0};
    struct work work = {.arena = arena_new(ARENA_SIZE, ARENA_MAX_SIZE), .error = &why};
    char *body = malloc((size_t)JWKS_MAX_SIZE + 1);
    size_t size = 0;
    enum err err = ERR_NO_MEMORY;

    *body_out = NULL;
    *size_out = 0;
    if (work.arena && body)
        err = fetch(options, &work, body, &size);
    arena_free(&work.arena);
    if (err) {
        free(body);
        /* Too slow is as good as not there. */
        return error_set(error, err == ERR_TIMEOUT ? ERR_UPSTREAM_DOWN : err, "%s", why.detail);
    }
    *body_out = body;
    *size_out = size;
    return ERR_OK;
}
