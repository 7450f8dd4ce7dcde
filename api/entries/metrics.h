/*
 * What the cache service did, for GET /metrics, by the kind of namespace. Every request of it counts, so threads
 * do not share a line of the processor's cache: each has one of a few shards, and a reader adds them up.
 */
#ifndef API_ENTRIES_METRICS_H
#define API_ENTRIES_METRICS_H

#include "cachewarden/entries.h"

#include <stdint.h>

enum entries_metric {
    ENTRY_HITS,
    ENTRY_MISSES,
    ENTRY_REFRESHES,     /* hits whose reader was asked to fill it anew */
    ENTRY_FILLS,         /* stored */
    ENTRY_FILLS_VOID,    /* stored, but something was cleared since the lease: never served */
    ENTRY_FILLS_OFF,     /* not stored: the account's cache is off */
    ENTRY_FILLS_LATE,    /* not stored: something was there, and the fill was to be the first */
    ENTRY_FILLS_NO_ROOM, /* not stored: entries have their share of Redis' memory; increments, too */
    ENTRY_LEASES_WRONG,  /* not stored: the lease is none of this label, or too old */
    ENTRY_INCREMENTS,
    ENTRY_MODEL_CLEARS,
    ENTRY_BYTES_IN, /* bodies of fills that were stored */
    ENTRY_BYTES_OUT,
    ENTRIES_METRICS
};
enum entry_kind { ENTRY_OF_USER, ENTRY_OF_APP, ENTRY_KINDS };

struct entries_metrics;

CW_MUST_CHECK enum err entries_metrics_new(struct entries_metrics **metrics_out);
void entries_metrics_free(struct entries_metrics **metrics);

void entries_metrics_add(struct entries_metrics *metrics, const struct namespace *space,
                         enum entries_metric which, uint64_t number);
uint64_t entries_metrics_read(const struct entries_metrics *metrics, enum entry_kind kind,
                              enum entries_metric which);

/* What a read found, and what became of a fill that entries_put ended with `err`. */
void entries_metrics_note_read(const struct entry_request *request,
                               const struct entry_found *found);
void entries_metrics_note_fill(const struct entry_request *request, enum err err,
                               const struct entry_stored *stored, size_t size);

#endif
