#include "health/probe.h"

#include "cachewarden/clock.h"
#include "cachewarden/control.h"
#include "cachewarden/lock.h"
#include "cachewarden/log.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/redis_error.h"
#include "entries/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRESH_MS = 1000,      /* how long a report may be shared */
    PROBES_A_SECOND = 50, /* more than anybody who looks after a node asks for */
    PROBE_MS = 250,       /* what a health check may wait for Redis */
};

/* The last report about one Redis, and who is making the next. */
struct probe {
    /* Guarded by `lock` (LOCK_RANK_LEAF). */
    struct lock lock;
    struct lock_cond probed;
    const char *which; /* "control" or "entries", as the metrics call it */
    bool is_probing;   /* a thread is asking Redis, without the lock */
    bool has_report;
    int64_t probed_at_ns;
    int64_t second_began_ns; /* of `probes`, which were made since */
    int probes;
    struct health_report report;
};

struct health {
    struct probe control, entries; /* the latter where entries have a Redis of their own */
};

/* Where the control data is another installation's nothing is written, and so nothing works. */
static struct health_report ask_foreign(struct app *app, struct redis *redis, struct work work)
{
    struct health_report report = {0};
    struct pipeline *pipeline = pipeline_new(work.arena, PIPELINE_READ);

    PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    enum err err = redis_run(redis, pipeline, work);
    report.connected = err == ERR_OK || err == ERR_UPSTREAM_REFUSED;
    snprintf(report.message, sizeof report.message, "%s",
             err != ERR_OK           ? work.error->caller
             : redis == app->control ? "redis holds the control data of another installation"
                                     : "not tried beside another installation's control data");
    return report;
}

/*
 * A new connection's commands ("ECHO refused: NOPERM …" in the log's text) are named like those of the trial: else all
 * that is told of a Redis that takes none is that it refused something.
 */
static void name_of_handshake(const struct error *error, struct health_report *report)
{
    static const char refused[] = " refused: ";
    const char *end = strstr(error->detail, refused), *start = end;

    if (error->redis != REDIS_ERROR_REFUSED || !end)
        return;
    while (start > error->detail && start[-1] >= 'A' && start[-1] <= 'Z')
        start--;
    const char *word = end + sizeof refused - 1;
    snprintf(report->message, sizeof report->message, "redis refused %.*s (%.*s)",
             (int)(end - start), start, (int)strcspn(word, " "), word);
}

/* Where the sentinels lead nowhere, that is why; without addresses, for everybody may ask. */
static void name_sentinels(struct redis *redis, struct health_report *report)
{
    struct redis_sentinels sentinels;

    if (!redis_sentinels_read(redis, &sentinels) || sentinels.primary[0])
        return;
    snprintf(report->message, sizeof report->message, "%s",
             sentinels.answering == 0 ? "no sentinel answers"
             : sentinels.naming == 0  ? "no sentinel knows redis.master_name"
                                      : "the sentinels name no primary that serves us");
}

static struct health_report ask_redis(struct app *app, struct redis *redis, struct arena *arena,
                                      int64_t deadline_ns)
{
    struct health_report report = {0};
    struct error error = {0};
    struct work work = {arena, deadline_ns, &error};

    if (app_is_foreign(app, NULL))
        return ask_foreign(app, redis, work);
    enum err err = control_try_write(redis, work);
    report.connected = err == ERR_OK || err == ERR_UPSTREAM_REFUSED;
    report.read_write = err == ERR_OK;
    snprintf(report.message, sizeof report.message, "%s",
             err == ERR_OK     ? "reads and writes work"
             : error.caller[0] ? error.caller
                               : redis_error_text(REDIS_ERROR_UNAVAILABLE));
    if (err != ERR_OK && !report.connected) {
        name_of_handshake(&error, &report);
        name_sentinels(redis, &report);
    }
    if (err != ERR_OK)
        snprintf(report.sentence, sizeof report.sentence, "%s", error.detail);
    return report;
}

/* Whether Redis may be asked once more in this second. Needs the lock. */
static bool may_ask(struct probe *probe, int64_t now_ns)
{
    if (now_ns - probe->second_began_ns >= NS_PER_S) {
        probe->second_began_ns = now_ns;
        probe->probes = 0;
    }
    return probe->probes < PROBES_A_SECOND;
}

