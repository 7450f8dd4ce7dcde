#include "health/probe.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/pipeline.h"
#include "cachewarden/redis_error.h"
#include "keyspace.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FRESH_MS = 1000,      /* how long a report may be shared */
    PROBES_A_SECOND = 50, /* more than anybody who looks after a node asks for */
    PROBE_MS = 250,       /* what a health check may wait for Redis */
};

struct health {
    /* Guarded by `lock` (LOCK_RANK_LEAF). */
    struct lock lock;
    struct lock_cond probed;
    bool is_probing; /* a thread is asking Redis, without the lock */
    bool has_report;
    int64_t probed_at_ns;
    int64_t second_began_ns; /* of `probes`, which were made since */
    int probes;
    struct health_report report;
};

static void add_trial(struct pipeline *pipeline)
{
    struct key key = key_probe();

    PIPELINE_KEY(pipeline, EXPECT_OK, STR("SET"), key_str(&key), STR("probe"), STR("EX"),
                 STR("10"));
    PIPELINE_KEY(pipeline, EXPECT_STRING, STR("GET"), key_str(&key));
    PIPELINE_KEY(pipeline, EXPECT_INTEGER, STR("DEL"), key_str(&key));
}

static bool has_gone_well(const struct pipeline *pipeline)
{
    return str_eq(pipeline_value(pipeline, 1)->text, STR("probe")) &&
           pipeline_value(pipeline, 2)->integer == 1;
}

/* Where the control data is another installation's nothing is written, and so nothing works. */
static struct health_report ask_redis(struct app *app, struct arena *arena, int64_t deadline_ns)
{
    bool is_foreign = app_is_foreign(app, NULL);
    struct health_report report = {.message = "reads and writes work"};
    struct error error = {0};
    struct pipeline *pipeline =
        pipeline_new(arena, is_foreign ? PIPELINE_READ : PIPELINE_WRITE_FREE);

    if (is_foreign)
        PIPELINE_ADD(pipeline, EXPECT_STATUS, STR("PING"));
    else
        add_trial(pipeline);
    enum err err = redis_run(app->control, pipeline,
                             (struct work){.deadline_ns = deadline_ns, .error = &error});

    report.connected = err == ERR_OK || err == ERR_UPSTREAM_REFUSED;
    report.read_write = err == ERR_OK && !is_foreign && has_gone_well(pipeline);
    if (err != ERR_OK)
        snprintf(report.message, sizeof report.message, "%s",
                 redis_error_text(error.redis ? error.redis : REDIS_ERROR_UNAVAILABLE));
    else if (!report.read_write)
        snprintf(report.message, sizeof report.message, "%s",
                 is_foreign ? "redis holds the control data of another installation"
                            : "redis lost what was written");
    return report;
}

/* Whether Redis may be asked once more in this second. Needs the lock. */
static bool may_ask(struct health *health, int64_t now_ns)
{
    if (now_ns - health->second_began_ns >= NS_PER_S) {
        health->second_began_ns = now_ns;
        health->probes = 0;
    }
    return health->probes < PROBES_A_SECOND;
}

/*
 * Whether the last report will do. That Redis works has to be seen again, or somebody who has just
 * lost it is told that all is well; that it cannot be reached is believed, for finding out may take
 * a worker PROBE_MS. Needs the lock.
 */
static bool will_do(struct health *health, int64_t now_ns)
{
    if (!health->has_report || now_ns - health->probed_at_ns >= FRESH_MS * NS_PER_MS)
        return false;
    return health->is_probing || !health->report.connected || !may_ask(health, now_ns);
}

/* True: *report_out is good. False: the caller is the one to ask Redis. */
static bool shared_report(struct health *health, int64_t deadline_ns,
                          struct health_report *report_out)
{
    bool in_time = true, is_shared;

    *report_out = (struct health_report){0};
    snprintf(report_out->message, sizeof report_out->message, "%s",
             redis_error_text(REDIS_ERROR_TIMEOUT));
    lock_acquire(&health->lock);
    while (!(is_shared = will_do(health, clock_mono_ns())) && health->is_probing && in_time)
        in_time = lock_cond_wait(&health->probed, &health->lock, deadline_ns);
    if (is_shared) {
        *report_out = health->report;
    } else if (!health->is_probing) {
        health->is_probing = true;
        health->probes++;
    } else {
        is_shared = true; /* who asks did not come back in time */
    }
    lock_release(&health->lock);
    return is_shared;
}

static void share_report(struct health *health, const struct health_report *report)
{
    lock_acquire(&health->lock);
    health->report = *report;
    health->has_report = true;
    health->probed_at_ns = clock_mono_ns();
    health->is_probing = false;
    lock_cond_broadcast(&health->probed);
    lock_release(&health->lock);
}

void health_probe(struct app *app, struct arena *arena, int64_t deadline_ns,
                  struct health_report *report_out)
{
    int64_t own_ns = clock_deadline_ns(PROBE_MS);

    if (own_ns < deadline_ns)
        deadline_ns = own_ns;
    if (shared_report(app->health, deadline_ns, report_out))
        return;
    *report_out = ask_redis(app, arena, deadline_ns);
    share_report(app->health, report_out);
}

enum err health_open(struct health **health_out, struct error *error)
{
    struct health *health = calloc(1, sizeof *health);

    *health_out = health;
    if (!health)
        return error_set_detail(error, ERR_NO_MEMORY, "no memory for the health report");
    lock_init(&health->lock, LOCK_RANK_LEAF, "health");
    lock_cond_init(&health->probed);
    return ERR_OK;
}

void health_close(struct health **health)
{
    if (!*health)
        return;
    lock_cond_fini(&(*health)->probed);
    lock_fini(&(*health)->lock);
    free(*health);
    *health = NULL;
}
