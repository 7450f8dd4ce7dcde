/*
 * What the cache service did, for GET /metrics, by the kind of namespace. Every request of it counts, so threads
 * do not share a line of the processor's cache: each has one of a few shards, and a reader adds them up.
 */
#ifndef API_ENTRIES_COUNTS_H
#define API_ENTRIES_COUNTS_H

#include "cachewarden/entries.h"

#include <stdint.h>

enum entry_count {
    ENTRY_HITS,
    ENTRY_MISSES,
    ENTRY_REFRESHES,    /* hits whose reader was asked to fill it anew */
    ENTRY_FILLS,        /* stored */
    ENTRY_FILLS_VOID,   /* stored, but something was cleared since the lease: never served */
    ENTRY_FILLS_OFF,    /* not stored: the account's cache is off */
    ENTRY_FILLS_LATE,   /* not stored: something was there, and the fill was to be the first */
    ENTRY_LEASES_WRONG, /* not stored: the lease is none of this label, or too old */
    ENTRY_INCREMENTS,
    ENTRY_MODEL_CLEARS,
    ENTRY_BYTES_IN, /* bodies of fills that were stored */
    ENTRY_BYTES_OUT,
    ENTRY_COUNTS
};
enum entry_kind { ENTRY_OF_USER, ENTRY_OF_APP, ENTRY_KINDS };

struct entry_counts;

CW_MUST_CHECK enum err entry_counts_new(struct entry_counts **counts_out);
void entry_counts_free(struct entry_counts **counts);

void entry_counts_add(struct entry_counts *counts, const struct namespace *space,
                      enum entry_count which, uint64_t number);
uint64_t entry_counts_read(const struct entry_counts *counts, enum entry_kind kind,
                           enum entry_count which);

/* What a read found, and what became of a fill that entries_put ended with `err`. */
void entry_counts_note_read(const struct entry_request *request, const struct entry_found *found);
void entry_counts_note_fill(const struct entry_request *request, enum err err,
                            const struct entry_stored *stored, size_t size);

/* Appends all of them in Prometheus' text format. */
void entry_counts_write(const struct entry_counts *counts, struct strbuf *out);

#endif
