#include "audit/store.h"

#include "cachewarden/pipeline.h"
#include "keyspace.h"

#include <inttypes.h>
#include <stdio.h>

/* Below it, a length is kept to the record: whoever asks for few means that number. */
enum { EXACT_BELOW = 1000 };

/* "~" lets Redis trim whole nodes of its tree, which costs nothing: some more than `keep` stay. */
static void add_record(struct pipeline *pipeline, const struct audit_entry *entry, int64_t keep)
{
    char text[24];
    struct key stream = key_audit(entry->part);
    struct str length = {text, (size_t)snprintf(text, sizeof text, "%" PRId64, keep)};

    PIPELINE_ADD(pipeline, EXPECT_STRING, STR("XADD"), key_str(&stream), STR("MAXLEN"),
                 keep < EXACT_BELOW ? STR("=") : STR("~"), length, STR("*"), AUDIT_PACKED,
                 entry->packed);
}

static void add_last_flush(struct pipeline *pipeline, const struct audit_entry *entry)
{
    struct key key = key_last_flush(entry->fields[AUDIT_TARGET]);

    PIPELINE_ADD(pipeline, EXPECT_INTEGER, STR("HSET"), key_str(&key), STR("by"),
                 entry->fields[AUDIT_PRINCIPAL], STR("at"), entry->fields[AUDIT_TIME],
                 STR("removed"), entry->fields[AUDIT_COUNT]);
}

enum err audit_store(struct pool *pool, struct arena *arena, struct audit_entry *const *entries,
                     size_t count, const int64_t keep[AUDIT_PARTS], int64_t deadline_ns,
                     bool *saved_out, struct error *error)
{
    struct pipeline *pipeline = pipeline_new(arena, PIPELINE_WRITE);

    /* Records first, so that reply i belongs to record i. */
    for (size_t i = 0; i < count; i++)
        add_record(pipeline, entries[i], keep[entries[i]->part]);
    for (size_t i = 0; i < count; i++) {
        if (entries[i]->is_flush && key_is_cache_name(entries[i]->fields[AUDIT_TARGET]))
            add_last_flush(pipeline, entries[i]);
    }
    enum err err = pipeline_run(pool, pipeline, deadline_ns, error);
    for (size_t i = 0; i < count; i++)
        saved_out[i] = err == ERR_OK || pipeline_value(pipeline, i)->kind == VALUE_STRING;
    return err;
}
