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

struct str cache_status_text(struct arena *arena, const struct cache_status *status)
{
    struct strbuf out;

    strbuf_init(&out, arena, 96);
    strbuf_add(&out, STR("Cachewarden"));
    if (status->forwarded == FORWARDED_NOT)
        strbuf_add(&out, STR("; hit"));
    else
        strbuf_addf(&out, "; fwd=%s", reasons[status->forwarded]);
    if (status->forwarded != FORWARDED_NOT && status->forwarded_status > 0)
        strbuf_addf(&out, "; fwd-status=%d", status->forwarded_status);
    if (status->has_ttl)
        strbuf_addf(&out, "; ttl=%lld", (long long)status->ttl_s);
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
