/*
 * A Location, as an upstream may send it: what it names of our own origin is a path without dots and fragment, and
 * names itself when it is sent again.
 */
#include "gateway/rules/invalidation.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_target(struct str target)
{
    struct str path = target, segment;
    const ptrdiff_t query = str_find(target, '?');

    must(str_starts(target, STR("/")) && str_find(target, '#') < 0);
    if (query >= 0)
        path = str_sub(target, 0, (size_t)query);
    while (str_split(&path, '/', &segment))
        must(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
}

static struct invalidated resolve(struct arena *arena, struct str location)
{
    static const struct str origins[] = {STR("http://a.example:80")};
    const struct request_target request = {STR("/b/c?d"), origins, 1};
    struct http_field field = {STR("Location"), location};
    struct invalidated found;

    must(invalidated_by(arena, STR("POST"), 201, &request, &(struct http_fields){&field, 1},
                        &found) == ERR_OK);
    must(found.count >= 1 && found.count <= 2);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, (size_t)64 << 20);

    if (arena) {
        const struct invalidated found = resolve(arena, (struct str){(const char *)data, size});

        if (found.count == 2) {
            check_target(found.targets[1]);
            /* What begins with two slashes would be read as an authority. */
            if (!str_starts(found.targets[1], STR("//"))) {
                const struct invalidated again = resolve(arena, str_trim(found.targets[1]));
                must(again.count == 2 || str_eq(again.targets[0], found.targets[1]));
            }
        }
    }
    arena_free(&arena);
    return 0;
}
