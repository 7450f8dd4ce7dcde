#include "entries/aside.h"

#include "entries/counter.h"

/* What was moved aside lives on for a moment, longer than any request lasts. */
#define ASIDE_MS STR("30000")

enum err aside_take(struct entry_look *look, const struct label_key *key, int64_t now_ms,
                    struct aside *aside_out)
{
    struct pipeline *pipeline = entry_pipeline(look->request, PIPELINE_WRITE);
    char version[STR_INT64_SIZE];
    char *life = arena_alloc(look->request->work.arena, STR_INT64_SIZE);

    if (!life)
        return error_set_detail(look->request->work.error, ERR_NO_MEMORY, "no memory for an entry");
    *aside_out = (struct aside){.key = key_scratch(&look->request->space)};
    struct str aside = key_str(&aside_out->key);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("RENAME"), label_key_str(key), aside);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), aside);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), aside, ASIDE_MS);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HGET"), aside,
                 counter_field(version, look->version));
    size_t head_at = pipeline_count(pipeline);
    entry_ask_head(pipeline, aside);
    enum err err = entry_run(look->request, pipeline);
    if (err != ERR_OK)
        return err;
    const struct value *number = pipeline_value(pipeline, head_at - 1);
    if (number->kind == VALUE_STRING)
        aside_out->number = number->text;
    aside_out->life = str_of_int64(life, pipeline_value(pipeline, 1)->integer);
    return entry_judge_head(look, pipeline, head_at, now_ms, &aside_out->is_good);
}

enum err aside_put_back(const struct entry_look *look, const struct label_key *label_key,
                        const struct aside *aside)
{
    struct pipeline *pipeline = entry_pipeline(look->request, PIPELINE_WRITE);
    struct str key = label_key_str(label_key), from = key_str(&aside->key);
    char version[STR_INT64_SIZE];

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), from, aside->life);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("RENAMENX"), from, key);
    enum err err = entry_run(look->request, pipeline);
    const struct value *moved = pipeline_value(pipeline, 1);
    if (err != ERR_OK || moved->kind != VALUE_INTEGER || moved->integer == 1)
        return err;
    pipeline = entry_pipeline(look->request, PIPELINE_WRITE);
    if (aside->number.len > 0)
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HINCRBY"), key,
                     counter_field(version, look->version), aside->number);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), from);
    return entry_run(look->request, pipeline);
}
