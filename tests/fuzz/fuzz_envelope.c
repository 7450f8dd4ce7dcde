/*
 * What lies in Redis under a label: whatever bytes there are, they are an envelope or nothing. What is taken stays
 * within the bytes, and is what its own bytes say: encoded once more it is the same.
 */
#include "entries/envelope.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_true, const char *what)
{
    if (is_true)
        return;
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static void expect_inside(struct str whole, struct str part)
{
    expect(part.len == 0 || (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len),
           "a text lies within the bytes");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    struct arena *arena = arena_new(4096, 0);
    struct envelope envelope, again;

    if (arena && envelope_decode(bytes, &envelope)) {
        expect_inside(bytes, envelope.body);
        for (size_t i = 0; i < envelope.models.count; i++)
            expect_inside(bytes, envelope.models.names[i]);
        struct str encoded = envelope_encode(arena, &envelope);
        expect(envelope_decode(encoded, &again), "what was encoded can be decoded");
        expect(again.version == envelope.version && again.life_ms == envelope.life_ms &&
                   str_eq(again.body, envelope.body) &&
                   str_eq(again.content_type, envelope.content_type) &&
                   again.models.count == envelope.models.count,
               "it is the same");
    }
    arena_free(&arena);
    return 0;
}
