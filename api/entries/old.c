#include "entries/old.h"

#include "entries/counter.h"

/* With the life that it had. */
static enum err put_back(const struct entry_request *request, const struct label_key *key,
                         struct str text, int64_t left_ms, bool *is_there_out)
{
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_OK_OR_NIL, STR("SET"), label_key_str(key), text, STR("PX"),
                 STR_INT64(left_ms > 0 ? left_ms : 1), STR("NX"));
    enum err err = entry_run(request, pipeline);
    *is_there_out = err == ERR_OK && pipeline_value(pipeline, 0)->kind == VALUE_STATUS;
    return err;
}

static bool begins_with(const struct value *text, const struct value *head)
{
    return text->kind == VALUE_STRING && head->kind == VALUE_STRING &&
           str_eq(str_sub(text->text, 0, ENVELOPE_HEAD_MAX), head->text);
}

/* What it took is what was seen, or is judged by itself; where nobody can tell, it goes back. */
static enum err take_text(const struct entry_request *request, const struct label_key *key,
                          const struct value *head, int64_t now_ms, bool *is_good_out)
{
    enum { MULTI, LEFT, TEXT };
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);
    bool is_over = true, is_there;

    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PTTL"), label_key_str(key));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("GETDEL"), label_key_str(key));
    pipeline_note_stored(pipeline, label_key_str(key));
    pipeline_end_transaction(pipeline);
    enum err err = entry_run(request, pipeline);
    const struct value *text = pipeline_value(pipeline, TEXT);
    if (err != ERR_OK || entry_is_other_type(text, request->work.error, &err) || err != ERR_OK)
        return err;
    if (text->kind == VALUE_STRING && !begins_with(text, head))
        err = entry_judge_anew(request, text, now_ms, &is_over);
    if (is_over)
        return err;
    enum err back =
        put_back(request, key, text->text, pipeline_value(pipeline, LEFT)->integer, &is_there);
    *is_good_out = err == ERR_OK && is_there;
    return err == ERR_OK ? back : err;
}

enum err old_remove_text(const struct entry_request *request, const struct label_key *key,
                         const struct value *head, int64_t now_ms, bool *is_good_out)
{
    bool is_over;
    enum err err = entry_judge_anew(request, head, now_ms, &is_over);

    *is_good_out = err == ERR_OK && !is_over;
    return err == ERR_OK && is_over ? take_text(request, key, head, now_ms, is_good_out) : err;
}

static bool is_other_type(const struct value *reply)
{
    return reply->kind == VALUE_ERROR && value_fault(reply) == REDIS_FAULT_WRONGTYPE;
}

bool old_is_foreign(const struct value *text, const struct value *all, int64_t version)
{
    return is_other_type(text) && (is_other_type(all) || counter_is_damaged(all, version));
}

enum err old_take_foreign(const struct entry_request *request, const struct label_key *key)
{
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), label_key_str(key));
    return entry_run(request, pipeline);
}

/* Fields that count under no version before this one: of a later one, if somebody cleared since, or else put there by
 * hand. */
static enum err take_if_foreign(const struct entry_request *request, const struct label_key *key,
                                int64_t version)
{
    struct entry_look now = {.request = request};
    enum err err = entry_look(&now);

    return err == ERR_OK && now.version == version ? old_take_foreign(request, key) : err;
}

static enum err remove_fields(const struct entry_request *request, const struct label_key *key,
                              const struct value *fields, int64_t version)
{
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_WRITE);

    if (!counter_add_drop(pipeline, label_key_str(key), fields, version))
        return take_if_foreign(request, key, version);
    enum err err = entry_run(request, pipeline);
    if (err == ERR_OK)
        (void)entry_is_other_type(pipeline_value(pipeline, 0), request->work.error, &err);
    return err;
}

enum err old_remove(const struct entry_request *request, const struct label_key *key,
                    const struct pipeline *seen, size_t first, int64_t version, int64_t now_ms,
                    bool *is_good_out)
{
    const struct value *text = pipeline_value(seen, first);
    const struct value *all = pipeline_value(seen, first + 1);

    *is_good_out = false;
    if (text->kind == VALUE_STRING)
        return old_remove_text(request, key, text, now_ms, is_good_out);
    return old_is_foreign(text, all, version) ? old_take_foreign(request, key)
                                              : remove_fields(request, key, all, version);
}
