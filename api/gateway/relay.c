#include "gateway/relay.h"

#include <stdlib.h>

/* Of a body that is buffered, so much more is asked for at once. */
enum { PIECE_BYTES = 16 * 1024 };

struct relay {
    const struct body_source *from_client; /* NULL: none, or it cannot be read any more */
    struct body_source request;
    struct body_source upstream; /* next is NULL: none, or it has ended */
    int64_t length;              /* of the upstream's body */
    struct strbuf buffered;
    size_t given; /* of those that are buffered */
};

static enum err next_of_request(void *with, const struct work *work, char *buffer, size_t size,
                                size_t *len_out)
{
    struct relay *relay = with;

    *len_out = 0;
    if (!relay->from_client)
        return error_set_detail(work->error, ERR_BUSY,
                                "the request was answered before its body was read");
    return relay->from_client->next(relay->from_client->with, work, buffer, size, len_out);
}

static void close_request(void *with)
{
    (void)with; /* the client's body is its owner's to close */
}

struct relay *relay_new(const struct body_source *request)
{
    struct relay *relay = calloc(1, sizeof *relay);

    if (!relay)
        return NULL;
    strbuf_init(&relay->buffered, NULL, 0);
    if (request) {
        relay->from_client = request;
        relay->request = (struct body_source){.length = request->length,
                                              .next = next_of_request,
                                              .close = close_request,
                                              .with = relay};
    }
    return relay;
}

static void close_upstream(struct relay *relay)
{
    if (relay->upstream.next)
        relay->upstream.close(relay->upstream.with);
    relay->upstream.next = NULL;
}

void relay_free(struct relay **relay)
{
    struct relay *gone = *relay;

    if (!gone)
        return;
    close_upstream(gone);
    strbuf_fini(&gone->buffered);
    free(gone);
    *relay = NULL;
}

const struct body_source *relay_request(struct relay *relay)
{
    return relay->request.next ? &relay->request : NULL;
}

void relay_end_request(struct relay *relay)
{
    relay->from_client = NULL;
}

/* ---- the response ---- */

void relay_take(struct relay *relay, const struct body_source *upstream)
{
    relay->upstream = *upstream;
    relay->length = upstream->length;
}

/* One piece behind those that are buffered, unless the watch is over. */
static enum err read_piece(struct relay *relay, struct body_watch *watch, const struct work *work)
{
    char *room = strbuf_room(&relay->buffered, PIECE_BYTES);
    size_t len = 0;

    if (!room)
        return error_set_detail(work->error, ERR_NO_MEMORY, "no memory for a body");
    enum err err = body_source_next(&relay->upstream, watch, work, room, PIECE_BYTES, &len);
    if (err != ERR_OK)
        return err;
    relay->buffered.len += len;
    if (len == 0 && !watch->is_over)
        close_upstream(relay);
    return ERR_OK;
}

enum err relay_read(struct relay *relay, size_t limit, struct body_watch watch,
                    const struct work *work, bool *is_whole_out)
{
    enum err err = ERR_OK;

    while (err == ERR_OK && relay->upstream.next && relay->buffered.len <= limit && !watch.is_over)
        err = read_piece(relay, &watch, work);
    *is_whole_out = err == ERR_OK && !relay->upstream.next;
    return err;
}

struct str relay_bytes(const struct relay *relay)
{
    return strbuf_str(&relay->buffered);
}

static enum err next_of_response(void *with, const struct work *work, char *buffer, size_t size,
                                 size_t *len_out)
{
    struct relay *relay = with;
    struct str buffered = str_sub(relay_bytes(relay), relay->given, size);

    *len_out = buffered.len;
    if (buffered.len > 0) {
        memcpy(buffer, buffered.ptr, buffered.len);
        relay->given += buffered.len;
        return ERR_OK;
    }
    return relay->upstream.next
               ? relay->upstream.next(relay->upstream.with, work, buffer, size, len_out)
               : ERR_OK;
}

static void close_response(void *with)
{
    struct relay *relay = with;

    relay_free(&relay);
}

void relay_hand_over(struct relay **relay, struct body_source *body_out)
{
    const struct relay *handed = *relay;

    *body_out =
        (struct body_source){.length = handed->length,
                             .is_at_hand = handed->buffered.len > 0 || !handed->upstream.next ||
                                           handed->upstream.is_at_hand,
                             .watch = handed->upstream.next ? handed->upstream.watch : NULL,
                             .next = next_of_response,
                             .close = close_response,
                             .with = *relay};
    *relay = NULL;
}
