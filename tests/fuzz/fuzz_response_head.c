/*
 * What an upstream sends: a head, and chunks behind it. However it is cut into pieces, the head ends at the same place
 * and the chunks give the same body; what the head says can be said again; nothing in a field could end its line.
 */
#include "http_chunks.h"
#include "http_head.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_head(struct arena *arena, struct str text)
{
    struct http_head head, again;
    struct strbuf written;

    if (http_head_parse(arena, text, &head, NULL) != ERR_OK)
        return;
    must(head.status >= 100 && head.status <= 599);
    must(!head.is_chunked || head.length == BODY_LENGTH_UNKNOWN);
    must(head.length >= BODY_LENGTH_UNKNOWN && head.field_count <= HTTP_HEAD_MAX_FIELDS);
    strbuf_init(&written, arena, 0);
    strbuf_addf(&written, "HTTP/1.%d %d x\r\n", head.minor_version, head.status);
    for (size_t i = 0; i < head.field_count; i++) {
        must(str_is_token(head.fields[i].name) && http_is_field_value(head.fields[i].value));
        strbuf_add(&written, head.fields[i].name);
        strbuf_add_char(&written, ':');
        strbuf_add(&written, head.fields[i].value);
        strbuf_add(&written, STR("\r\n"));
    }
    strbuf_add(&written, STR("\r\n"));
    must(http_head_parse(arena, strbuf_str(&written), &again, NULL) == ERR_OK);
    must(again.length == head.length && again.is_chunked == head.is_chunked &&
         again.keeps == head.keeps && again.field_count == head.field_count);
}

/* How the body ends, and a number that depends on all its data. */
static enum http_chunks_state read_chunks(struct str bytes, size_t step, uint64_t *sum_out)
{
    struct http_chunks chunks = {0};
    size_t at = 0;

    *sum_out = 0;
    while (at < bytes.len && chunks.state < CHUNKS_WHOLE) {
        struct str piece = str_sub(bytes, at, step);
        if (chunks.state != CHUNKS_DATA) {
            size_t taken = http_chunks_take(&chunks, piece);
            must(taken > 0 && taken <= piece.len);
            at += taken;
            continue;
        }
        must(chunks.left > 0);
        if ((int64_t)piece.len > chunks.left)
            piece.len = (size_t)chunks.left;
        for (size_t i = 0; i < piece.len; i++)
            *sum_out = *sum_out * 31 + (unsigned char)piece.ptr[i];
        http_chunks_read(&chunks, piece.len);
        at += piece.len;
    }
    *sum_out += at;
    return chunks.state;
}

static void check_chunks(struct str bytes)
{
    uint64_t at_once, in_pieces;
    enum http_chunks_state state = read_chunks(bytes, bytes.len, &at_once);

    for (size_t step = 1; step < 8; step += 3)
        must(read_chunks(bytes, step, &in_pieces) == state && in_pieces == at_once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, (size_t)8 << 20);
    struct str text = {(const char *)data, size};
    size_t whole = 0, end = 0;

    if (arena && http_head_find_end(text, 0, &whole)) {
        for (size_t from = 0; from < size && from < 200; from++) {
            must(http_head_find_end(str_sub(text, 0, from), 0, &end));
            must(end == 0 || end == whole);
            if (end == 0 && whole > 0)
                must(http_head_find_end(text, from, &end) && end == whole);
        }
        if (whole > 0)
            check_head(arena, str_sub(text, 0, whole));
    }
    check_chunks(str_sub(text, whole, size));
    arena_free(&arena);
    return 0;
}
