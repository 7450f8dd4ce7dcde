#include "topology/sentinel_link.h"

#include "protocol/reply.h"
#include "protocol/resp.h"
#include "transport/tls.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    REPLIES_MAX = SENTINEL_QUESTIONS + 1, /* and AUTH */
    ANSWER_BYTES_MAX = 256 * 1024,        /* of all of them; they have some thousand */
    READ_SIZE = 4096,
};

struct sentinel_link {
    struct redis_address address;
    struct tls_context *tls; /* NULL: plain */
    struct transport transport;
    struct reply_reader *reader; /* NULL: not connected */
};

enum err sentinel_link_new(const struct redis_address *address, struct sentinel_link **link_out,
                           struct error *error)
{
    struct sentinel_link *link = calloc(1, sizeof *link);
    enum redis_tls_file file;

    *link_out = NULL;
    if (!link)
        return error_set(error, ERR_NO_MEMORY, "out of memory");
    link->transport.fd = -1;
    enum err err = redis_address_copy(address, &link->address);
    if (err)
        (void)error_set(error, err, "out of memory");
    else if (address->tls)
        err = tls_context_new(address, &link->tls, &file, error);
    if (err)
        sentinel_link_free(&link);
    *link_out = link;
    return err;
}

static void hang_up(struct sentinel_link *link)
{
    if (link->transport.fd >= 0)
        transport_close(&link->transport);
    reply_reader_free(&link->reader);
}

void sentinel_link_free(struct sentinel_link **link)
{
    if (!*link)
        return;
    hang_up(*link);
    tls_context_free(&(*link)->tls);
    redis_address_fini(&(*link)->address);
    free(*link);
    *link = NULL;
}

enum err sentinel_link_renew_tls(struct sentinel_link *link, const struct redis_address *files,
                                 struct error *error)
{
    enum redis_tls_file file;

    return link->tls ? tls_context_renew(link->tls, files, &file, error) : ERR_OK;
}

static bool fail(struct sentinel_link *link, struct sentinel_answer *answer,
                 enum sentinel_state state, const char *why)
{
    hang_up(link);
    *answer = (struct sentinel_answer){.state = state};
    snprintf(answer->why, sizeof answer->why, "%.*s", SENTINEL_WHY_SIZE - 1, why);
    return false;
}

static bool connect_to(struct sentinel_link *link, int64_t deadline_ns,
                       struct sentinel_answer *answer)
{
    struct error error = {0};

    if (!(link->reader = reply_reader_new()))
        return fail(link, answer, SENTINEL_SILENT, "out of memory");
    if (transport_open(&link->address, link->tls, deadline_ns, &link->transport, &error) == ERR_OK)
        return true;
    return fail(link, answer, SENTINEL_SILENT, error.detail);
}

/* Passwords go with the first questions. */
static size_t compose(const struct sentinel_link *link, struct str master_name, bool is_fresh,
                      struct strbuf *out)
{
    struct str user = str_from(link->address.username), password = str_from(link->address.password);
    size_t replies = SENTINEL_QUESTIONS;

    /* Room for everything: a buffer that moves leaves a copy of the password behind. */
    strbuf_init(out, NULL, user.len + password.len + 3 * master_name.len + 512);
    if (is_fresh && password.ptr) {
        const struct str auth[] = {STR("AUTH"), user, password};
        const struct str auth_alone[] = {STR("AUTH"), password};
        resp_add_command(out, user.ptr ? 3 : 2, user.ptr ? auth : auth_alone);
        replies++;
    }
    sentinel_add_questions(out, master_name);
    return replies;
}

static enum io_status send_all(struct sentinel_link *link, const struct strbuf *out,
                               int64_t deadline_ns)
{
    size_t sent;

    return link->transport.ops->send(&link->transport, out->ptr, out->len, deadline_ns, &sent);
}

/* What has come is taken; false: one of them cannot be read. */
static bool take(struct sentinel_link *link, struct arena *arena, struct value *values, size_t owed,
                 size_t *arrived)
{
    enum reply_status status = REPLY_READY;

    while (*arrived < owed && status == REPLY_READY) {
        status = reply_reader_next(link->reader, arena, &values[*arrived]);
        *arrived += status == REPLY_READY;
    }
    return status == REPLY_READY || status == REPLY_MORE;
}

