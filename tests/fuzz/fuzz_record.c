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
                           const struct stored_numbers *numbers, struct str bytes)
{
    must(response->status >= 200 && response->status <= 999);
    must(response->request_time_ms >= 0 && response->response_time_ms >= 0);
    must(numbers->version >= 0 && numbers->base >= 0 && numbers->any >= 0);
    must(response->fields.count <= RECORD_FIELDS_MAX && response->tag_count <= STORED_TAGS_MAX);
    must(is_inside(response->vary, bytes) && is_inside(response->body, bytes));
    for (size_t i = 0; i < response->tag_count; i++)
        must(is_inside(response->tags[i], bytes) && entry_is_model(response->tags[i]));
    for (size_t i = 0; i < response->fields.count; i++) {
        const struct http_field *field = &response->fields.items[i];
        must(is_inside(field->name, bytes) && is_inside(field->value, bytes));
        must(str_is_token(field->name) && str_find(field->value, '\r') < 0 &&
             str_find(field->value, '\n') < 0 && str_find(field->value, '\0') < 0);
    }
}

static void check(struct str bytes, struct arena *arena)
{
    struct stored_response response;
    struct stored_numbers numbers;
    struct record record;
    bool has_body;

    if (!record_decode(bytes, &record))
        return;
    if (record.kind == RECORD_VARIANTS)
        must(str_eq(record_encode_variants(arena, &record.digest, record.stamp, record.names),
                    bytes));
    if (record.kind != RECORD_RESPONSE ||
        !record_decode_response(bytes, &record, arena, &response, &numbers, &has_body))
        return;
    check_response(&response, &numbers, bytes);
    if (has_body)
        must(str_eq(record_encode(arena, &record.digest, &response, &numbers), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, (size_t)16 << 20);

    if (arena)
        check((struct str){(const char *)data, size}, arena);
    arena_free(&arena);
    return 0;
}
