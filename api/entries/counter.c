#include "entries/counter.h"

struct str counter_field(char buffer[STR_INT64_SIZE], int64_t version)
{
    return str_of_int64(buffer, version);
}

bool counter_is_number(const struct envelope *envelope)
{
    int64_t number;

    return envelope->models.count == 0 &&
           str_to_int64(envelope->body, INT64_MIN, INT64_MAX, &number);
}

bool counter_is_of(const struct value *head, int64_t version)
{
    struct envelope envelope;

    return head->kind == VALUE_STRING && envelope_decode(head->text, &envelope) &&
           envelope.version == version;
}

/* Made beside its place, with its life, and moved there: so there is never one that lives for ever, and whatever was
 * there goes in the same moment. */
void counter_add_put(struct pipeline *pipeline, struct str key, struct str scratch,
                     const struct envelope *envelope, struct str head, bool only_if_absent)
{
    char version[STR_INT64_SIZE];

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), scratch,
                 counter_field(version, envelope->version), envelope->body, COUNTER_HEAD, head);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), scratch, STR_INT64(envelope->life_ms));
    if (!only_if_absent) {
        PIPELINE_KEY(pipeline, EXPECT_OK, STR("RENAME"), scratch, key);
        return;
    }
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("RENAMENX"), scratch, key);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), scratch);
}

/* ---- reading ---- */

/* HMGET key <version> h, and PTTL key */
static enum err take_counter(const struct entry_look *look, const struct pipeline *pipeline,
                             int64_t now_ms, struct envelope *envelope_out, bool *is_good_out)
{
    const struct value *fields = pipeline_value(pipeline, 0);
    const struct value *life = pipeline_value(pipeline, 1);

    *envelope_out = (struct envelope){.stored_at_ms = now_ms, .content_type = STR("text/plain")};
    *is_good_out = false;
    if (fields->kind != VALUE_ARRAY || fields->count != 2 ||
        fields->items[0].kind != VALUE_STRING) /* another type by now, or of another version */
        return ERR_OK;
    if (fields->items[1].kind == VALUE_STRING)
        (void)envelope_decode(fields->items[1].text, envelope_out);
    envelope_out->body = fields->items[0].text;
    envelope_out->life_ms = life->integer > 0 ? life->integer : 0;
    *is_good_out = look->is_enabled;
    return envelope_make_tag(look->request->work.arena, envelope_out->content_type,
                             envelope_out->body, envelope_out->tag);
}

enum err counter_read(const struct entry_look *look, const struct label_key *key, int64_t now_ms,
                      struct entry_found *found_out)
{
    const struct entry_request *request = look->request;
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_READ);
    struct envelope envelope;
    char field[STR_INT64_SIZE];
    bool is_good;

    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), label_key_str(key),
                 counter_field(field, look->version), COUNTER_HEAD);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), label_key_str(key));
    enum err err = entry_run(request, pipeline);
    if (err == ERR_OK)
        err = take_counter(look, pipeline, now_ms, &envelope, &is_good);
    if (err != ERR_OK || !is_good)
        return err;
    return entry_give_hit(request->work.arena, &envelope, now_ms, envelope.life_ms, found_out);
}
