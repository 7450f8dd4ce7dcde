/* A job as Redis keeps it: a hash. */
#ifndef API_JOBS_RECORD_H
#define API_JOBS_RECORD_H

#include "cachewarden/audit.h"
#include "cachewarden/jobs.h"
#include "cachewarden/pipeline.h"

struct job_record {
    struct job job;
    /* Where it is: SCAN's cursor, of this Redis (pipeline_replication_id). In another Redis, or one that was started
     * anew, keys stand in another order, and a cursor of before means nothing. */
    uint64_t cursor, replication_id;
    bool is_stopped; /* who cancelled it while Redis had no room for an end has told so */
    int64_t size;    /* keys of the database when it began; -1: not asked yet */
    /* Who started it. */
    int64_t by_id;
    enum credential_kind credential;
    enum audit_part part;
    struct str client_address, request_id;
};

/* Adds the reading of one record. */
void job_record_ask(struct pipeline *pipeline, struct str id);
/* Of the reply; strings stay where they are. False: there is none that is whole. */
bool job_record_take(const struct value *reply, struct str id, struct job_record *record_out);

/* Adds two commands: all of a new record, and that it expires. */
void job_record_add(struct pipeline *pipeline, const struct job_record *record);
/* The same for how far it is. */
void job_record_save(struct pipeline *pipeline, const struct job_record *record);
/* Adds three commands: 1 if the job had not ended yet; that what is left of a record which was lost expires; and the
 * reading of it. */
void job_record_end(struct pipeline *pipeline, struct str id, enum job_state state, int64_t wall_ms,
                    struct str reason);
enum { JOB_END_RECORD = 2 };
/* Adds one command: it has ended so, whatever stands there. */
void job_record_end_anyway(struct pipeline *pipeline, struct str id, enum job_state state,
                           int64_t wall_ms, struct str reason);
/* Adds two commands that need no room in Redis: 1 if the job was not stopped before, and the record. */
void job_record_stop(struct pipeline *pipeline, struct str id);

#endif
