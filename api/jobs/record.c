#include "jobs/record.h"

#include "cachewarden/audit.h"
#include "jobs/jobs_private.h"
#include "jobs/pace.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum field {
    FIELD_TARGET,
    FIELD_PATTERN,
    FIELD_ONLY_COUNTS,
    FIELD_STARTER,
    FIELD_BY,
    FIELD_BY_ID,
    FIELD_CREDENTIAL,
    FIELD_PART,
    FIELD_ADDRESS,
    FIELD_REQUEST,
    FIELD_STARTED,
    FIELD_GOES_ON, /* gone: it was cancelled while Redis had no room for an end */
    /* From here on what changes. */
    FIELD_SIZE,
    FIELD_SCANNED,
    FIELD_FOUND,
    FIELD_REMOVED,
    FIELD_PROGRESS,
    FIELD_CURSOR,
    FIELD_REPLICATION_ID,
    FIELD_END, /* STATE MS REASON */
    FIELD_COUNT
};
#define FIELD_FIRST_CHANGING FIELD_SIZE

static const char *const names[FIELD_COUNT] = {
    [FIELD_TARGET] = "target",
    [FIELD_PATTERN] = "pattern",
    [FIELD_ONLY_COUNTS] = "counts",
    [FIELD_STARTER] = "starter",
    [FIELD_BY] = "by",
    [FIELD_BY_ID] = "by_id",
    [FIELD_CREDENTIAL] = "with",
    [FIELD_PART] = "part",
    [FIELD_ADDRESS] = "address",
    [FIELD_REQUEST] = "request",
    [FIELD_STARTED] = "started",
    [FIELD_GOES_ON] = "goes_on",
    [FIELD_SIZE] = "size",
    [FIELD_SCANNED] = "scanned",
    [FIELD_FOUND] = "found",
    [FIELD_REMOVED] = "removed",
    [FIELD_PROGRESS] = "progress",
    [FIELD_CURSOR] = "cursor",
    [FIELD_REPLICATION_ID] = "replication_id",
    [FIELD_END] = "end",
};

const char *job_state_name(enum job_state state)
{
    switch (state) {
    case JOB_RUNNING:
        return "running";
    case JOB_DONE:
        return "done";
    case JOB_FAILED:
        break;
    }
    return "failed";
}

/* ---- reading ---- */

void job_record_ask(struct pipeline *pipeline, struct str id)
{
    struct key key = key_job(id);
    struct str argv[2 + FIELD_COUNT] = {STR("HMGET"), key_str(&key)};

    for (int i = 0; i < FIELD_COUNT; i++)
        argv[2 + i] = str_from(names[i]);
    pipeline_add_keys(pipeline, EXPECT_ARRAY, 1, 2 + FIELD_COUNT, argv);
}

/* Cursors and replication ids use all 64 bits, and are written as if they had a sign. */
static bool take_bits(struct str text, uint64_t *bits_out)
{
    int64_t number;

    if (!str_to_int64(text, INT64_MIN, INT64_MAX, &number))
        return false;
    *bits_out = (uint64_t)number;
    return true;
}

static bool take_end(struct str text, struct job *job)
{
    struct str rest = text, state, ms;

    if (text.len == 0)
        return true;
    if (!str_split(&rest, ' ', &state) || !str_split(&rest, ' ', &ms) ||
        !str_to_int64(ms, 1, INT64_MAX, &job->finished_ms))
        return false;
    job->state = str_eq(state, STR("done")) ? JOB_DONE : JOB_FAILED;
    job->reason = rest;
    return true;
}

static bool take_numbers(const struct str text[FIELD_COUNT], struct job_record *record)
{
    struct job *job = &record->job;
    int64_t credential, part;

    if (!str_to_int64(text[FIELD_BY_ID], 0, INT64_MAX, &record->by_id) ||
        !str_to_int64(text[FIELD_CREDENTIAL], 0, CREDENTIAL_OPERATOR, &credential) ||
        !str_to_int64(text[FIELD_PART], 0, AUDIT_PARTS - 1, &part) ||
        !str_to_int64(text[FIELD_STARTED], 1, INT64_MAX, &job->started_ms) ||
        !str_to_int64(text[FIELD_SIZE], -1, INT64_MAX, &record->size) ||
        !str_to_int64(text[FIELD_SCANNED], 0, INT64_MAX, &job->scanned) ||
        !str_to_int64(text[FIELD_FOUND], 0, INT64_MAX, &job->found) ||
        !str_to_int64(text[FIELD_REMOVED], 0, INT64_MAX, &job->removed) ||
        !str_to_int64(text[FIELD_PROGRESS], 0, PACE_WHOLE, &job->progress))
        return false;
    record->credential = (enum credential_kind)credential;
    record->part = (enum audit_part)part;
    return take_bits(text[FIELD_CURSOR], &record->cursor) &&
           take_bits(text[FIELD_REPLICATION_ID], &record->replication_id) &&
           take_end(text[FIELD_END], job);
}

