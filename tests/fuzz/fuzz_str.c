/*
 * The small parsers of str.h. What a decoder accepts must encode to the text it came from, a
 * number must print as the text it was, and no parser may read beyond its text.
 */
#include "cachewarden/arena.h"
#include "cachewarden/str.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void try_codings(struct arena *arena, struct str input)
{
    struct str bytes;

    if (base64url_decode(arena, input, &bytes))
        expect(str_eq(base64url_encode(arena, bytes), input));
    if (hex_decode(arena, input, &bytes))
        expect(str_eq_nocase(hex_encode(arena, bytes), input));
    expect(base64url_decode(arena, base64url_encode(arena, input), &bytes) && str_eq(bytes, input));
    expect(hex_decode(arena, hex_encode(arena, input), &bytes) && str_eq(bytes, input));
}

static void try_percent(struct arena *arena, struct str input)
{
    struct str bytes, part, rest = input;
    size_t escapes = 0;

    if (!percent_decode(arena, input, &bytes)) {
        /* Only an escape or a NUL can be wrong. */
        expect(str_find(input, '%') >= 0 || str_find(input, '\0') >= 0);
        return;
    }
    while (str_split(&rest, '%', &part))
        escapes++;
    expect(bytes.len == input.len - (escapes > 0 ? 2 * (escapes - 1) : 0));
    expect(strlen(bytes.ptr) == bytes.len);
}

static void try_number(struct str input)
{
    struct strbuf digits;
    int64_t value;

    if (!str_to_int64(input, INT64_MIN, INT64_MAX, &value))
        return;
    strbuf_init(&digits, NULL, 0);
    strbuf_add_int64(&digits, value);
    expect(str_eq(strbuf_str(&digits), input));
    strbuf_fini(&digits);
    expect(str_to_int64(input, 0, INT64_MAX, &value) == (value >= 0));
}

/* Parts and separators together are the whole again. */
static void try_split(struct arena *arena, struct str input)
{
    struct str part, rest = input;
    struct strbuf whole;

    strbuf_init(&whole, arena, 0);
    for (int i = 0; str_split(&rest, ',', &part); i++) {
        expect(str_find(part, ',') == -1);
        if (i > 0)
            strbuf_add_char(&whole, ',');
        strbuf_add(&whole, part);
    }
    expect(str_eq(strbuf_str(&whole), input));
}

static void try_kinds(struct str input)
{
    struct str trimmed = str_trim(input);
    bool is_token = str_is_token(input);

    expect(trimmed.len <= input.len);
    expect(!is_token ||
           (!str_has_control(input) && str_is_utf8(input) && trimmed.len == input.len));
    expect(str_eq_secret(input, input) && str_eq_nocase(input, input));
    /* UTF-8 has no state: two good halves are a good whole. */
    struct str half = str_sub(input, 0, input.len / 2), other = str_sub(input, half.len, input.len);
    if (str_is_utf8(half) && str_is_utf8(other))
        expect(str_is_utf8(input));
    if (str_has_control(half) || str_has_control(other))
        expect(str_has_control(input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, 0);
    struct str input = {(const char *)data, size};

    try_codings(arena, input);
    try_percent(arena, input);
    try_number(input);
    try_split(arena, input);
    try_kinds(input);
    arena_free(&arena);
    return 0;
}
