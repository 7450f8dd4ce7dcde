#include "entries/old.h"

#include "entries/counter.h"

/* With the life that it had. */
static enum err put_back(const struct entry_look *look, const struct label_key *key,
                         struct str text, int64_t left_ms, bool *is_there_out)
{
    struct pipeline *pipeline = entry_pipeline(look->request, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), label_key_str(key), text, STR("PX"),
                 STR_INT64(left_ms > 0 ? left_ms : 1), STR("NX"));
    enum err err = entry_run(look->request, pipeline);
    *is_there_out = err == ERR_OK && pipeline_value(pipeline, 0)->kind == VALUE_STATUS;
    return err;
}

/* Somebody cleared since the look, and this was stored after that. */
static bool is_newer(const struct entry_look *look, const struct value *text)
{
    struct envelope envelope;

    return text->kind == VALUE_STRING && envelope_decode(text->text, &envelope) &&
           envelope.version > look->version;
}

enum err old_take_text(struct entry_look *look, const struct label_key *key, int64_t now_ms,
                       bool *is_good_out)
{
    enum { MULTI, LEFT, TEXT };
    struct pipeline *pipeline = entry_pipeline(look->request, PIPELINE_WRITE);
    bool is_good, is_there;

    *is_good_out = false;
    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PTTL"), label_key_str(key));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GETDEL"), label_key_str(key));
    pipeline_end_transaction(pipeline);
    enum err err = entry_run(look->request, pipeline);
    const struct value *text = pipeline_value(pipeline, TEXT);
    if (err != ERR_OK || entry_is_other_type(text, look->request->work.error, &err) ||
        err != ERR_OK)
        return err;
    err = entry_judge_text(look, text, now_ms, &is_good);
    if (err != ERR_OK || !(is_good || is_newer(look, text)))
        return err;
    err = put_back(look, key, text->text, pipeline_value(pipeline, LEFT)->integer, &is_there);
    *is_good_out = is_good && is_there;
    return err;
}

static bool is_other_type(const struct value *reply)
{
    return reply->kind == VALUE_ERROR && value_fault(reply) == REDIS_FAULT_WRONGTYPE;
}

bool old_is_foreign(const struct value *text, const struct value *all, int64_t version)
{
    return is_other_type(text) && (is_other_type(all) || counter_is_damaged(all, version));
}

enum err old_take_foreign(const struct entry_look *look, const struct label_key *key)
{
    struct pipeline *pipeline = entry_pipeline(look->request, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), label_key_str(key));
    return entry_run(look->request, pipeline);
}

/* Fields that count under no version before this one: of a later one, if somebody cleared since the look, or else put
 * there by hand. */
static enum err take_if_foreign(const struct entry_look *look, const struct label_key *key)
{
    struct entry_look now = {.request = look->request};
    enum err err = entry_look(&now);

    return err == ERR_OK && now.version == look->version ? old_take_foreign(look, key) : err;
}

static enum err remove_fields(const struct entry_look *look, const struct label_key *key,
                              const struct value *fields)
{
    struct pipeline *pipeline = entry_pipeline(look->request, PIPELINE_WRITE);

    if (!counter_add_drop(pipeline, label_key_str(key), fields, look->version))
        return take_if_foreign(look, key);
    enum err err = entry_run(look->request, pipeline);
    if (err == ERR_OK)
        (void)entry_is_other_type(pipeline_value(pipeline, 0), look->request->work.error, &err);
    return err;
}

enum err old_remove(struct entry_look *look, const struct label_key *key,
                    const struct pipeline *seen, size_t first, int64_t now_ms, bool *is_good_out)
{
    const struct value *text = pipeline_value(seen, first);
    const struct value *all = pipeline_value(seen, first + 1);

    *is_good_out = false;
    if (text->kind == VALUE_STRING)
        return old_take_text(look, key, now_ms, is_good_out);
    return old_is_foreign(text, all, look->version) ? old_take_foreign(look, key)
                                                    : remove_fields(look, key, all);
}