bool job_record_take(const struct value *reply, struct str id, struct job_record *record_out)
{
    struct str text[FIELD_COUNT];

    *record_out = (struct job_record){.job.id = id};
    if (reply->kind != VALUE_ARRAY || reply->count != FIELD_COUNT)
        return false;
    for (int i = 0; i < FIELD_COUNT; i++)
        text[i] = reply->items[i].kind == VALUE_STRING ? reply->items[i].text : STR_NONE;
    record_out->job.target = text[FIELD_TARGET];
    record_out->job.pattern = text[FIELD_PATTERN];
    record_out->job.only_counts = str_eq(text[FIELD_ONLY_COUNTS], STR("1"));
    record_out->job.starter = text[FIELD_STARTER];
    record_out->job.by = text[FIELD_BY];
    record_out->client_address = text[FIELD_ADDRESS];
    record_out->request_id = text[FIELD_REQUEST];
    if (text[FIELD_TARGET].len == 0 || !take_numbers(text, record_out))
        return false;
    record_out->is_stopped = text[FIELD_GOES_ON].len == 0;
    if (record_out->job.state == JOB_RUNNING && record_out->is_stopped) {
        record_out->job.state = JOB_FAILED;
        record_out->job.reason = STR(JOB_CANCELLED);
    }
    /* All was looked at, and the end is about to be written. */
    if (record_out->job.state == JOB_RUNNING && record_out->job.progress == PACE_WHOLE)
        record_out->job.progress--;
    return true;
}

/* ---- writing ---- */

/* Room for the numbers of a record as text. */
struct digits {
    char text[FIELD_COUNT][STR_INT64_SIZE];
};

static void put(struct digits *digits, struct str text[FIELD_COUNT], enum field field,
                int64_t number)
{
    text[field] = str_of_int64(digits->text[field], number);
}

static void put_changing(const struct job_record *record, struct digits *digits,
                         struct str text[FIELD_COUNT])
{
    put(digits, text, FIELD_SIZE, record->size);
    put(digits, text, FIELD_SCANNED, record->job.scanned);
    put(digits, text, FIELD_FOUND, record->job.found);
    put(digits, text, FIELD_REMOVED, record->job.removed);
    put(digits, text, FIELD_PROGRESS, record->job.progress);
    put(digits, text, FIELD_CURSOR, (int64_t)record->cursor);
    put(digits, text, FIELD_REPLICATION_ID, (int64_t)record->replication_id);
}

/* A record that Redis lost meanwhile is not left there for ever. */
static void add_expiry(struct pipeline *pipeline, struct str id)
{
    struct key key = key_job(id);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("EXPIRE"), key_str(&key), STR_INT64(JOB_KEPT_S));
}

/* HSET of the fields from `first` on but for the end, and EXPIRE. */
static void add_fields(struct pipeline *pipeline, struct str id, enum field first,
                       const struct str text[FIELD_COUNT])
{
    struct key key = key_job(id);
    struct str argv[2 + 2 * FIELD_COUNT] = {STR("HSET"), key_str(&key)};
    size_t argc = 2;

    for (int i = (int)first; i < FIELD_END; i++) {
        argv[argc++] = str_from(names[i]);
        argv[argc++] = text[i];
    }
    pipeline_add_keys(pipeline, EXPECT_INTEGER, 1, argc, argv);
    add_expiry(pipeline, id);
}

void job_record_add(struct pipeline *pipeline, const struct job_record *record)
{
    struct str text[FIELD_COUNT] = {
        [FIELD_TARGET] = record->job.target,
        [FIELD_PATTERN] = record->job.pattern,
        [FIELD_ONLY_COUNTS] = record->job.only_counts ? STR("1") : STR("0"),
        [FIELD_STARTER] = record->job.starter,
        [FIELD_BY] = record->job.by,
        [FIELD_ADDRESS] = record->client_address,
        [FIELD_REQUEST] = record->request_id,
        [FIELD_GOES_ON] = STR("1"),
    };
    struct digits digits;

    put(&digits, text, FIELD_BY_ID, record->by_id);
    put(&digits, text, FIELD_CREDENTIAL, record->credential);
    put(&digits, text, FIELD_PART, record->part);
    put(&digits, text, FIELD_STARTED, record->job.started_ms);
    put_changing(record, &digits, text);
    add_fields(pipeline, record->job.id, FIELD_TARGET, text);
}

void job_record_save(struct pipeline *pipeline, const struct job_record *record)
{
    struct str text[FIELD_COUNT] = {{0}};
    struct digits digits;

    put_changing(record, &digits, text);
    add_fields(pipeline, record->job.id, FIELD_FIRST_CHANGING, text);
}

static void add_end(struct pipeline *pipeline, struct str command, struct str id,
                    enum job_state state, int64_t wall_ms, struct str reason)
{
    struct key key = key_job(id);
    char end[192]; /* reasons are fixed texts, or of the size of struct error */

    assert(state != JOB_RUNNING);
    snprintf(end, sizeof end, "%s %" PRId64 " %.*s", job_state_name(state), wall_ms,
             STR_ARG(str_sub(reason, 0, 128)));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, command, key_str(&key), str_from(names[FIELD_END]),
                 str_from(end));
}

void job_record_end(struct pipeline *pipeline, struct str id, enum job_state state, int64_t wall_ms,
                    struct str reason)
{
    add_end(pipeline, STR("HSETNX"), id, state, wall_ms, reason);
    add_expiry(pipeline, id);
    job_record_ask(pipeline, id);
}

void job_record_end_anyway(struct pipeline *pipeline, struct str id, enum job_state state,
                           int64_t wall_ms, struct str reason)
{
    add_end(pipeline, STR("HSET"), id, state, wall_ms, reason);
}

void job_record_stop(struct pipeline *pipeline, struct str id)
{
    struct key key = key_job(id);

    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("HDEL"), key_str(&key),
                 str_from(names[FIELD_GOES_ON]));
    job_record_ask(pipeline, id);
}
