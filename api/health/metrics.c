/* What the services have counted, in Prometheus' text format. Labels are fixed words and the names of
 * configured caches, so the number of lines is bounded by the configuration. */
#include "audit/service.h"
#include "backup/service.h"
#include "caches/targets.h"
#include "cachewarden/app.h"
#include "cachewarden/exposition.h"
#include "cachewarden/health.h"
#include "cachewarden/log.h"
#include "cachewarden/password.h"
#include "cachewarden/resolver.h"
#include "cachewarden/revocations.h"
#include "entries/service.h"
#include "gateway/service.h"
#include "jobs/service.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* A label's value is a cache's name, 64 bytes at most. */
enum { LABELS_SIZE = 128 };

/* ---- pools ---- */

struct pool_view {
    char labels[LABELS_SIZE];
    struct redis_stats stats;
};

static const struct {
    const char *name, *help;
    size_t offset; /* of a uint64_t in struct redis_stats */
} pool_counters[] = {
#define COUNTER(name_, field_, help_)                                                    \
    {                                                                                    \
        "cachewarden_redis_" name_ "_total", help_, offsetof(struct redis_stats, field_) \
    }
    COUNTER("connects", connects, "Connections made to Redis."),
    COUNTER("connect_failures", connect_failures, "Attempts to connect to Redis that failed."),
    COUNTER("closes", closes, "Connections to Redis closed."),
    COUNTER("outlived", outlived,
            "Connections to Redis closed at the end of redis.connection_lifetime_s."),
    COUNTER("round_trips", round_trips, "Round trips to Redis: one write, all its replies."),
    COUNTER("commands", commands, "Commands sent to Redis."),
    COUNTER("borrows", borrows, "Pipelines that had a connection of their own."),
    COUNTER("wait_timeouts", waits_timed_out, "Callers that waited for a connection in vain."),
    COUNTER("breaker_refusals", breaker_refusals, "Callers turned away by the open breaker."),
    COUNTER("error_replies", replies_refused, "Replies of Redis that were errors."),
    COUNTER("desynchronised", desynchronised,
            "Connections closed because replies were late or strange."),
#undef COUNTER
};

static size_t add_view(struct pool_view *views, size_t count, struct redis *redis, const char *name,
                       int size)
{
    snprintf(views[count].labels, LABELS_SIZE, "pool=\"%.*s\"", size, name);
    redis_stats_read(redis, &views[count].stats);
    return count + 1;
}

static void write_connections(struct strbuf *out, const struct pool_view *views, size_t count)
{
    exposition_family(out, "cachewarden_redis_connections", "gauge",
                      "Connections to Redis, by what they do now.");
    for (size_t i = 0; i < count; i++) {
        char labels[LABELS_SIZE + 32];
        snprintf(labels, sizeof labels, "%s,state=\"idle\"", views[i].labels);
        exposition_count(out, "cachewarden_redis_connections", labels, views[i].stats.idle);
        snprintf(labels, sizeof labels, "%s,state=\"busy\"", views[i].labels);
        exposition_count(out, "cachewarden_redis_connections", labels,
                         views[i].stats.busy - views[i].stats.connecting);
        snprintf(labels, sizeof labels, "%s,state=\"connecting\"", views[i].labels);
        exposition_count(out, "cachewarden_redis_connections", labels, views[i].stats.connecting);
    }
    exposition_family(out, "cachewarden_redis_connections_max", "gauge",
                      "Connections to Redis at most.");
    for (size_t i = 0; i < count; i++)
        exposition_count(out, "cachewarden_redis_connections_max", views[i].labels,
                         views[i].stats.size);
    exposition_family(out, "cachewarden_redis_pipelines_under_way", "gauge",
                      "Callers that wait for a connection or for replies now.");
    for (size_t i = 0; i < count; i++)
        exposition_count(out, "cachewarden_redis_pipelines_under_way", views[i].labels,
                         views[i].stats.under_way);
    exposition_family(out, "cachewarden_redis_breaker_open", "gauge",
                      "1 while callers fail at once, because Redis does not answer.");
    for (size_t i = 0; i < count; i++)
        exposition_count(out, "cachewarden_redis_breaker_open", views[i].labels,
                         views[i].stats.breaker_open);
}

static void write_times(struct strbuf *out, const struct pool_view *views, size_t count,
                        const char *name, const char *help, size_t offset)
{
    exposition_family(out, name, "histogram", help);
    for (size_t i = 0; i < count; i++) {
        const struct redis_times *times =
            (const struct redis_times *)(const void *)((const char *)&views[i].stats + offset);
        exposition_histogram(out, name, views[i].labels,
                             &(struct exposition_histogram){.bounds = redis_time_bounds_ns,
                                                            .counts = times->counts,
                                                            .bound_count = REDIS_TIME_BOUNDS,
                                                            .sum = times->sum_ns,
                                                            .is_time = true});
    }
}

