/* What the thread of a watch does: ask, decide, make sure, tell. */
#include "conn.h"
#include "topology/sentinel_watch_private.h"
#include "transport/tls.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <stdio.h>
#include <string.h>

enum {
    ASK_INTERVAL_MS = 1000,
    TROUBLE_INTERVAL_MS = 200, /* also: how often the fronts are looked at */
    FAILED_REST_MS = 1000,     /* a silent one costs its whole time; no more often */
};

static void write_primary(const struct sentinel_primary *primary, char *out, size_t size)
{
    bool is_ipv6 = strchr(primary->host, ':') != NULL;

    snprintf(out, size, is_ipv6 ? "[%s]:%d" : "%s:%d", primary->host, primary->port);
}

/* ---- the fronts ---- */

/* The list stays as it is until end_telling. */
static struct sentinel_follower *begin_telling(struct sentinel_watch *watch)
{
    lock_acquire(&watch->lock);
    watch->is_telling = true;
    struct sentinel_follower *followers = watch->followers;
    lock_release(&watch->lock);
    return followers;
}

static void end_telling(struct sentinel_watch *watch)
{
    lock_acquire(&watch->lock);
    watch->is_telling = false;
    lock_cond_broadcast(&watch->changed);
    lock_release(&watch->lock);
}

static void lead(struct sentinel_watch *watch, const struct sentinel_primary *primary)
{
    for (struct sentinel_follower *each = begin_telling(watch); each; each = each->next)
        each->lead_to(each, primary);
    end_telling(watch);
}

static bool is_in_trouble(struct sentinel_watch *watch)
{
    bool is_in_trouble = false;

    for (struct sentinel_follower *each = begin_telling(watch); each; each = each->next)
        is_in_trouble = is_in_trouble || each->is_in_trouble(each);
    end_telling(watch);
    return is_in_trouble;
}

/* ---- is it a primary? ---- */

/* Does it the way connections are made, which ask for the role. A Redis too old to tell it is believed. */
static bool check_role(const struct redis_address *address, struct sentinel_patience patience,
                       char *why, size_t why_size)
{
    struct conn_target target = {.address = address, .client_name = "cachewarden-sentinel"};
    struct conn *conn = NULL;
    struct error error = {0};
    enum redis_tls_file file;
    enum err err = address->tls ? tls_context_new(address, &target.tls, &file, &error) : ERR_OK;

    if (!err)
        err = conn_open(&target, clock_deadline_ns(patience.connect_ms), &conn, &error);
    bool is_replica = conn && conn->is_replica;
    if (err)
        snprintf(why, why_size, "%.150s", error.detail[0] ? error.detail : error.caller);
    else if (is_replica)
        snprintf(why, why_size, "says that it is a replica");
    if (conn)
        conn_close(&conn);
    tls_context_free(&target.tls);
    return !err && !is_replica;
}

static bool is_primary(struct sentinel_watch *watch, const struct sentinel_primary *primary,
                       char *why, size_t why_size)
{
    struct redis_address address;
    char host[SENTINEL_HOST_SIZE];

    memcpy(host, primary->host, sizeof host);
    lock_acquire(&watch->lock);
    enum err err = redis_address_copy(&watch->address, &address);
    lock_release(&watch->lock);
    if (err) {
        snprintf(why, why_size, "out of memory");
        return false;
    }
    char *configured = address.host;
    address.host = host;
    address.port = primary->port;
    bool is_fine = check_role(&address, watch->patience, why, why_size);
    address.host = configured;
    redis_address_fini(&address);
    return is_fine;
}

/* ---- deciding ---- */

static void take(struct sentinel_watch *watch, const struct sentinel_primary *primary)
{
    char now[SENTINEL_HOST_SIZE + 16], before[SENTINEL_HOST_SIZE + 16] = "";

    if (watch->primary.port > 0)
        write_primary(&watch->primary, before, sizeof before);
    write_primary(primary, now, sizeof now);
    lock_acquire(&watch->lock);
    watch->primary = *primary;
    watch->switches++;
    lock_release(&watch->lock);
    log_event(LOG_LEVEL_INFO, "redis.primary_found", LOG_CSTR("address", now),
              LOG_CSTR("before", before[0] ? before : "none"));
}

static void note_why_not(struct sentinel_watch *watch, const struct sentinel_primary *primary,
                         const char *why)
{
    char address[SENTINEL_HOST_SIZE + 16];

    write_primary(primary, address, sizeof address);
    lock_acquire(&watch->lock);
    if (why)
        snprintf(watch->why_not, sizeof watch->why_not, "%s, which sentinels name, %s", address,
                 why);
    else
        watch->why_not[0] = '\0';
    lock_release(&watch->lock);
}

/* The one in use says so by every answer, as long as its fronts get any. A sentinel that has gone for good may name
 * it for ever: so once they get none it is asked like the others. */
static bool may_be_it(struct sentinel_watch *watch, const struct sentinel_primary *named, char *why,
                      size_t why_size)
{
    return (sentinel_same_primary(named, &watch->primary) && !is_in_trouble(watch)) ||
           is_primary(watch, named, why, why_size);
}

