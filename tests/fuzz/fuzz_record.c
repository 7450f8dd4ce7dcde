/*
 * What Redis may hold for the gateway, whoever put it there: a record or none. What is taken for one is inside the
 * bounds that the rest relies on, and is the same bytes when it is stored again.
 */
#include "gateway/record.h"

#include "cachewarden/entries.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static bool is_inside(struct str part, struct str whole)
{
    return part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_response(const struct stored_response *response,
                           const struct stored_numbers *numbers, struct str head)
{
    must(response->status >= 200 && response->status <= 999);
    must(response->request_time_ms >= 0 && response->response_time_ms >= 0);
    must(numbers->version >= 0 && numbers->base >= 0 && numbers->any >= 0);
    must(response->fields.count <= RECORD_FIELDS_MAX && response->tag_count <= STORED_TAGS_MAX);
    must(is_inside(response->vary, head));
    for (size_t i = 0; i < response->tag_count; i++)
        must(is_inside(response->tags[i], head) && entry_is_model(response->tags[i]));
    for (size_t i = 0; i < response->fields.count; i++) {
        const struct http_field *field = &response->fields.items[i];
        must(is_inside(field->name, head) && is_inside(field->value, head));
        must(str_is_token(field->name) && str_find(field->value, '\r') < 0 &&
             str_find(field->value, '\n') < 0 && str_find(field->value, '\0') < 0);
    }
}

static void check_list(struct str start, const struct record *record, struct arena *arena)
{
    struct stored_numbers numbers = {0};

    memcpy(numbers.drop, record->drop, sizeof numbers.drop);
    memcpy(numbers.stamp, record->stamp, sizeof numbers.stamp);
    must(str_eq(record_encode_variants(arena, &record->digest, &numbers, record->names), start));
}

/* The start, and then the head. */
static void check(struct str bytes, struct arena *arena)
{
    bool is_list = bytes.len > 1 && bytes.ptr[1] == RECORD_VARIANTS;
    struct str start = str_sub(bytes, 0, is_list ? bytes.len : RECORD_RESPONSE_SIZE);
    struct str head = str_sub(bytes, start.len, bytes.len);
    struct stored_response response;
    struct stored_numbers numbers;
    struct record record;

    if (!record_decode(start, &record))
        return;
    if (record.kind == RECORD_VARIANTS)
        check_list(start, &record, arena);
    if (record.kind != RECORD_RESPONSE ||
        !record_decode_head(head, &record, arena, &response, &numbers))
        return;
    check_response(&response, &numbers, head);
    must(str_eq(record_encode_head(arena, &response, &numbers), head));
    /* Of the body it knows the length alone. */
    response.body = (struct str){head.ptr, (size_t)record.body_length};
    must(str_eq(record_encode_response(arena, &record.digest, &response, &numbers, head.len),
                start));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, (size_t)16 << 20);

    if (arena)
        check((struct str){(const char *)data, size}, arena);
    arena_free(&arena);
    return 0;
}