/* All replies, before the deadline, however slowly they drip. *is_lost_out: not a byte came. */
static bool receive(struct sentinel_link *link, struct arena *arena, struct value *values,
                    size_t owed, int64_t deadline_ns, bool *is_lost_out,
                    struct sentinel_answer *answer)
{
    char buffer[READ_SIZE], why[SENTINEL_WHY_SIZE];
    size_t arrived = 0, bytes = 0;

    while (arrived < owed) {
        size_t got = 0;
        enum io_status status = link->transport.ops->receive(&link->transport, buffer,
                                                             sizeof buffer, deadline_ns, &got);
        bytes += got;
        if (status == IO_TIMEOUT || clock_mono_ns() >= deadline_ns)
            return fail(link, answer, SENTINEL_SILENT, "no whole answer in time");
        if (status != IO_DONE) {
            *is_lost_out = bytes == 0;
            transport_explain(&link->transport, why, sizeof why);
            return fail(link, answer, SENTINEL_SILENT, why);
        }
        if (bytes > ANSWER_BYTES_MAX || !reply_reader_feed(link->reader, buffer, got) ||
            !take(link, arena, values, owed, &arrived))
            return fail(link, answer, SENTINEL_GARBLED,
                        "its answer is none of Redis: is it a sentinel, and is TLS right?");
    }
    if (reply_reader_left(link->reader) > 0)
        return fail(link, answer, SENTINEL_GARBLED, "it says more than it was asked");
    return true;
}

/* *is_lost_out: the connection had ended before, and a fresh one may do better. */
static bool converse(struct sentinel_link *link, struct str master_name, int64_t deadline_ns,
                     struct arena *arena, bool is_fresh, bool *is_lost_out,
                     struct sentinel_answer *answer)
{
    struct value values[REPLIES_MAX] = {0};
    struct strbuf out;
    size_t owed = compose(link, master_name, is_fresh, &out);
    enum io_status status = out.failed ? IO_FAILED : send_all(link, &out, deadline_ns);

    if (out.ptr)
        secret_wipe(out.ptr, out.len);
    strbuf_fini(&out);
    if (status != IO_DONE) {
        *is_lost_out = status != IO_TIMEOUT;
        return fail(link, answer, SENTINEL_SILENT, "the connection broke");
    }
    if (!receive(link, arena, values, owed, deadline_ns, is_lost_out, answer))
        return false;
    const struct value *replies = &values[owed - SENTINEL_QUESTIONS];
    sentinel_read_answer(replies, answer);
    /* Why it refuses says its answer to AUTH better than what came after it. */
    if (replies != values && values[0].kind == VALUE_ERROR) {
        char sentence[VALUE_SENTENCE_SIZE], why[SENTINEL_WHY_SIZE];
        value_error_sentence(&values[0], sentence);
        snprintf(why, sizeof why, "AUTH refused: %s", sentence);
        return fail(link, answer, SENTINEL_REFUSES, why);
    }
    if (answer->state != SENTINEL_NAMES && answer->state != SENTINEL_UNAWARE)
        hang_up(link);
    return true;
}

void sentinel_link_ask(struct sentinel_link *link, struct str master_name,
                       struct sentinel_patience patience, struct sentinel_answer *answer_out)
{
    struct arena *arena = arena_new(4096, 4 * ANSWER_BYTES_MAX);
    bool is_lost = false, was_open = link->reader;

    if (!arena) {
        (void)fail(link, answer_out, SENTINEL_SILENT, "out of memory");
        return;
    }
    if (was_open)
        (void)converse(link, master_name, clock_deadline_ns(patience.answer_ms), arena, false,
                       &is_lost, answer_out);
    if ((!was_open || is_lost) &&
        connect_to(link, clock_deadline_ns(patience.connect_ms), answer_out))
        (void)converse(link, master_name, clock_deadline_ns(patience.answer_ms), arena, true,
                       &is_lost, answer_out);
    arena_free(&arena);
}
