/* Requests to a scripted origin through a peer: what tests of base/http_peer.c and what is below it share. */
#ifndef TESTS_BASE_PEER_CASE_H
#define TESTS_BASE_PEER_CASE_H

#include "cachewarden/http_client.h"

#include "patience.h"
#include "scripted_origin.h"

#include <check.h>

enum { SHORT_MS = 200 };

static struct scripted_origin *origin;
static struct http_peer *peer;
static struct error error;
static struct work work = {.error = &error};
static struct http_peer_response response;
static bool is_unreached;

static inline void open_peer(const char *url, const char *ca_file, int timeout_ms)
{
    const struct http_peer_options options = {.url = str_from(url),
                                              .ca_file = str_from(ca_file),
                                              .connect_timeout_ms = PATIENCE_MS,
                                              .timeout_ms = timeout_ms};

    http_peer_free(&peer);
    ck_assert_msg(http_peer_new(&options, &peer, &error) == ERR_OK, "%s", error.caller);
}

static inline void set_up(void)
{
    origin = scripted_origin_start(NULL);
    open_peer(scripted_origin_url(origin), NULL, PATIENCE_MS);
    work.arena = arena_new(4096, 0);
}

static inline void tear_down(void)
{
    http_peer_free(&peer);
    scripted_origin_stop(&origin);
    arena_free(&work.arena);
}

/* ---- asking ---- */

static const struct http_field host[] = {{{"Host", 4}, {"shop.example", 12}}};

static inline enum err send_with(const char *method, const struct body_source *body,
                                 bool may_repeat)
{
    const struct http_peer_request request = {.method = str_from(method),
                                              .target = STR("/a?b=c"),
                                              .fields = host,
                                              .field_count = 1,
                                              .body = body,
                                              .may_repeat = may_repeat};

    error_clear(&error);
    return http_peer_send(peer, &request, &work, &response, &is_unreached);
}

static inline enum err ask(const char *method)
{
    return send_with(method, NULL, true);
}

/* All of the response's body, which is closed. */
static inline enum err read_body(struct str *body_out)
{
    struct strbuf body;
    enum err err = ERR_OK;
    size_t len = 1;

    strbuf_init(&body, work.arena, 0);
    while (!err && len > 0) {
        char buffer[7000];
        err = response.body.next(response.body.with, &work, buffer, sizeof buffer, &len);
        if (!err)
            strbuf_add(&body, (struct str){buffer, len});
    }
    response.body.close(response.body.with);
    *body_out = strbuf_str(&body);
    return err;
}

static inline void expect(const char *method, int status, const char *body)
{
    struct str got = STR_NONE;

    ck_assert_msg(ask(method) == ERR_OK, "%s", error.detail);
    ck_assert_int_eq(response.status, status);
    ck_assert_int_eq(response.has_body, body != NULL);
    if (!body)
        return;
    ck_assert_msg(read_body(&got) == ERR_OK, "%s", error.detail);
    ck_assert_msg(str_eq(got, str_from(body)), "%.*s", STR_ARG(got));
}

/* ---- bodies of requests ---- */

struct pieces {
    const char *const *texts; /* up to a NULL */
    enum err failure;         /* at the end */
    int64_t filler_size;
    int asked;
};

static inline enum err next_piece(void *with, const struct work *lent, char *buffer, size_t size,
                                  size_t *len_out)
{
    struct pieces *pieces = with;

    (void)lent;
    pieces->asked++;
    *len_out = 0;
    if (pieces->filler_size > 0) {
        *len_out = pieces->filler_size < (int64_t)size ? (size_t)pieces->filler_size : size;
        memset(buffer, 'y', *len_out);
        pieces->filler_size -= (int64_t)*len_out;
        return ERR_OK;
    }
    const char *text = pieces->texts ? *pieces->texts : NULL;
    if (!text)
        return pieces->failure;
    ck_assert_uint_le(strlen(text), size);
    memcpy(buffer, text, strlen(text));
    *len_out = strlen(text);
    pieces->texts++;
    return ERR_OK;
}

static inline struct body_source source_of(struct pieces *pieces, int64_t length)
{
    return (struct body_source){.length = length, .next = next_piece, .with = pieces};
}

#endif
