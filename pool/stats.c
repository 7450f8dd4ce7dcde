#include "stats.h"

static void add_times(struct redis_times *to, const struct redis_times *from)
{
    for (size_t i = 0; i <= REDIS_TIME_BOUNDS; i++)
        to->counts[i] += from->counts[i];
    to->sum_ns += from->sum_ns;
}

void stats_add(struct redis_stats *to, const struct redis_stats *from)
{
    to->size += from->size;
    to->idle += from->idle;
    to->busy += from->busy;
    to->connecting += from->connecting;
    to->under_way += from->under_way;
    to->connects += from->connects;
    to->connect_failures += from->connect_failures;
    to->closes += from->closes;
    to->outlived += from->outlived;
    to->borrows += from->borrows;
    to->batches += from->batches;
    to->batched += from->batched;
    for (size_t i = 0; i <= REDIS_BATCH_SIZE_BOUNDS; i++)
        to->batch_sizes[i] += from->batch_sizes[i];
    add_times(&to->waits, &from->waits);
    add_times(&to->round_trip_times, &from->round_trip_times);
    to->waits_timed_out += from->waits_timed_out;
    to->breaker_refusals += from->breaker_refusals;
    to->round_trips += from->round_trips;
    to->commands += from->commands;
    to->replies_refused += from->replies_refused;
    to->desynchronised += from->desynchronised;
    to->breaker_open = to->breaker_open || from->breaker_open;
}
