#include "gateway/rules/cache_status.h"

static const char *const reasons[] = {
    [FORWARDED_NOT] = NULL,
    [FORWARDED_BYPASS] = "bypass",
    [FORWARDED_METHOD] = "method",
    [FORWARDED_URI_MISS] = "uri-miss",
    [FORWARDED_VARY_MISS] = "vary-miss",
    [FORWARDED_MISS] = "miss",
    [FORWARDED_STALE] = "stale",
    [FORWARDED_REQUEST] = "request",
    [FORWARDED_PARTIAL] = "partial",
};

/* A string of a structured field has visible ASCII and blanks only. */
static void add_string(struct strbuf *out, struct str text)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];

        if (c == '"' || c == '\\')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, c >= ' ' && c <= '~' ? c : '?');
    }
    strbuf_add_char(out, '"');
}

static void add_item(struct strbuf *out, struct str name, struct str value)
{
    strbuf_add(out, name);
    strbuf_add(out, value);
}

struct str cache_status_text(struct arena *arena, const struct cache_status *status)
{
    struct strbuf out;

    strbuf_init(&out, arena, 96);
    strbuf_add(&out, STR("Cachewarden"));
    if (status->forwarded == FORWARDED_NOT)
        strbuf_add(&out, STR("; hit"));
    else
        add_item(&out, STR("; fwd="), str_from(reasons[status->forwarded]));
    if (status->forwarded != FORWARDED_NOT && status->forwarded_status > 0)
        add_item(&out, STR("; fwd-status="), STR_INT64(status->forwarded_status));
    if (status->has_ttl)
        add_item(&out, STR("; ttl="), STR_INT64(status->ttl_s));
    if (status->forwarded != FORWARDED_NOT && status->stored)
        strbuf_add(&out, STR("; stored"));
    if (status->forwarded != FORWARDED_NOT && status->collapsed)
        strbuf_add(&out, STR("; collapsed"));
    if (status->detail.len > 0) {
        strbuf_add(&out, STR("; detail="));
        add_string(&out, status->detail);
    }
    return out.failed ? STR_NONE : strbuf_str(&out);
}
