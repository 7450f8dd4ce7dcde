#include "cachewarden/namespace.h"

#include "keyspace.h"

bool namespace_parse(struct str text, struct namespace *space_out)
{
    const struct str user = STR("user:"), app = STR("app:");
    struct namespace space = {0};

    if (str_starts(text, user))
        (void)str_to_int64(str_sub(text, user.len, text.len), 1, INT64_MAX, &space.user_id);
    else if (str_starts(text, app) && key_is_cache_name(str_sub(text, app.len, text.len)))
        space.app = str_sub(text, app.len, text.len);
    *space_out = space;
    return namespace_is_given(&space);
}

bool namespace_parse_any(struct str text, struct namespace *space_out)
{
    if (!str_eq(text, STR("gateway")))
        return namespace_parse(text, space_out);
    *space_out = namespace_of_gateway();
    return true;
}

struct str namespace_text(struct arena *arena, const struct namespace *space)
{
    struct strbuf text;

    if (space->is_gateway)
        return str_dup(arena, STR("gateway"));
    strbuf_init(&text, arena, 32);
    strbuf_add(&text, space->user_id > 0 ? STR("user:") : STR("app:"));
    if (space->user_id > 0)
        strbuf_add_int64(&text, space->user_id);
    else
        strbuf_add(&text, space->app);
    return text.failed ? STR_NONE : strbuf_str(&text);
}