/* Of those that may be it, the best that says it is. */
static void decide(struct sentinel_watch *watch)
{
    struct sentinel_primary named[REDIS_SENTINELS_MAX], chosen;
    struct sentinel_candidate candidates[REDIS_SENTINELS_MAX];
    char why[SENTINEL_WHY_SIZE], first_why[SENTINEL_WHY_SIZE] = "";

    for (size_t i = 0; i < watch->count; i++)
        named[i] = watch->peers[i].named;
    size_t count = sentinel_find_candidates(named, watch->count, candidates), i = 0;
    for (; i < count; i++) {
        if (atomic_load(&watch->is_ending))
            return;
        if (may_be_it(watch, candidates[i].primary, why, sizeof why))
            break;
        if (i == 0)
            memcpy(first_why, why, sizeof first_why);
    }
    if (count > 0)
        note_why_not(watch, candidates[0].primary, i > 0 ? first_why : NULL);
    if (i == count)
        return;
    chosen = *candidates[i].primary;
    if (!sentinel_same_primary(&chosen, &watch->primary))
        take(watch, &chosen);
    lead(watch, &chosen);
}

/* ---- asking ---- */

static void ask(struct sentinel_watch *watch, struct sentinel_peer *peer)
{
    struct sentinel_answer answer;

    sentinel_link_ask(peer->link, str_from(watch->master_name), watch->patience, &answer);
    peer->again_ns =
        answer.state == SENTINEL_SILENT ? clock_deadline_ns(FAILED_REST_MS) : clock_mono_ns();
    lock_acquire(&watch->lock);
    peer->answer = answer;
    if (answer.state == SENTINEL_NAMES)
        peer->named = answer.named;
    else if (answer.state == SENTINEL_UNAWARE)
        peer->named.port = 0;
    lock_release(&watch->lock);
    if (answer.state == SENTINEL_NAMES && !atomic_load(&watch->is_ending))
        decide(watch);
}

/* Those that answer come first: they do not wait for the others. */
static void ask_all(struct sentinel_watch *watch)
{
    bool was_silent[REDIS_SENTINELS_MAX] = {false};

    for (size_t i = 0; i < watch->count; i++)
        was_silent[i] = watch->peers[i].answer.state == SENTINEL_SILENT;
    for (size_t i = 0; i < watch->count; i++)
        if (!was_silent[i] && !atomic_load(&watch->is_ending))
            ask(watch, &watch->peers[i]);
    for (size_t i = 0; i < watch->count; i++)
        if (was_silent[i] && !atomic_load(&watch->is_ending) &&
            clock_mono_ns() >= watch->peers[i].again_ns)
            ask(watch, &watch->peers[i]);
}

/* ---- saying ---- */

/* What is worst, in words. */
static void say(const struct sentinel_watch *watch, struct redis_sentinels *report)
{
    const struct sentinel_peer *peers = watch->peers;
    size_t bad = 0, unaware = 0, worst = 0;

    for (size_t i = watch->count; i > 0; i--)
        if (peers[i - 1].answer.why[0]) {
            worst = i - 1;
            bad++;
            unaware += peers[i - 1].answer.state == SENTINEL_UNAWARE;
        }
    if (unaware > 0 && report->naming == 0)
        snprintf(report->trouble, sizeof report->trouble,
                 "no sentinel knows the master \"%.64s\" (redis.master_name)", watch->master_name);
    else if (bad > 0 && report->naming == 0)
        snprintf(report->trouble, sizeof report->trouble,
                 "no sentinel names a primary; %.60s %.100s", peers[worst].name,
                 peers[worst].answer.why);
    else if (watch->why_not[0])
        snprintf(report->trouble, sizeof report->trouble, "%.199s", watch->why_not);
    else if (bad > 0)
        snprintf(report->trouble, sizeof report->trouble, "%zu of %zu sentinels: %.60s %.100s", bad,
                 watch->count, peers[worst].name, peers[worst].answer.why);
}

void sentinel_watch_report_locked(const struct sentinel_watch *watch,
                                  struct redis_sentinels *sentinels_out)
{
    *sentinels_out = (struct redis_sentinels){.count = watch->count, .switches = watch->switches};
    for (size_t i = 0; i < watch->count; i++) {
        const struct sentinel_answer *answer = &watch->peers[i].answer;
        sentinels_out->answering +=
            answer->state == SENTINEL_NAMES || answer->state == SENTINEL_UNAWARE;
        sentinels_out->naming += answer->state == SENTINEL_NAMES;
        sentinels_out->lack_quorum += answer->lacks_quorum;
    }
    if (watch->primary.port > 0)
        write_primary(&watch->primary, sentinels_out->primary, sizeof sentinels_out->primary);
    say(watch, sentinels_out);
}

static void log_trouble(struct sentinel_watch *watch)
{
    struct redis_sentinels report;

    sentinel_watch_read(watch, &report);
    if (strcmp(report.trouble, watch->told) == 0)
        return;
    memcpy(watch->told, report.trouble, sizeof watch->told);
    if (report.trouble[0])
        log_event(LOG_LEVEL_WARN, "redis.sentinels", LOG_CSTR("master", watch->master_name),
                  LOG_CSTR("why", report.trouble), LOG_INT("answering", (int64_t)report.answering),
                  LOG_INT("of", (int64_t)report.count));
    else
        log_event(LOG_LEVEL_INFO, "redis.sentinels_well", LOG_CSTR("master", watch->master_name));
}

int64_t sentinel_watch_round(void *arg)
{
    struct sentinel_watch *watch = arg;

    if (clock_mono_ns() >= watch->ask_next_ns || is_in_trouble(watch)) {
        watch->ask_next_ns = clock_deadline_ns(ASK_INTERVAL_MS);
        ask_all(watch);
        log_trouble(watch);
    }
    return TROUBLE_INTERVAL_MS;
}
