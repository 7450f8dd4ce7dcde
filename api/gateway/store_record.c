/* What lies under one key: how it is read, written, and dropped. */
#include "cachewarden/random.h"
#include "entries/look.h"
#include "gateway/store_private.h"

/* ---- reading ---- */

enum { FIELDS = 5, HAS_DROP = 0, HAS_START, HAS_HEAD, HAS_BODY, HAS_LONG_BODY };

void store_record_ask(struct pipeline *pipeline, const struct namespace *space,
                      const struct gateway_digest *digest, enum store_part part)
{
    struct key key = key_response(space, digest->bytes);
    const struct str argv[2 + FIELDS] = {
        STR("HMGET"),      key_str(&key),     RECORD_FIELD_DROP,     RECORD_FIELD_START,
        RECORD_FIELD_HEAD, RECORD_FIELD_BODY, RECORD_FIELD_LONG_BODY};

    pipeline_add_keys(pipeline, EXPECT_UNJUDGED, 1, 2 + (size_t)part, argv);
}

static struct str text_of(const struct value *reply, size_t field)
{
    return field < reply->count && reply->items[field].kind == VALUE_STRING
               ? reply->items[field].text
               : STR_NONE;
}

static bool take_drop(const struct value *reply, unsigned char drop_out[STORED_STAMP_SIZE])
{
    struct str drop = text_of(reply, HAS_DROP);

    if (drop.len == STORED_STAMP_SIZE)
        memcpy(drop_out, drop.ptr, STORED_STAMP_SIZE);
    return drop.len == STORED_STAMP_SIZE || !drop.ptr;
}

enum err store_record_take(const struct value *reply, struct error *error,
                           struct stored_record *record_out)
{
    enum err err = ERR_OK;

    *record_out = (struct stored_record){.is_foreign = entry_is_other_type(reply, error, &err)};
    if (err != ERR_OK || record_out->is_foreign)
        return err;
    record_out->is_foreign = reply->kind != VALUE_ARRAY || !take_drop(reply, record_out->drop);
    if (record_out->is_foreign)
        return ERR_OK;
    record_out->start = text_of(reply, HAS_START);
    record_out->head = text_of(reply, HAS_HEAD);
    record_out->body = text_of(reply, HAS_BODY);
    record_out->long_body = text_of(reply, HAS_LONG_BODY);
    return ERR_OK;
}

bool store_record_body(const struct stored_record *record, uint64_t length, struct str *body_out)
{
    *body_out = length <= RECORD_BODY_SHORT ? record->body : record->long_body;
    return body_out->ptr && body_out->len == length;
}

/* ---- writing: in one step, between pipeline_begin_transaction and _end_ ---- */

void store_record_set_life(struct pipeline *pipeline, const struct key *key, int64_t life_ms)
{
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("PEXPIRE"), key_str(key), STR_INT64(life_ms));
}

void store_record_clear(struct pipeline *pipeline, const struct key *key)
{
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HDEL"), key_str(key), RECORD_FIELD_START,
                 RECORD_FIELD_HEAD, RECORD_FIELD_BODY, RECORD_FIELD_LONG_BODY);
}

void store_record_put_response(struct pipeline *pipeline, const struct key *key, struct str start,
                               struct str head, struct str body)
{
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(key), RECORD_FIELD_START, start,
                 RECORD_FIELD_HEAD, head,
                 body.len <= RECORD_BODY_SHORT ? RECORD_FIELD_BODY : RECORD_FIELD_LONG_BODY, body);
}

void store_record_put_variants(struct pipeline *pipeline, const struct key *key, struct str start)
{
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(key), RECORD_FIELD_START, start);
}

/* Each drop has a stamp of its own. Whatever lies there goes, also what is none of ours. */
void store_record_drop(struct pipeline *pipeline, const struct key *key, bool is_stamped)
{
    unsigned char stamp[STORED_STAMP_SIZE];

    pipeline_begin_transaction(pipeline);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("UNLINK"), key_str(key));
    if (is_stamped) {
        random_bytes(stamp, sizeof stamp);
        PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(key), RECORD_FIELD_DROP,
                     (struct str){(const char *)stamp, sizeof stamp});
        store_record_set_life(pipeline, key, STORE_LIFE_MIN_MS);
    }
    pipeline_end_transaction(pipeline);
}
