/*
 * The first line is a Vary, the others are lines of "Name: value" of a request: the names come out as a sound set,
 * which is the same when it is read again, and the key does not change when it is made again.
 */
#include "gateway/rules/vary.h"

#include "field_lines.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* Sorted, each once, and nothing but tokens: what a key and a line of a store may hold. */
static void check_names(struct str names)
{
    struct str rest = names, name, before = STR_NONE;

    while (str_split(&rest, ',', &name)) {
        must(str_is_token(name) && name.len <= VARY_NAME_SIZE_MAX);
        must(before.len == 0 || !str_eq(before, name));
        before = name;
    }
    must(names.len <= VARY_NAMES_MAX * (VARY_NAME_SIZE_MAX + 1));
}

static void check_again(struct arena *arena, struct str names)
{
    struct http_field field = {STR("vary"), names};
    enum vary vary;
    struct str again;

    must(vary_of(arena, &(struct http_fields){&field, 1}, &vary, &again) == ERR_OK);
    must(vary == VARY_NAMES && str_eq(again, names));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, (size_t)16 << 20);
    struct str rest = {(const char *)data, size}, first = STR_NONE, names, key, again;
    struct http_field items[64], vary_field;
    enum vary vary;

    if (arena && str_split(&rest, '\n', &first)) {
        const struct http_fields request = {items, read_field_lines(rest, items, 64)};

        vary_field = (struct http_field){STR("Vary"), first};
        must(vary_of(arena, &(struct http_fields){&vary_field, 1}, &vary, &names) == ERR_OK);
        must((vary == VARY_NAMES) == (names.len > 0));
        if (vary == VARY_NAMES) {
            check_names(names);
            check_again(arena, names);
        }
        /* Names that a store gives back may be anything, too. */
        if (vary_key(arena, first, &request, &key) == ERR_OK) {
            must(vary_key(arena, first, &request, &again) == ERR_OK);
            must(str_eq(key, again));
        }
    }
    arena_free(&arena);
    return 0;
}
