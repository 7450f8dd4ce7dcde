#include "http/body_sender.h"

#include "http/access_log.h"

#include "cachewarden/clock.h"

#include <stdlib.h>

/* A chunk's size in four digits, and what ends it. */
enum { CHUNK_HEAD = 6, CHUNK_TAIL = 2, CHUNK_MAX = 0xffff };

struct body_sender {
    struct body_source source;
    struct exchange *record; /* what the log will tell */
    bool is_chunked;
    bool is_begun;
    bool is_ended;
    int64_t left; /* of an announced body */
    size_t bytes; /* handed out, the head too */
};

struct body_sender *body_sender_new(struct exchange *exchange)
{
    struct reply *reply = &exchange->call.reply;
    struct body_sender *sender = calloc(1, sizeof *sender);

    if (!sender)
        return NULL;
    sender->record = access_log_keep(exchange);
    if (!sender->record) {
        free(sender);
        return NULL;
    }
    sender->source = reply->source;
    reply->source.next = NULL;
    sender->left = sender->source.length;
    sender->is_chunked = sender->left < 0 && exchange->request.minor_version > 0;
    return sender;
}

bool body_sender_is_at_hand(const struct body_sender *sender)
{
    return sender->source.is_at_hand;
}

void body_sender_begin(struct body_sender *sender, size_t head_bytes)
{
    sender->is_begun = true;
    sender->bytes = head_bytes;
}

static int fail(struct body_sender *sender, enum err err, const struct error *error)
{
    struct exchange *record = sender->record;

    record->cut = CUT_SOURCE_FAILED;
    record->result = err;
    record->call.error = *error;
    return BODY_SENDER_FAILED;
}

static void put_digits(char *to, size_t size)
{
    for (int i = 3; i >= 0; i--, size >>= 4)
        to[i] = "0123456789abcdef"[size & 15];
}

/* The chunk round the bytes behind its head, or the last one. */
static size_t close_chunk(struct body_sender *sender, char *buffer, size_t len)
{
    if (len == 0) {
        sender->is_ended = true;
        memcpy(buffer, "0\r\n\r\n", 5);
        return 5;
    }
    put_digits(buffer, len);
    memcpy(buffer + 4, "\r\n", 2);
    memcpy(buffer + CHUNK_HEAD + len, "\r\n", CHUNK_TAIL);
    return CHUNK_HEAD + len + CHUNK_TAIL;
}

static enum err pull(struct body_sender *sender, const struct body_watch *watch,
                     const struct work *work, char *buffer, size_t size, size_t *len_out)
{
    struct body_watch own = *watch;
    enum err err = body_source_next(&sender->source, &own, work, buffer, size, len_out);

    if (err != ERR_OK)
        return err;
    if (*len_out > size)
        return error_set_detail(work->error, ERR_INTERNAL, "a body wrote behind its buffer");
    if (*len_out == 0 && sender->left > 0)
        return error_set_detail(work->error, ERR_INTERNAL, "%lld bytes of the body are missing",
                                (long long)sender->left);
    return ERR_OK;
}

int body_sender_next(struct body_sender *sender, const struct body_watch *watch,
                     const struct work *work, char *buffer, size_t size)
{
    size_t head = sender->is_chunked ? CHUNK_HEAD : 0, len = 0;
    size_t room = sender->is_chunked ? size - CHUNK_HEAD - CHUNK_TAIL : size;

    if (sender->is_ended || sender->left == 0)
        return BODY_SENDER_END;
    if (room > CHUNK_MAX)
        room = CHUNK_MAX;
    if (sender->left > 0 && room > (size_t)sender->left)
        room = (size_t)sender->left;
    enum err err = pull(sender, watch, work, buffer + head, room, &len);
    if (err == ERR_UPSTREAM_DOWN && watch->is_unwanted(watch->with))
        return BODY_SENDER_FAILED; /* it is the client that did not take it */
    if (err != ERR_OK)
        return fail(sender, err, work->error);
    if (sender->left > 0)
        sender->left -= (int64_t)len;
    if (sender->is_chunked)
        len = close_chunk(sender, buffer, len);
    sender->bytes += len;
    return (int)len;
}

static void write_line(struct body_sender *sender, bool is_whole)
{
    struct exchange *record = sender->record;

    if (!is_whole && record->cut == NOT_CUT)
        record->cut = CUT_NOT_TAKEN;
    access_log_write(record, sender->bytes, clock_mono_ns() - record->request.started_ns);
}

void body_sender_close(struct body_sender **sender, bool is_whole)
{
    struct body_sender *gone = *sender;

    if (!gone)
        return;
    gone->source.close(gone->source.with);
    if (gone->is_begun)
        write_line(gone, is_whole);
    free(gone->record);
    free(gone);
    *sender = NULL;
}
