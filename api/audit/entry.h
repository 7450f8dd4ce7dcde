/*
 * One record on its way to the stream: its fields as one text, in one piece of memory. Made by the
 * thread of the request, owned by the queue, freed by the thread that writes.
 */
#ifndef API_AUDIT_ENTRY_H
#define API_AUDIT_ENTRY_H

#include "cachewarden/app.h"
#include "cachewarden/audit.h"
#include "cachewarden/audit_search.h"

const char *audit_field_name(enum audit_field field);
const char *audit_part_name(enum audit_part part);

struct audit_entry {
    struct audit_entry *next;
    enum audit_part part;
    bool is_flush;
    bool is_logged;    /* it is in the log already, wherever else it may get */
    int64_t queued_ns; /* when it began to wait */
    struct str packed; /* as it is kept: the fields in their order, tabs between them */
    char bytes[];      /* what `packed` points to */
};

/* The name of the only field that an entry of the stream has. */
#define AUDIT_PACKED STR("record")
/* Takes a packed record apart, into what it points to; what is missing is empty. */
void audit_unpack(struct str packed, struct str fields_out[AUDIT_FIELD_COUNT]);

/* Copies the record, stamped with the time; NULL when memory is out. Freed with free(). */
struct audit_entry *audit_entry_new(const struct audit_record *record, struct str node_name);

/* Writes the whole record to the log, with why it is not in the stream, or not yet; once. */
void audit_entry_log(struct audit_entry *entry, const char *reason);

#endif
