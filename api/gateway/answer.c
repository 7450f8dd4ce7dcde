#include "gateway/answer.h"

#include "cachewarden/arena.h"
#include "gateway/rules/conditions.h"
#include "gateway/rules/passing.h"
#include "gateway/rules/range.h"

#include <stdlib.h>

static enum err no_memory(struct call *call)
{
    return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for the head of an answer");
}

/* The edge says these of its own message; and what is given with it, its age, is not said twice. */
static bool keep(const struct http_field *field, void *arg)
{
    static const struct str others[] = {STR("Content-Length"), STR("X-Request-Id"), STR("Age")};
    const struct http_fields *more = arg;

    return !name_is_among(field->name, others, more->count > 0 ? 3 : 2);
}

static int64_t announced_length(const struct http_fields *fields)
{
    int64_t length;

    return str_to_int64(fields_value(fields, STR("Content-Length")), 0, INT64_MAX, &length)
               ? length
               : BODY_LENGTH_UNKNOWN;
}

/* Those of `from` that are kept, then `more`, of which the first is Age, then Cache-Status. */
static enum err finish_fields(const struct passage *passage, const struct http_fields *from,
                              struct http_fields *more, struct http_fields *fields_out)
{
    struct arena *arena = passage->call->arena;
    struct str status = cache_status_text(arena, &passage->status);
    struct http_fields kept;

    if (fields_filter(arena, from, keep, more, &kept) != ERR_OK || !status.ptr)
        return no_memory(passage->call);
    struct http_field *items = arena_calloc(arena, kept.count + more->count + 1, sizeof *items);
    if (!items)
        return no_memory(passage->call);
    if (kept.count > 0)
        memcpy(items, kept.items, kept.count * sizeof *items);
    if (more->count > 0)
        memcpy(items + kept.count, more->items, more->count * sizeof *items);
    items[kept.count + more->count] = (struct http_field){STR("Cache-Status"), status};
    *fields_out = (struct http_fields){items, kept.count + more->count + 1};
    return ERR_OK;
}

enum err answer_with_response(const struct passage *passage, struct fetched *fetched,
                              enum cache_result result)
{
    struct call *call = passage->call;
    const struct http_fields *came = &fetched->head.fields;
    bool has_body = fetched->relay != NULL;
    struct http_fields passed, fields;
    struct body_source body;

    if (response_fields_to_pass(call->arena, came, &passed) != ERR_OK)
        return no_memory(call);
    enum err err = finish_fields(passage, &passed, &(struct http_fields){0}, &fields);
    if (err != ERR_OK)
        return err;
    if (has_body)
        relay_hand_over(&fetched->relay, &body);
    call->reply.cache_result = result;
    call_give_foreign(call, fetched->head.status, fields.items, fields.count,
                      has_body ? &body : NULL, announced_length(came));
    return ERR_OK;
}

/* ---- what is stored ---- */

/* A body up to this size goes out with its head in one write. What the client does not take of it is copied. */
enum { WRITTEN_MAX = 64 * 1024 };

/* The rest of a stored body, on its way. */
struct hit {
    struct stored_copy *copy;
    struct str left;
};

static enum err next_of_hit(void *with, const struct work *work, char *buffer, size_t size,
                            size_t *len_out)
{
    struct hit *hit = with;
    struct str piece = str_sub(hit->left, 0, size);

    (void)work;
    if (piece.len > 0)
        memcpy(buffer, piece.ptr, piece.len);
    hit->left = str_sub(hit->left, piece.len, hit->left.len);
    *len_out = piece.len;
    return ERR_OK;
}

static void close_hit(void *with)
{
    struct hit *hit = with;

    stored_copy_release(&hit->copy);
    free(hit);
}

static bool make_source(const struct stored_answer *stored, struct str part,
                        struct body_source *source_out)
{
    struct hit *hit = malloc(sizeof *hit);

