/*
 * Documents as clients send them. One that is accepted is read to its last value, written by our
 * writer, and read again as the same document; and any bytes at all can be written as a string.
 */
#include "cachewarden/arena.h"
#include "cachewarden/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool is_true)
{
    if (!is_true)
        abort();
}

static void write_value(struct json_writer *writer, const struct json *value);

static bool write_member(struct str name, const struct json *value, void *arg)
{
    struct json_writer *writer = arg;

    expect(str_is_utf8(name) && name.ptr[name.len] == '\0' && strlen(name.ptr) == name.len);
    json_name(writer, name.ptr);
    write_value(writer, value);
    return true;
}

static void write_value(struct json_writer *writer, const struct json *value)
{
    struct str text = json_string(value);

    switch (json_kind(value)) {
    case JSON_NULL:
        json_write_null(writer);
        break;
    case JSON_BOOL:
        json_write_bool(writer, json_bool(value));
        break;
    case JSON_INTEGER:
        json_write_integer(writer, json_integer(value));
        break;
    case JSON_REAL:
        json_write_real(writer, json_real(value), JSON_MAX_DECIMALS);
        break;
    case JSON_STRING:
        expect(str_is_utf8(text) && strlen(text.ptr) == text.len);
        json_write_string(writer, text);
        break;
    case JSON_ARRAY:
        json_open_array(writer);
        for (size_t i = 0; i < json_count(value); i++)
            write_value(writer, json_at(value, i));
        json_close_array(writer);
        break;
    case JSON_OBJECT:
        json_open_object(writer);
        json_each(value, write_member, writer);
        json_close_object(writer);
        break;
    }
}

static void expect_same(const struct json *a, const struct json *b);

static bool expect_member(struct str name, const struct json *value, void *arg)
{
    const struct json *other = arg;

    expect_same(value, json_get(other, name.ptr));
    return true;
}

/* Reals are written with fewer digits than they have, so that they are only there. */
static void expect_same(const struct json *a, const struct json *b)
{
    expect(a != NULL && b != NULL);
    if (json_kind(a) == JSON_REAL)
        return;
    expect(json_kind(a) == json_kind(b));
    expect(json_bool(a) == json_bool(b));
    expect(json_integer(a) == json_integer(b));
    expect(str_eq(json_string(a), json_string(b)));
    expect(json_count(a) == json_count(b));
    for (size_t i = 0; json_kind(a) == JSON_ARRAY && i < json_count(a); i++)
        expect_same(json_at(a, i), json_at(b, i));
    json_each(a, expect_member, (void *)(uintptr_t)b);
}

static void try_document(struct arena *arena, struct str text)
{
    const struct json *root = NULL, *again = NULL;
    struct error error;
    struct json_writer writer;
    struct strbuf out;

    error_clear(&error);
    if (json_parse(arena, text, &root, &error) != ERR_OK) {
        expect(root == NULL && error.code == ERR_BAD_INPUT && error.caller[0] != '\0');
        expect(str_is_utf8(str_from(error.caller)) && !str_has_control(str_from(error.caller)));
        return;
    }
    strbuf_init(&out, arena, 0);
    json_writer_init(&writer, &out);
    write_value(&writer, root);
    expect(!out.failed && str_is_utf8(strbuf_str(&out)) && !str_has_control(strbuf_str(&out)));
    /* A real beyond int64 that has no decimals left is written as an integer, and refused as one. */
    if (json_parse(arena, strbuf_str(&out), &again, &error) == ERR_OK)
        expect_same(root, again);
    else
        expect(strstr(error.caller, "too large") != NULL);
}

static void try_string(struct arena *arena, struct str bytes)
{
    const struct json *root = NULL;
    struct json_writer writer;
    struct strbuf out;

    strbuf_init(&out, arena, 0);
    json_writer_init(&writer, &out);
    json_write_string(&writer, bytes);
    expect(str_is_utf8(strbuf_str(&out)) && !str_has_control(strbuf_str(&out)));
    if (str_find(bytes, '\0') >= 0)
        return;
    expect(json_parse(arena, strbuf_str(&out), &root, NULL) == ERR_OK);
    if (str_is_utf8(bytes))
        expect(str_eq(json_string(root), bytes));
}

/* Whatever the limit, the document is whole, or refused, or nobody's fault. */
static void try_with_little_memory(struct str text)
{
    size_t limit = text.len > 0 ? 16 * (1 + (size_t)(unsigned char)text.ptr[text.len - 1]) : 16;
    struct arena *arena = arena_new(limit, limit);
    const struct json *root = NULL;
    enum err err = json_parse(arena, text, &root, NULL);

    expect(err == ERR_OK ? root != NULL
                         : root == NULL && (err == ERR_BAD_INPUT || err == ERR_NO_MEMORY));
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, 0);
    struct str input = {(const char *)data, size};

    try_document(arena, input);
    try_string(arena, input);
    try_with_little_memory(input);
    arena_free(&arena);
    return 0;
}
