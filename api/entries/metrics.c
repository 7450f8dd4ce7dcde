#include "entries/metrics.h"

#include "cachewarden/app.h"
#include "cachewarden/exposition.h"
#include "entries/entries_private.h"
#include "shard.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shard {
    alignas(SHARD_ALIGNMENT) _Atomic uint64_t of[ENTRY_KINDS][ENTRIES_METRICS];
};

struct entries_metrics {
    struct shard shards[SHARDS];
};

enum err entries_metrics_new(struct entries_metrics **metrics_out)
{
    *metrics_out = aligned_alloc(alignof(struct entries_metrics), sizeof **metrics_out);
    if (!*metrics_out)
        return ERR_NO_MEMORY;
    memset(*metrics_out, 0, sizeof **metrics_out);
    return ERR_OK;
}

void entries_metrics_free(struct entries_metrics **metrics)
{
    free(*metrics);
    *metrics = NULL;
}

void entries_metrics_add(struct entries_metrics *metrics, const struct namespace *space,
                         enum entries_metric which, uint64_t number)
{
    enum entry_kind kind = space->user_id > 0 ? ENTRY_OF_USER : ENTRY_OF_APP;

    atomic_fetch_add_explicit(&metrics->shards[shard_own()].of[kind][which], number,
                              memory_order_relaxed);
}

uint64_t entries_metrics_read(const struct entries_metrics *metrics, enum entry_kind kind,
                              enum entries_metric which)
{
    uint64_t sum = 0;

    for (int i = 0; i < SHARDS; i++)
        sum += atomic_load_explicit(&metrics->shards[i].of[kind][which], memory_order_relaxed);
    return sum;
}

/* ---- what happened ---- */

static void add(const struct entry_request *request, enum entries_metric which, uint64_t number)
{
    entries_metrics_add(request->app->entries->metrics, &request->space, which, number);
}

void entries_metrics_note_read(const struct entry_request *request, const struct entry_found *found)
{
    add(request, found->is_hit ? ENTRY_HITS : ENTRY_MISSES, 1);
    if (found->is_refresh)
        add(request, ENTRY_REFRESHES, 1);
    if (found->is_hit)
        add(request, ENTRY_BYTES_OUT, found->body.len);
}

static enum entries_metric outcome_of(const struct entry_stored *stored)
{
    if (!stored->is_enabled)
        return ENTRY_FILLS_OFF;
    return stored->is_void ? ENTRY_FILLS_VOID : ENTRY_FILLS;
}

void entries_metrics_note_fill(const struct entry_request *request, enum err err,
                               const struct entry_stored *stored, size_t size)
{
    enum entries_metric outcome = err == ERR_PRECONDITION ? ENTRY_FILLS_LATE : outcome_of(stored);

    if (err == ERR_OK || err == ERR_PRECONDITION)
        add(request, outcome, 1);
    if (err == ERR_OK && outcome == ENTRY_FILLS)
        add(request, ENTRY_BYTES_IN, size);
}

/* ---- telling ---- */

static const struct {
    enum entries_metric which;
    const char *family, *label, *help; /* of several with one name the first has the help */
} samples[] = {
    {ENTRY_HITS, "cachewarden_entries_reads_total", ",result=\"hit\"",
     "Reads of entries, by whether something good was there."},
    {ENTRY_MISSES, "cachewarden_entries_reads_total", ",result=\"miss\"", NULL},
    {ENTRY_REFRESHES, "cachewarden_entries_refreshes_total", "",
     "Hits whose reader was asked to fill the entry anew before its life ended."},
    {ENTRY_FILLS, "cachewarden_entries_fills_total", ",result=\"stored\"",
     "Fills of entries, by what became of them."},
    {ENTRY_FILLS_VOID, "cachewarden_entries_fills_total", ",result=\"void\"", NULL},
    {ENTRY_FILLS_OFF, "cachewarden_entries_fills_total", ",result=\"off\"", NULL},
    {ENTRY_FILLS_LATE, "cachewarden_entries_fills_total", ",result=\"late\"", NULL},
    {ENTRY_FILLS_NO_ROOM, "cachewarden_entries_fills_total", ",result=\"no_room\"", NULL},
    {ENTRY_LEASES_WRONG, "cachewarden_entries_fills_total", ",result=\"wrong_lease\"", NULL},
    {ENTRY_INCREMENTS, "cachewarden_entries_increments_total", "", "Counters raised."},
    {ENTRY_MODEL_CLEARS, "cachewarden_models_cleared_total", "", "Clears of a model."},
    {ENTRY_BYTES_IN, "cachewarden_entries_bytes_total", ",direction=\"in\"",
     "Bytes of values stored and served, without what HTTP adds."},
    {ENTRY_BYTES_OUT, "cachewarden_entries_bytes_total", ",direction=\"out\"", NULL},
};

static const char *const kind_names[ENTRY_KINDS] = {
    [ENTRY_OF_USER] = "user", [ENTRY_OF_APP] = "app"};

void entries_write_metrics(const struct entries *entries, struct strbuf *out)
{
    char labels[64];

    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        if (samples[i].help)
            exposition_family(out, samples[i].family, "counter", samples[i].help);
        for (int kind = 0; kind < ENTRY_KINDS; kind++) {
            snprintf(labels, sizeof labels, "namespace=\"%s\"%s", kind_names[kind],
                     samples[i].label);
            exposition_count(
                out, samples[i].family, labels,
                entries_metrics_read(entries->metrics, (enum entry_kind)kind, samples[i].which));
        }
    }
}