    if (!hit)
        return false;
    *hit = (struct hit){stored_copy_hold(stored->copy), part};
    *source_out = (struct body_source){.length = (int64_t)part.len,
                                       .is_at_hand = true,
                                       .next = next_of_hit,
                                       .close = close_hit,
                                       .with = hit};
    return true;
}

static enum err give(struct call *call, int status, const struct http_fields *fields,
                     const struct stored_answer *stored, struct str part)
{
    struct body_source source;

    if (part.len > WRITTEN_MAX) {
        if (!make_source(stored, part, &source))
            return no_memory(call);
        call_give_foreign(call, status, fields->items, fields->count, &source, 0);
        return ERR_OK;
    }
    call_give_foreign(call, status, fields->items, fields->count, NULL, 0);
    call_give_content(call, part, STR_NONE); /* of the stored copy, which the caller keeps */
    return ERR_OK;
}

bool answer_needs_no_body(const struct passage *passage, const struct response_head *stored)
{
    return passage->is_head || stored_is_not_modified(&passage->came, stored);
}

/* Of the part that is sent: 200, 206 or 416. */
static int choose_part(const struct passage *passage, const struct stored_answer *stored,
                       struct str *part_out, struct str *range_out)
{
    struct byte_range range;

    *part_out = stored->body;
    *range_out = STR_NONE;
    if (stored->head.status != 200 || !stored_is_in_range(&passage->came, &stored->head))
        return stored->head.status;
    switch (range_of(&passage->came, (int64_t)stored->body.len, &range)) {
    case RANGE_PART:
        *part_out = str_sub(stored->body, (size_t)range.first, (size_t)range.length);
        *range_out = content_range(passage->call->arena, &range, (int64_t)stored->body.len);
        return 206;
    case RANGE_UNSATISFIABLE:
        *part_out = STR_NONE;
        *range_out = content_range(passage->call->arena, NULL, (int64_t)stored->body.len);
        return 416;
    case RANGE_WHOLE:
        break;
    }
    return 200;
}

static enum err give_no_body(const struct passage *passage, const struct stored_answer *stored,
                             struct http_fields *more)
{
    struct call *call = passage->call;
    struct http_fields fields, left = stored->head.fields;
    bool is_known = stored_is_not_modified(&passage->came, &stored->head);

    if (is_known && not_modified_fields(call->arena, &stored->head.fields, &left) != ERR_OK)
        return no_memory(call);
    enum err err = finish_fields(passage, &left, more, &fields);
    if (err == ERR_OK)
        call_give_foreign(call, is_known ? 304 : stored->head.status, fields.items, fields.count,
                          NULL, (int64_t)stored->body_length);
    return err;
}

static enum err give_body(const struct passage *passage, const struct stored_answer *stored,
                          struct http_fields *more)
{
    struct http_fields fields;
    struct str part, range;
    int status = choose_part(passage, stored, &part, &range);

    if (range.ptr)
        more->items[more->count++] = (struct http_field){STR("Content-Range"), range};
    else if (status != stored->head.status)
        return no_memory(passage->call);
    enum err err = finish_fields(passage, &stored->head.fields, more, &fields);
    return err == ERR_OK ? give(passage->call, status, &fields, stored, part) : err;
}

static void release_later(void *with)
{
    struct stored_copy *copy = with;

    stored_copy_release(&copy);
}

enum err answer_with_stored(const struct passage *passage, const struct stored_answer *stored,
                            enum cache_result result)
{
    struct call *call = passage->call;
    struct http_field items[2] = {{STR("Age"), str_dup(call->arena, STR_INT64(stored->age_s))}};
    struct http_fields more = {items, 1};

    if (!items[0].value.ptr)
        return no_memory(call);
    /* The head is written when the operation is over. Its texts are those of what is stored, which the node may have
     * forgotten by then. */
    if (arena_defer(call->arena, release_later, stored_copy_hold(stored->copy)) != ERR_OK)
        return no_memory(call);
    call->reply.cache_result = result;
    return answer_needs_no_body(passage, &stored->head) ? give_no_body(passage, stored, &more)
                                                        : give_body(passage, stored, &more);
}
