#include "entries/counter.h"

#include "cachewarden/random.h"

static struct str name_field(char bytes[STR_INT64_SIZE + 1], char kind, int64_t version)
{
    bytes[0] = kind;
    return (struct str){bytes, 1 + str_of_int64(bytes + 1, version).len};
}

void counter_name_fields(struct counter_fields *fields_out, int64_t version)
{
    fields_out->head = name_field(fields_out->bytes[0], 'h', version);
    fields_out->life = name_field(fields_out->bytes[1], 't', version);
    fields_out->number = str_of_int64(fields_out->bytes[2], version);
}

/* 0: it is no field of ours. */
static int64_t version_of(struct str field)
{
    int64_t version = 0;

    if (field.len > 0 && (field.ptr[0] == 'h' || field.ptr[0] == 't'))
        field = str_sub(field, 1, field.len);
    return str_to_int64(field, 1, INT64_MAX, &version) ? version : 0;
}

static bool is_number(struct str text)
{
    int64_t number;

    return str_to_int64(text, INT64_MIN, INT64_MAX, &number);
}

bool counter_is_number(const struct envelope *envelope)
{
    return envelope->models.count == 0 && is_number(envelope->body);
}

void counter_make_tag(struct envelope *envelope)
{
    random_bytes(envelope->tag, sizeof envelope->tag);
}

/* ---- what HGETALL answered: names and values by turns ---- */

struct str counter_find(const struct value *all, struct str field)
{
    for (size_t i = 0; all->kind == VALUE_ARRAY && i + 1 < all->count; i += 2)
        if (str_eq(all->items[i].text, field))
            return all->items[i + 1].text;
    return STR_NONE;
}

static struct str find_number(const struct value *all, int64_t version)
{
    struct counter_fields fields;

    counter_name_fields(&fields, version);
    return counter_find(all, fields.number);
}

bool counter_counts(const struct value *all, int64_t version)
{
    return is_number(find_number(all, version));
}

bool counter_is_damaged(const struct value *all, int64_t version)
{
    struct str number = find_number(all, version);

    return number.ptr && !is_number(number);
}

bool counter_add_drop(struct pipeline *pipeline, struct str key, const struct value *all,
                      int64_t version)
{
    enum { DROPS_MAX = 64 }; /* what is left goes the next time */
    struct str argv[2 + DROPS_MAX] = {STR("HDEL"), key};
    struct counter_fields fields;
    size_t argc = 2;
    bool counts = counter_counts(all, version);

    counter_name_fields(&fields, version);
    for (size_t i = 0; all->kind == VALUE_ARRAY && i < all->count && argc < 2 + DROPS_MAX; i += 2) {
        struct str field = all->items[i].text;
        if (version_of(field) < version || (!counts && str_eq(field, fields.life)))
            argv[argc++] = field;
    }
    if (argc > 2)
        pipeline_add_keys(pipeline, EXPECT_UNJUDGED, 1, argc, argv);
    return argc > 2;
}

/* ---- putting ---- */

/* The commands of a counter that may be put only where nothing is: it is made beside its place, with its life. */
enum { MADE, MADE_LIFE, MOVED };

size_t counter_add_put(struct pipeline *pipeline, struct str key, struct str scratch,
                       const struct envelope *envelope, struct str head, bool only_if_absent)
{
    struct str made = only_if_absent ? scratch : key;
    struct counter_fields fields;

    counter_name_fields(&fields, envelope->version);
    size_t first = pipeline_count(pipeline);
    if (!only_if_absent)
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("UNLINK"), key);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HSET"), made, fields.number, envelope->body,
                 fields.head, head, fields.life, STR("1"));
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("PEXPIRE"), made, STR_INT64(envelope->life_ms));
    if (only_if_absent) {
        PIPELINE_KEYS(pipeline, EXPECT_UNJUDGED, 2, STR("RENAMENX"), scratch, key);
        PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("UNLINK"), scratch);
    }
    return first;
}

bool counter_was_put(const struct pipeline *pipeline, size_t first)
{
    return pipeline_value(pipeline, first + MOVED)->integer == 1;
}

/* ---- reading ---- */

/* HMGET key <version> h<version>, and PTTL key */
static enum err take_counter(const struct entry_look *look, const struct pipeline *pipeline,
                             int64_t now_ms, struct envelope *envelope_out, bool *is_good_out)
{
    const struct value *fields = pipeline_value(pipeline, 0);
    const struct value *life = pipeline_value(pipeline, 1);
    enum err err;

    *envelope_out = (struct envelope){.stored_at_ms = now_ms, .content_type = STR("text/plain")};
    *is_good_out = false;
    if (entry_is_other_type(fields, look->request->work.error, &err) || err != ERR_OK)
        return err;
    if (fields->kind != VALUE_ARRAY || fields->count != 2 ||
        fields->items[0].kind != VALUE_STRING || !is_number(fields->items[0].text))
        /* gone by now, or of another version, or damaged */
        return ERR_OK;
    if (fields->items[1].kind == VALUE_STRING)
        (void)envelope_decode(fields->items[1].text, envelope_out);
    envelope_out->body = fields->items[0].text;
    envelope_out->life_ms = life->integer > 0 ? life->integer : 0;
    *is_good_out = look->is_enabled;
    return envelope_make_tag(envelope_out->content_type, envelope_out->body, envelope_out->tag);
}

enum err counter_read(const struct entry_look *look, const struct label_key *key, int64_t now_ms,
                      struct entry_found *found_out)
{
    const struct entry_request *request = look->request;
    struct pipeline *pipeline = entry_pipeline(request, PIPELINE_READ);
    struct counter_fields fields;
    struct envelope envelope;
    bool is_good;

    counter_name_fields(&fields, look->version);
    PIPELINE_KEY(pipeline, EXPECT_UNJUDGED, STR("HMGET"), label_key_str(key), fields.number,
                 fields.head);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PTTL"), label_key_str(key));
    enum err err = entry_run(request, pipeline);
    if (err == ERR_OK)
        err = take_counter(look, pipeline, now_ms, &envelope, &is_good);
    if (err != ERR_OK || !is_good)
        return err;
    return entry_give_hit(request->work.arena, &envelope, now_ms, envelope.life_ms, found_out);
}
