/* What GET /metrics and an admin's GET /health say of backups. */
#include "backup/backups_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/exposition.h"
#include "cachewarden/zone.h"

#include <stdio.h>
#include <unistd.h>

static int64_t asked_for_s(const struct backups *backups, const struct backup_results *results)
{
    if (!backups->schedule)
        return 0;
    return backup_asked_for_s(&backups->cron, zone_offset_s, results->since_s, clock_wall_s());
}

static void write_entries(struct backups *backups, struct strbuf *out)
{
    static const char *const labels[BACKUPS_ENTRIES] = {
        [BACKUPS_ENTRIES_BACKED_UP] = "result=\"backed_up\"",
        [BACKUPS_ENTRIES_RESTORED] = "result=\"restored\"",
        [BACKUPS_ENTRIES_EXPIRED] = "result=\"expired\"",
        [BACKUPS_ENTRIES_CLEARED] = "result=\"cleared\"",
        [BACKUPS_ENTRIES_TAKEN] = "result=\"taken\"",
        [BACKUPS_ENTRIES_REFUSED] = "result=\"refused\"",
    };

    if (!backups->includes_entries)
        return;
    exposition_family(out, "cachewarden_backup_entries_total", "counter",
                      "Entries of the cache service that this node backed up, or put back or left "
                      "out in a restore.");
    for (int i = 0; i < BACKUPS_ENTRIES; i++)
        exposition_count(out, "cachewarden_backup_entries_total", labels[i],
                         (uint64_t)atomic_load(&backups->entries[i]));
}

void backups_write_metrics(struct backups *backups, struct strbuf *out)
{
    struct backup_results results;

    backup_results_get(&backups->results, &results);
    exposition_family(out, "cachewarden_backups_total", "counter",
                      "Backups that this node tried to make, by what became of them.");
    exposition_count(out, "cachewarden_backups_total", "result=\"good\"", (uint64_t)results.made);
    exposition_count(out, "cachewarden_backups_total", "result=\"failed\"",
                     (uint64_t)results.failed);
    exposition_single(out, "cachewarden_backup_last_success_timestamp_seconds", "gauge",
                      "When the last good backup was made, as far as this node knows; 0: never.",
                      (uint64_t)results.good.at_s);
    exposition_family(out, "cachewarden_backup_last_duration_seconds", "gauge",
                      "How long the last good backup took.");
    exposition_seconds(out, "cachewarden_backup_last_duration_seconds", "",
                       (uint64_t)results.good.duration_ms * NS_PER_MS);
    exposition_single(out, "cachewarden_backup_last_size_bytes", "gauge",
                      "Size of the last good backup.", (uint64_t)results.good.size_bytes);
    exposition_single(out, "cachewarden_backup_required_timestamp_seconds", "gauge",
                      "A good backup has to be younger, or two ticks of the schedule have brought "
                      "none; 0: none is asked for.",
                      (uint64_t)asked_for_s(backups, &results));
    write_entries(backups, out);
}

static void add_time(struct json_writer *json, const char *name, int64_t at_s)
{
    char at[CLOCK_RFC3339_SIZE];

    json_add_string(json, name, clock_rfc3339(at_s * 1000, at));
}

/* A disk that is not mounted is no backup. */
static bool is_in_folder(const struct backups *backups, const struct backup_result *result)
{
    char path[512];
    int length = snprintf(path, sizeof path, "%s/%s.tar.zst", backups->directory, result->id);

    return length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0;
}

static void add_result(const struct backups *backups, struct json_writer *json, const char *name,
                       const struct backup_result *result)
{
    json_name(json, name);
    if (result->at_s == 0) {
        json_write_null(json);
        return;
    }
    json_open_object(json);
    add_time(json, "at", result->at_s);
    json_add_string(json, "result", result->is_good ? STR("ok") : STR("failed"));
    if (result->is_good) {
        json_add_string(json, "id", str_from(result->id));
        json_add_integer(json, "size", result->size_bytes);
        json_add_bool(json, "in_folder", is_in_folder(backups, result));
    } else {
        json_add_string(json, "reason", str_from(result->reason));
    }
    json_add_integer(json, "duration_ms", result->duration_ms);
    json_add_string(json, "node", str_from(result->node));
    json_close_object(json);
}

static void add_schedule(const struct backups *backups, struct json_writer *json)
{
    int64_t next_s = CRON_NEVER;

    if (backups->schedule)
        next_s = cron_next(&backups->cron, zone_offset_s, clock_wall_s());
    json_name(json, "schedule");
    if (backups->schedule)
        json_write_string(json, str_from(backups->schedule_text));
    else
        json_write_null(json);
    if (next_s != CRON_NEVER) {
        add_time(json, "next", next_s);
        return;
    }
    json_name(json, "next");
    json_write_null(json);
}

void backups_write_health(struct backups *backups, struct work work, struct json_writer *json)
{
    struct backup_results results;

    /* Without the users database, what this node knows is told. */
    (void)!backup_results_load(&backups->results, backups->users, work.arena, NULL);
    backup_results_get(&backups->results, &results);
    json_name(json, "backups");
    json_open_object(json);
    add_schedule(backups, json);
    json_add_bool(json, "overdue", results.good.at_s < asked_for_s(backups, &results));
    add_result(backups, json, "last", &results.last);
    add_result(backups, json, "last_good", &results.good);
    json_close_object(json);
}
