#include "gateway/tags.h"

/* ---- which ---- */

static bool is_among(struct str name, const struct str *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(names[i], name))
            return true;
    }
    return false;
}

static bool add_tags(struct str *joined, size_t *count, const struct str *tags, size_t tag_count)
{
    for (size_t i = 0; i < tag_count; i++) {
        if (!entry_is_model(tags[i]) || is_among(tags[i], joined, *count))
            continue;
        if (*count == STORED_TAGS_MAX)
            return false;
        joined[(*count)++] = tags[i];
    }
    return true;
}

enum err tags_join(struct arena *arena, const struct str *models, size_t model_count,
                   const struct str *tags, size_t tag_count, const struct str **joined_out,
                   size_t *joined_count_out)
{
    struct str *joined = arena_calloc(arena, STORED_TAGS_MAX, sizeof *joined);

    *joined_out = joined;
    *joined_count_out = 0;
    if (!joined)
        return ERR_NO_MEMORY;
    return add_tags(joined, joined_count_out, models, model_count) &&
                   add_tags(joined, joined_count_out, tags, tag_count)
               ? ERR_OK
               : ERR_TOO_LARGE;
}

/* ---- a look ---- */

/* Names are asked for in portions of what one command takes. */
static void put_name(struct tag_look *look, size_t index, struct str name)
{
    struct model_set *set = &look->sets[index / ENTRY_MODELS_MAX];

    set->names[index % ENTRY_MODELS_MAX] = name;
    set->count = index % ENTRY_MODELS_MAX + 1;
}

enum err tag_look_new(struct arena *arena, const struct str *tags, size_t tag_count, bool is_short,
                      struct tag_look *look_out)
{
    size_t names = is_short ? 0 : gateway_names_count(tag_count);
    size_t sets = is_short ? 1 : (names + ENTRY_MODELS_MAX - 1) / ENTRY_MODELS_MAX;
    struct tag_look look = {.tags = tags,
                            .tag_count = is_short ? 0 : tag_count,
                            .is_short = is_short,
                            .sets = arena_calloc(arena, sets, sizeof *look.sets),
                            .replies = arena_calloc(arena, sets, sizeof *look.replies),
                            .set_count = sets,
                            .counts = arena_calloc(arena, names + 1, sizeof *look.counts)};

    *look_out = look;
    if (!look.sets || !look.replies || !look.counts)
        return ERR_NO_MEMORY;
    if (is_short) {
        look_out->counts = NULL;
        return ERR_OK;
    }
    put_name(&look, 0, MODELS_EVERYTHING);
    for (size_t i = 0; i < tag_count; i++) {
        struct str soft = models_soft_name(arena, tags[i]);
        if (!soft.ptr)
            return ERR_NO_MEMORY;
        put_name(&look, 1 + i, tags[i]);
        put_name(&look, 1 + tag_count + i, soft);
    }
    return ERR_OK;
}

void tag_look_ask(struct tag_look *look, struct pipeline *pipeline, bool keeps)
{
    const struct namespace space = namespace_of_gateway();

    for (size_t i = 0; i < look->set_count; i++) {
        look->replies[i] = pipeline_count(pipeline);
        models_ask(pipeline, &space, &look->sets[i], keeps && i == 0);
    }
}

enum err tag_look_take(struct tag_look *look, const struct pipeline *pipeline, bool keeps,
                       struct error *error)
{
    look->is_damaged = false;
    for (size_t i = 0; i < look->set_count; i++) {
        struct model_set *set = &look->sets[i];
        enum err err = models_take(pipeline, look->replies[i], keeps && i == 0, set, error);
        if (err != ERR_OK)
            return err;
        look->is_damaged = look->is_damaged || set->is_damaged;
        for (size_t k = 0; k < set->count; k++)
            look->counts[i * ENTRY_MODELS_MAX + k] = set->counts[k];
    }
    look->base = look->sets[0].base;
    /* Those of the first: what was cleared between two commands is a difference the next time. */
    look->any = look->sets[0].any;
    for (size_t i = 1; i < look->set_count; i++) {
        if (look->sets[i].base != look->base)
            look->base = 0;
    }
    return ERR_OK;
}

/* ---- judging ---- */

/* Where the tag is among those asked for, or -1. */
static ptrdiff_t find_tag(const struct tag_look *look, struct str tag, size_t guess)
{
    if (guess < look->tag_count && str_eq(look->tags[guess], tag))
        return (ptrdiff_t)guess;
    for (size_t i = 0; i < look->tag_count; i++) {
        if (str_eq(look->tags[i], tag))
            return (ptrdiff_t)i;
    }
    return -1;
}

enum tags_verdict tags_judge(const struct stored_response *response,
                             const struct stored_numbers *numbers, const struct tag_look *now)
{
    enum tags_verdict verdict = TAGS_CURRENT;
    size_t count = response->tag_count;

    if (numbers->base == 0 || numbers->base != now->base || !numbers->counts)
        return TAGS_MOVED;
    if (numbers->any == now->any)
        return TAGS_CURRENT;
    if (!now->counts)
        return TAGS_UNKNOWN;
    if (now->counts[0] != numbers->counts[0])
        return TAGS_MOVED;
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t at = find_tag(now, response->tags[i], i);
        if (at < 0)
            verdict = TAGS_UNKNOWN;
        else if (now->counts[1 + at] != numbers->counts[1 + i])
            return TAGS_MOVED;
        else if (now->counts[1 + (ptrdiff_t)now->tag_count + at] !=
                     numbers->counts[1 + count + i] &&
                 verdict == TAGS_CURRENT)
            verdict = TAGS_OUTDATED;
    }
    return verdict;
}

enum err tag_look_counts(const struct tag_look *look, struct arena *arena, const struct str *tags,
                         size_t tag_count, int64_t **counts_out)
{
    int64_t *counts = arena_calloc(arena, gateway_names_count(tag_count), sizeof *counts);

    *counts_out = NULL;
    if (!counts)
        return ERR_NO_MEMORY;
    if (!look->counts)
        return ERR_OK;
    counts[0] = look->counts[0];
    for (size_t i = 0; i < tag_count; i++) {
        ptrdiff_t at = find_tag(look, tags[i], i);
        if (at < 0)
            return ERR_OK;
        counts[1 + i] = look->counts[1 + at];
        counts[1 + tag_count + i] = look->counts[1 + (ptrdiff_t)look->tag_count + at];
    }
    *counts_out = counts;
    return ERR_OK;
}
