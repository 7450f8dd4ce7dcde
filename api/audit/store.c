#include "audit/store.h"

#include "cachewarden/pipeline.h"
#include "keyspace.h"

/* Below it, a length is kept to the record: whoever asks for few means that number. */
enum { EXACT_BELOW = 1000 };

static void add_record(struct pipeline *pipeline, const struct audit_entry *entry)
{
    struct key stream = key_audit(entry->part);

    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("XADD"), key_str(&stream), STR("*"), AUDIT_PACKED,
                 entry->packed);
}

/* "~" lets Redis trim whole nodes of its tree, which costs nothing: some more than `keep` stay. */
static void add_record_and_trim(struct pipeline *pipeline, const struct audit_entry *entry,
                                int64_t keep)
{
    struct key stream = key_audit(entry->part);

    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("XADD"), key_str(&stream), STR("MAXLEN"),
                 keep < EXACT_BELOW ? STR("=") : STR("~"), STR_INT64(keep), STR("*"), AUDIT_PACKED,
                 entry->packed);
}

/* Each part is trimmed once. */
static void add_records(struct pipeline *pipeline, struct audit_entry *const *entries, size_t count,
                        const int64_t keep[AUDIT_PARTS])
{
    size_t last[AUDIT_PARTS] = {0};

    for (size_t i = 0; i < count; i++)
        last[entries[i]->part] = i;
    for (size_t i = 0; i < count; i++) {
        if (last[entries[i]->part] == i)
            add_record_and_trim(pipeline, entries[i], keep[entries[i]->part]);
        else
            add_record(pipeline, entries[i]);
    }
}

static void add_last_flush(struct pipeline *pipeline, const struct audit_entry *entry)
{
    struct str fields[AUDIT_FIELD_COUNT];

    audit_unpack(entry->packed, fields);
    if (!key_is_cache_name(fields[AUDIT_TARGET]))
        return;
    struct key key = key_last_flush(fields[AUDIT_TARGET]);
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("by"),
                 fields[AUDIT_PRINCIPAL], STR("at"), fields[AUDIT_TIME], STR("removed"),
                 fields[AUDIT_COUNT]);
}

enum err audit_store(struct redis *redis, struct work work, struct audit_entry *const *entries,
                     size_t count, const int64_t keep[AUDIT_PARTS], bool *saved_out)
{
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_WRITE);

    /* Records first, so that reply i belongs to record i. */
    add_records(pipeline, entries, count, keep);
    for (size_t i = 0; i < count; i++) {
        if (entries[i]->is_flush)
            add_last_flush(pipeline, entries[i]);
    }
    enum err err = redis_run(redis, pipeline, work);
    for (size_t i = 0; i < count; i++)
        saved_out[i] = err == ERR_OK || pipeline_value(pipeline, i)->kind == VALUE_STRING;
    return err;
}
