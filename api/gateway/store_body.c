/* The body of what a look has found. */
#include "entries/service.h"
#include "gateway/store_private.h"

/* The same id is the same response, whatever was cleared meanwhile: the look has said that it is good. */
static struct stored_copy *take_whole(const struct gateway_look *look, struct arena *arena,
                                      const struct stored_record *found)
{
    struct stored_response response;
    struct stored_numbers numbers;
    struct record record;

    if (!record_decode(found->start, &record) || record.kind != RECORD_RESPONSE ||
        memcmp(record.id, look->stored->id, sizeof record.id) != 0 ||
        !record_decode_head(found->head, &record, arena, &response, &numbers) ||
        !store_record_body(found, record.body_length, &response.body))
        return NULL;
    return stored_copy_new(&response, &numbers, true, record.body_length, NULL);
}

enum err gateway_store_body(struct gateway_store *store, const struct gateway_key *key,
                            struct gateway_look *look, struct work work)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);
    const struct namespace space = gateway_key_space(key);
    struct stored_record found;

    if (look->has_body)
        return ERR_OK;
    store_record_ask(pipeline, &space, &look->entry, STORE_WHOLE);
    struct key lies_at = key_response(&space, look->entry.bytes);
    pipeline_note_stored(pipeline, key_str(&lies_at));
    enum err err = redis_run(entries_redis(store->app->entries), pipeline, work);
    if (err == ERR_OK)
        err = store_record_take(pipeline_value(pipeline, 0), work.error, &found);
    if (err != ERR_OK)
        return err;
    struct stored_copy *whole = take_whole(look, work.arena, &found);
    if (!whole)
        return error_set_detail(work.error, ERR_NOT_FOUND,
                                "what was stored is gone, or another one now");
    atomic_store_explicit(&whole->verified,
                          atomic_load_explicit(&look->copy->verified, memory_order_relaxed),
                          memory_order_relaxed);
    memory_put(store->memory, &look->entry, whole);
    stored_copy_release(&look->copy);
    look->copy = whole;
    look->stored = &whole->response;
    look->has_body = true;
    return ERR_OK;
}