/*
 * Whether the last report will do. That Redis works has to be seen again, or somebody who has just
 * lost it is told that all is well; that it cannot be reached is believed, for finding out may take
 * a worker PROBE_MS. Needs the lock.
 */
static bool will_do(struct probe *probe, int64_t now_ns)
{
    if (!probe->has_report || now_ns - probe->probed_at_ns >= FRESH_MS * NS_PER_MS)
        return false;
    return probe->is_probing || !probe->report.connected || !may_ask(probe, now_ns);
}

/* True: *report_out is good. False: the caller is the one to ask Redis. */
static bool shared_report(struct probe *probe, int64_t deadline_ns,
                          struct health_report *report_out)
{
    bool in_time = true, is_shared;

    *report_out = (struct health_report){0};
    snprintf(report_out->message, sizeof report_out->message, "%s",
             redis_error_text(REDIS_ERROR_TIMEOUT));
    lock_acquire(&probe->lock);
    while (!(is_shared = will_do(probe, clock_mono_ns())) && probe->is_probing && in_time)
        in_time = lock_cond_wait(&probe->probed, &probe->lock, deadline_ns);
    if (is_shared) {
        *report_out = probe->report;
    } else if (!probe->is_probing) {
        probe->is_probing = true;
        probe->probes++;
    } else {
        is_shared = true; /* who asks did not come back in time */
    }
    lock_release(&probe->lock);
    return is_shared;
}

/* A Redis that is not there the pool tells of. */
static void log_change(const char *which, const struct health_report *before,
                       const struct health_report *now)
{
    if (now->connected && !now->read_write && strcmp(before->message, now->message) != 0)
        log_event(LOG_LEVEL_WARN, "redis.refuses", LOG_CSTR("redis", which),
                  LOG_CSTR("what", now->message), LOG_CSTR("why", now->sentence));
    if (now->read_write && before->connected && !before->read_write)
        log_event(LOG_LEVEL_INFO, "redis.serves", LOG_CSTR("redis", which));
}

static void share_report(struct probe *probe, const struct health_report *report)
{
    lock_acquire(&probe->lock);
    struct health_report before = probe->report;
    probe->report = *report;
    probe->has_report = true;
    probe->probed_at_ns = clock_mono_ns();
    probe->is_probing = false;
    lock_cond_broadcast(&probe->probed);
    lock_release(&probe->lock);
    log_change(probe->which, &before, report);
}

static void probe_redis(struct app *app, struct probe *probe, struct redis *redis,
                        struct arena *arena, int64_t deadline_ns, struct health_report *report_out)
{
    int64_t own_ns = clock_deadline_ns(PROBE_MS);

    if (own_ns < deadline_ns)
        deadline_ns = own_ns;
    if (shared_report(probe, deadline_ns, report_out))
        return;
    *report_out = ask_redis(app, redis, arena, deadline_ns);
    share_report(probe, report_out);
}

void health_probe(struct app *app, struct arena *arena, int64_t deadline_ns,
                  struct health_report *report_out)
{
    probe_redis(app, &app->health->control, app->control, arena, deadline_ns, report_out);
}

struct redis *health_entries_redis(const struct app *app)
{
    return app->entries && entries_own_redis(app->entries) ? entries_redis(app->entries) : NULL;
}

bool health_probe_entries(struct app *app, struct arena *arena, int64_t deadline_ns,
                          struct health_report *report_out)
{
    struct redis *redis = health_entries_redis(app);

    if (redis)
        probe_redis(app, &app->health->entries, redis, arena, deadline_ns, report_out);
    return redis != NULL;
}

static void probe_init(struct probe *probe, const char *name, const char *which)
{
    probe->which = which;
    lock_init(&probe->lock, LOCK_RANK_LEAF, name);
    lock_cond_init(&probe->probed);
}

static void probe_fini(struct probe *probe)
{
    lock_cond_fini(&probe->probed);
    lock_fini(&probe->lock);
}

enum err health_open(struct health **health_out, struct error *error)
{
    struct health *health = calloc(1, sizeof *health);

    *health_out = health;
    if (!health)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the health report");
    probe_init(&health->control, "health", "control");
    probe_init(&health->entries, "health.entries", "entries");
    return ERR_OK;
}

void health_close(struct health **health)
{
    if (!*health)
        return;
    probe_fini(&(*health)->control);
    probe_fini(&(*health)->entries);
    free(*health);
    *health = NULL;
}
