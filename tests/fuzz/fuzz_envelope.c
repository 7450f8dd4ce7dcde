/*
 * What Redis may hold under a label, whoever put it there: an envelope or none. What is taken for one is inside
 * the bounds that the rest relies on, and comes back the same when it is stored again.
 */
#include "entries/envelope.h"

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

static void check_models(const struct model_set *models, struct str bytes)
{
    must(models->count <= ENTRY_MODELS_MAX);
    for (size_t i = 0; i < models->count; i++) {
        must(models->names[i].len >= 1 && models->names[i].len <= ENTRY_MODEL_MAX);
        must(is_inside(models->names[i], bytes));
        must(models->counts[i] >= 0);
    }
    must(models->base >= 0);
}

static void check(const struct envelope *envelope, struct str bytes)
{
    must(envelope->version >= 0 && envelope->stored_at_ms >= 0 && envelope->fill_ms >= 0);
    must(envelope->life_ms >= 1000 && envelope->life_ms <= ENTRY_TTL_MAX_S * 1000);
    /* It becomes a line of a head. */
    must(envelope->content_type.len <= ENTRY_TYPE_MAX && !str_has_control(envelope->content_type));
    must(envelope->body.len < bytes.len && is_inside(envelope->body, bytes));
    check_models(&envelope->models, bytes);
    /* An end of one moment and a life do not overflow. */
    must(envelope->stored_at_ms <= INT64_MAX - envelope->life_ms);
}

static void check_same(const struct envelope *a, const struct envelope *b)
{
    must(a->version == b->version && a->stored_at_ms == b->stored_at_ms &&
         a->life_ms == b->life_ms && a->fill_ms == b->fill_ms);
    must(memcmp(a->tag, b->tag, sizeof a->tag) == 0);
    must(str_eq(a->content_type, b->content_type) && str_eq(a->body, b->body));
    must(a->models.count == b->models.count && a->models.base == b->models.base);
    for (size_t i = 0; i < a->models.count; i++)
        must(str_eq(a->models.names[i], b->models.names[i]) &&
             a->models.counts[i] == b->models.counts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str bytes = {(const char *)data, size};
    struct arena *arena = arena_new(4096, (size_t)16 << 20);
    struct envelope envelope, again;

    if (arena && envelope_decode(bytes, &envelope)) {
        check(&envelope, bytes);
        struct str stored = envelope_encode(arena, &envelope);
        struct str head = envelope_encode_head(arena, &envelope);
        must(stored.ptr && stored.len <= ENVELOPE_HEAD_MAX + envelope.body.len);
        must(stored.len == head.len + envelope.body.len && str_starts(stored, head));
        must(envelope_decode(stored, &again));
        check_same(&envelope, &again);
        /* Cut anywhere in its head it is none. */
        for (size_t len = 0; len < head.len; len++)
            must(!envelope_decode(str_sub(stored, 0, len), &again));
    }
    arena_free(&arena);
    return 0;
}
