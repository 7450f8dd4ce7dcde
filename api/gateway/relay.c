#include "gateway/relay.h"

#include <stdbool.h>
#include <stdlib.h>

struct relay {
    const struct body_source *from_client; /* NULL: none, or it cannot be read any more */
    struct body_source request;
    struct body_source upstream;
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

    if (relay && request) {
        relay->from_client = request;
        relay->request = (struct body_source){.length = request->length,
                                              .next = next_of_request,
                                              .close = close_request,
                                              .with = relay};
    }
    return relay;
}

void relay_free(struct relay **relay)
{
    free(*relay);
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

static enum err next_of_response(void *with, const struct work *work, char *buffer, size_t size,
                                 size_t *len_out)
{
    const struct relay *relay = with;

    return relay->upstream.next(relay->upstream.with, work, buffer, size, len_out);
}

static void close_response(void *with)
{
    struct relay *relay = with;

    relay->upstream.close(relay->upstream.with);
    relay_free(&relay);
}

void relay_hand_over(struct relay **relay, const struct body_source *upstream,
                     struct body_source *body_out)
{
    (*relay)->upstream = *upstream;
    *body_out = (struct body_source){.length = upstream->length,
                                     .next = next_of_response,
                                     .close = close_response,
                                     .with = *relay};
    *relay = NULL;
}
