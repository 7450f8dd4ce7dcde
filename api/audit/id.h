/*
 * Ids of records. Redis numbers the entries of each stream by itself, as <milliseconds>-<sequence>, so
 * that two parts may have the same id. What callers see has the part in its lowest digit, to base 4:
 * no two records have the same id, and ids rise with time over all parts. Pure.
 */
#ifndef API_AUDIT_ID_H
#define API_AUDIT_ID_H

#include "cachewarden/app.h"
#include "cachewarden/audit.h"

struct audit_id {
    int64_t time_ms, sequence;
};

/* Parses "<milliseconds>-<sequence>". */
bool audit_id_read(struct str text, struct audit_id *id_out);
/* {NULL,0} when memory is out. */
struct str audit_id_write(struct arena *arena, struct audit_id id);

/* The id to show for an entry of a part's stream. False: out of range, no entry of ours. */
bool audit_id_of_entry(struct str entry, enum audit_part part, struct audit_id *id_out);

/* Where XREVRANGE begins in a part's stream, for the records older than `id`. {NULL,0}: no memory. */
struct str audit_id_end(struct arena *arena, struct audit_id id, enum audit_part part);

bool audit_id_is_older(struct audit_id a, struct audit_id b);

#endif