static void write_histograms(struct strbuf *out, const struct pool_view *views, size_t count)
{
    static const char sizes[] = "cachewarden_redis_batch_pipelines";
    int64_t bounds[REDIS_BATCH_SIZE_BOUNDS];

    for (size_t i = 0; i < REDIS_BATCH_SIZE_BOUNDS; i++)
        bounds[i] = INT64_C(1) << i;
    exposition_family(out, sizes, "histogram", "Pipelines that shared a write, by batch.");
    for (size_t i = 0; i < count; i++)
        exposition_histogram(out, sizes, views[i].labels,
                             &(struct exposition_histogram){.bounds = bounds,
                                                            .counts = views[i].stats.batch_sizes,
                                                            .bound_count = REDIS_BATCH_SIZE_BOUNDS,
                                                            .sum = views[i].stats.batched});
    write_times(
        out, views, count, "cachewarden_redis_wait_seconds",
        "How long the first of a batch waited for a connection. Who got one at once (borrows) "
        "is not in it.",
        offsetof(struct redis_stats, waits));
    write_times(out, views, count, "cachewarden_redis_round_trip_seconds",
                "From a write to its last reply, or until that was given up.",
                offsetof(struct redis_stats, round_trip_times));
}

static void write_pools(const struct app *app, struct strbuf *out)
{
    size_t targets = app->caches ? app->caches->count : 0, count = 0;
    struct pool_view *views = calloc(targets + 2, sizeof *views);

    if (!views) {
        out->failed = true;
        return;
    }
    count = add_view(views, count, app->control, "control", 7);
    if (app->entries && entries_own_redis(app->entries))
        count = add_view(views, count, entries_redis(app->entries), "entries", 7);
    for (size_t i = 0; i < targets; i++) {
        const struct target *target = &app->caches->targets[i];
        if (target->owns_redis)
            count = add_view(views, count, target->redis, target->name.ptr, (int)target->name.len);
    }
    write_connections(out, views, count);
    for (size_t c = 0; c < sizeof pool_counters / sizeof *pool_counters; c++) {
        exposition_family(out, pool_counters[c].name, "counter", pool_counters[c].help);
        for (size_t i = 0; i < count; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&views[i].stats + pool_counters[c].offset, sizeof value);
            exposition_count(out, pool_counters[c].name, views[i].labels, value);
        }
    }
    write_histograms(out, views, count);
    free(views);
}

/* What the sentinels say of the control data's Redis, and of all that follow it. */
static void write_sentinels(const struct app *app, struct strbuf *out)
{
    static const char name[] = "cachewarden_sentinels";
    struct redis_sentinels sentinels;

    if (!redis_sentinels_read(app->control, &sentinels))
        return;
    exposition_family(out, name, "gauge", "Sentinels, by what they said last.");
    exposition_count(out, name, "state=\"configured\"", sentinels.count);
    exposition_count(out, name, "state=\"answering\"", sentinels.answering);
    exposition_count(out, name, "state=\"naming\"", sentinels.naming);
    exposition_count(out, name, "state=\"without_quorum\"", sentinels.lack_quorum);
    exposition_single(out, "cachewarden_redis_primary_known", "gauge",
                      "1 while the sentinels have named a primary that said it is one.",
                      sentinels.primary[0] != '\0');
    exposition_single(out, "cachewarden_redis_primary_switches_total", "counter",
                      "How often another primary was taken, the first one included.",
                      sentinels.switches);
}

/* ---- named caches ---- */

static void write_target(struct strbuf *out, const char *name, const struct target *target,
                         const char *more, uint64_t value)
{
    char labels[LABELS_SIZE];

    snprintf(labels, sizeof labels, "cache=\"%.*s\"%s", STR_ARG(target->name), more);
    exposition_count(out, name, labels, value);
}

static void write_caches(const struct app *app, struct strbuf *out)
{
    const struct caches *caches = app->caches;

    if (!caches || caches->count == 0)
        return;
    exposition_family(out, "cachewarden_flushes_total", "counter",
                      "Flushes of named caches, by how they went.");
    for (size_t i = 0; i < caches->count; i++) {
        const struct target_counts *counts = caches->targets[i].counts;
        write_target(out, "cachewarden_flushes_total", &caches->targets[i], ",result=\"ok\"",
                     atomic_load(&counts->flushes));
        write_target(out, "cachewarden_flushes_total", &caches->targets[i], ",result=\"failed\"",
                     atomic_load(&counts->failures));
    }
    exposition_family(out, "cachewarden_flushed_keys_total", "counter",
                      "Keys removed by flushes of named caches.");
    for (size_t i = 0; i < caches->count; i++)
        write_target(out, "cachewarden_flushed_keys_total", &caches->targets[i], "",
                     atomic_load(&caches->targets[i].counts->removed));
}

/* ---- control, accounts ---- */

