#include "audit/entry.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdlib.h>

/* No field of ours comes near it; a request id or address that does is cut, not trusted. */
enum { FIELD_LIMIT = 256 };

const char *audit_field_name(enum audit_field field)
{
    static const char *const names[AUDIT_FIELD_COUNT] = {
        [AUDIT_TIME] = "time",
        [AUDIT_PRINCIPAL] = "principal",
        [AUDIT_PRINCIPAL_ID] = "principal_id",
        [AUDIT_CREDENTIAL] = "credential",
        [AUDIT_ADDRESS] = "address",
        [AUDIT_ROUTE] = "route",
        [AUDIT_TARGET] = "target",
        [AUDIT_RESULT] = "result",
        [AUDIT_COUNT] = "count",
        [AUDIT_REQUEST_ID] = "request_id",
        [AUDIT_NODE] = "node",
    };

    return names[field];
}

const char *audit_part_name(enum audit_part part)
{
    static const char *const names[AUDIT_PARTS] = {
        [AUDIT_CHANGES] = "changes",
        [AUDIT_CLEARS] = "clears",
        [AUDIT_SIGN_INS] = "sign_ins",
    };

    return names[part];
}

/* Whether one of eight bytes is a control character: bytes below 0x80 borrow when 0x20 is taken from them. */
static bool has_control(const char bytes[8])
{
    const uint64_t each = UINT64_MAX / 255;
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return ((word - each * ' ') & ~word & (each * 0x80)) != 0;
}

/* Eight bytes at a time, the last of them once more. */
static bool is_line(struct str field)
{
    const size_t word = 8;

    if (field.len < word) {
        for (size_t i = 0; i < field.len; i++) {
            if ((unsigned char)field.ptr[i] < ' ')
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < field.len - word; i += word) {
        if (has_control(field.ptr + i))
            return false;
    }
    return !has_control(field.ptr + field.len - word);
}

/* Nothing of ours has control characters; one that a client brought along must not end a field. */
static void copy_line(char *to, struct str field)
{
    if (field.len > 0)
        memcpy(to, field.ptr, field.len);
    if (is_line(field))
        return;
    for (size_t i = 0; i < field.len; i++) {
        if ((unsigned char)to[i] < ' ')
            to[i] = ' ';
    }
}

void audit_unpack(struct str packed, struct str fields_out[AUDIT_FIELD_COUNT])
{
    struct str rest = packed;

    for (size_t i = 0; i < AUDIT_FIELD_COUNT; i++) {
        if (!str_split(&rest, '\t', &fields_out[i])) {
            fields_out[i] = rest;
            rest = STR_NONE;
        }
    }
}

struct audit_entry *audit_entry_new(const struct audit_record *record, struct str node_name)
{
    char time[CLOCK_RFC3339_SIZE], principal_id[STR_INT64_SIZE], count[STR_INT64_SIZE];
    const struct str fields[AUDIT_FIELD_COUNT] = {
        [AUDIT_TIME] = clock_rfc3339(clock_wall_ms(), time),
        [AUDIT_PRINCIPAL] = record->principal->name,
        [AUDIT_PRINCIPAL_ID] = str_of_int64(principal_id, record->principal->user_id),
        [AUDIT_CREDENTIAL] = str_from(credential_name(record->principal->credential)),
        [AUDIT_ADDRESS] = record->client_address,
        [AUDIT_ROUTE] = str_from(record->route),
        [AUDIT_TARGET] = record->target,
        [AUDIT_RESULT] = str_from(record->result),
        [AUDIT_COUNT] = record->count < 0 ? STR_NONE : str_of_int64(count, record->count),
        [AUDIT_REQUEST_ID] = record->request_id,
        [AUDIT_NODE] = node_name,
    };
    size_t size = AUDIT_FIELD_COUNT;

    for (size_t i = 0; i < AUDIT_FIELD_COUNT; i++)
        size += fields[i].len < FIELD_LIMIT ? fields[i].len : FIELD_LIMIT;
    struct audit_entry *entry = malloc(sizeof *entry + size);
    if (!entry)
        return NULL;

    entry->next = NULL;
    entry->part = record->part;
    entry->is_flush = record->is_flush;
    entry->is_logged = false;
    entry->queued_ns = clock_mono_ns();
    char *at = entry->bytes;
    for (size_t i = 0; i < AUDIT_FIELD_COUNT; i++) {
        struct str field = str_sub(fields[i], 0, FIELD_LIMIT);
        copy_line(at, field);
        at += field.len;
        *at++ = '\t';
    }
    entry->packed = (struct str){entry->bytes, (size_t)(at - entry->bytes) - 1};
    return entry;
}

void audit_entry_log(struct audit_entry *entry, const char *reason)
{
    struct log_field fields[AUDIT_FIELD_COUNT + 1] = {LOG_CSTR("reason", reason)};
    struct str texts[AUDIT_FIELD_COUNT];
    size_t count = 1;

    if (entry->is_logged)
        return;
    entry->is_logged = true;
    audit_unpack(entry->packed, texts);
    for (int i = 0; i < AUDIT_FIELD_COUNT; i++) {
        /* "time" is the log line's own. */
        const char *name = i == AUDIT_TIME ? "recorded_at" : audit_field_name((enum audit_field)i);
        if (i != AUDIT_COUNT || texts[i].len > 0)
            fields[count++] = LOG_STR(name, texts[i]);
    }
    /* An error, whatever the reason: a log level that hides warnings must not hide a record. */
    log_write(LOG_LEVEL_ERROR, "audit.unsaved", fields, count);
}
