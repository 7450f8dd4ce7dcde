/* The growing buffer of str.h. */
#include "cachewarden/str.h"

#include "cachewarden/arena.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALLEST = 64 };

static bool grow(struct strbuf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more > SIZE_MAX / 4 - buf->len) {
        buf->failed = true;
        return false;
    }

    /* Doubled, so that n appended bytes cost n copies and not n squared. */
    size_t cap = buf->cap < SMALLEST / 2 ? SMALLEST : buf->cap * 2;
    if (cap < buf->len + more)
        cap = buf->len + more;
    char *grown =
        buf->arena ? arena_grow(buf->arena, buf->ptr, buf->cap, cap) : realloc(buf->ptr, cap);
    if (!grown) {
        buf->failed = true;
        return false;
    }
    buf->ptr = grown;
    buf->cap = cap;
    return true;
}

/* Makes room for `more` bytes behind len; false, and `failed`, when there is none. */
static inline bool reserve(struct strbuf *buf, size_t more)
{
    if (more <= buf->cap - buf->len && !buf->failed)
        return true;
    return grow(buf, more);
}

char *strbuf_room(struct strbuf *buf, size_t size)
{
    return reserve(buf, size) ? buf->ptr + buf->len : NULL;
}

void strbuf_init(struct strbuf *buf, struct arena *arena, size_t size)
{
    *buf = (struct strbuf){.arena = arena};
    if (size > 0)
        reserve(buf, size);
}

void strbuf_fini(struct strbuf *buf)
{
    if (!buf->arena)
        free(buf->ptr);
    *buf = (struct strbuf){.arena = buf->arena};
}

void strbuf_add(struct strbuf *buf, struct str s)
{
    if (s.len == 0 || !reserve(buf, s.len))
        return;
    memcpy(buf->ptr + buf->len, s.ptr, s.len);
    buf->len += s.len;
}

void strbuf_add_char(struct strbuf *buf, char c)
{
    if (reserve(buf, 1))
        buf->ptr[buf->len++] = c;
}

void strbuf_add_int64(struct strbuf *buf, int64_t value)
{
    strbuf_add(buf, STR_INT64(value));
}

void strbuf_addf(struct strbuf *buf, const char *format, ...)
{
    va_list args;

    /* Into what room there is; a second time when it was too little. */
    for (int attempt = 0; attempt < 2 && !buf->failed; attempt++) {
        size_t room = buf->cap - buf->len;
        va_start(args, format);
        int len = vsnprintf(room > 0 ? buf->ptr + buf->len : NULL, room, format, args);
        va_end(args);
        if (len < 0) {
            buf->failed = true;
            return;
        }
        if ((size_t)len < room) {
            buf->len += (size_t)len;
            return;
        }
        reserve(buf, (size_t)len + 1);
    }
}
