/* A look: what lies under a key, and whether it is good. */
#include "cachewarden/clock.h"
#include "gateway/looking.h"

/* Names of what Vary names were wrong, the memory was, tags were not asked for. */
enum { TRIES_MAX = 6 };

/* Something is good in memory only while it is in Redis. */
static enum err end_as_miss(struct looking *looking)
{
    if (looking->held)
        memory_forget(looking->store->memory, &looking->look->entry, looking->held);
    looking->is_over = true;
    return ERR_OK;
}

static enum err give(struct looking *looking, struct stored_copy *copy, bool is_outdated)
{
    struct gateway_look *look = looking->look;

    if (!copy)
        return ERR_NO_MEMORY;
    /* One that somebody has set by hand may be too large for that. */
    if (look->tags.any < INT64_MAX / 2)
        atomic_store_explicit(&copy->verified, look->tags.any * 2 + is_outdated,
                              memory_order_relaxed);
    look->copy = copy;
    look->stored = &copy->response;
    look->has_body = copy->has_body;
    look->body_length = copy->body_length;
    look->is_outdated = is_outdated;
    looking->is_over = true;
    return ERR_OK;
}

static enum tags_verdict judge_tags(const struct looking *looking,
                                    const struct stored_response *response,
                                    const struct stored_numbers *numbers)
{
    const struct tag_look *now = &looking->look->tags;
    int64_t verified =
        looking->held ? atomic_load_explicit(&looking->held->verified, memory_order_relaxed) : -1;

    if (verified >= 0 && verified / 2 == now->any && numbers->base == now->base && now->base != 0)
        return verified % 2 ? TAGS_OUTDATED : TAGS_CURRENT;
    return tags_judge(response, numbers, now);
}

static enum err judge_response(struct looking *looking, const struct record *record,
                               const struct stored_response *response,
                               const struct stored_numbers *numbers, bool has_body)
{
    enum tags_verdict verdict = judge_tags(looking, response, numbers);
    struct gateway_look *look = looking->look;

    switch (verdict) {
    case TAGS_MOVED:
        return end_as_miss(looking);
    case TAGS_UNKNOWN:
        looking->tags = response->tags;
        looking->tag_count = response->tag_count;
        looking->has_all_tags = true;
        return ERR_OK;
    case TAGS_OUTDATED:
    case TAGS_CURRENT:
        break;
    }
    if (looking->held)
        return give(looking, stored_copy_hold(looking->held), verdict == TAGS_OUTDATED);
    struct stored_copy *copy =
        stored_copy_new(response, numbers, has_body, record->body_length, NULL);
    if (copy && has_body)
        memory_put(looking->store->memory, &look->entry, copy);
    return give(looking, copy, verdict == TAGS_OUTDATED);
}

static enum err judge_response_record(struct looking *looking, const struct stored_record *found,
                                      const struct record *record)
{
    struct stored_response response;
    struct stored_numbers numbers;

    if (record->version != looking->look->numbers_version)
        return end_as_miss(looking);
    if (looking->held && memcmp(looking->held->response.id, record->id, sizeof record->id) == 0)
        return judge_response(looking, record, &looking->held->response, &looking->held->numbers,
                              true);
    if (looking->held) { /* it was replaced, and only its start came */
        memory_forget(looking->store->memory, &looking->look->entry, looking->held);
        enum err err = looking_let_go(looking);
        return err == ERR_OK ? looking_choose_tags(looking) : err;
    }
    if (!record_decode_head(found->head, record, looking->work.arena, &response, &numbers))
        return end_as_miss(looking);
    bool has_body = store_record_body(found, record->body_length, &response.body);
    if (!has_body && record->body_length <= RECORD_BODY_SHORT)
        return end_as_miss(looking);
    return judge_response(looking, record, &response, &numbers, has_body);
}

/* Whether the last drop of the path is the one that its fill has seen. */
static bool is_behind_drop(const struct looking *looking, const struct record *record)
{
    return memcmp(record->drop, looking->look->drop, sizeof record->drop) == 0;
}

static enum err judge_entry(struct looking *looking, const struct stored_record *found)
{
    struct gateway_look *look = looking->look;
    struct record record;

    memset(look->seen, 0, sizeof look->seen);
    if (!record_decode(found->start, &record) || record.kind != RECORD_RESPONSE ||
        !gateway_digest_eq(&record.digest, &look->entry))
        return end_as_miss(looking);
    memcpy(look->seen, record.id, sizeof look->seen);
    if (!is_behind_drop(looking, &record) ||
        memcmp(record.stamp, look->stamp, sizeof record.stamp) != 0)
        return end_as_miss(looking);
    return judge_response_record(looking, found, &record);
}

/* A list of variants lies under the path. */
static enum err judge_variants(struct looking *looking, const struct record *list)
{
    struct gateway_look *look = looking->look;
    struct stored_record found;

    look->has_variants = true;
    memcpy(look->stamp, list->stamp, sizeof look->stamp);
    if (!looking->is_varied || !str_eq(look->names, list->names)) {
        struct stored_copy *note =
            stored_copy_new_note(list->names, looking->tags, looking->tag_count);
        if (note)
            memory_put(looking->store->memory, &look->path, note);
        stored_copy_release(&note);
        return looking_at_variant(looking, list->names);
    }
    look->list_left_ms = looking_path_left_ms(looking);
    enum err err = looking_take(looking, 1, &found);
    return err == ERR_OK ? judge_entry(looking, &found) : err;
}

static enum err judge(struct looking *looking)
{
    struct gateway_look *look = looking->look;
    struct stored_record found;
    struct record record;
    enum err err = looking_take(looking, 0, &found);

    if (err != ERR_OK)
        return err;
    look->is_foreign = found.is_foreign;
    memcpy(look->drop, found.drop, sizeof look->drop);
    look->has_variants = false;
    memset(look->stamp, 0, sizeof look->stamp);
    if (!look->is_enabled) {
        looking->is_over = true;
        return ERR_OK;
    }
    if (!record_decode(found.start, &record) || !gateway_digest_eq(&record.digest, &look->path) ||
        !is_behind_drop(looking, &record)) {
        look->names = STR_NONE;
        return end_as_miss(looking);
    }
    if (record.kind == RECORD_VARIANTS)
        return judge_variants(looking, &record);
    if (!looking->is_varied)
        return judge_entry(looking, &found);
    if (look->hint)
        memory_forget(looking->store->memory, &look->path, look->hint);
    return looking_at_path(looking);
}

enum err gateway_store_look(struct gateway_store *store, const struct gateway_key *key,
                            struct work work, struct gateway_look *look_out)
{
    struct looking looking = {.store = store,
                              .key = key,
                              .work = work,
                              .look = look_out,
                              .space = gateway_key_space(key)};

    *look_out = (struct gateway_look){.looked_ns = clock_mono_ns()};
    enum err err = looking_begin(&looking);
    /* What changes each time is a miss. */
    for (int i = 0; err == ERR_OK && !looking.is_over && i < TRIES_MAX; i++) {
        err = looking_ask(&looking);
        if (err == ERR_OK)
            err = judge(&looking);
    }
    if (err == ERR_OK && !look_out->copy)
        err = looking_let_go(&looking);
    stored_copy_release(&looking.held);
    if (err != ERR_OK)
        gateway_look_release(look_out);
    return err;
}

void gateway_look_release(struct gateway_look *look)
{
    look->stored = NULL;
    stored_copy_release(&look->copy);
    stored_copy_release(&look->hint);
}