static void write_tallies(const struct app *app, struct strbuf *out)
{
    const struct tallies *tallies = app->tallies;

    exposition_family(out, "cachewarden_versions_cleared_total", "counter",
                      "Clears: versions raised, of one user or of all.");
    exposition_count(out, "cachewarden_versions_cleared_total", "scope=\"user\"",
                     tally_read(tallies, TALLY_CLEARS_USER));
    exposition_count(out, "cachewarden_versions_cleared_total", "scope=\"all\"",
                     tally_read(tallies, TALLY_CLEARS_ALL));
    exposition_family(out, "cachewarden_sign_ins_total", "counter", "Sign-ins, by how they went.");
    exposition_count(out, "cachewarden_sign_ins_total", "result=\"ok\"",
                     tally_read(tallies, TALLY_SIGN_INS));
    exposition_count(out, "cachewarden_sign_ins_total", "result=\"refused\"",
                     tally_read(tallies, TALLY_SIGN_INS_REFUSED));
    exposition_single(out, "cachewarden_tokens_refreshed_total", "counter",
                      "Refresh tokens traded for a new pair.",
                      tally_read(tallies, TALLY_REFRESHES));
    exposition_single(out, "cachewarden_tokens_reused_total", "counter",
                      "Spent refresh tokens that came again: somebody has a token that is not "
                      "theirs.",
                      tally_read(tallies, TALLY_REUSES));
    exposition_single(out, "cachewarden_tokens_unrecorded_total", "counter",
                      "Pairs of tokens given out that Redis did not record.",
                      tally_read(tallies, TALLY_UNRECORDED));
    exposition_single(out, "cachewarden_logouts_total", "counter", "Sessions ended by logging out.",
                      tally_read(tallies, TALLY_LOGOUTS));
    if (app->identity)
        exposition_single(out, "cachewarden_revocations", "gauge",
                          "Revocations this node keeps in memory.",
                          revocations_count(identity_revocations(app->identity)));
}

static void write_entries(const struct app *app, struct strbuf *out)
{
    if (app->entries)
        entries_write_metrics(app->entries, out);
    if (app->gateway)
        gateway_write_metrics(app->gateway, out);
}

static void write_hashing(struct strbuf *out)
{
    struct password_stats stats;

    password_stats_read(&stats);
    exposition_single(out, "cachewarden_password_hashes_max", "gauge",
                      "Password hashes that may run at once.", stats.places);
    exposition_single(out, "cachewarden_password_hashes_running", "gauge",
                      "Password hashes under way.", stats.running);
    exposition_single(out, "cachewarden_password_hashes_waiting", "gauge",
                      "Sign-ins that wait for a place to hash.", stats.waiting);
    exposition_single(out, "cachewarden_password_hashes_total", "counter",
                      "Password hashes computed.", stats.hashes);
    exposition_single(out, "cachewarden_password_hashes_refused_total", "counter",
                      "Sign-ins turned away because too many waited.", stats.refusals);
}

static void write_audit(const struct app *app, struct strbuf *out)
{
    struct audit_stats stats;

    audit_stats_read(app->audit, &stats);
    exposition_single(out, "cachewarden_audit_waiting", "gauge",
                      "Records of the audit on their way to Redis.", stats.waiting);
    exposition_family(out, "cachewarden_audit_records_total", "counter",
                      "Records of the audit, by where they ended; log: Redis did not take them.");
    exposition_count(out, "cachewarden_audit_records_total", "to=\"stream\"", stats.saved);
    exposition_count(out, "cachewarden_audit_records_total", "to=\"log\"", stats.logged);
}

static void write_users(const struct app *app, struct strbuf *out)
{
    if (app->users)
        exposition_single(
            out, "cachewarden_users_database_up", "gauge",
            "1 if the users database answered when it was asked last, which a scrape does.",
            !users_is_away(app->users));
}

static void write_log(struct strbuf *out)
{
    exposition_single(
        out, "cachewarden_log_lines_dropped_total", "counter",
        "Lines of the log that were lost because nobody read it, or the disk is full.", log_lost());
}

static void write_names(struct strbuf *out)
{
    struct resolver_stats stats;

    resolver_stats_read(&stats);
    exposition_single(out, "cachewarden_name_lookups_total", "counter",
                      "Look-ups of host names that ended.", stats.lookups);
    exposition_single(out, "cachewarden_name_lookup_failures_total", "counter",
                      "Of these, those without an answer.", stats.failures);
    exposition_single(out, "cachewarden_names", "gauge", "Host names that are looked up.",
                      stats.names);
    exposition_single(out, "cachewarden_names_overdue", "gauge",
                      "Of these, those whose last look-up failed or takes long; the last answer "
                      "is used.",
                      stats.overdue);
}

void app_write_metrics(struct app *app, struct strbuf *out)
{
    exposition_single(out, "cachewarden_ready", "gauge", "1 while this node wants requests.",
                      app_is_ready(app));
    write_pools(app, out);
    write_sentinels(app, out);
    write_caches(app, out);
    jobs_write_metrics(app->jobs, out);
    if (app->backups)
        backups_write_metrics(app->backups, out);
    write_tallies(app, out);
    write_entries(app, out);
    write_hashing(out);
    write_audit(app, out);
    write_users(app, out);
    write_names(out);
    write_log(out);
}
